"""Writes tests/web/states/*.json: one live state of every kind the pages must show.

Run by hand after a schema change: python -m tests.web.record_states

The times are those of an invented evening; tests move them to now with `web_sites.moved`.
"""

import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from recorded_words import MESSAGES, PROGRAM, PROMPTS, SECONDS

from nightforge.pipeline.nodes import nodes_of as pipeline_nodes
from nightforge.pipeline.registry import BLUEPRINT, PHASES
from nightforge.pipeline.states import StageState

FOLDER = Path(__file__).parent / "states"
START = datetime(2026, 11, 21, 17, 15, 0, tzinfo=UTC)
RUN_ID = "20261121-171500-3f2a"
TITLES = list(PHASES.values())

STAGES = [
    (s.key, s.title, s.phase, s.script, list(s.reads), list(s.writes), SECONDS[s.key]) for s in BLUEPRINT
]
KINDS = {s.key: s.kind for s in BLUEPRINT}


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
        "mark": None,
        "nodes": [],
    }


def nodes_of(stages):
    """The flowchart's boxes, made by the orchestrator's own rule."""
    made = pipeline_nodes(msgspec.convert(stages, list[StageState]), {}, at(0))
    return msgspec.to_builtins(made)


def watch(quiet_since, phase="start", limit_s=900.0, **extra):
    """What the guard tells of the running stage."""
    told = {"phase": phase, "quiet_since": at(quiet_since), "warn_s": min(300.0, limit_s / 2)}
    return {**told, "limit_s": limit_s, "origin": "configured", "slow": False, **extra}


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
        "curves": {},
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
        "recoveries": [],
        "alerts": [],
        "answers": [],
        "stop": None,
        "result": None,
        "resumable": False,
    }
    if current:
        value["current"] = {
            "stage": current,
            "since": at(clock - into),
            "last_progress_at": at(clock - 2),
            "watch": watch(clock - 2),
        }
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
    value["current"]["watch"].update(phase="step", limit_s=10800.0)
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


def error(stage, attempt, kind, message, command, when=95, **more):
    return {
        "at": at(when),
        "stage": stage,
        "attempt": attempt,
        "kind": kind,
        "message": message,
        "next_command": command,
        "words": "",
        "seconds": None,
        "mark_before": None,
        "mark_after": None,
        **more,
    }


def answers():
    return [
        {
            "prompt_id": f"exam_01_{21 - n:02d}",
            "lesson_id": "exam_01",
            "instruction": text,
            "valid": valid,
            "score": score,
            "missing": missing,
            "reasons": [f"node {name} is missing" for name in missing],
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
    value["current"]["watch"].update(phase="generate", limit_s=1800.0)
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


def slow():
    """A training that has shown no progress for 14 minutes."""
    value = training(96)
    value["current"]["last_progress_at"] = at(100 - 840)
    value["current"]["since"] = at(100 - 2400)
    value["current"]["watch"] = watch(
        100 - 840, "save", 2400.0, slow=True, origin="learned from 3 runs", warn_s=600.0
    )
    detail = "600 s without progress; it is ended and tried again after 2400 s"
    value["alerts"] = [alert("04", "warning", "No progress", detail, None)]
    value["updated_at"] = at(100)
    value["heartbeat"] = {"at": at(100), "stage_at": at(99)}
    return value


def retrying():
    value = training(96)
    row = stage_of(value, "04")
    cause = "a training step does not fit into memory: CUDA out of memory. Tried to allocate 1.50 GiB"
    row.update(status="retrying", attempt=1, message=cause, mark={"value": 80, "unit": "steps"})
    value["status"] = "retrying"
    change = {"setting": "micro-batch x accumulation", "old": "8 x 1", "new": "4 x 2"}
    value["retry"] = {
        "stage": "04",
        "attempt": 2,
        "max_attempts": 5,
        "next_at": at(125),
        "words": "out of memory in training",
        "cause": cause,
        "change": "micro-batch x accumulation 8 x 1 to 4 x 2",
    }
    value["recoveries"] = [{"at": at(96), "stage": "04", **change, "reason": cause}]
    facts = {
        "words": "out of memory in training",
        "seconds": 66.0,
        "mark_before": None,
        "mark_after": 80,
    }
    value["errors"] = [error("04", 1, "oom_train", cause, None, **facts)]
    value["updated_at"] = at(97)
    value["nodes"] = nodes_of(value["stages"])
    return value


def waiting_room():
    """The disk had no room for the next checkpoint."""
    value = retrying()
    value["errors"] = [error("04", 1, "disk_full", "no room for another checkpoint; saved at step 96", None)]
    stage_of(value, "04")["message"] = "no room for another checkpoint; saved at step 96"
    numbers = "402 MB free, 1,180 MB needed"
    words = f"778.0 MB of room on the disk of /home/ada/nightforge ({numbers})"
    value["waiting"] = {"kind": "waiting_room", "stage": "04", "since": at(97), "words": words}
    note = f"Waiting for {words}. The run goes on by itself; no attempt is used up."
    value["alerts"] = [
        alert("04", "critical", "The disk is full", note, "python scripts/16_backup.py --list")
    ]
    value["updated_at"] = at(160)
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
            words="refused by a gate",
            seconds=3.0,
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
    value["errors"] = [error("04", 1, attack, attack, attack, words=attack)]
    value["recoveries"] = [
        {"at": at(90), "stage": "04", "setting": attack, "old": attack, "new": attack, "reason": attack}
    ]
    value["retry"].update(words=attack, cause=attack, change=attack)
    value["alerts"] = [alert("04", "critical", attack, attack, attack)]
    value["answers"] = [
        dict(row, instruction=attack, program=attack, missing=[attack], reasons=[attack]) for row in answers()
    ]
    value["hardware"]["gpus"] = [
        {"index": 0, "name": attack, "bus_id": attack, "memory_used_mb": 1, "memory_total_mb": 2}
    ]
    value["waiting"] = {"kind": attack, "stage": attack, "since": attack, "words": attack}
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
        "slow": slow(),
        "retrying": retrying(),
        "waiting_room": waiting_room(),
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
