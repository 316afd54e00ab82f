"""The one writer of a run's state: every event is folded, journaled, written and shown here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from nightforge.core.clock import Clock
from nightforge.pipeline.fold import Event, fold, is_journaled, is_transition
from nightforge.pipeline.journal import Journal, StateFiles
from nightforge.pipeline.states import LiveState

HEARTBEAT_S = 2.0
QUIET_S = 600.0  # between two alerts of one cause, however often it comes and goes
Observer = Callable[[LiveState, Event], None]


class Recorder:
    """Holds the live state; `record` is the only way to change it."""

    def __init__(
        self,
        state: LiveState,
        journal: Journal,
        files: StateFiles,
        clock: Clock,
        observers: Sequence[Observer] = (),
    ) -> None:
        self.state = state
        self._journal = journal
        self._files = files
        self._clock = clock
        self._observers = tuple(observers)
        self._beat_at = float("-inf")
        self._trouble_said = False
        self._trouble_at = float("-inf")

    @property
    def full(self) -> bool:
        """Tell whether the run's own files could not be written for want of room, at the last try."""
        return self._journal.full or self._files.full

    def record(self, event_type: str, /, **fields: Any) -> None:
        """Let one thing have happened now."""
        event: Event = {"time": self._clock.now(), "type": event_type, **fields}
        self.state = fold(self.state, event)
        if is_journaled(event):
            self._journal.append(event)
        if is_transition(event):
            self._files.write(self.state, at_once=True)
        for observer in self._observers:
            observer(self.state, event)

    def tick(self) -> None:
        """Beat, write what is due, try again what a full disk refused."""
        if self._clock.monotonic() - self._beat_at >= HEARTBEAT_S:
            self._beat_at = self._clock.monotonic()
            self.record("heartbeat")
            self._files.beat(self.state.updated_at or "")
            self._journal.flush()
        self._files.write(self.state)
        self._tell_trouble()

    def settle(self, limit_s: float = 30.0) -> None:
        """At the end of a run: write what a full disk still refuses, for a while."""
        deadline = self._clock.monotonic() + limit_s
        while not self._files.write(self.state, at_once=True) or self._journal.trouble:
            if self._clock.monotonic() >= deadline:
                return  # the journal misses its end: the next start says "interrupted" and can resume
            self._clock.sleep(0.5)
            self._journal.flush()

    def _tell_trouble(self) -> None:
        """One alert per cause, not one per refused write. # ops Q5"""
        trouble = self._journal.trouble or self._files.trouble
        now_s = self._clock.monotonic()
        if trouble and not self._trouble_said and now_s - self._trouble_at >= QUIET_S:
            self._trouble_at = now_s
            self.record(
                "alert",
                level="critical",
                title="The disk refuses writes",
                detail=f"{trouble}. The run goes on and keeps its records in memory; free some space.",
            )
        self._trouble_said = trouble is not None
