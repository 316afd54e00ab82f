"""Time as UTC ISO-8601 text, and a clock that tests can replace."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Protocol


def format_time(moment: datetime) -> str:
    """Write a moment as `2026-11-21T17:15:00.123Z` (UTC, milliseconds)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_now() -> str:
    """Return the present moment as UTC text."""
    return format_time(datetime.now(UTC))


def parse_time(text: str) -> datetime:
    """Read a moment written by `format_time`; raises ValueError for anything else."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


class Clock(Protocol):
    """What the orchestrator asks of time; tests pass one that jumps."""

    def now(self) -> str: ...

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The real clock."""

    def now(self) -> str:
        return utc_now()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
