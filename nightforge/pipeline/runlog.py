"""logs/pipeline_live.log: the run in plain lines, for people who prefer `tail -f`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from nightforge.core.terminal import say
from nightforge.pipeline.fold import Event
from nightforge.pipeline.states import LiveState

_PROGRESS_S = 5.0


class RunLog:
    """An observer that writes one line per thing worth reading, progress at most every 5 s."""

    def __init__(self, write: Callable[[str], None], monotonic: Callable[[], float]) -> None:
        self._write = write
        self._monotonic = monotonic
        self._progress_at = float("-inf")

    def __call__(self, state: LiveState, event: Event) -> None:
        text = line_for(state, event)
        if text is None:
            return
        if event["type"] == "stage_event" and event["event"]["type"] == "progress":
            if self._monotonic() - self._progress_at < _PROGRESS_S:
                return
            self._progress_at = self._monotonic()
        self._write(f"{event['time']}  {text}\n")


def print_line(state: LiveState, event: Event) -> None:
    """Observe a run on a standard error that is no terminal: a line per transition and alert."""
    if event["type"] == "stage_event" and event["event"]["type"] != "alert":
        return
    text = line_for(state, event)
    if text is not None:
        say(text, sys.stderr)


def line_for(state: LiveState, event: Event) -> str | None:
    """Return the line for an event, or None if it is not worth one."""
    maker = _LINES.get(event["type"])
    return maker(state, event) if maker else None


def _stage_started(state: LiveState, event: Event) -> str:
    stage = state.stage(event["stage"])
    return f"{stage.id:<8} STARTING  {stage.title} (attempt {stage.attempt} of {stage.max_attempts})"


def _stage_ended(state: LiveState, event: Event) -> str:
    stage = state.stage(event["stage"])
    words = f"{stage.id:<8} {event['outcome'].upper():<9} {stage.title}"
    message = event.get("note") or event.get("message")
    command = event.get("next_command")
    return words + (f": {message}" if message else "") + (f"; next: {command}" if command else "")


def _retry_scheduled(_: LiveState, event: Event) -> str:
    number, limit = event["attempt"], event["max_attempts"]
    why = "; ".join(event[name] for name in ("words", "change") if event.get(name))
    words = f"{event['stage']:<8} RETRY     attempt {number} of {limit} at {event['next_at']}"
    return f"{words} ({why})" if why else words


def _recovery(_: LiveState, event: Event) -> str:
    change = f"{event['setting']} {event['old']} -> {event['new']}"
    return f"{event['stage']:<8} CHANGED   {change}: {event['reason']}"


def _gave_up(_: LiveState, event: Event) -> str:
    return f"{event['stage']:<8} GIVEN UP  {event['message']}; next: {event['next_command']}"


def _resume_lost(_: LiveState, event: Event) -> str:
    return f"{event['stage']:<8} LOST      {event['detail']}"


def _alert(_: LiveState, event: Event) -> str:
    return _alert_line(event.get("stage") or "run", event)


def _stage_kept(_: LiveState, event: Event) -> str:
    return f"{event['stage']:<8} KEPT      nothing it depends on has changed since run {event['run_id']}"


def _stage_reopened(_: LiveState, event: Event) -> str:
    return f"{event['stage']:<8} AGAIN     {event['reason']}"


def _alert_line(place: str, alert: Event) -> str:
    return (
        f"{place:<8} {str(alert.get('level')).upper():<9} {alert.get('title')}: {alert.get('detail') or ''}"
    )


def _stage_event(state: LiveState, event: Event) -> str | None:
    inner, key = event["event"], event["stage"]
    stage = state.stage(key)
    if inner["type"] == "phase" and stage.step:
        return f"{stage.step.id:<8} STEP      {stage.step.title}"
    if inner["type"] == "progress" and stage.progress:
        return f"{key:<8} PROGRESS  {stage.progress.done}/{stage.progress.total} {stage.progress.unit}"
    if inner["type"] == "alert":
        return _alert_line(key, inner)
    return None


def _run(words: str) -> Callable[[LiveState, Event], str]:
    return lambda state, event: f"run      {words.format(state=state, **_only_text(event))}"


def _only_text(event: Event) -> dict[str, Any]:
    return {key: value for key, value in event.items() if isinstance(value, (str, int))}


_LINES: dict[str, Callable[[LiveState, Event], str | None]] = {
    "run_started": _run("STARTED   {run_id}, profile {profile}, mode {mode}, pid {pid}"),
    "run_resumed": _run("RESUMED   {state.run_id}, pid {pid}"),
    "run_ended": _run("ENDED     {status}, exit code {exit_code}"),
    "waiting_started": lambda _, event: f"{event['stage']:<8} WAITING   for {event['words']}",
    "waiting_ended": lambda _, event: f"{event['stage']:<8} GOING ON  ({event['kind']} is over)",
    "stop_requested": _run("STOP      requested by {by}"),
    "stage_started": _stage_started,
    "stage_ended": _stage_ended,
    "stage_kept": _stage_kept,
    "stage_reopened": _stage_reopened,
    "retry_scheduled": _retry_scheduled,
    "recovery": _recovery,
    "gave_up": _gave_up,
    "resume_lost": _resume_lost,
    "alert": _alert,
    "stage_event": _stage_event,
}
