"""Writes tests/web/states/anomaly_*.json: live states of the anomaly pipeline, as its page must show them.

Run by hand after a schema change, in tests/web: python record_anomaly.py
"""

import json

import msgspec
import record_states as base
from record_states import FOLDER, RUN_ID, at, error, watch

from nightforge.pipeline.nodes import nodes_of
from nightforge.pipeline.registry import ANOMALY, ANOMALY_PHASES
from nightforge.pipeline.states import NodeStatus, StageState

SECONDS = {"21": 9, "22": 41, "23": 58, "24": 22, "25": 14, "16-post": 2, "26": 6, "27": 2}
SAID = {
    "21": "fdc: 3 files kept, 1 dropped; vib: 12 files kept",
    "22": "600 steps, validation loss 0.241, models/patchtst-v2",
    "23": "300 steps, validation loss 0.317, models/swin-mim-v2",
    "24": "thresholds of both streams from 1,480 normal windows",
    "25": "4 events in 3,210 windows",
    "16-post": "31 files, 4.2 MB, verified",
    "26": "7 of 7 checks passed",
    "27": "state and history written",
}


def stage_row(spec, status, start, end):
    row = base.state("running")["stages"][0] | {"metrics": {}, "progress": None, "eta_s": None, "step": None}
    ended = status in ("succeeded", "failed", "skipped", "stopped")
    row.update(
        id=spec.key,
        title=spec.title,
        phase=spec.phase,
        script=spec.script,
        kind=spec.kind,
        status=status,
        reads=list(spec.reads),
        writes=list(spec.writes),
        log=f"{spec.key}.log",
        nodes=list(spec.nodes),
        attempt=0 if status == "pending" else 1,
        ended_attempt=1 if ended else 0,
        started_at=None if status == "pending" else at(start),
        ended_at=at(end) if ended else None,
        message=SAID[spec.key] if status == "succeeded" else "",
    )
    return row


def curve(steps, start, floor):
    return {
        "train": [[s, base.loss(s, start, floor, 60, 0.04)] for s in range(10, steps + 1, 10)],
        "eval": [[s, base.loss(s, start - 0.05, floor + 0.02, 70, 0.0)] for s in range(50, steps + 1, 50)],
        "lr": [],
        "previous": None,
    }


def state(status, current=None, into=0, nodes=None, **extra):
    """A run: stages before `current` succeeded, it itself `into` seconds old; `nodes` as stages told them."""
    clock, stages, found = 2.0, [], False
    for spec in ANOMALY:
        if spec.key == current:
            found = True
            stages.append(stage_row(spec, "running", clock, clock))
            clock += into
        elif found:
            stages.append(stage_row(spec, "pending", 0, 0))
        else:
            stages.append(stage_row(spec, "succeeded", clock, clock + SECONDS[spec.key]))
            clock += SECONDS[spec.key]
    value = base.state(status) | {
        "pipeline": "anomaly",
        "command": "launch_pipeline.py --pipeline anomaly",
        "stages": stages,
        "phases": [{"id": number, "title": title} for number, title in ANOMALY_PHASES.items()],
        "updated_at": at(clock),
        "heartbeat": {"at": at(clock), "stage_at": at(clock)},
        "curves": {"22": curve(600, 1.1, 0.23), "23": curve(300, 0.9, 0.31)},
    }
    if current:
        value["current"] = {"stage": current, "since": at(clock - into), "last_progress_at": at(clock - 1)}
        value["current"]["watch"] = watch(clock - 1, "step", 1800.0)
    value.update(extra)
    light(value, nodes or {})
    return value


def light(value, told):
    """Set the nodes by the orchestrator's own rule, over those that stages told."""
    before = {
        name: {"status": status, "message": words, "updated_at": value["updated_at"]}
        for name, (status, words) in told.items()
    }
    stages = msgspec.convert(value["stages"], list[StageState])
    known = msgspec.convert(before, dict[str, NodeStatus])
    value["nodes"] = msgspec.to_builtins(nodes_of(stages, known, value["updated_at"], value["status"]))


def stage_of(value, key):
    return next(row for row in value["stages"] if row["id"] == key)


def training():
    value = state("running", "23", 31, {"swinmae": ("running", "step 140 of 300, loss 0.402")})
    row = stage_of(value, "23")
    row.update(progress={"done": 140, "total": 300, "unit": "steps"}, eta_s=[25, 40])
    row["metrics"] = {"loss": 0.4021, "learning_rate": 0.0008}
    row["step"] = {"id": "23.2", "title": "training loop"}
    value["curves"]["23"] = curve(140, 0.9, 0.31)
    value["curve"] = value["curves"]["23"]
    value["eta"] = base.eta([80, 120], [at(190), at(230)], 100)
    return value


def scoring():
    told = {
        "batch-orchestrator": ("running", ""),
        "batch-import": ("done", "3 files"),
        "batch-dqvl": ("done", "3 kept"),
        "batch-patchtst": ("running", "1,200 of 3,210 windows"),
    }
    value = state("running", "25", 6, told)
    stage_of(value, "25")["progress"] = {"done": 1200, "total": 3210, "unit": "windows"}
    return value


def failed():
    words = "line-2.csv has no channel `pressure_2`, which the training files have; rename it or leave it out"
    value = state("failed", "21", 4, curves={})
    row = stage_of(value, "21")
    row.update(status="failed", ended_at=value["updated_at"], ended_attempt=1, message=words)
    command = "python scripts/21_check_sensor_data.py"
    value.update(
        current=None,
        ended_at=value["updated_at"],
        resumable=True,
        errors=[error("21", 1, "bad_data", words, command, 6, words="bad data", seconds=4.0)],
    )
    light(value, {"data-prep": ("done", "4 files read"), "dqvl": ("running", "")})
    return value


def stopped():
    value = training()
    stage_of(value, "23").update(status="stopped", ended_at=value["updated_at"], ended_attempt=1)
    stop = {"requested_at": at(80), "by": "page", "answered_at": value["updated_at"], "now": False}
    value.update(status="stopped", current=None, eta=None, resumable=True, stop=stop)
    value["ended_at"] = value["updated_at"]
    light(value, {})
    return value


def finished():
    value = state(
        "succeeded", nodes={"calibrate": ("done", "both streams"), "validation-gate": ("done", "7 of 7")}
    )
    value["ended_at"] = value["updated_at"]
    value["result"] = {"version": None, "report": f"logs/runs/{RUN_ID}/report.md", "exit_code": 0}
    return value


def hostile():
    """Script text in every text of the page's state."""
    attack = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
    value = training()
    value.update(profile=attack, command=attack)
    for node in value["nodes"].values():
        node["message"] = attack
    for row in value["stages"]:
        row.update(title=attack, message=attack, step={"id": attack, "title": attack})
        row["metrics"] = {attack: 0.5}
    return value


def main():
    made = (training, scoring, failed, stopped, finished, hostile)
    for make in made:
        path = FOLDER / f"anomaly_{make.__name__}.json"
        path.write_text(json.dumps(make(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
