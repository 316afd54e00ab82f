"""Watches one attempt and says when to warn, ask or force its end. Decides only; the guard acts. # ops H6,
K10, S1
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from nightforge.pipeline.stall import Limits, StallClock, advance, verdict

if TYPE_CHECKING:  # the guard runs without the packages the configuration needs
    from nightforge.config import Config


class Grace(NamedTuple):
    """Seconds between asking and forcing, and for the exit of a stage that has written its done record."""

    terminate_s: float = 30.0
    teardown_s: float = 60.0


def stall_limits(config: Config, kind: str) -> Limits:
    """Choose the limits of a stage kind; training has its own, since a first step may compile kernels."""
    stall = config.stall_detection
    kill_s = stall.stall_kill_seconds_training if kind == "training" else stall.stall_kill_seconds
    return Limits(stall.stall_warn_seconds, kill_s if stall.kill else None)


class Supervisor:
    """The watch over one attempt. `ended_for` is why it was asked to end, or None while it was not."""

    def __init__(self, limits: Limits, grace: Grace, now_s: float) -> None:
        self._limits = limits
        self._grace = grace
        self._clock = StallClock()
        self._now_s = now_s
        self._done_at: float | None = None
        self._asked_at: float | None = None
        self._forced = False
        self.ended_for: str | None = None

    @property
    def silent_s(self) -> float:
        """Return the seconds without progress."""
        return self._clock.silent_s

    def observe(self, now_s: float, events: Sequence[dict[str, Any]], stop_now: bool) -> str:
        """Take in what happened until `now_s`; returns `warn`, `terminate`, `kill` or an empty text."""
        self._clock = advance(self._clock, now_s - self._now_s, events)
        self._now_s = now_s
        if self._done_at is None and any(event.get("type") == "done" for event in events):
            self._done_at = now_s
        if self._asked_at is not None:
            return self._force(now_s, self._asked_at)
        if self._done_at is not None:
            late = now_s - self._done_at >= self._grace.teardown_s
            return self._ask("teardown") if late else ""
        if stop_now:
            return self._ask("stop")
        word = verdict(self._clock, self._limits)
        if word == "kill":
            return self._ask("stall")
        if word == "warn":
            self._clock = self._clock._replace(warned=True)
            return "warn"
        return ""

    def reprieve(self, now_s: float, events: Sequence[dict[str, Any]]) -> bool:
        """Look a last time before a stall is acted on: progress takes the request back and doubles the limit
        for the rest of this attempt. # ops H7
        """
        self._clock = advance(self._clock, now_s - self._now_s, events)
        self._now_s = now_s
        if self._clock.silent_s > 0.0:
            return False
        kill_s = self._limits.kill_s
        self._limits = self._limits._replace(kill_s=None if kill_s is None else 2 * kill_s)
        self.ended_for = self._asked_at = None
        return True

    def _ask(self, reason: str) -> str:
        self.ended_for = reason
        self._asked_at = self._now_s
        return "terminate"

    def _force(self, now_s: float, asked_at: float) -> str:
        if self._forced or now_s - asked_at < self._grace.terminate_s:
            return ""
        self._forced = True
        return "kill"
