"""The watch over one attempt says each thing once, in order: warn, ask, force."""

from __future__ import annotations

from typing import Any

from nightforge.config import Config
from nightforge.pipeline.stall import Limits
from nightforge.pipeline.supervise import Grace, Supervisor, stall_limits

DONE = {"type": "done"}


def watched(
    seconds: int, happenings: dict[int, list[dict[str, Any]]], stop_now_at: int = 10**9
) -> list[tuple[int, str]]:
    """Let seconds pass and return (second, word) for everything the supervisor said."""
    watch = Supervisor(Limits(warn_s=10, kill_s=20), Grace(terminate_s=5, teardown_s=8), 0)
    said = []
    for second in range(1, seconds + 1):
        word = watch.observe(float(second), happenings.get(second, []), second >= stop_now_at)
        if word:
            said.append((second, word))
    return said


def test_silence_is_warned_of_then_asked_then_forced_each_once() -> None:
    assert watched(60, {}) == [(10, "warn"), (20, "terminate"), (25, "kill")]


def test_progress_after_the_warning_starts_the_count_again() -> None:
    assert watched(35, {15: [{"type": "answer"}]}) == [(10, "warn"), (25, "warn"), (35, "terminate")]


def test_a_finished_stage_has_its_own_limit_and_no_stall() -> None:
    assert watched(60, {3: [DONE]}) == [(11, "terminate"), (16, "kill")]


def test_stop_now_does_not_wait_for_silence() -> None:
    assert watched(60, {}, stop_now_at=2) == [(2, "terminate"), (7, "kill")]


def test_stop_now_gives_a_finished_stage_its_time_to_exit() -> None:
    assert watched(60, {1: [DONE]}, stop_now_at=2) == [(9, "terminate"), (14, "kill")]


def test_limits_come_from_the_configuration_and_training_has_its_own() -> None:
    stall = Config().stall_detection
    assert stall_limits(Config(), "exam") == Limits(stall.stall_warn_seconds, stall.stall_kill_seconds)
    assert stall_limits(Config(), "training").kill_s == stall.stall_kill_seconds_training
