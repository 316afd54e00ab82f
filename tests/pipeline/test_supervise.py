"""The watch over one attempt climbs its ladder in order: warn, take the stacks, ask, force."""

from __future__ import annotations

from typing import Any

import pytest
from pipeline_fakes import same_limits

from nightforge.pipeline.stall import OUTPUT, Limit, Limits
from nightforge.pipeline.supervise import Grace, Supervisor

DONE = {"type": "done"}
LIMITS = same_limits(10, 20)
NOTHING: list[dict[str, Any]] = []


def watch(phase: str, done: int = 0) -> dict[str, Any]:
    return {"type": "watch", "phase": phase, "done": done}


def supervisor(limits: Limits = LIMITS, speaks: bool = True) -> Supervisor:
    return Supervisor(limits, Grace(terminate_s=5), 0, speaks)


def watched(
    seconds: int,
    happenings: dict[int, list[dict[str, Any]]],
    stop_now_at: int = 10**9,
    limits: Limits = LIMITS,
) -> list[tuple[int, str]]:
    """Let seconds pass and return (second, word) for everything the supervisor said."""
    made = supervisor(limits)
    said = []
    for second in range(1, seconds + 1):
        word = made.observe(float(second), happenings.get(second, []), second >= stop_now_at)
        if word:
            said.append((second, word))
    return said


def test_silence_is_warned_of_looked_into_asked_and_forced_each_once() -> None:
    assert watched(60, {}) == [(10, "warn"), (16, "dump"), (20, "terminate"), (25, "kill")]


def test_progress_after_the_warning_starts_the_ladder_again() -> None:
    # Nobody worries again before twice the 15 s that were survived.
    assert watched(45, {15: [{"type": "answer"}]}) == [(10, "warn"), (45, "warn")]


def test_the_warning_comes_at_half_of_the_limit_at_the_latest() -> None:
    assert watched(19, {}, limits=same_limits(300, 20)) == [(10, "warn"), (16, "dump")]


def test_with_kill_off_the_ladder_ends_with_the_stacks() -> None:
    limits = Limits(same_limits(10, 20).phases, kill=False)
    assert watched(60, {}, limits=limits) == [(10, "warn"), (16, "dump")]


def test_a_finished_stage_has_a_limit_of_its_own_is_not_warned_of_and_always_ended() -> None:
    limits = Limits({**LIMITS.phases, "teardown": Limit(1, 8)}, kill=False)
    assert watched(60, {3: [DONE]}, limits=limits) == [(10, "dump"), (11, "terminate"), (16, "kill")]


def test_stop_now_does_not_wait_for_silence() -> None:
    assert watched(60, {}, stop_now_at=2) == [(2, "terminate"), (7, "kill")]


def test_stop_now_gives_a_finished_stage_its_time_to_exit() -> None:
    limits = Limits({**LIMITS.phases, "teardown": Limit(1, 8)})
    said = watched(60, {1: [DONE]}, stop_now_at=2, limits=limits)
    assert said == [(8, "dump"), (9, "terminate"), (14, "kill")]


def test_each_phase_has_its_own_limit() -> None:
    limits = Limits({**LIMITS.phases, "save": Limit(40, 80)})
    assert watched(90, {2: [watch("save")]}, limits=limits)[:3] == [
        (42, "warn"),
        (66, "dump"),
        (82, "terminate"),
    ]


def test_a_limit_is_never_less_than_five_times_what_the_attempt_has_survived() -> None:
    made = supervisor()
    for second in range(1, 19):
        made.observe(float(second), NOTHING, False)
    made.observe(19.0, [{"type": "metric"}], False)
    assert made.limit == Limit(38, 95, "5 times the longest of this attempt")


def test_a_last_look_that_finds_progress_takes_the_end_back_and_at_least_doubles_the_limit() -> None:
    made = supervisor()
    for second in range(1, 21):
        word = made.observe(float(second), NOTHING, False)
    assert (word, made.ended_for) == ("terminate", "stall")
    assert not made.reprieve(20.5, [{"type": "message"}])
    assert made.reprieve(21.0, [{"type": "answer"}])
    assert made.ended_for is None
    assert made.limit.kill_s >= 40


def test_a_gap_restarts_the_silence_once_and_is_told() -> None:
    made = supervisor()
    for second in range(1, 16):
        made.observe(float(second), NOTHING, False)
    made.observe(8 * 3600.0, NOTHING, False)
    assert (made.silent_s, made.gap_s, made.gaps) == (0.0, 8 * 3600.0 - 15, 1)
    made.observe(
        8 * 3600.0 + 60, NOTHING, False
    )  # no second time: an overloaded host must not go on for ever
    assert (made.silent_s, made.gap_s, made.gaps) == (5.0, 60.0, 2)
    made.observe(8 * 3600.0 + 61, [{"type": "answer"}], False)
    made.observe(8 * 3600.0 + 99, NOTHING, False)
    assert made.silent_s == 0.0


def test_a_clock_that_swings_for_ever_does_not_put_the_end_off() -> None:
    made = supervisor()
    words = []
    now_s = 0.0
    for number in range(40):
        now_s += 86400.0 if number % 2 == 0 else -86399.0
        words.append(made.observe(now_s, NOTHING, False))
    assert "terminate" in words


def test_a_stage_without_a_counter_is_judged_by_its_output_until_it_speaks() -> None:
    made = supervisor(Limits({**LIMITS.phases, OUTPUT: Limit(30, 60)}), speaks=False)
    for second in range(1, 50):
        made.observe(float(second), NOTHING, False, output=second // 10)
    assert (made.phase, made.silent_s) == (OUTPUT, 9.0)
    made.observe(50.0, [{"type": "start"}], False, output=5)
    assert made.phase == "start"
    made.observe(51.0, NOTHING, False, output=99)
    assert made.silent_s == 1.0


@pytest.mark.parametrize(
    ("ends_at", "expected"), [(12, {"start": 3.0, "teardown": 9.0}), (None, {"start": 3.0})]
)
def test_what_an_attempt_teaches(ends_at: int | None, expected: dict[str, float]) -> None:
    """Its teardown counts if it has exited by itself."""
    made = supervisor(same_limits(5, 10))
    made.observe(3.0, [DONE], False)
    for second in range(4, (ends_at or 30) + 1):
        made.observe(float(second), NOTHING, False)
    assert made.longest() == expected
