"""The breaker: many attempts that lead nowhere end the run, whatever their classes were. Pure. # ops B1-B4,
C9

A durable mark is what a power cut cannot take: the step of a whole checkpoint, answers on disk. Stages state
theirs in `mark` events; a stage without any has no mark to raise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from nightforge.pipeline.classes import policy_of

IN_A_ROW = 3
PER_DAY = 20
_DAY_S = 86_400.0


class Try(NamedTuple):
    """One attempt that failed. Marks: before it, after it; None: the stage has stated none. `unreadable`:
    what it stated cannot be understood. `adapted`: the next attempt uses less memory.
    """

    stage: str
    attempt: int
    kind: str
    seconds: float
    ended_s: float
    before: float | None = None
    after: float | None = None
    unreadable: bool = False
    adapted: bool = False

    @property
    def raised(self) -> bool:
        """Tell whether it left a higher mark than it found."""
        return self.after is not None and self.after > (self.before or 0)

    @property
    def leads_nowhere(self) -> bool:
        """Tell whether the breaker counts it. A step down the memory ladder is finite by itself
        (docs/decisions/008), a wait for something outside is no attempt (# ops R6), an unreadable mark is not
        zero (# ops B2).
        """
        return not (self.raised or self.unreadable or self.adapted) and policy_of(self.kind).counted


def tripped(tries: Sequence[Try], now_s: float) -> str | None:
    """Return why the run must stop, with all attempts listed, or None. `tries`: of this run since it was
    started or resumed by hand, the newest last.
    """
    last = tries[-1].stage if tries else ""
    fruitless = 0
    for entry in reversed(tries):
        if entry.stage != last or entry.raised:
            break
        fruitless += entry.leads_nowhere
    if fruitless >= IN_A_ROW:
        return f"{IN_A_ROW} attempts in a row got no further:\n{table(tries)}"
    today = [t for t in tries if policy_of(t.kind).counted and now_s - t.ended_s <= _DAY_S]
    if len(today) >= PER_DAY:
        return f"{PER_DAY} attempts failed within a day:\n{table(tries)}"
    return None


def table(tries: Sequence[Try]) -> str:
    """Write one line per attempt: stage, number, class, duration, mark before and after."""
    return "\n".join(
        f"{t.stage} attempt {t.attempt}: {policy_of(t.kind).words}, {t.seconds:.0f} s, "
        f"saved {_mark(t.before)} before, {'unreadable' if t.unreadable else _mark(t.after)} after"
        for t in tries
    )


def _mark(value: float | None) -> str:
    return "nothing" if value is None else f"{value:g}"


class ResumeProof:
    """Holds one attempt to its word: after a resume from step n its first progress must be beyond n. # ops C9

    `lost` is a sentence once it was not; `unreadable` that a mark could not be understood; `fell_to` the step
    an attempt starts from although the run had a higher mark; `began_at` where it said it goes on;
    `reached` that it stated a mark at all.
    """

    def __init__(self, mark: float | None) -> None:
        self._mark = mark
        self._resumed: tuple[float, str] | None = None
        self.lost: str | None = None
        self.unreadable = False
        self.reached = False
        self.began_at: float | None = None
        self.fell_to: float | None = None

    def observe(self, event: dict[str, Any]) -> None:
        """Take in one event of the stage."""
        if event.get("type") == "mark":
            self.reached = True
            value = mark_value(event)
            if value is None:
                self.unreadable = True
            elif event.get("resumed"):
                self._resumed = (value, str(event.get("unit")))
                self.began_at = value
                if self._mark is not None and value < self._mark:
                    self.fell_to = value
        elif event.get("type") == "progress" and self._resumed is not None:
            at, unit = self._resumed
            if event.get("unit") != unit:
                return
            self._resumed = None
            done = event.get("done")
            if isinstance(done, (int, float)) and done <= at:
                self.lost = f"resumed at {at:g} {unit}, but its first progress was {done:g} of them"


def mark_value(event: dict[str, Any]) -> float | None:
    """Return the mark an event states, or None if it states none."""
    value = event.get("value")
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and math.isfinite(value) else None  # type: ignore[arg-type]
