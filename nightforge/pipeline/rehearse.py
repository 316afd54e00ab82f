"""`launch_pipeline.py --rehearse`: the whole pipeline on the tiny profile in a scratch folder, with faults.

A copy of the project's code trains shortly there while a crash, a hang, an out-of-memory and a full disk are
made to happen (nightforge/core/inject.py). The run must reach its end all the same; what it made of each is
told from its own journal. The project itself gets `logs/rehearsal.json` and nothing else.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from nightforge.core.atomic import read_jsonl, write_json
from nightforge.core.clock import parse_time, utc_now
from nightforge.core.errors import ExitCode, InputError, NightforgeError, StageError, TemporaryError
from nightforge.core.inject import VARIABLE
from nightforge.core.paths import Project
from nightforge.core.records import JOURNAL, current_state, running_record
from nightforge.core.terminal import say
from nightforge.pipeline.classes import policy_of

_FOLDERS = ("nightforge", "scripts", "lessons", "profiles", "dashboard")
_FILES = ("pipeline_config.json", "pyproject.toml", "constraints.txt", "bootstrap.py")
# Short enough for a few minutes on two cores, long enough for two checkpoints and three batches of answers.
_SETTINGS = {
    "dashboard.autostart": "false",
    "synthetic.count": "300",
    "model.tiny.pretrain_steps": "40",
    "training.max_steps": "24",
    "training.save_steps": "8",
    "training.logging_steps": "4",
    "generation.batch_size": "8",
    "generation.max_new_tokens": "64",
    "exam.limit": "24",
    "exam.include_base": "false",
    "stall_detection.stall_kill_seconds_eval": "20",
    "disk.look_seconds": "2",
}


class Fault(NamedTuple):
    """One fault: where it is injected, and the class it must be recognised as."""

    name: str
    stage: str
    where: str
    kind: str


FAULTS = (
    Fault("out of memory", "04", "04:oom@step=3", "oom_train"),
    Fault("crash", "04", "04:crash@step=12", "killed"),
    Fault("full disk", "04", "04:disk_full@save=16", "disk_full"),
    Fault("hang", "12", "12:hang@item=8", "stall"),
)


def rehearse(project: Project) -> int:
    """Run the rehearsal and print what became of each fault; exit code 0 if all were recovered from, else 1.

    Raises TemporaryError while a run is active here: both would want the same machine.
    """
    if running_record(project) is not None:
        raise TemporaryError(
            "a pipeline is running here; a rehearsal beside it would slow both down",
            next_command="python launch_pipeline.py --status",
        )
    scratch = Path(tempfile.mkdtemp(prefix="nightforge-rehearsal-"))
    say(f"Rehearsal in {scratch}: {len(FAULTS)} faults, a few minutes")
    began = time.monotonic()
    try:
        _copy(project.root, scratch)
        code = _run(scratch)
    except (KeyboardInterrupt, NightforgeError, OSError):
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    seconds = time.monotonic() - began
    told = [outcome(fault, _events(scratch)) for fault in FAULTS]
    good = code == ExitCode.DONE and all(entry["recovered"] for entry in told)
    _tell(told, code, seconds)
    record = {"schema_version": 1, "at": utc_now(), "seconds": round(seconds, 1), "ok": good, "faults": told}
    write_json(project.logs / "rehearsal.json", record)
    if good:
        shutil.rmtree(scratch)
        say("All recovered. The scratch folder has been removed.")
    else:
        say(f"Not all recovered. Left for a look: {scratch}/logs/runs/")
    return ExitCode.DONE if good else ExitCode.FAILED


def act() -> int:
    """Carry the rehearsal's run out; called in the scratch folder by a process of its own."""
    from nightforge.pipeline.options import parse_options
    from nightforge.pipeline.orchestrator import orchestrate
    from nightforge.pipeline.retry import WAITS_S
    from nightforge.pipeline.runlog import print_line
    from nightforge.pipeline.runner import Policy
    from nightforge.pipeline.supervise import Grace

    waits_s = {kind: (1.0,) * len(waits) for kind, waits in WAITS_S.items()}
    arguments = ["--profile", "tiny"]
    for name, value in _SETTINGS.items():
        arguments += ["--set", f"{name}={value}"]
    policy = Policy(waits_s=waits_s, grace=Grace(5.0))
    return orchestrate(Project.find(), parse_options(arguments), observer=print_line, policy=policy)


