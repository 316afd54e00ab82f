"""state = fold(state, event): the only place where the live state changes. Pure. # ops A2

Events of the orchestrator carry `type` and `time`; what a stage reports arrives wrapped as
{"type": "stage_event", "stage": key, "event": {...}}. Unknown types change nothing, so an old journal can
be read by a newer release.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from nightforge.pipeline.classes import policy_of
from nightforge.pipeline.nodes import nodes_of
from nightforge.pipeline.stage_fold import fold_stage_event, fold_watch
from nightforge.pipeline.states import (
    Alert,
    Change,
    Current,
    Curve,
    Eta,
    Heartbeat,
    LiveState,
    Phase,
    PreviousCurve,
    Result,
    RetryWait,
    RunError,
    StageState,
    Stop,
    Waiting,
)

Event = dict[str, Any]
_ERRORS_KEPT = 10
_ALERTS_KEPT = 30
FINISHED = ("succeeded", "skipped")


def fold(state: LiveState, event: Event) -> LiveState:
    """Return the state after one event; `state` itself stays as it was."""
    handler = _HANDLERS.get(str(event.get("type")))
    if handler is None:
        return state
    after = replace(handler(state, event), updated_at=event["time"])
    if event["type"] in _TRANSITIONS:
        after = replace(after, nodes=nodes_of(after.stages, after.nodes, event["time"], after.status))
    return after


def fold_all(events: Iterable[Event], state: LiveState | None = None) -> LiveState:
    """Fold a whole journal."""
    result = LiveState() if state is None else state
    for event in events:
        result = fold(result, event)
    return result


def _run_started(_: LiveState, event: Event) -> LiveState:
    previous = event.get("previous_curve")
    return LiveState(
        run_id=event["run_id"],
        pipeline=event["pipeline"],
        profile=event["profile"],
        mode=event["mode"],
        command=event["command"],
        status="starting",
        pid=event["pid"],
        started_at=event["time"],
        phases=tuple(msgspec.convert(event["phases"], list[Phase])),
        stages=tuple(msgspec.convert(event["stages"], list[StageState])),
        curve=Curve(previous=msgspec.convert(previous, PreviousCurve) if previous else None),
        heartbeat=Heartbeat(event["time"]),
    )


def _run_resumed(state: LiveState, event: Event) -> LiveState:
    """Stages that are done stay done; all others start over, and their attempts go on counting. A stage that
    goes on under its guard is left as it is.
    """
    goes_on = event.get("goes_on")
    stages = tuple(
        stage
        if stage.status in FINISHED or stage.id == goes_on
        else replace(stage, status="pending", message="", progress=None, step=None, eta_s=None, ended_at=None)
        for stage in state.stages
    )
    return replace(
        state,
        status="starting",
        pid=event["pid"],
        ended_at=None,
        stages=stages,
        current=state.current if goes_on else None,
        retry=None,
        waiting=None,
        stop=None,
        result=None,
        resumable=False,
        heartbeat=Heartbeat(event["time"]),
    )


def _stage_started(state: LiveState, event: Event) -> LiveState:
    key, now = event["stage"], event["time"]
    first = state.stage(key).started_at
    state = _with_stage(
        state,
        key,
        status="running",
        attempt=event["attempt"],
        max_attempts=event["max_attempts"],
        started_at=first if event.get("again") and first else now,
        ended_at=None,
        progress=None,
        step=None,
        eta_s=None,
        message="",
    )
    status = "stopping" if state.stop else "running"
    return replace(state, status=status, retry=None, current=Current(key, now, now))


def _stage_taken_up(state: LiveState, event: Event) -> LiveState:
    """An attempt that outlived its orchestrator is watched again."""
    key = event["stage"]
    since = state.stage(key).started_at or event["time"]
    state = _with_stage(state, key, status="running", ended_at=None)
    return replace(state, status="running", current=Current(key, since, event["time"]))


def _stage_ended(state: LiveState, event: Event) -> LiveState:
    key, outcome = event["stage"], event["outcome"]
    state = _with_stage(
        state,
        key,
        status=outcome,
        ended_at=event["time"],
        ended_attempt=event["attempt"],
        message=event.get("message") or state.stage(key).message,
        eta_s=None,
        result=event.get("result", {}),
    )
    state = replace(state, current=None)
    if outcome == "failed" or event.get("note"):
        error = RunError(
            at=event["time"],
            stage=key,
            attempt=event["attempt"],
            kind=event.get("kind", "failed"),
            message=event.get("note") or event.get("message", ""),
            next_command=event.get("next_command"),
            words=policy_of(event.get("kind", "")).words if outcome == "failed" else "",
            seconds=event.get("seconds"),
            mark_before=event.get("mark_before"),
            mark_after=event.get("mark_after"),
        )
        state = replace(state, errors=(*state.errors, error)[-_ERRORS_KEPT:])
    return state


def _stage_kept(state: LiveState, event: Event) -> LiveState:
    """The result of an earlier run stands."""
    words = f"nothing it depends on has changed since run {event['run_id']}"
    return _with_stage(
        state, event["stage"], status="skipped", message=words, result=event.get("result", {}), eta_s=None
    )


def _stage_reopened(state: LiveState, event: Event) -> LiveState:
    """A stage that is done has to run again, since something it depends on has changed."""
    return _with_stage(state, event["stage"], status="pending", message=event["reason"], ended_at=None)


def _retry_scheduled(state: LiveState, event: Event) -> LiveState:
    wait = RetryWait(
        event["stage"],
        event["attempt"],
        event["max_attempts"],
        event["next_at"],
        words=event.get("words", ""),
        cause=event.get("cause", ""),
        change=event.get("change", ""),
    )
    state = _with_stage(state, wait.stage, status="retrying", max_attempts=wait.max_attempts)
    return replace(state, status="retrying", retry=wait)


def _waiting_started(state: LiveState, event: Event) -> LiveState:
    """Also told again with other words; the wait then goes on since its first moment."""
    kind, key, before = event["kind"], event["stage"], state.waiting
    goes_on = before is not None and (before.kind, before.stage) == (kind, key)
    since = before.since if before is not None and goes_on else event["time"]
    return replace(state, waiting=Waiting(kind, key, since, event["words"]))


def _waiting_ended(state: LiveState, _: Event) -> LiveState:
    return replace(state, waiting=None)


def _gave_up(state: LiveState, event: Event) -> LiveState:
    """No further attempt, for a reason beyond the last attempt's own: it joins the errors."""
    key, kind = event["stage"], event["kind"]
    error = RunError(
        at=event["time"],
        stage=key,
        attempt=event["attempt"],
        kind=kind,
        message=event["message"],
        next_command=event.get("next_command"),
        words=policy_of(kind).words,
    )
    state = _with_stage(state, key, message=event["message"])
    return replace(state, errors=(*state.errors, error)[-_ERRORS_KEPT:])


