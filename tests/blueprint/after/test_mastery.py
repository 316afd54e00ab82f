"""Mastery comes from one exam's answers, is judged on new prompts first, and says what it does not know."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from run_records import answer

from nightforge.blueprint.mastery import NodeMastery, assess, status_of, wilson
from nightforge.blueprint.results import ExamRecord


def record(prompt: str, exposure: str, **types: tuple[int, int, int]) -> ExamRecord:
    return msgspec.convert(answer(prompt, exposure, 0.5, types), ExamRecord)


def one(nodes: list[NodeMastery], name: str) -> NodeMastery:
    return next(node for node in nodes if node.node_type == name)


def test_f1_counts_matches_over_expected_and_written_nodes() -> None:
    nodes = assess([record("a", "unseen", Branch=(2, 1, 3)), record("b", "unseen", Branch=(1, 1, 1))], [])
    assert one(nodes, "Branch").f1 == pytest.approx(2 * 2 / (3 + 4)) and one(nodes, "Branch").n == 2


def test_writing_a_type_nobody_asked_for_costs_although_the_prompt_is_not_counted() -> None:
    asked = record("a", "unseen", Branch=(1, 1, 1))
    noise = record("b", "unseen", Branch=(0, 0, 2))
    assert one(assess([asked, noise], []), "Branch").f1 == pytest.approx(2 / 4)
    assert one(assess([asked, noise], []), "Branch").n == 1


def test_new_prompts_decide_where_there_are_any_and_seen_ones_say_so() -> None:
    answers = [
        record("a", "seen", Branch=(1, 1, 1), Delay=(1, 1, 1)),
        record("b", "near", Branch=(1, 0, 0)),
    ]
    nodes = assess(answers, [])
    assert (one(nodes, "Branch").f1, one(nodes, "Branch").basis) == (0.0, "new")
    assert (one(nodes, "Delay").f1, one(nodes, "Delay").basis) == (1.0, "seen")


def test_types_of_the_catalog_without_a_prompt_are_untested_and_come_last() -> None:
    nodes = assess([record("a", "unseen", Branch=(1, 1, 1), Delay=(1, 0, 0))], ["Branch", "Sequence"])
    assert [(n.node_type, n.status) for n in nodes] == [
        ("Delay", "weak"),
        ("Branch", "mastered"),
        ("Sequence", "untested"),
    ]
    assert one(nodes, "Sequence").ci95 is None and one(nodes, "Sequence").n == 0


def test_the_version_before_is_judged_on_the_same_kind_of_prompt() -> None:
    now = [record("a", "unseen", Branch=(1, 1, 1))]
    before = [record("a", "unseen", Branch=(1, 0, 1)), record("b", "seen", Branch=(1, 1, 1))]
    assert one(assess(now, [], before), "Branch").previous_f1 == 0.0
    assert one(assess(now, [], [before[1]]), "Branch").previous_f1 is None


def test_at_most_five_failures_are_listed_worst_first() -> None:
    answers = [record(f"p{i}", "unseen", Branch=(3, 3 - i % 4, 3)) for i in range(12)]
    failures = one(assess(answers, []), "Branch").failures
    assert [failure.prompt_id for failure in failures] == ["p11", "p3", "p7", "p10", "p2"]
    assert failures[0].reasons == ["node Branch is missing"]
    assert failures[0].missing == ["Branch"] and failures[0].instruction.startswith("Print")


@pytest.mark.parametrize(
    ("f1", "status"),
    [(0.85, "mastered"), (0.849, "learning"), (0.60, "learning"), (0.599, "weak"), (None, "untested")],
)
def test_status_thresholds(f1: float | None, status: str) -> None:
    assert status_of(f1) == status


@pytest.mark.parametrize(
    ("share", "n", "expected"),
    [(0.0, 10, (0.0, 0.2775)), (1.0, 10, (0.7225, 1.0)), (0.5, 100, (0.4038, 0.5962))],
)
def test_wilson_intervals_equal_published_values(share: float, n: int, expected: tuple[float, float]) -> None:
    assert wilson(share, n) == pytest.approx(expected, abs=5e-4)


def test_an_interval_over_no_prompt_says_nothing() -> None:
    assert wilson(0.0, 0) == (0.0, 1.0)
    empty: list[Any] = assess([], [])
    assert empty == []
