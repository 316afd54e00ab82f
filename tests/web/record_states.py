"""Writes tests/web/states/*.json: one live state of every kind the pages must show.

Run by hand after a schema change: python -m tests.web.record_states

The times are those of an invented evening; tests move them to now with `web_sites.moved`.
"""

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from nightforge.pipeline.nodes import nodes_of as pipeline_nodes
from nightforge.pipeline.registry import BLUEPRINT, PHASES
from nightforge.pipeline.states import StageState

FOLDER = Path(__file__).parent / "states"
START = datetime(2026, 11, 21, 17, 15, 0, tzinfo=UTC)
RUN_ID = "20261121-171500-3f2a"
TITLES = list(PHASES.values())

SECONDS = {
    "03": 7,
    "13": 1,
    "20": 4,
    "06": 3,
    "08": 1,
    "00": 9,
    "16-pre": 2,
    "04": 110,
    "16-post": 2,
    "12": 48,
    "09": 12,
    "19": 2,
    "13-next": 1,
    "16-exam": 2,
    "14": 1,
}
STAGES = [
    (s.key, s.title, s.phase, s.script, list(s.reads), list(s.writes), SECONDS[s.key]) for s in BLUEPRINT
]
KINDS = {s.key: s.kind for s in BLUEPRINT}
MESSAGES = {
    "03": "3,000 rows, 2,941 structures",
    "13": "120 rows from 6 lessons",
    "20": "2,611 train, 212 val; no exam answer leaked",
    "06": "2,823 programs valid",
    "08": "compact prompt, 412 tokens",
    "00": "3.3 M parameters, from the cache",
    "16-pre": "14 files, 21 MB, verified",
    "04": "held-out loss 0.391",
    "16-post": "9 files, 4 MB, verified",
    "12": "180 answers, 97 % valid",
    "09": "31 of 36 passed",
    "19": "no critical alert",
    "13-next": "3 lessons for 5 weak nodes",
    "16-exam": "21 files, 2 MB, verified",
    "14": "report written",
}


def at(seconds):
    moment = START + timedelta(seconds=seconds)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def loss(step, start, floor, pace, wobble):
    return round(
        floor
        + (start - floor) * math.exp(-step / pace)
        + wobble * math.sin(step * 1.7) * math.exp(-step / 300),
        4,
    )


def curve(steps):
    return {
        "train": [[s, loss(s, 2.9, 0.34, 38, 0.05)] for s in range(5, steps + 1, 5)],
        "eval": [[s, loss(s, 2.8, 0.38, 42, 0.0)] for s in range(25, steps + 1, 25)],
        "lr": [[s, round(1e-3 * min(1, s / 20) * (1 - s / 240), 7)] for s in range(5, steps + 1, 5)],
        "previous": {"version": 3, "train": [[s, loss(s, 3.1, 0.43, 50, 0.03)] for s in range(5, 206, 5)]},
    }


def stage_row(spec, status, start, end, attempt=1):
    key, title, phase, script, reads, writes, _ = spec
    ended = status in ("succeeded", "failed", "skipped", "stopped")
    return {
        "id": key,
        "title": title,
        "phase": phase,
        "status": status,
        "attempt": attempt if status != "pending" else 0,
        "max_attempts": 3,
        "started_at": at(start) if status != "pending" else None,
        "ended_at": at(end) if ended else None,
        "progress": None,
        "metrics": {},
        "eta_s": [int(spec[6] * 0.9), int(spec[6] * 1.4) + 1] if status == "pending" else None,
        "message": MESSAGES[key] if status == "succeeded" else "",
        "step": None,
        "log": f"{key}.log",
        "script": script,
        "reads": reads,
        "writes": writes,
        "kind": KINDS[key],
        "result": {},
        "ended_attempt": attempt if ended else 0,
    }


def nodes_of(stages):
    """The flowchart's boxes, made by the orchestrator's own rule."""
    made = pipeline_nodes(msgspec.convert(stages, list[StageState]), {}, at(0))
    return msgspec.to_builtins(made)


