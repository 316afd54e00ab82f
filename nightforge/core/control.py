"""The stop request: a durable record, the same on Linux and Windows. # ops S1, S2, S7

Terminal and page write it, the orchestrator and its stages read it, the orchestrator clears it when the run
has ended.
"""

from __future__ import annotations

import secrets
from typing import Any

from nightforge.core.atomic import read_json, write_json
from nightforge.core.clock import utc_now
from nightforge.core.paths import Project


def write_stop_request(
    project: Project, run_id: str, by: str, request_id: str | None = None, now: bool = False
) -> dict[str, Any]:
    """Ask the run to stop at its next safe boundary; asking twice keeps the first request.

    `by` is `terminal`, `page` or `signal`. With `now` the running stage is ended within its grace time; a
    standing request is raised to that. Returns the request that now stands.
    """
    standing = read_stop_request(project)
    if standing is not None and standing.get("run_id") == run_id:
        if now and not standing.get("now"):
            standing["now"] = True
            write_json(project.stop_request, standing)
        return standing
    request = {
        "run_id": run_id,
        "requested_at": utc_now(),
        "by": by,
        "id": request_id or secrets.token_hex(8),
        "now": now,
    }
    write_json(project.stop_request, request)
    return request


def read_stop_request(project: Project) -> dict[str, Any] | None:
    """Return the standing request, or None when nobody asked."""
    if not project.stop_request.exists():
        return None
    value = read_json(project.stop_request)
    return value if isinstance(value, dict) else None


def clear_stop_request(project: Project) -> None:
    """Forget the request; called when a run has ended or a new one starts."""
    project.stop_request.unlink(missing_ok=True)
