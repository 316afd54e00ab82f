"""The stall clock: how long a stage has lived without progress, and in which phase. Pure. # ops H1, H3,
H4, H5

Only progress resets it: a counter or phase that moved, a curve point, an answer, a metric. Log lines, a
living process and a busy GPU do not. Time is what the guard has lived through: each tick adds at most 5 s,
so suspend, a frozen virtual machine or a changed clock never make a stage look silent.

Standard library only: the guard runs this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

# What a stage is doing, each with its own limit. A stage that never says so stays in `start`. # ops H3
PHASES = ("start", "load", "first_step", "step", "eval", "save", "generate", "teardown")
OUTPUT = "output"  # a script that never calls the library is judged by its output. # ops H9
FACTOR = 5.0  # a limit is at least this many times the longest interval seen. # ops H4
WARM_UP_STEPS = 5  # judged as `first_step`, and no measure for the later ones. # ops H4
GAP_S = 30.0  # a longer tick was no tick: the computer slept or was frozen. # ops H5
_LONGEST_TICK_S = 5.0
# `progress` and `watch` count only with other numbers than before.
PROGRESS_EVENTS = frozenset("start phase progress curve answer metric node watch done".split())


class Limit(NamedTuple):
    """Seconds without progress until a warning at the latest, and until the stage is ended; where that comes
    from, in words.
    """

    warn_s: float
    kill_s: float
    origin: str = "configured"


class Limits(NamedTuple):
    """The limits of one attempt by phase. `kill` false: nothing but a finished stage is ever ended."""

    phases: Mapping[str, Limit]
    kill: bool = True

    @classmethod
    def of(cls, value: Any) -> Limits:
        """Read what `json.dumps` made of limits."""
        phases, kill = value
        return cls({name: Limit(*limit) for name, limit in phases.items()}, bool(kill))


class StallClock(NamedTuple):
    """Where an attempt is: its phase, the silence in seconds, how often it moved, the last counters, the
    steps since the first, the longest interval survived per judged phase in seconds.
    """

    phase: str = "start"
    silent_s: float = 0.0
    moves: int = 0
    counter: tuple[Any, ...] | None = None
    unit: Any = None  # the counter within a phase, such as weights loaded
    steps: int = 0
    longest: Mapping[str, float] = {}
    done: bool = False

    @property
    def judged(self) -> str:
        """Return the phase whose limit holds: the first steps of an attempt are no measure of a step."""
        return "first_step" if self.phase == "step" and self.steps < WARM_UP_STEPS else self.phase


def lived(tick_s: float) -> float:
    """Return how much of a tick counts, seconds."""
    return min(max(tick_s, 0.0), _LONGEST_TICK_S)


def advance(clock: StallClock, tick_s: float, events: Iterable[dict[str, Any]]) -> StallClock:
    """Add a tick, then take the events in; each that is progress ends an interval and starts one.

    A repeated event with the same numbers is a heartbeat, not progress. After `done` nothing counts any more.
    """
    clock = clock._replace(silent_s=clock.silent_s + lived(tick_s))
    for event in events:
        if not clock.done:
            clock = _take(clock, event)
    return clock


def settle(clock: StallClock) -> StallClock:
    """End the interval that is open: there was progress, or a finished stage has exited."""
    longest = max(clock.longest.get(clock.judged, 0.0), clock.silent_s)
    return clock._replace(
        silent_s=0.0, moves=clock.moves + 1, longest={**clock.longest, clock.judged: longest}
    )


def _take(clock: StallClock, event: dict[str, Any]) -> StallClock:
    kind = event.get("type")
    if kind == "progress":
        counter = (event.get("done"), event.get("total"), event.get("unit"))
        if counter == clock.counter:
            return clock
        clock = settle(clock)
        counted = clock.phase in ("first_step", "step")
        return clock._replace(counter=counter, steps=clock.steps + counted)
    if kind == "watch":
        return _enter(clock, event.get("phase"), event.get("done"))
    if kind == "done":
        return settle(clock)._replace(phase="teardown", done=True)
    return settle(clock) if kind in PROGRESS_EVENTS else clock


def _enter(clock: StallClock, phase: Any, unit: Any) -> StallClock:
    if phase not in PHASES or (phase, unit) == (clock.phase, clock.unit):
        return clock
    clock = settle(clock)
    begins = phase == "first_step" and clock.phase != "first_step"
    return clock._replace(phase=phase, unit=unit, steps=0 if begins else clock.steps)