def _recovery(state: LiveState, event: Event) -> LiveState:
    change = Change(
        event["time"], event["stage"], event["setting"], event["old"], event["new"], event.get("reason", "")
    )
    return replace(state, recoveries=(*state.recoveries, change)[-_ERRORS_KEPT:])


def _resume_lost(state: LiveState, event: Event) -> LiveState:
    return _alert(state, {**event, "level": "critical", "title": "Resume lost"})


def _stop_requested(state: LiveState, event: Event) -> LiveState:
    stop = Stop(event["requested_at"], event["by"], now=bool(event.get("now")))
    return replace(state, status="stopping", stop=stop, retry=None)


def _run_ended(state: LiveState, event: Event) -> LiveState:
    status = event["status"]
    stop = replace(state.stop, answered_at=event["time"]) if state.stop else None
    stages = tuple(
        replace(stage, status="stopped" if status == "stopped" else "failed", ended_at=event["time"])
        if stage.status in ("running", "retrying")
        else stage
        for stage in state.stages
    )
    return replace(
        state,
        status=status,
        ended_at=event["time"],
        stages=stages,
        current=None,
        retry=None,
        waiting=None,
        eta=None,
        stop=stop,
        result=Result(event["exit_code"], event.get("version"), event.get("report")),
        resumable=status != "succeeded",
    )