def outcome(fault: Fault, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Tell from a run's journal what became of a fault: when it was recognised, and what followed."""
    own = [event for event in events if event.get("stage") == fault.stage]
    failures = [event for event in own if event["type"] == "stage_ended" and event["outcome"] == "failed"]
    failure = next((event for event in failures if event.get("kind") == fault.kind), None)
    told: dict[str, Any] = {
        **fault._asdict(),
        "recovered": False,
        "recognised_s": None,
        "followed": "nothing",
    }
    if failure is None:
        told["followed"] = "it was not noticed as what it is"
        return told
    start = next(e for e in own if e["type"] == "stage_started" and e["attempt"] == failure["attempt"])
    told["recognised_s"] = round(_seconds(start, failure), 1)
    told["attempt"] = failure["attempt"]
    later = own[own.index(failure) + 1 :]
    again = next((event for event in later if event["type"] == "stage_started"), None)
    if again is None:
        return told
    change = next((event.get("change") for event in later if event["type"] == "retry_scheduled"), "")
    told["followed"] = f"attempt {again['attempt']} after {_seconds(failure, again):.0f} s"
    if change:
        told["followed"] += f", {change}"
    told["recovered"] = any(e["type"] == "stage_ended" and e["outcome"] == "succeeded" for e in later)
    return told


def _seconds(before: dict[str, Any], after: dict[str, Any]) -> float:
    return (parse_time(after["time"]) - parse_time(before["time"])).total_seconds()


def _copy(root: Path, scratch: Path) -> None:
    leave = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in _FOLDERS:
        if not (root / name).is_dir():
            raise InputError(f"{root / name} is missing", next_command=f"git checkout -- {name}")
        shutil.copytree(root / name, scratch / name, ignore=leave)
    for name in _FILES:
        shutil.copy2(root / name, scratch / name)


def _run(scratch: Path) -> int:
    environment = {
        **os.environ,
        "NIGHTFORGE_ROOT": str(scratch),
        VARIABLE: ",".join(fault.where for fault in FAULTS),
    }
    code = "import sys; from nightforge.pipeline.rehearse import act; sys.exit(act())"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=scratch, env=environment)
    try:
        return process.wait()
    except KeyboardInterrupt:  # the child has heard it too; asked twice it ends its stage now
        process.terminate()
        process.wait()
        raise


def _events(scratch: Path) -> list[dict[str, Any]]:
    run_id = current_state(Project(scratch)).get("run_id")
    if not run_id:
        raise StageError(
            f"the rehearsal has not begun; see {scratch}", next_command="python launch_pipeline.py"
        )
    return read_jsonl(Project(scratch).run_dir(str(run_id)) / JOURNAL)


def _tell(told: list[dict[str, Any]], code: int, seconds: float) -> None:
    say(f"\n{'fault':<14} {'stage':<6} {'recognised as':<32} {'after':<8} what followed")
    for entry in told:
        known = entry["recognised_s"] is not None
        words = policy_of(entry["kind"]).words if known else "not recognised"
        after = f"{entry['recognised_s']:.0f} s" if known else ""
        mark = "" if entry["recovered"] else "  NOT RECOVERED"
        say(f"{entry['name']:<14} {entry['stage']:<6} {words:<32} {after:<8} {entry['followed']}{mark}")
    say(f"The run ended with exit code {code} after {seconds / 60:.1f} minutes.")
