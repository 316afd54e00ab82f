"""Only progress resets the stall clock, and only lived time advances it."""

from __future__ import annotations

import pytest

from nightforge.pipeline.stall import Limits, StallClock, advance, verdict

LIMITS = Limits(warn_s=10, kill_s=30)


def progress(done: int) -> dict[str, object]:
    return {"type": "progress", "done": done, "total": 9, "unit": "steps"}


@pytest.mark.parametrize(
    ("name", "event", "moves"),
    [
        ("a counter that moved", progress(2), True),
        ("the same counter again", progress(1), False),
        ("a new phase", {"type": "phase", "step": "4.3"}, True),
        ("a point of the curve", {"type": "curve"}, True),
        ("an answer", {"type": "answer"}, True),
        ("a metric", {"type": "metric"}, True),
        ("a message", {"type": "message", "text": "still alive"}, False),
        ("an alert", {"type": "alert"}, False),
        ("an error", {"type": "error"}, False),
    ],
)
def test_only_progress_resets_the_clock(name: str, event: dict[str, object], moves: bool) -> None:
    before = advance(StallClock(), 4, [progress(1)])
    quiet = advance(before, 4, [])
    assert quiet.silent_s == 4
    assert (advance(quiet, 1, [event]).silent_s == 0) is moves, name


def test_a_suspended_night_counts_as_five_seconds() -> None:
    assert advance(StallClock(), 8 * 3600, []).silent_s == 5


def test_a_clock_that_goes_backwards_adds_nothing() -> None:
    assert advance(StallClock(silent_s=3), -60, []).silent_s == 3


@pytest.mark.parametrize(
    ("silent_s", "warned", "expected"),
    [(9, False, "ok"), (10, False, "warn"), (29, True, "ok"), (30, True, "kill"), (30, False, "kill")],
)
def test_the_limits_warn_once_and_then_end(silent_s: float, warned: bool, expected: str) -> None:
    assert verdict(StallClock(silent_s, None, warned), LIMITS) == expected


def test_without_a_kill_limit_there_is_only_the_warning() -> None:
    assert verdict(StallClock(10**6, None, True), Limits(10, None)) == "ok"
