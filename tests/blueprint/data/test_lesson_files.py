"""Our lessons are sound and disjoint; a broken lesson file is refused with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nightforge.blueprint.canonical import canonicalize, structure_key
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.graph import Struct, Value
from nightforge.blueprint.lessons import (
    TIERS,
    Lesson,
    Prompt,
    lesson_rows,
    load_lesson,
    load_lessons,
    variations,
)
from nightforge.blueprint.rows import normalize_instruction
from nightforge.core.errors import InputError

LESSONS = Path(__file__).resolve().parents[3] / "lessons"
CONTAINERS = ("Array", "Set", "Map", "Class")  # said in words: an Actor array, a map from Name to Int
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


@pytest.fixture(scope="module")
def prompts(lessons: list[Lesson]) -> list[Prompt]:
    return [prompt for lesson in lessons for prompt in lesson.prompts]


def test_there_are_twelve_lessons_of_twenty_and_three_exams_of_forty(lessons: list[Lesson]) -> None:
    sizes = {lesson.lesson_id: (lesson.holdout, len(lesson.prompts)) for lesson in lessons}
    wanted = {f"exam_{n:02d}": (True, 40) for n in range(1, 4)}
    assert sizes == wanted | {f"lesson_{n:02d}": (False, 20) for n in range(1, 13)}


def test_answers_stand_in_canonical_text_with_two_to_25_nodes(lessons: list[Lesson]) -> None:
    for lesson in lessons:
        stored = {p["id"]: p["expected_dsl"] for p in json.loads(lesson.path.read_text("utf-8"))["prompts"]}
        for prompt in lesson.prompts:
            assert stored[prompt.id] == prompt.expected_dsl, prompt.id
            assert 2 <= _size(prompt) <= 25, prompt.id


def test_tiers_follow_the_size_of_the_answer_and_rise_within_a_lesson(lessons: list[Lesson]) -> None:
    for lesson in lessons:
        for prompt in lesson.prompts:
            limits = (3, 6, 12, 25)
            assert prompt.tier == TIERS[sum(_size(prompt) > limit for limit in limits)], prompt.id
        ranks = [TIERS.index(prompt.tier or "") for prompt in lesson.prompts]
        if lesson.lesson_id > "lesson_06" or lesson.lesson_id == "exam_03":
            assert ranks == sorted(ranks), lesson.lesson_id


def test_no_answer_has_a_structural_twin_anywhere(prompts: list[Prompt]) -> None:
    keys: dict[str, list[str]] = {}
    for prompt in prompts:
        keys.setdefault(prompt.structure, []).append(prompt.id)
    assert [ids for ids in keys.values() if len(ids) > 1] == []


def test_every_node_type_of_the_catalog_occurs_in_an_answer(prompts: list[Prompt]) -> None:
    used = {node.type for prompt in prompts for node in prompt.blueprint.nodes()}
    assert sorted(set(load_catalog().nodes) - used) == []


def test_the_first_exams_keep_their_thirty_core_prompts_and_the_rest_goes_beyond(
    lessons: list[Lesson],
) -> None:
    for lesson in lessons:
        if lesson.lesson_id in ("exam_01", "exam_02"):
            assert [prompt.level for prompt in lesson.prompts] == ["core"] * 30 + ["more"] * 10
        elif lesson.lesson_id < "lesson_07" and not lesson.holdout:
            assert {prompt.level for prompt in lesson.prompts} == {"core"}


def test_an_answer_renamed_and_reordered_keeps_the_key_that_holds_exams_apart(prompts: list[Prompt]) -> None:
    for prompt in prompts[::7]:
        graphs = tuple(
            replace(graph, nodes=graph.nodes[::-1], wires=graph.wires[::-1])
            for graph in prompt.blueprint.graphs
        )
        other = replace(prompt.blueprint, name="BP_Renamed", graphs=graphs)
        assert structure_key(other) == prompt.structure, prompt.id
        assert canonicalize(other) == replace(prompt.blueprint, name="BP_Renamed"), prompt.id


def test_every_name_text_and_number_of_an_answer_is_said_in_its_instruction(prompts: list[Prompt]) -> None:
    for prompt in prompts:
        unsaid = [said for said in _to_be_said(prompt) if said not in prompt.instruction]
        assert unsaid == [], prompt.id


def _size(prompt: Prompt) -> int:
    return sum(1 for _ in prompt.blueprint.nodes())


def _to_be_said(prompt: Prompt) -> list[str]:
    """What no reader could guess: names, texts, numbers, types, and a name or parent that is no default."""
    program = prompt.blueprint
    said = [variable.name for variable in program.variables]
    for variable in program.variables:
        said += _parts_said(variable.default) if variable.default is not None else []
        said += _words_said(variable.type)
    said += [program.name] if program.name != "BP_Actor" else []
    said += [program.parent] if program.parent != "Actor" else []
    for graph in program.graphs:
        said += [graph.name] if graph.name != "EventGraph" else []
        for pin in (*graph.pins, *(pin for node in graph.nodes for pin in node.pins)):
            said += [pin.name, *_words_said(pin.type)]
        for node in graph.nodes:
            said += [part for _, value in node.properties for part in _parts_said(value)]
    return said


def _words_said(type_name: str) -> list[str]:
    """The names in a type; containers and control are said in other words."""
    return [word for word in re.findall(r"\w+", type_name) if word not in (*CONTAINERS, "exec")]


def _parts_said(value: Value) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, bool):
        return []  # said in words: hide, turn off, is true
    if isinstance(value, Struct):
        return [part for _, field in value.fields if field for part in _parts_said(field)]
    return [f"{abs(value):g}"]


def test_ids_and_hashes_are_unique(prompts: list[Prompt]) -> None:
    assert len({prompt.id for prompt in prompts}) == len({prompt.hash for prompt in prompts}) == 360


def test_held_out_prompts_make_no_rows(lessons: list[Lesson]) -> None:
    rows = lesson_rows(lessons)
    assert len(rows) >= 240
    assert {row.ref.partition(":")[0] for row in rows} == {f"lesson_{n:02d}" for n in range(1, 13)}


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
    "unknown tier": (lambda: _lesson(prompts=[_prompt(tier="hard")]), "prompt P-1: tier must be one of"),
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
