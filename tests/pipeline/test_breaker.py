"""The breaker and the proof of resume, as tables. # ops B1-B4, C9"""

from __future__ import annotations

from typing import Any

import pytest

from nightforge.pipeline.breaker import PER_DAY, ResumeProof, Try, tripped


def tried(*afters: float | None, before: float | None = 0, kind: str = "stall", **more: Any) -> list[Try]:
    found: list[Try] = []
    for number, after in enumerate(afters, 1):
        found.append(Try("04", number, kind, 60.0, 100.0 * number, before, after, **more))
        before = after if after is not None else before
    return found


@pytest.mark.parametrize(
    ("name", "tries", "stops"),
    [
        ("two", tried(0, 0), False),
        ("three without a step", tried(0, 0, 0), True),
        ("three of different classes", tried(0) + tried(0, kind="unknown") + tried(0, kind="killed"), True),
        ("each goes further", tried(100, 200, 300, 400), False),
        ("progress breaks the row", tried(0, 0, 100, 100, 100), False),
        ("three after progress", tried(100, 100, 100, 100), True),
        ("no marks at all", tried(None, None, None, before=None), True),
        ("unreadable marks do not count", tried(None, None, None, None, before=None, unreadable=True), False),
        ("rungs of the ladder do not count", tried(0, 0, 0, 0, kind="oom_train", adapted=True), False),
        ("waiting for something outside", tried(0, 0, 0, 0, kind="disk_full"), False),
        ("a wait between does not hide them", tried(0, 0) + tried(0, kind="network") + tried(0), True),
        ("another stage starts afresh", tried(0, 0) + [Try("12", 1, "stall", 1.0, 1.0)], False),
    ],
)
def test_three_attempts_without_a_higher_mark_stop(name: str, tries: list[Try], stops: bool) -> None:
    assert (tripped(tries, 1000.0) is not None) is stops, name


def test_the_message_lists_every_attempt() -> None:
    words = tripped(tried(120, 120, 120, 120), 1000.0)
    assert words is not None
    assert (
        words.splitlines()[1] == "04 attempt 1: no progress within the limit, 60 s, saved 0 before, 120 after"
    )
    assert len(words.splitlines()) == 5


def test_twenty_attempts_a_day_are_enough_and_yesterdays_are_forgotten() -> None:
    rising = tried(*(100.0 * n for n in range(1, PER_DAY + 1)))
    assert "within a day" in (tripped(rising, 3000.0) or "")
    assert tripped(rising, 3000.0 + 90_000.0) is None
    assert tripped(rising[1:], 3000.0) is None


def progress(done: int, unit: str = "steps") -> dict[str, Any]:
    return {"type": "progress", "done": done, "total": 400, "unit": unit}


def mark(value: Any, resumed: bool = False) -> dict[str, Any]:
    return {"type": "mark", "value": value, "unit": "steps", "resumed": resumed}


@pytest.mark.parametrize(
    ("events", "lost"),
    [
        ([mark(100, True), progress(101)], False),
        ([mark(100, True), progress(105)], False),
        ([mark(100, True), progress(100)], True),
        ([mark(100, True), progress(1)], True),
        ([mark(100, True), progress(1, "rows"), progress(101)], False),
        ([mark(0, True), progress(1)], False),
        ([progress(1)], False),
        ([mark(100, True), progress(101), progress(3)], False),  # only the first counts
    ],
)
def test_the_first_progress_after_a_resume_must_be_further(events: list[Any], lost: bool) -> None:
    proof = ResumeProof(100)
    for event in events:
        proof.observe(event)
    assert (proof.lost is not None) is lost


def test_a_start_below_the_known_mark_is_noticed_and_a_strange_mark_is_unreadable() -> None:
    proof = ResumeProof(200)
    proof.observe(mark(100, True))
    assert proof.fell_to == 100
    for value in (None, "many", True, float("nan")):
        proof = ResumeProof(200)
        proof.observe(mark(value))
        assert proof.unreadable
