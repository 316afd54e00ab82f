"""Evaluation looks at graphs: nonsense scores 0 whatever words it holds, and each requirement can fail."""

from __future__ import annotations

import pytest

from nightforge.blueprint.check import validate
from nightforge.blueprint.evaluation import choose_tests, compare, grade_test
from nightforge.blueprint.evaluation_tests import Test, load_tests
from nightforge.blueprint.leak import NEAR_DUPLICATE, similarity, word_triples
from nightforge.blueprint.lessons import load_lessons
from nightforge.blueprint.requirements import KINDS, holds
from nightforge.blueprint.rows import normalize_instruction
from nightforge.core.errors import InputError
from tests.conftest import ROOT

LANTERN = """BLUEPRINT: BP_Lantern
PARENT: Actor
VAR Fuel: Float = 30.0
GRAPH: EventGraph
NODE n1: Event_Tick
NODE n2: GetVar [VarName="Fuel"]
NODE n3: LessThan [B=5.0]
DATA n2.Value -> n3.A [Float]
NODE n4: Branch
EXEC n1.Then -> n4.Execute
DATA n3.ReturnValue -> n4.Condition [Bool]
NODE n5: PrintString [InString="fuel low"]
EXEC n4.True -> n5.Execute
NODE n6: AddActorLocalRotation [DeltaRotation=(Roll=0.0,Pitch=0.0,Yaw=12.0)]
EXEC n4.False -> n6.Execute
"""
HELD = [
    {"has": "Branch"},
    {"variable": ["Fuel", "Float"]},
    {"value": ["LessThan", "B", 5]},
    {"value": ["AddActorLocalRotation", "DeltaRotation.Yaw", 12.0]},
    {"value": ["PrintString", "InString", "fuel low"]},
    {"path": ["Event_Tick", "PrintString"]},
    {"path": ["Branch:True", "PrintString[InString=fuel low]"]},
    {"wire": ["GetVar", "LessThan.A"]},
]
BROKEN = [
    {"has": "Delay"},
    {"variable": ["Fuel", "Int"]},
    {"value": ["LessThan", "B", 6]},
    {"value": ["AddActorLocalRotation", "DeltaRotation.Roll", 12.0]},
    {"value": ["PrintString", "InString", "fuel"]},
    {"path": ["PrintString", "Event_Tick"]},
    {"path": ["Branch:False", "PrintString"]},
    {"path": ["Event_Tick", "LessThan"]},
    {"wire": ["GetVar", "LessThan.B"]},
    {"wire": ["LessThan", "GetVar.VarName"]},
]


@pytest.mark.parametrize("check", HELD, ids=str)
def test_a_requirement_that_the_graph_meets_holds(check: dict) -> None:
    program = validate(LANTERN).blueprint
    assert program is not None and holds(check, program)


@pytest.mark.parametrize("check", BROKEN, ids=str)
def test_a_requirement_that_the_graph_misses_fails(check: dict) -> None:
    program = validate(LANTERN).blueprint
    assert program is not None and not holds(check, program)


def test_every_kind_of_requirement_is_tried_both_ways() -> None:
    assert {next(iter(check)) for check in HELD} == {next(iter(check)) for check in BROKEN} == set(KINDS)


def test_a_text_of_all_the_right_words_scores_nothing() -> None:
    words = " ".join(str(check) for test in load_tests() for check in test.checks)
    nonsense = f"BLUEPRINT GRAPH NODE EXEC DATA -> {words} PrintString Event_BeginPlay Branch Delay"
    assert [grade_test(test, nonsense)["score"] for test in load_tests()] == [0.0] * len(load_tests())


def test_no_constant_program_passes_more_than_its_own_test() -> None:
    hello = LANTERN.split("NODE")[0].replace("VAR Fuel: Float = 30.0\n", "")
    hello += 'NODE n1: Event_BeginPlay\nNODE n2: PrintString [InString="hello"]\nEXEC n1.Then -> n2.Execute\n'
    assert validate(hello).valid
    assert [test.id for test in load_tests() if grade_test(test, hello)["passed"]] == []


def test_an_invalid_program_is_worth_half_and_never_passes() -> None:
    program = Test("t", 1, "p", tuple(HELD))
    assert grade_test(program, LANTERN)["score"] == 1.0
    unwired = LANTERN.replace("DATA n2.Value -> n3.A [Float]\n", "DATA n2.Value -> n3.A [Bool]\n")
    graded = grade_test(program, unwired)
    assert graded["errors"]
    assert not graded["passed"]
    assert graded["score"] <= 0.5


def test_there_are_twelve_tests_in_four_tiers_and_quick_takes_one_of_each() -> None:
    tests = load_tests()
    assert len({test.id for test in tests}) == len(tests) == 12
    assert {test.tier for test in tests} == {1, 2, 3, 4}
    assert [test.tier for test in choose_tests(tests, quick=True)] == [1, 2, 3, 4]
    assert {test.tier for test in choose_tests(tests, tier=3)} == {3}
    with pytest.raises(InputError, match="--tier 9"):
        choose_tests(tests, tier=9)


def test_no_test_prompt_is_a_lesson_in_other_words() -> None:
    taught = [prompt.instruction for lesson in load_lessons(ROOT / "lessons") for prompt in lesson.prompts]
    known = [word_triples(normalize_instruction(text)) for text in taught]
    for test in load_tests():
        mine = word_triples(normalize_instruction(test.prompt))
        assert max(similarity(mine, theirs) for theirs in known) < NEAR_DUPLICATE, test.id


def test_comparing_names_the_tests_that_differ() -> None:
    def outcome(version: str, scores: list[float]) -> dict:
        results = [{"test_id": f"t{i}", "score": score} for i, score in enumerate(scores)]
        return {"version": version, "summary": {"passed": 1}, "results": results}

    found = compare(outcome("v2", [1.0, 0.5]), outcome("v1", [1.0, 0.25]))
    assert found == {
        "version": "v1",
        "summary": {"passed": 1},
        "changed": [{"test_id": "t1", "score": 0.5, "other": 0.25}],
    }
