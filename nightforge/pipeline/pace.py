"""How a stage gets on, as estimates need it: its parts, and the seconds per unit in each. Pure. # ops E1, E2

A part is the stretch between two phase events of a stage, or a change of the unit it counts in. Seconds are
those the run has lived through while the stage was at work: what it slept, waited or was paused is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

INTERVALS = 50  # newest intervals that make the live median
_AT_ONCE = 3.0  # times the units of an interval


class Part(Struct, frozen=True):
    """One stretch of a finished attempt; the seconds add up to its duration."""

    name: str  # id of the phase and unit, e.g. `4.3 steps`
    head_s: float  # until the first count of units; all of it where nothing is counted
    total: float = 0.0  # units
    first: float = 0.0  # units at the first count
    rate_s: float = 0.0  # seconds per unit from the first to the last count, pauses between units included
    median_s: float = 0.0  # the same of the median interval, without pauses
    tail_s: float = 0.0  # after the last count

    @property
    def seconds(self) -> float:
        return self.head_s + max(0.0, self.total - self.first) * self.rate_s + self.tail_s


class Took(Struct, frozen=True):
    """A finished attempt of a stage. `work` is the size of its inputs in bytes, None where that says
    nothing; `setting` tells configurations apart that make different work.
    """

    parts: tuple[Part, ...]
    work: int | None = None
    setting: str = ""

    @property
    def seconds(self) -> float:
        return sum(part.seconds for part in self.parts)

    @property
    def shape(self) -> tuple[str, ...]:
        """Name the parts: attempts of another shape did something else, such as nothing new."""
        return tuple(part.name for part in self.parts)


class Pace(Struct, frozen=True):
    """An attempt under way; times in seconds since it began."""

    now_s: float = 0.0
    parts: tuple[Part, ...] = ()  # finished ones
    name: str = ""
    began_s: float = 0.0  # of the part under way
    first: float = 0.0
    first_s: float | None = None  # when units were first counted
    done: float = 0.0
    done_s: float = 0.0
    total: float = 0.0
    unit: str = ""
    intervals: tuple[float, ...] = ()  # seconds per unit, newest last
    counted: int = 0  # intervals in this part, also those dropped
    resumed: bool = False  # some part began with more units than are counted at a time

    @property
    def part(self) -> str:
        """Name the part under way, as `Part.name`."""
        return f"{self.name} {self.unit}".strip()


def median(values: Sequence[float]) -> float:
    """Return the middle value; the statistics module takes longer to load than a start may take."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def later(pace: Pace, seconds: float) -> Pace:
    """Let the stage live for some seconds."""
    return replace(pace, now_s=pace.now_s + seconds)


def heard(pace: Pace, event: Mapping[str, Any]) -> Pace:
    """Take in an event of the stage; what is no phase and no progress changes nothing."""
    if event.get("type") == "phase":
        return _next_part(pace, str(event.get("step", "")))
    if event.get("type") != "progress":
        return pace
    try:
        done, total, unit = float(event["done"]), float(event["total"]), str(event.get("unit", ""))
    except (KeyError, TypeError, ValueError):
        return pace  # a stage that reports nonsense is only harder to foresee
    if not (math.isfinite(done) and math.isfinite(total)):
        return pace
    if pace.first_s is not None and (unit != pace.unit or done < pace.done):
        pace = _next_part(pace, pace.name)
    if pace.first_s is None:
        start = {"first": done, "first_s": pace.now_s, "unit": unit}
        return replace(pace, done=done, done_s=pace.now_s, total=total, **start)
    if done == pace.done:
        return replace(pace, total=total)  # a heartbeat
    interval = (pace.now_s - pace.done_s) / (done - pace.done)
    kept = (*pace.intervals, interval)[-INTERVALS:]
    return replace(pace, done=done, done_s=pace.now_s, total=total, intervals=kept, counted=pace.counted + 1)


def finished(pace: Pace) -> Pace:
    """Close the last part of an attempt that has ended."""
    return _next_part(pace, "")


def _next_part(pace: Pace, name: str) -> Pace:
    """Close the part under way and open the next; one without any time leaves no trace."""
    parts = pace.parts
    if pace.now_s > pace.began_s or pace.first_s is not None:
        parts = (*parts, _part(pace, _fresh_name(pace.part, parts)))
    resumed = pace.resumed or _goes_on(pace)
    return Pace(now_s=pace.now_s, parts=parts, name=name, began_s=pace.now_s, resumed=resumed)


def _goes_on(pace: Pace) -> bool:
    """Tell whether the part went on with what an earlier attempt had done: units were there at once."""
    if not pace.counted:
        return pace.first_s is not None and pace.first > 1
    return pace.first > _AT_ONCE * (pace.done - pace.first) / pace.counted


def _fresh_name(name: str, parts: tuple[Part, ...]) -> str:
    """Number the returns to a part, so that names stay unique."""
    count = sum(part.name.split("#")[0] == name for part in parts)
    return f"{name}#{count + 1}" if count else name


def part_under_way(pace: Pace) -> str:
    """Return the name the part under way will have."""
    return _fresh_name(pace.part, pace.parts)


def _part(pace: Pace, name: str) -> Part:
    if pace.first_s is None:
        return Part(name, round(pace.now_s - pace.began_s, 3))
    counted = pace.done - pace.first
    return Part(
        name=name,
        head_s=round(pace.first_s - pace.began_s, 3),
        total=pace.done,
        first=pace.first,
        rate_s=(pace.done_s - pace.first_s) / counted if counted else 0.0,
        median_s=median(pace.intervals) if pace.intervals else 0.0,
        tail_s=round(pace.now_s - pace.done_s, 3),
    )