def state(status, current=None, into=0, **extra):
    """One run: stages before `current` succeeded, it itself `into` seconds old, the rest pending."""
    clock, stages, position = 2.0, [], None
    for number, spec in enumerate(STAGES):
        if position is None and spec[0] == current:
            position = number
            stages.append(stage_row(spec, "running", clock, clock + into))
            clock += into
        elif position is None:
            stages.append(stage_row(spec, "succeeded", clock, clock + spec[6]))
            clock += spec[6] + 0.4
        else:
            stages.append(stage_row(spec, "pending", 0, 0))
    value = {
        "schema_version": 1,
        "run_id": RUN_ID,
        "pipeline": "blueprint",
        "profile": "tiny",
        "mode": "full",
        "command": "launch_pipeline.py --profile tiny",
        "status": status,
        "pid": 4711,
        "started_at": at(0),
        "updated_at": at(clock),
        "ended_at": None,
        "phases": [{"id": n + 1, "title": t} for n, t in enumerate(TITLES)],
        "stages": stages,
        "current": None,
        "curve": {"train": [], "eval": [], "lr": [], "previous": None},
        "eta": None,
        "heartbeat": {"at": at(clock), "stage_at": at(clock - 1)},
        "hardware": {
            "cpu_percent": 93.0,
            "memory_used_mb": 5321,
            "memory_total_mb": 24064,
            "disk_free_mb": 48213,
            "gpus": [],
        },
        "nodes": {},
        "errors": [],
        "retry": None,
        "waiting": None,
        "alerts": [],
        "answers": [],
        "stop": None,
        "result": None,
        "resumable": False,
    }
    if current:
        value["current"] = {"stage": current, "since": at(clock - into), "last_progress_at": at(clock - 2)}
    value.update(extra)
    value["nodes"] = nodes_of(stages)
    return value


def stage_of(value, key):
    return next(s for s in value["stages"] if s["id"] == key)


def training(step=142, **extra):
    value = state("running", "04", 68, **extra)
    row = stage_of(value, "04")
    row["progress"] = {"done": step, "total": 230, "unit": "steps"}
    row["metrics"] = {"loss": 0.4123, "learning_rate": 0.00041, "tokens_per_s": 4380, "grad_norm": 0.84}
    row["step"] = {"id": "4.3", "title": "training loop"}
    row["eta_s"] = [40, 58]
    value["curve"] = curve(step)
    value["eta"] = eta([104, 152], [at(205), at(253)], 124)
    value["alerts"] = [
        alert(
            "16-pre",
            "warning",
            "Mirror folder is not mounted",
            "backup.mirror is /mnt/nas/nightforge; the backup is kept here only",
            None,
        )
    ]
    return value


def alert(stage, level, title, detail, command):
    return {
        "at": at(30),
        "stage": stage,
        "level": level,
        "title": title,
        "detail": detail,
        "next_command": command,
    }


def error(stage, attempt, kind, message, command, when=95):
    return {
        "at": at(when),
        "stage": stage,
        "attempt": attempt,
        "kind": kind,
        "message": message,
        "next_command": command,
    }


PROMPTS = [
    ("When the player overlaps the trigger, open the door with a timeline.", True, 0.93, []),
    ("Every second, regain 5 health while it is under 100.", True, 0.71, ["Clamp"]),
    ("On begin play, spawn three lanterns along the path.", True, 0.58, ["ForLoop", "MakeTransform"]),
    ("If the key item is held, unlock the gate, else show a hint.", True, 1.0, []),
    ("Cast the overlapping actor to BP_Guard and alert it.", False, 0.0, ["CastToBP_Guard", "CallFunction"]),
    ("Toggle the flashlight when F is pressed.", True, 1.0, []),
    ("Play a sound and shake the camera when damage is taken.", True, 0.84, []),
    ("Move the platform between two points forever.", True, 0.66, ["Lerp"]),
]
PROGRAM = """BLUEPRINT BP_Lantern : Actor
GRAPH EventGraph
NODE n1: Event_BeginPlay
NODE n2: VariableGet [VarName="Fuel"]
NODE n3: GreaterThan [B=5.0]
NODE n4: Branch
NODE n5: PrintString [InString="lantern lit"]
NODE n6: SetVisibility [bNewVisibility=false]
EXEC n1.Then -> n4.Execute
EXEC n4.True -> n5.Execute
EXEC n4.False -> n6.Execute
DATA n2.Value -> n3.A [Float]
DATA n3.ReturnValue -> n4.Condition [Bool]
"""


