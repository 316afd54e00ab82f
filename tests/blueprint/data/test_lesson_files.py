"""Our lessons are sound and disjoint; a broken lesson file is refused with its place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nightforge.blueprint.lessons import Lesson, lesson_rows, load_lesson, load_lessons, variations
from nightforge.blueprint.rows import normalize_instruction
from nightforge.core.errors import InputError

LESSONS = Path(__file__).resolve().parents[3] / "lessons"
GOOD = """BLUEPRINT: A
PARENT: Actor
GRAPH: EventGraph
NODE n1: Event_BeginPlay
NODE n2: DestroyActor
EXEC n1.Then -> n2.Execute
"""


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    return load_lessons(LESSONS)


def test_there_are_six_lessons_of_twenty_and_two_exams_of_thirty(lessons: list[Lesson]) -> None:
    sizes = {lesson.lesson_id: (lesson.holdout, len(lesson.prompts)) for lesson in lessons}
    wanted = {f"exam_0{n}": (True, 30) for n in (1, 2)} | {f"lesson_0{n}": (False, 20) for n in range(1, 7)}
    assert sizes == wanted


def test_answers_stand_in_canonical_text_with_two_to_nine_nodes(lessons: list[Lesson]) -> None:
    for lesson in lessons:
        stored = {p["id"]: p["expected_dsl"] for p in json.loads(lesson.path.read_text("utf-8"))["prompts"]}
        for prompt in lesson.prompts:
            assert stored[prompt.id] == prompt.expected_dsl, prompt.id
            assert 2 <= sum(1 for _ in prompt.blueprint.nodes()) <= 9, prompt.id


def test_no_exam_answer_has_a_structural_twin_anywhere(lessons: list[Lesson]) -> None:
    keys: dict[str, list[str]] = {}
    for lesson in lessons:
        for prompt in lesson.prompts:
            keys.setdefault(prompt.structure, []).append(prompt.id)
    assert [ids for ids in keys.values() if len(ids) > 1] == []


def test_every_name_and_text_of_an_answer_is_said_in_its_instruction(lessons: list[Lesson]) -> None:
    for lesson in lessons:
        for prompt in lesson.prompts:
            for node in prompt.blueprint.nodes():
                for _, value in node.properties:
                    if isinstance(value, str):
                        assert value in prompt.instruction, (prompt.id, value)


def test_ids_and_hashes_are_unique(lessons: list[Lesson]) -> None:
    prompts = [prompt for lesson in lessons for prompt in lesson.prompts]
    assert len({prompt.id for prompt in prompts}) == len({prompt.hash for prompt in prompts}) == 180


def test_held_out_prompts_make_no_rows(lessons: list[Lesson]) -> None:
    rows = lesson_rows(lessons)
    assert len(rows) >= 120
    assert {row.ref.partition(":")[0] for row in rows} == {f"lesson_0{n}" for n in range(1, 7)}


def test_variations_keep_quoted_text_and_differ_in_words() -> None:
    said = 'When the game starts, print "Wait 3 seconds when ready, otherwise stop", then wait 3 seconds.'
    found = variations(said)
    assert len(found) == 2
    assert all('"Wait 3 seconds when ready, otherwise stop"' in text for text in found)
    assert len({normalize_instruction(text) for text in (said, *found)}) == 3


def _prompt(**change: Any) -> dict[str, Any]:
    return {"id": "P-1", "category": "c", "instruction": "Destroy the actor.", "expected_dsl": GOOD, **change}


def _lesson(**change: Any) -> dict[str, Any]:
    lesson = {"schema_version": 1, "lesson_id": "x", "lesson_name": "n", "description": "d", "holdout": False}
    return {**lesson, "prompts": [_prompt()], **change}


BROKEN: dict[str, tuple[Callable[[], Any], str]] = {
    "not an object": (lambda: [], "JSON object"),
    "unknown key": (lambda: _lesson(hold_out=True), "unknown hold_out"),
    "missing key": (lambda: {k: v for k, v in _lesson().items() if k != "holdout"}, "holdout missing"),
    "newer schema": (lambda: _lesson(schema_version=2), "schema_version"),
    "holdout as text": (lambda: _lesson(holdout="no"), "true or false"),
    "no prompts": (lambda: _lesson(prompts=[]), "not empty"),
    "prompt is text": (lambda: _lesson(prompts=["a"]), "prompt 1"),
    "empty instruction": (lambda: _lesson(prompts=[_prompt(instruction=" ")]), "prompt P-1: instruction"),
    "repeated id": (lambda: _lesson(prompts=[_prompt(), _prompt()]), "used twice"),
    "unknown node": (
        lambda: _lesson(prompts=[_prompt(expected_dsl=GOOD.replace("DestroyActor", "DestroyMe"))]),
        "prompt P-1: expected_dsl line 5",
    ),
    "broken syntax": (
        lambda: _lesson(prompts=[_prompt(expected_dsl=GOOD + "EXEC n1\n")]),
        "expected_dsl line 7",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_lesson_is_refused_with_its_place(case: str, tmp_path: Path) -> None:
    make, words = BROKEN[case]
    path = tmp_path / "lesson.json"
    path.write_text(json.dumps(make(), indent=1), encoding="utf-8")
    with pytest.raises(InputError, match=words) as caught:
        load_lesson(path)
    assert str(path) in str(caught.value)


def test_a_sound_lesson_is_accepted_and_names_are_unique_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps(_lesson()), encoding="utf-8")
    assert load_lesson(tmp_path / "a.json").prompts[0].expected_dsl == GOOD
    (tmp_path / "b.json").write_text(json.dumps(_lesson()), encoding="utf-8")
    with pytest.raises(InputError, match="both call themselves 'x'"):
        load_lessons(tmp_path)
