"""A copy of an exam answer never reaches training, however it is renamed, reordered or renumbered."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from plants import PLANTS, renamed, renumbered

from nightforge.blueprint.canonical import canonicalize, structure_key
from nightforge.blueprint.dataset import merge
from nightforge.blueprint.evaluation_tests import load_tests
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.leak import (
    NEAR_DUPLICATE,
    Holdout,
    TrainingIndex,
    exposure,
    gate,
    holdout_structures,
    leak_gate,
    similarity,
    word_triples,
)
from nightforge.blueprint.lessons import Lesson, Prompt, lesson_rows, load_lessons
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.rows import KINDS, Row, make_row, normalize_instruction
from nightforge.blueprint.synthesis import generate

LESSONS = Path(__file__).resolve().parents[3] / "lessons"
FRESH = "Something that nobody asked in any exam before."


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    return load_lessons(LESSONS)


@pytest.fixture(scope="module")
def exam(lessons: list[Lesson]) -> list[Prompt]:
    return [prompt for lesson in lessons if lesson.holdout for prompt in lesson.prompts]


def _raw_row(instruction: str, blueprint: Blueprint, kind: str = "manual") -> Row:
    """A row whose stored keys lie, as one from a careless tool would."""
    return Row("planted", instruction, to_text(blueprint), kind, "plant", "0" * 16, "f" * 32, "train")


@pytest.mark.parametrize("plant", PLANTS)
def test_the_gate_flags_every_planted_answer(plant: str, lessons: list[Lesson], exam: list[Prompt]) -> None:
    rows = [_raw_row(FRESH, PLANTS[plant](prompt.blueprint)) for prompt in exam]
    findings = leak_gate(rows, lessons)
    assert [found.question.id for found in findings] == [prompt.id for prompt in exam]
    assert {found.reason for found in findings} <= {"answer", "structure"}


@pytest.mark.parametrize("plant", PLANTS)
def test_the_merge_removes_every_planted_answer(
    plant: str, lessons: list[Lesson], exam: list[Prompt]
) -> None:
    for kind in KINDS:
        rows = [make_row(kind, "plant", FRESH, PLANTS[plant](exam[n].blueprint)) for n in range(3)]
        merged = merge(rows, Holdout.of(lessons), cap=5)
        assert not merged.rows and merged.removed == {(kind, "holdout_answer"): 3}
        assert [leak.question.id for leak in merged.leaks] == [prompt.id for prompt in exam[:3]]


@pytest.mark.parametrize("kind", KINDS)
def test_a_finding_names_row_source_and_prompt(kind: str, lessons: list[Lesson], exam: list[Prompt]) -> None:
    (found,) = leak_gate([_raw_row(FRESH, renamed(exam[4].blueprint), kind)], lessons)
    assert found.sentence().startswith(f"row planted ({kind} plant) gives away {exam[4].id} of exam_01:")


TESTS = load_tests()
ASKED = {
    "copy": lambda text: text,
    "case and punctuation": lambda text: f"  {text.upper()} !",
    "renamed": lambda text: re.sub(
        r"\b(Fuel|Visits|Ping|Stars|IsArmed|BP_Rocket|Jump|Fire)\b", "Harvest", text
    ),
    "other values": lambda text: re.sub(r"\b\d+\b", "77", re.sub(r'"[^"]*"', '"other words"', text)),
}


@pytest.mark.slow
@pytest.mark.parametrize("change", ASKED)
def test_a_row_that_asks_what_an_evaluation_test_asks_is_flagged(change: str, lessons: list[Lesson]) -> None:
    harmless = lesson_rows(lessons)[0]
    for test in TESTS:
        said = ASKED[change](test.prompt)
        findings = leak_gate([replace(harmless, instruction=said)], lessons, TESTS)
        assert [found.question.id for found in findings] == [test.id], said


def test_a_structure_on_both_sides_of_the_split_is_found(lessons: list[Lesson]) -> None:
    taught, other = lesson_rows(lessons)[0], lesson_rows(lessons)[3]
    twin = _raw_row(FRESH, renamed(lessons_blueprint(taught)))
    assert gate([taught], [twin, other], Holdout())[1] == [(twin, taught)]


def lessons_blueprint(row: Row) -> Blueprint:
    blueprint = parse(row.output).blueprint
    assert blueprint is not None
    return blueprint


@pytest.mark.slow
def test_the_gate_flags_instructions_in_other_clothes(lessons: list[Lesson], exam: list[Prompt]) -> None:
    harmless = lesson_rows(lessons)[0]
    for prompt in exam:
        for said in (
            prompt.instruction,
            prompt.instruction.upper(),
            f"Please: {prompt.instruction.rstrip('.')}!",
        ):
            findings = leak_gate([replace(harmless, instruction=said)], lessons)
            assert [found.reason for found in findings] in (["instruction"], ["near_instruction"]), said


@pytest.mark.slow
def test_the_gate_passes_lessons_and_generated_rows_of_other_structures(lessons: list[Lesson]) -> None:
    held_out = holdout_structures(LESSONS)
    assert len(held_out) == 120
    examples = [e for e in generate(Random(2), 400) if structure_key(e.blueprint) not in held_out]
    rows = [make_row("synthetic", "", e.instruction, e.blueprint) for e in examples]
    assert leak_gate([*rows, *lesson_rows(lessons)], lessons) == []


def test_questions_found_by_shared_words_are_those_that_a_full_search_finds(lessons: list[Lesson]) -> None:
    holdout, rng = Holdout.of(lessons, load_tests()), Random(5)
    known = [
        (question, word_triples(normalize_instruction(question.instruction)))
        for question in holdout.questions
    ]
    asked, found = [question.instruction.split() for question in holdout.questions], set()
    for _ in range(1500):
        words = list(rng.choice(asked))
        for _ in range(rng.randrange(4)):
            words[rng.randrange(len(words))] = rng.choice(rng.choice(asked))
        row = Row("r", " ".join(words), "", "manual", "", "", "")
        mine = word_triples(normalize_instruction(row.instruction))
        near = [question for question, theirs in known if similarity(mine, theirs) >= NEAR_DUPLICATE]
        finding = holdout.by_instruction(row)
        if finding is None or finding.reason != "instruction":
            assert (finding.question if finding and finding.reason == "near_instruction" else None) == next(
                iter(near), None
            )
        found.add(finding and finding.reason)
    assert {None, "instruction", "near_instruction"} <= found


def test_the_gate_finds_the_same_with_the_keys_of_texts_that_were_parsed(
    lessons: list[Lesson], exam: list[Prompt]
) -> None:
    holdout = Holdout.of(lessons)
    merged = merge(lesson_rows(lessons)[:40], holdout, cap=5)
    assert len(merged.structures) > 20
    assert all(merged.structures[row.output] == structure_key(lessons_blueprint(row)) for row in merged.rows)
    lying = [replace(row, structure="f" * 32) for row in merged.rows]
    planted = [_raw_row(FRESH, prompt.blueprint) for prompt in exam[:3]]
    train, val = [*lying, *planted], merged.rows[:5]
    assert gate(train, val, holdout, merged.structures) == gate(train, val, holdout)
    known = merged.structures | {row.output: p.structure for row, p in zip(planted, exam, strict=False)}
    assert gate(train, val, holdout, known) == gate(train, val, holdout)


def test_exposure_tells_seen_near_and_unseen_apart(exam: list[Prompt]) -> None:
    prompt = exam[0]
    seen = make_row("manual", "", FRESH, replace(renumbered(prompt.blueprint), name="BP_Elsewhere"))
    near = make_row("manual", "", FRESH, renamed(prompt.blueprint))
    other = make_row("manual", "", FRESH, exam[1].blueprint)
    assert exposure(prompt, TrainingIndex.of([seen, other])) == "seen"
    assert exposure(prompt, TrainingIndex.of([near, other])) == "near"
    assert exposure(prompt, TrainingIndex.of([other])) == "unseen"
    assert canonicalize(prompt.blueprint) == prompt.blueprint