def answers():
    return [
        {
            "prompt_id": f"exam_01_{21 - n:02d}",
            "lesson_id": "exam_01",
            "instruction": text,
            "valid": valid,
            "score": score,
            "missing": missing,
            "program": PROGRAM if valid else PROGRAM + "EXEC n9.Then -> ",
        }
        for n, (text, valid, score, missing) in enumerate(PROMPTS)
    ]


def exam():
    value = state("running", "12", 22)
    row = stage_of(value, "12")
    row["progress"] = {"done": 84, "total": 180, "unit": "prompts"}
    row["metrics"] = {"valid": 0.96, "score": 0.742, "tokens_per_s": 1910}
    row["step"] = {"id": "6.2", "title": "exam_01"}
    row["eta_s"] = [22, 31]
    value["curve"] = curve(230)
    value["answers"] = answers()
    value["eta"] = eta([38, 55], [at(205), at(222)], 46)
    return value


def eta(remaining_s, done_at, middle_s):
    quality = {"count": 80, "inside": 66, "median_error": 0.064}
    return {
        "remaining_s": remaining_s,
        "done_at": done_at,
        "middle_s": middle_s,
        "retries_s": 4.5,
        "quality": quality,
    }


def waiting_gpu():
    """Before the training: somebody else's notebook holds the card."""
    value = state("running", "04", 0, hardware=gpu()["hardware"])
    row = stage_of(value, "04")
    row.update(status="pending", started_at=None, attempt=0)
    value["current"] = None
    value["waiting"] = {
        "kind": "waiting_gpu",
        "stage": "04",
        "since": at(31),
        "words": "GPU 0, held by jupyter-lab (pid 3912, alice) with 71,240 MB; it is left alone",
    }
    value["updated_at"] = value["heartbeat"]["at"] = at(240)
    value["eta"] = eta([171, 204], [at(411), at(444)], 186)
    value["alerts"] = [
        alert(
            "04",
            "warning",
            "Waiting for the GPU",
            f"{value['waiting']['words']}. The run goes on by itself once there is room; "
            "no attempt is used up.",
            "nvidia-smi",
        )
    ]
    return value


def retrying():
    value = training(96)
    row = stage_of(value, "04")
    row.update(status="retrying", attempt=1, message="out of memory at step 96")
    value["status"] = "retrying"
    value["retry"] = {"stage": "04", "attempt": 2, "max_attempts": 3, "next_at": at(125)}
    value["errors"] = [
        error(
            "04",
            1,
            "oom",
            "The process was ended by the system, most likely because memory ran out "
            "(it had 5.1 of 24 GB). It will be started again from step 80 with half the batch.",
            "python launch_pipeline.py --set training.batch_size=4",
        )
    ]
    value["updated_at"] = at(97)
    value["nodes"] = nodes_of(value["stages"])
    return value


def failed():
    value = state("failed", "20", 3)
    row = stage_of(value, "20")
    row.update(status="failed", attempt=1, ended_at=at(14), message="3 exam answers are in the training set")
    value["current"] = None
    value["ended_at"] = at(14)
    value["errors"] = [
        error(
            "20",
            1,
            "gate",
            "3 exam answers are in the training set under other names "
            "(exam_01_04, exam_01_17, exam_02_09). Remove those rows or the prompts.",
            "python scripts/20_deduplicate_dataset.py --show-leaks",
            13,
        )
    ]
    value["result"] = {"version": None, "report": None, "exit_code": 1}
    value["resumable"] = True
    value["nodes"] = nodes_of(value["stages"])
    return value


