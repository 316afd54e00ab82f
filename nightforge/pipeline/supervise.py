"""Watches one attempt and says when to warn, take evidence, ask or force its end. Decides only; the guard
acts. # ops H4, H5, H6, H7, H9, K10, S1

The ladder, as shares of the limit of the phase: half (or `stall_warn_seconds`, if that is less) warn, 80 %
first dump of the stacks, 100 % second dump, snapshot and end. Standard library only: the guard runs this.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from nightforge.pipeline.stall import (
    FACTOR,
    GAP_S,
    OUTPUT,
    Limit,
    Limits,
    StallClock,
    advance,
    lived,
    settle,
)

_WARN, _DUMP = 0.5, 0.8  # shares of the limit
_SEEN = 2.0  # nobody is warned before this many times the longest interval seen


class Grace(NamedTuple):
    """Seconds between asking and forcing."""

    terminate_s: float = 30.0


class Supervisor:
    """The watch over one attempt. `ended_for` is why it was asked to end, or None while it was not; `gap_s`
    the length of a gap in time that the last look has met, or 0; `gaps` how many there were.

    `speaks` false: the script is not known to call the library, so its output is what counts until it does.
    """

    def __init__(self, limits: Limits, grace: Grace, now_s: float, speaks: bool = True) -> None:
        self._limits = limits
        self._grace = grace
        self._clock = StallClock(phase="start" if speaks else OUTPUT)
        self._now_s = now_s
        self._lived_s = 0.0
        self._output = 0
        self._rung = 0  # how far up the ladder this silence is
        self._spared = False
        self._asked_at: float | None = None
        self._forced = False
        self.ended_for: str | None = None
        self.gap_s = 0.0
        self.gaps = 0

    @property
    def phase(self) -> str:
        """Return the phase whose limit holds now."""
        return self._clock.judged

    @property
    def moves(self) -> int:
        """Return how often there was progress."""
        return self._clock.moves

    @property
    def silent_s(self) -> float:
        """Return the seconds without progress."""
        return self._clock.silent_s

    @property
    def kills(self) -> bool:
        """Tell whether the limit of this phase ends the stage; a finished one is ended in any case."""
        return self._limits.kill or self._clock.done

    @property
    def limit(self) -> Limit:
        """Return the limit that holds now: never less than 5 times what this attempt has survived."""
        phase = self._clock.judged
        limit = self._limits.phases[phase]
        survived = self._clock.longest.get(phase, 0.0)
        warn_s = max(limit.warn_s, _SEEN * survived)
        kill_s, origin = limit.kill_s, limit.origin
        if FACTOR * survived > kill_s:
            kill_s, origin = FACTOR * survived, "5 times the longest of this attempt"
        return Limit(min(_WARN * kill_s, warn_s), kill_s, origin)

    def longest(self) -> dict[str, float]:
        """Return the longest interval per phase, seconds; of a finished stage also that of its end."""
        clock = settle(self._clock) if self._clock.done and self.ended_for is None else self._clock
        return {phase: round(seconds, 3) for phase, seconds in clock.longest.items() if phase != OUTPUT}

    def observe(self, now_s: float, events: Sequence[dict[str, Any]], stop_now: bool, output: int = 0) -> str:
        """Take in what happened until `now_s`; `output` counts the bytes the stage has written.

        Returns `warn`, `dump`, `terminate`, `kill` or an empty text.
        """
        self.live(now_s, events, output)
        if self._asked_at is not None:
            return self._force(self._asked_at)
        if stop_now and not self._clock.done:
            return self._ask("stop")
        return self._climb()

    def reprieve(self, now_s: float, events: Sequence[dict[str, Any]], output: int = 0) -> bool:
        """Look a last time before a stall is acted on: progress takes the request back, and having survived
        that long raises the limit of the phase for the rest of this attempt. # ops H7
        """
        moves = self.moves
        self.live(now_s, events, output)
        if self.moves == moves:
            return False
        self.ended_for = self._asked_at = None
        return True

    def live(self, now_s: float, events: Sequence[dict[str, Any]], output: int) -> None:
        """Let time pass and events happen. A gap restarts the silence, but only once, or an overloaded host
        could put an end off for ever. # ops H5
        """
        tick_s, self._now_s = now_s - self._now_s, now_s
        self._lived_s += lived(tick_s)
        clock, moves = self._clock, self._clock.moves
        if clock.phase == OUTPUT and events:
            clock = settle(clock)._replace(phase="start")  # it does call the library
        clock = advance(clock, tick_s, events)
        if clock.phase == OUTPUT and output != self._output:
            clock = settle(clock)
        self._clock, self._output = clock, output
        if clock.moves != moves:
            self._rung, self._spared = 0, False
        self.gap_s = tick_s if tick_s > GAP_S else 0.0
        if self.gap_s:
            self.gaps += 1
            if not self._spared and self._asked_at is None:
                self._spared, self._rung = True, 0
                self._clock = self._clock._replace(silent_s=0.0)

    def _climb(self) -> str:
        """Take the next rung of the ladder if the silence has reached it, one per look."""
        limit, silent_s = self.limit, self._clock.silent_s
        if self._rung < 1 and silent_s >= limit.warn_s:
            self._rung = 1
            if not self._clock.done:  # a finished stage that is slow to exit worries nobody yet
                return "warn"
        if self._rung < 2 and silent_s >= _DUMP * limit.kill_s:
            self._rung = 2
            return "dump"
        if silent_s >= limit.kill_s and self.kills:
            return self._ask("teardown" if self._clock.done else "stall")
        return ""

    def _ask(self, reason: str) -> str:
        self.ended_for = reason
        self._asked_at = self._lived_s
        return "terminate"

    def _force(self, asked_at: float) -> str:
        if self._forced or self._lived_s - asked_at < self._grace.terminate_s:
            return ""
        self._forced = True
        return "kill"
