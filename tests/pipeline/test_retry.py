"""What an attempt's end means and whether another one follows, as tables."""

from __future__ import annotations

import pytest

from nightforge.pipeline.retry import WAITS_S, Ending, Retry, Stop, Verdict, judge, retry_decision

ERROR = {"kind": "stage", "message": "the loss is not finite", "next_command": "look at the data"}


@pytest.mark.parametrize(
    ("name", "end", "outcome", "kind", "words"),
    [
        ("done", Ending(0, done=True), "succeeded", "", ""),
        ("exit 0 without a done record", Ending(0), "failed", "no_done", "without a done record"),
        ("done record, then exit 1", Ending(1, done=True), "failed", "late", "exit code 1"),
        ("nothing new", Ending(3, error={"message": "same data"}), "skipped", "nothing_new", "same data"),
        ("stage error", Ending(1, error=ERROR), "failed", "unknown", "not finite"),
        (
            "wrong input",
            Ending(2, error={"kind": "input", "message": "no file"}),
            "failed",
            "input",
            "no file",
        ),
        ("argparse said no", Ending(2), "failed", "input", "exit code 2"),
        ("exit 2 whatever it calls itself", Ending(2, error=ERROR), "failed", "input", "not finite"),
        ("disk full", Ending(75), "failed", "temporary", "75"),
        ("stopped on request", Ending(4, stopping=True), "stopped", "stopped", "stopped"),
        ("failed while stopping", Ending(1, error=ERROR, stopping=True), "stopped", "stopped", "not finite"),
        ("exit 0 without done while stopping", Ending(0, stopping=True), "stopped", "stopped", "stopped"),
        ("finished while stopping", Ending(0, done=True, stopping=True), "succeeded", "", ""),
        (
            "killed from outside",
            Ending(-9),
            "failed",
            "killed",
            "nobody here asked for it - often the system",
        ),
        ("crashed", Ending(-11), "failed", "native_crash", "signal 11 (SIGSEGV); nobody here asked"),
        ("ended for a stall", Ending(-15, killed_for="stall"), "failed", "stall", "no progress"),
        ("woke up when ended for a stall", Ending(4, killed_for="stall"), "failed", "stall", "no progress"),
        ("ended by stop now", Ending(-9, stopping=True, killed_for="stop"), "stopped", "stopped", "stopped"),
        ("nobody can end it", Ending(-9, survivors=True), "failed", "device_wedged", "reboot"),
        ("would not exit", Ending(-9, done=True, killed_for="teardown"), "succeeded", "", "would not exit"),
        ("unknown code", Ending(77), "failed", "unknown", "exit code 77"),
        ("native crash told by a shell", Ending(139), "failed", "native_crash", "exit code 139"),
    ],
)
def test_an_ending_has_one_meaning(name: str, end: Ending, outcome: str, kind: str, words: str) -> None:
    verdict = judge(end)
    assert (verdict.outcome, verdict.kind) == (outcome, kind), name
    assert words in verdict.message


def test_the_next_command_of_the_stage_is_kept() -> None:
    assert judge(Ending(1, error=ERROR)).next_command == "look at the data"


@pytest.mark.parametrize("stopping", [True])
@pytest.mark.parametrize("code", [0, 1, 2, 4, 75, 139, -9, -15])
def test_nothing_is_failed_after_a_stop_request(code: int, stopping: bool) -> None:
    assert judge(Ending(code, stopping=stopping)).outcome == "stopped"


FAILED = Verdict("failed", "stage", "x")


@pytest.mark.parametrize(
    ("kind", "waits"),
    [
        ("data", [10, 30]),
        ("validate", [5]),
        ("training", [60, 120]),
        ("eval", [30]),
        ("exam", [30]),
        ("utility", [10]),
    ],
)
def test_each_kind_has_its_waits_and_then_gives_up(kind: str, waits: list[float]) -> None:
    decisions = [retry_decision(kind, FAILED, tries) for tries in range(1, len(waits) + 2)]
    assert decisions == [*map(Retry, waits), Stop()]


def test_a_temporary_failure_is_tried_five_more_times_whatever_the_stage() -> None:
    temporary = Verdict("failed", "temporary", "disk full")
    assert [isinstance(retry_decision("exam", temporary, n), Retry) for n in range(1, 7)] == [True] * 5 + [
        False
    ]


@pytest.mark.parametrize("kind", ["input", "config", "gate"])
def test_what_would_end_the_same_way_is_not_tried_again(kind: str) -> None:
    assert retry_decision("data", Verdict("failed", kind, "x"), 1) == Stop()


@pytest.mark.parametrize("outcome", ["succeeded", "skipped", "stopped"])
def test_only_failures_are_tried_again(outcome: str) -> None:
    assert retry_decision("data", Verdict(outcome), 1) == Stop()


def test_every_stage_of_the_plan_has_a_retry_rule() -> None:
    from nightforge.pipeline.registry import BLUEPRINT

    assert {stage.kind for stage in BLUEPRINT} <= set(WAITS_S)