def stopping():
    value = training(150)
    value["status"] = "stopping"
    value["stop"] = {"requested_at": at(97), "by": "page", "answered_at": None, "now": False}
    return value


def stopped():
    value = training(152)
    row = stage_of(value, "04")
    row.update(status="stopped", ended_at=at(102), eta_s=None, message="checkpoint at step 152 saved")
    value.update(
        status="stopped", current=None, eta=None, ended_at=at(103), updated_at=at(103), resumable=True
    )
    value["stop"] = {"requested_at": at(97), "by": "terminal", "answered_at": at(102), "now": False}
    value["result"] = {"version": None, "report": None, "exit_code": 4}
    value["nodes"] = nodes_of(value["stages"])
    return value


def finished():
    value = state("succeeded")
    value["curve"] = curve(230)
    value["ended_at"] = value["updated_at"]
    value["answers"] = answers()
    value["alerts"] = [
        alert("19", "info", "Held-out loss still falling", "0.402 → 0.391 over the last quarter", None)
    ]
    value["result"] = {"version": "v4", "report": f"logs/runs/{RUN_ID}/report.md", "exit_code": 0}
    return value


def gpu():
    value = training(118)
    value["profile"] = "70b"
    value["hardware"].update(
        cpu_percent=64.0,
        memory_used_mb=91023,
        memory_total_mb=131072,
        gpus=[
            {
                "index": 0,
                "name": "NVIDIA H200",
                "bus_id": "0000:1B:00.0",
                "memory_used_mb": 96512,
                "memory_total_mb": 143771,
                "utilization_percent": 97,
                "power_w": 611,
                "temperature_c": 68,
            }
        ],
    )
    return value


def hostile():
    """Script text in every text the page shows."""
    attack = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>"
    value = retrying()
    for row in value["stages"]:
        row.update(title=row["id"] + attack, message=attack, reads=[attack], writes=[attack], script=attack)
        row["metrics"] = {attack: attack, "loss": 0.4}
        row["step"] = {"id": attack, "title": attack}
    for phase in value["phases"]:
        phase["title"] = attack
    value.update(profile=attack, mode=attack, command=attack, pipeline=attack)
    value["errors"] = [error("04", 1, attack, attack, attack)]
    value["alerts"] = [alert("04", "critical", attack, attack, attack)]
    value["answers"] = [dict(row, instruction=attack, program=attack, missing=[attack]) for row in answers()]
    value["hardware"]["gpus"] = [
        {"index": 0, "name": attack, "bus_id": attack, "memory_used_mb": 1, "memory_total_mb": 2}
    ]
    value["stop"] = {"requested_at": at(90), "by": attack, "answered_at": None, "now": False}
    return value


def starting():
    value = state("starting", "03", 0)
    stage_of(value, "03").update(status="pending", started_at=None)
    value.update(current=None, hardware={}, heartbeat={"at": at(1), "stage_at": None}, updated_at=at(1))
    return value


def main():
    states = {
        "starting": starting(),
        "running_training": training(),
        "running_exam": exam(),
        "running_gpu": gpu(),
        "retrying": retrying(),
        "waiting_gpu": waiting_gpu(),
        "failed": failed(),
        "stopping": stopping(),
        "stopped": stopped(),
        "finished": finished(),
        "stale": training(120),
        "outdated": {**training(), "schema_version": 2},
        "sparse": {
            "schema_version": 1,
            "status": "running",
            "run_id": RUN_ID,
            "stages": [{"id": "04"}, None, 7],
            "updated_at": at(20),
            "curve": None,
            "errors": [None],
            "hardware": None,
        },
        "hostile": hostile(),
    }
    FOLDER.mkdir(exist_ok=True)
    for name, value in states.items():
        (FOLDER / f"{name}.json").write_text(
            json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )


if __name__ == "__main__":
    main()
