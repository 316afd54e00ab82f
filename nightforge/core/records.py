"""Who runs: logs/pipeline.json beside the lock, and the state as a reader should see it. Standard library
only.

The record is written by the lock holder alone. It only informs: whether a run lives is decided by looking
at the process it names. # ops P2, P4
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightforge.core.atomic import read_bytes
from nightforge.core.paths import Project
from nightforge.core.processes import ProcessIdentity, is_alive

NONCE_VARIABLE = "NIGHTFORGE_NONCE"  # handed to the orchestrator, repeated in its record. # ops P1
JOURNAL = "events.jsonl"  # of a run's folder
ACTIVE = ("starting", "running", "retrying", "stopping")


def record_path(project: Project) -> Path:
    """Return the path of the record."""
    return project.logs / "pipeline.json"


def read_object(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None when the file is missing or is not one."""
    try:
        value = json.loads(read_bytes(path))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def last_record(project: Project) -> dict[str, Any] | None:
    """Return the record of the orchestrator that ran last, alive or not."""
    return read_object(record_path(project))


def running_record(project: Project) -> dict[str, Any] | None:
    """Return the record of the orchestrator that runs now, or None."""
    record = last_record(project)
    if record is None or record.get("ended_at"):
        return None
    identity = ProcessIdentity.from_dict(record.get("identity"))
    return record if identity is not None and is_alive(identity) else None


def last_run(project: Project) -> str:
    """Return the id of the run that was started last, or an empty text.

    The record is durable, the live state a copy that a power cut may take back; a run whose journal was not
    begun has never been.
    """
    for told in (last_record(project), read_object(project.live_state)):
        run_id = str((told or {}).get("run_id") or "")
        if run_id and (project.run_dir(run_id) / JOURNAL).is_file():
            return run_id
    journals = sorted(project.runs.glob(f"*/{JOURNAL}"))  # names start with the time
    return journals[-1].parent.name if journals else ""


def current_state(project: Project) -> dict[str, Any]:
    """Return the live state; a run whose orchestrator is gone reads as `interrupted`, none at all as
    `idle`.
    """
    state = read_object(project.live_state)
    if state is None:
        return {"schema_version": 1, "run_id": "", "status": "idle", "stages": [], "resumable": False}
    if state.get("status") in ACTIVE and running_record(project) is None:
        guarded = guarded_stage(project, str(state.get("run_id")))
        state.update(status="interrupted", resumable=True, eta=None, guarded=guarded)
    return state


def order_path(run_dir: Path, stage: str, attempt: int, kind: str = "order", ending: str = ".json") -> Path:
    """Return the path of one of an attempt's records; see `nightforge/pipeline/guard.py` for the kinds."""
    return run_dir / "attempts" / f"{stage}-{attempt}.{kind}{ending}"


def guard_of(run_dir: Path, stage: str, attempt: int) -> ProcessIdentity | None:
    """Return who guards an attempt, if that guard lives."""
    record = read_object(order_path(run_dir, stage, attempt, "guard")) or {}
    identity = ProcessIdentity.from_dict(record.get("guard"))
    return identity if identity is not None and is_alive(identity) else None


def last_order(run_dir: Path) -> dict[str, Any] | None:
    """Return the order of the attempt that was started last in a run, or None."""
    orders = list((run_dir / "attempts").glob("*.order.json"))
    return read_object(max(orders, key=lambda path: path.stat().st_mtime_ns)) if orders else None


def guarded_stage(project: Project, run_id: str) -> dict[str, Any] | None:
    """Return `{"stage", "attempt", "pid"}` of the stage that goes on under its guard, or None."""
    folder = project.run_dir(run_id)
    order = last_order(folder)
    if order is None:
        return None
    identity = guard_of(folder, str(order["stage"]), int(order["attempt"]))
    return {"stage": order["stage"], "attempt": order["attempt"], "pid": identity.pid} if identity else None