def _run_interrupted(state: LiveState, event: Event) -> LiveState:
    """The orchestrator is gone: killed, power loss, or a mistake of its own that it could still tell."""
    key = state.current.stage if state.current else ""
    attempt = state.stage(key).attempt if key else 0
    words = event.get("message") or "the orchestrator ended without a word: killed, power loss or reboot"
    kind = event.get("kind", "interrupted")
    named = policy_of(kind).words
    error = RunError(event["time"], key, attempt, kind, words, event["next_command"], named)
    ended = _run_ended(state, {**event, "status": "failed", "exit_code": 1})
    return replace(ended, errors=(*state.errors, error)[-_ERRORS_KEPT:])


def _stage_event(state: LiveState, event: Event) -> LiveState:
    return fold_stage_event(state, event["stage"], event["event"], event["time"])


def _watched(state: LiveState, event: Event) -> LiveState:
    return fold_watch(state, event, event["time"])


def _alert(state: LiveState, event: Event) -> LiveState:
    alert = Alert(
        at=event["time"],
        level=event["level"],
        title=event["title"],
        stage=event.get("stage"),
        detail=event.get("detail", ""),
        next_command=event.get("next_command"),
    )
    return replace(state, alerts=(*state.alerts, alert)[-_ALERTS_KEPT:])


def _estimated(state: LiveState, event: Event) -> LiveState:
    stages = tuple(replace(stage, eta_s=event["stages"].get(stage.id)) for stage in state.stages)
    eta = event.get("eta")
    return replace(state, stages=stages, eta=msgspec.convert(eta, Eta) if eta else None)


def _heartbeat(state: LiveState, event: Event) -> LiveState:
    stage_at = state.heartbeat.stage_at if state.heartbeat else None
    return replace(state, heartbeat=Heartbeat(event["time"], stage_at))


def _hardware(state: LiveState, event: Event) -> LiveState:
    return replace(state, hardware=event["sample"])


def _with_stage(state: LiveState, key: str, **changes: Any) -> LiveState:
    stages = tuple(replace(stage, **changes) if stage.id == key else stage for stage in state.stages)
    return replace(state, stages=stages)


_HANDLERS: dict[str, Callable[[LiveState, Event], LiveState]] = {
    "run_started": _run_started,
    "run_resumed": _run_resumed,
    "stage_started": _stage_started,
    "stage_taken_up": _stage_taken_up,
    "stage_ended": _stage_ended,
    "stage_kept": _stage_kept,
    "stage_reopened": _stage_reopened,
    "retry_scheduled": _retry_scheduled,
    "waiting_started": _waiting_started,
    "waiting_ended": _waiting_ended,
    "gave_up": _gave_up,
    "recovery": _recovery,
    "resume_lost": _resume_lost,
    "stop_requested": _stop_requested,
    "run_ended": _run_ended,
    "run_interrupted": _run_interrupted,
    "stage_event": _stage_event,
    "watched": _watched,
    "alert": _alert,
    "estimated": _estimated,
    "heartbeat": _heartbeat,
    "hardware": _hardware,
}
# What changes a stage or the run as a whole: fsynced in the journal and written to the live state at once.
_TRANSITIONS = frozenset(
    {
        "run_started",
        "run_resumed",
        "stage_started",
        "stage_taken_up",
        "stage_ended",
        "stage_reopened",
        "retry_scheduled",
        "waiting_started",
        "waiting_ended",
        "gave_up",
        "recovery",
        "stop_requested",
        "run_ended",
        "run_interrupted",
    }
)
# Observations of the moment: shown, not journaled; the next one replaces them.
_EPHEMERAL = frozenset({"watched", "estimated", "heartbeat", "hardware"})


def is_transition(event: Event) -> bool:
    """Tell whether an event must be durable at once."""
    return event["type"] in _TRANSITIONS


def is_journaled(event: Event) -> bool:
    """Tell whether an event belongs into the journal."""
    return event["type"] not in _EPHEMERAL
