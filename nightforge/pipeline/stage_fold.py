"""What a running stage reports, folded into the live state. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from nightforge.pipeline.stall import PROGRESS_EVENTS
from nightforge.pipeline.states import (
    Alert,
    Curve,
    Heartbeat,
    LiveState,
    Mark,
    NodeStatus,
    Point,
    Progress,
    StageState,
    Step,
    Watch,
)

Event = dict[str, Any]
_ANSWERS_KEPT = 12
_ALERTS_KEPT = 30
_POINTS_KEPT = 400
_MESSAGE_CHARS = 300
_NODE_STATUSES = frozenset({"idle", "running", "done", "fail"})


def fold_stage_event(state: LiveState, key: str, event: Event, now: str) -> LiveState:
    """Apply one event of stage `key`, seen at `now`; a damaged one changes nothing but the heartbeat."""
    beat = Heartbeat(state.heartbeat.at if state.heartbeat else now, stage_at=now)
    state = replace(state, heartbeat=beat)
    if state.current and state.current.stage == key and _is_progress(state, key, event):
        current = replace(state.current, last_progress_at=now)
        if current.watch:
            current = replace(current, watch=replace(current.watch, quiet_since=now, slow=False))
        state = replace(state, current=current)
    handler = _HANDLERS.get(str(event.get("type")))
    if handler is None:
        return state
    try:
        return handler(state, key, event, now)
    except (KeyError, TypeError, ValueError):
        return state  # a stage that reports nonsense must not end the run; the journal keeps its line


def fold_watch(state: LiveState, event: Event, now: str) -> LiveState:
    """Apply what the guard tells of its watch; signs of an attempt that is not shown change nothing."""
    current = state.current
    if current is None or current.stage != event["stage"]:
        return state
    watch = current.watch
    if "phase" in event:
        same = watch is not None and watch.phase == event["phase"]
        watch = Watch(
            phase=str(event["phase"]),
            quiet_since=watch.quiet_since if watch and same else current.last_progress_at,
            warn_s=event["warn_s"],
            limit_s=event["limit_s"],
            origin=str(event["origin"]),
            slow=bool(watch and same and watch.slow),
        )
    elif watch is None:
        return state
    elif event.get("slow"):
        watch = replace(watch, slow=True)
    else:
        watch = replace(watch, quiet_since=now, slow=False)
    return replace(state, current=replace(current, watch=watch))


def _is_progress(state: LiveState, key: str, event: Event) -> bool:
    """A repeated counter is a sign of life, not progress. # ops H1"""
    if event.get("type") != "progress":
        return event.get("type") in PROGRESS_EVENTS
    before = state.stage(key).progress
    return before is None or (before.done, before.total, before.unit) != (
        event.get("done"),
        event.get("total"),
        event.get("unit", ""),
    )


def thin(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """Halve the older half of a long curve, so that a run of any length stays drawable."""
    if len(points) <= _POINTS_KEPT:
        return points
    half = len(points) // 2
    return points[:half:2] + points[half:]


def _phase(state: LiveState, key: str, event: Event, _: str) -> LiveState:
    step = Step(str(event["step"]), str(event.get("title", "")))
    return _update(state, key, step=step, progress=None)


def _progress(state: LiveState, key: str, event: Event, _: str) -> LiveState:
    progress = Progress(_number(event["done"]), _number(event["total"]), str(event.get("unit", "")))
    return _update(state, key, progress=progress)


def _mark(state: LiveState, key: str, event: Event, _: str) -> LiveState:
    return _update(state, key, mark=Mark(_number(event["value"]), str(event.get("unit", ""))))


def _metric(state: LiveState, key: str, event: Event, _: str) -> LiveState:
    return _update(state, key, metrics={**state.stage(key).metrics, **dict(event["values"])})


def _message(state: LiveState, key: str, event: Event, _: str) -> LiveState:
    return _update(state, key, message=str(event["text"])[:_MESSAGE_CHARS])


def _curve(state: LiveState, key: str, event: Event, _: str) -> LiveState:
    step, values = _number(event["step"]), dict(event["values"])
    several = bool(state.stage(key).nodes)  # each training of the anomaly track has a curve of its own
    before = state.curves.get(key, Curve()) if several else state.curve
    named = {"train": "loss", "eval": "eval_loss", "lr": "lr"}
    changes: dict[str, tuple[Point, ...]] = {}
    for name, source in named.items():
        value = values.get(source)
        if isinstance(value, (int, float)) and math.isfinite(value):
            # A resumed training repeats the steps after its checkpoint: the newer values count.
            kept = tuple(point for point in getattr(before, name) if point[0] < step)
            changes[name] = thin((*kept, (step, float(value))))
    curve: Curve = replace(before, **changes)
    return replace(state, curve=curve, curves={**state.curves, key: curve} if several else state.curves)


def _node(state: LiveState, _: str, event: Event, now: str) -> LiveState:
    if event["status"] not in _NODE_STATUSES:
        return state
    node = NodeStatus(event["status"], str(event.get("message", ""))[:_MESSAGE_CHARS], now)
    return replace(state, nodes={**state.nodes, str(event["id"]): node})


def _alert(state: LiveState, key: str, event: Event, now: str) -> LiveState:
    alert = Alert(
        at=now,
        level=str(event["level"]),
        title=str(event["title"]),
        stage=key,
        detail=str(event.get("detail") or ""),
        next_command=event.get("next_command"),
    )
    return replace(state, alerts=(*state.alerts, alert)[-_ALERTS_KEPT:])


def _answer(state: LiveState, _: str, event: Event, __: str) -> LiveState:
    answer = {name: value for name, value in event.items() if name not in ("seq", "time", "type")}
    return replace(state, answers=(*state.answers, answer)[-_ANSWERS_KEPT:])


def _update(state: LiveState, key: str, **changes: Any) -> LiveState:
    stages: tuple[StageState, ...] = tuple(
        replace(stage, **changes) if stage.id == key else stage for stage in state.stages
    )
    return replace(state, stages=stages)


def _number(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return int(number) if number.is_integer() else number


_HANDLERS: dict[str, Callable[[LiveState, str, Event, str], LiveState]] = {
    "phase": _phase,
    "progress": _progress,
    "mark": _mark,
    "metric": _metric,
    "message": _message,
    "curve": _curve,
    "node": _node,
    "alert": _alert,
    "answer": _answer,
}
