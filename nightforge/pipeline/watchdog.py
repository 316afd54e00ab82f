"""The scheduled look from outside the orchestrator: does the run live, is it to be started again? # ops M8

A run that was interrupted (killed, power loss, reboot) is started again; one that was stopped, has failed or
is done never is. After three starts without another finished stage it is left alone and said so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nightforge.config.schema import Notify
from nightforge.core.atomic import write_json
from nightforge.core.clock import utc_now
from nightforge.core.errors import NightforgeError
from nightforge.core.findings import Finding
from nightforge.core.paths import Project
from nightforge.core.records import ACTIVE, current_state, read_object
from nightforge.pipeline.fold import FINISHED
from nightforge.pipeline.notify import Notifier

MAX_STARTS = 3
SILENT_S = 300.0  # the orchestrator writes its heartbeat several times a second
_RESUME = "python launch_pipeline.py --resume"


def look_at_run(
    project: Project, start_again: Callable[[], int] | None, now_s: float | None = None
) -> Finding:
    """Say how the last run stands, and start it again by `start_again` (None: only look) if it was
    interrupted. `now_s` is seconds since 1970.
    """
    state = current_state(project)
    status, run_id = str(state.get("status")), str(state.get("run_id"))
    if status == "interrupted":
        return _interrupted(project, state, start_again)
    if status not in ACTIVE:
        words = "nothing has run here yet" if status == "idle" else f"run {run_id} has {_ENDED[status]}"
        return Finding("ok", "No run is under way", words)
    silent_s = (time.time() if now_s is None else now_s) - _heartbeat(project)
    if silent_s > SILENT_S:
        words = f"run {run_id} lives, but its orchestrator has given no sign for {silent_s / 60:.0f} min"
        return Finding("critical", "The orchestrator is silent", words, "python launch_pipeline.py --status")
    return Finding("ok", "The run is under way", f"run {run_id} is {status}")


_ENDED = {"succeeded": "succeeded", "failed": "failed", "stopped": "been stopped"}


def _heartbeat(project: Project) -> float:
    try:
        return project.heartbeat.stat().st_mtime
    except OSError:
        return 0.0


def _interrupted(project: Project, state: dict[str, Any], start_again: Callable[[], int] | None) -> Finding:
    run_id = str(state["run_id"])
    if start_again is None:
        return Finding("critical", "The run was interrupted", f"run {run_id} is not under way", _RESUME)
    done = sum(stage.get("status") in FINISHED for stage in state.get("stages", ()))
    before = (read_object(_path(project)) or {}).get("starts") or {}
    same = before.get("run_id") == run_id and before.get("done") == done
    count = int(before.get("count", 0)) + 1 if same else 1
    if count > MAX_STARTS:
        words = f"run {run_id} was started again {MAX_STARTS} times, and no further stage was finished"
        return Finding("critical", "The run is interrupted again and again", words, _RESUME)
    _remember(project, starts={"run_id": run_id, "done": done, "count": count})
    try:
        code = start_again()
    except (NightforgeError, OSError) as error:
        words = f"run {run_id} was interrupted and cannot be started again: {error}"
        return Finding("critical", "The run cannot be started again", words, _RESUME)
    if code:
        words = f"run {run_id} was interrupted; starting it again ended with exit code {code}"
        return Finding("critical", "The run cannot be started again", words, _RESUME)
    words = f"run {run_id} was interrupted after {done} stages and goes on (start {count} of {MAX_STARTS})"
    return Finding("warning", "An interrupted run was started again", words)


def conclude(project: Project, settings: Notify, findings: Sequence[Finding]) -> bool:
    """Keep what was found in logs/watchdog.json and tell whoever is to be told; True when all is in order.

    What was found the time before in the same words is not told again.
    """
    bad = [finding for finding in findings if finding.level != "ok"]
    told = {entry.get("detail") for entry in (read_object(_path(project)) or {}).get("found", ())}
    _remember(project, looked_at=utc_now(), found=[finding._asdict() for finding in bad])
    notifier = Notifier(settings, project.root)
    for finding in bad:
        if finding.detail not in told:
            notifier.tell("watchdog", finding.title, finding.detail)
    notifier.finish()
    return not bad


def _remember(project: Project, **fields: Any) -> None:
    stored = {"schema_version": 1, **(read_object(_path(project)) or {}), **fields}
    write_json(_path(project), stored)


def _path(project: Project) -> Path:
    return project.logs / "watchdog.json"
