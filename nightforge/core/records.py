"""Who runs: logs/pipeline.json beside the lock, and the state as a reader should see it. Standard library
only.

The record is written by the lock holder alone. It only informs: whether a run lives is decided by looking
at the process it names. # ops P2, P4
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightforge.core.paths import Project
from nightforge.core.processes import ProcessIdentity, is_alive

NONCE_VARIABLE = "NIGHTFORGE_NONCE"  # handed to the orchestrator, repeated in its record. # ops P1
ACTIVE = ("starting", "running", "retrying", "stopping")


def record_path(project: Project) -> Path:
    """Return the path of the record."""
    return project.logs / "pipeline.json"


def read_object(path: Path) -> dict[str, Any] | None:
    """Read a JSON object; None when the file is missing or is not one."""
    try:
        value = json.loads(path.read_bytes())
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


def current_state(project: Project) -> dict[str, Any]:
    """Return the live state; a run whose orchestrator is gone reads as `interrupted`, none at all as
    `idle`.
    """
    state = read_object(project.live_state)
    if state is None:
        return {"schema_version": 1, "run_id": "", "status": "idle", "stages": [], "resumable": False}
    if state.get("status") in ACTIVE and running_record(project) is None:
        state.update(status="interrupted", resumable=True, eta=None)
    return state
