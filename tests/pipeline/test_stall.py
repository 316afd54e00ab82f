"""Only progress resets the stall clock, only lived time advances it, each interval belongs to its phase."""

from __future__ import annotations

from typing import Any

import pytest

from nightforge.pipeline.stall import StallClock, advance

DONE = {"type": "done"}


def progress(done: int) -> dict[str, Any]:
    return {"type": "progress", "done": done, "total": 9, "unit": "steps"}


def watch(phase: str, done: int = 0) -> dict[str, Any]:
    return {"type": "watch", "phase": phase, "done": done}


@pytest.mark.parametrize(
    ("name", "event", "moves"),
    [
        ("a counter that moved", progress(2), True),
        ("the same counter again", progress(1), False),
        ("a new sub-step", {"type": "phase", "step": "4.3"}, True),
        ("a new phase", watch("save"), True),
        ("the same phase again", watch("load", 7), False),
        ("more weights loaded", watch("load", 8), True),
        ("a phase that does not exist", watch("coffee"), False),
        ("a point of the curve", {"type": "curve"}, True),
        ("an answer", {"type": "answer"}, True),
        ("a metric", {"type": "metric"}, True),
        ("a message", {"type": "message", "text": "still alive"}, False),
        ("an alert", {"type": "alert"}, False),
        ("an error", {"type": "error"}, False),
    ],
)
def test_only_progress_resets_the_clock(name: str, event: dict[str, Any], moves: bool) -> None:
    before = advance(StallClock(), 4, [progress(1), watch("load", 7)])
    quiet = advance(before, 4, [])
    assert quiet.silent_s == 4
    assert (advance(quiet, 1, [event]).silent_s == 0) is moves, name


def test_a_suspended_night_counts_as_five_seconds() -> None:
    assert advance(StallClock(), 8 * 3600, []).silent_s == 5


def test_a_clock_that_goes_backwards_adds_nothing() -> None:
    assert advance(StallClock(silent_s=3), -60, []).silent_s == 3


def test_the_longest_interval_is_kept_for_each_phase() -> None:
    clock = advance(StallClock(), 3, [watch("load")])
    clock = advance(advance(clock, 4, []), 4, [watch("load", 1)])
    clock = advance(clock, 2, [watch("first_step")])
    assert clock.longest == {"start": 3, "load": 8}


def test_the_first_five_steps_are_warm_up_also_after_an_evaluation() -> None:
    clock = advance(StallClock(), 1, [watch("first_step")])
    clock = advance(clock, 5, [progress(1), watch("step")])
    clock = advance(clock, 4, [progress(2), watch("eval")])
    clock = advance(clock, 3, [watch("eval", 1), watch("step")])
    assert clock.judged == "first_step"
    for done in (3, 4, 5):
        clock = advance(clock, 4, [progress(done)])
    assert clock.judged == "step"
    clock = advance(clock, 2, [progress(6)])
    assert clock.longest == {"start": 1, "first_step": 5, "eval": 3, "step": 2}


def test_a_second_first_step_is_a_new_warm_up() -> None:
    clock = StallClock(phase="step", steps=40)
    again = advance(clock, 1, [watch("first_step")])
    assert advance(again, 1, [watch("step")]).judged == "first_step"


def test_after_done_nothing_is_progress_any_more() -> None:
    clock = advance(StallClock(), 1, [DONE])
    after = advance(clock, 4, [progress(3), watch("save"), DONE])
    assert (after.phase, after.silent_s) == ("teardown", 4)
