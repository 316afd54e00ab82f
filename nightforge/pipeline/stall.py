"""The stall clock: how long a stage has lived without progress. Pure. # ops H1, H5, H8

Only progress resets it: a counter or phase that moved, a curve point, an answer, a metric. Log lines, a
living process and a busy GPU do not. Time is what the orchestrator has lived through: each tick adds at
most 5 s, so suspend, a frozen virtual machine or a changed clock never make a stage look silent.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

PROGRESS_EVENTS = frozenset({"start", "phase", "progress", "curve", "answer", "metric", "node", "done"})
_LONGEST_TICK_S = 5.0


class Limits(NamedTuple):
    """Seconds without progress until a warning, and until the stage is ended (None: never)."""

    warn_s: float
    kill_s: float | None


class StallClock(NamedTuple):
    """Silence in seconds, the last counter seen, and whether the warning has been given."""

    silent_s: float = 0.0
    counter: tuple[Any, ...] | None = None
    warned: bool = False


def advance(clock: StallClock, tick_s: float, events: Iterable[dict[str, Any]]) -> StallClock:
    """Add a tick, or start again from zero if one of `events` is progress.

    A repeated progress event with the same numbers is a heartbeat, not progress.
    """
    silent_s = clock.silent_s + min(max(tick_s, 0.0), _LONGEST_TICK_S)
    counter, moved = clock.counter, False
    for event in events:
        if event.get("type") == "progress":
            now = (event.get("done"), event.get("total"), event.get("unit"))
            moved = moved or now != counter
            counter = now
        elif event.get("type") in PROGRESS_EVENTS:
            moved = True
    return StallClock(0.0, counter, False) if moved else StallClock(silent_s, counter, clock.warned)


def verdict(clock: StallClock, limits: Limits) -> str:
    """Return `kill`, `warn` (once per silence) or `ok`."""
    if limits.kill_s is not None and clock.silent_s >= limits.kill_s:
        return "kill"
    if clock.silent_s >= limits.warn_s and not clock.warned:
        return "warn"
    return "ok"
