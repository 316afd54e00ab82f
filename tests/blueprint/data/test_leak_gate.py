"""A copy of an exam answer never reaches training, however it is renamed, reordered or renumbered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from nightforge.blueprint.canonical import canonicalize, structure_key
from nightforge.blueprint.dataset import merge
from nightforge.blueprint.graph import Blueprint, Value, Variable
from nightforge.blueprint.leak import Holdout, TrainingIndex, exposure, holdout_structures, leak_gate
from nightforge.blueprint.lessons import Lesson, Prompt, lesson_rows, load_lessons
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.rows import Row, make_row
from nightforge.blueprint.synthesis import generate

LESSONS = Path(__file__).resolve().parents[3] / "lessons"
FRESH = "Something that nobody asked in any exam before."


@pytest.fixture(scope="module")
def lessons() -> list[Lesson]:
    return load_lessons(LESSONS)


@pytest.fixture(scope="module")
def exam(lessons: list[Lesson]) -> list[Prompt]:
    return [prompt for lesson in lessons if lesson.holdout for prompt in lesson.prompts]


def _renamed(blueprint: Blueprint) -> Blueprint:
    """Another blueprint name, other variable and event names, other literals; the same shape."""
    declared = {variable.name for variable in blueprint.variables}

    def other(name: str, value: Value) -> Value:
        if name in ("VarName", "EventName", "FunctionName"):
            return f"{value}Two"
        if isinstance(value, bool):
            return not value
        if isinstance(value, str):
            return f"{value} again"
        return value + 1 if isinstance(value, int | float) else value

    graph = blueprint.graphs[0]
    nodes = tuple(
        replace(n, properties=tuple((k, other(k, v)) for k, v in n.properties)) for n in graph.nodes
    )
    variables = tuple(
        Variable(f"{v.name}Two", v.type, v.default) for v in blueprint.variables if v.name in declared
    )
    return replace(blueprint, name="BP_Other", variables=variables, graphs=(replace(graph, nodes=nodes),))


def _reordered(blueprint: Blueprint) -> Blueprint:
    graph, rng = blueprint.graphs[0], Random(5)
    nodes, wires = list(graph.nodes), list(graph.wires)
    rng.shuffle(nodes)
    rng.shuffle(wires)
    return replace(blueprint, graphs=(replace(graph, nodes=tuple(nodes), wires=tuple(wires)),))


def _renumbered(blueprint: Blueprint) -> Blueprint:
    graph = blueprint.graphs[0]
    ids = [node.id for node in graph.nodes]
    Random(7).shuffle(ids)
    new = {node.id: f"k{place}" for node, place in zip(graph.nodes, ids, strict=True)}
    nodes = tuple(replace(node, id=new[node.id]) for node in graph.nodes)
    wires = tuple(replace(wire, source=new[wire.source], target=new[wire.target]) for wire in graph.wires)
    return replace(blueprint, graphs=(replace(graph, nodes=nodes, wires=wires),))


PLANTS: dict[str, Callable[[Blueprint], Blueprint]] = {
    "verbatim": lambda blueprint: blueprint,
    "renamed": _renamed,
    "reordered": _reordered,
    "renumbered": _renumbered,
    "all three": lambda blueprint: _renumbered(_reordered(_renamed(blueprint))),
}


def _raw_row(instruction: str, blueprint: Blueprint) -> Row:
    """A row whose stored keys lie, as one from a careless tool would."""
    return Row("planted", instruction, to_text(blueprint), "manual", "plant", "0" * 16, "f" * 32, "train")


@pytest.mark.parametrize("plant", PLANTS)
def test_the_gate_flags_every_planted_answer(plant: str, lessons: list[Lesson], exam: list[Prompt]) -> None:
    rows = [_raw_row(FRESH, PLANTS[plant](prompt.blueprint)) for prompt in exam]
    findings = leak_gate(rows, lessons)
    assert [(found.prompt_id, found.reason) for found in findings] == [(p.id, "answer") for p in exam]


@pytest.mark.parametrize("plant", PLANTS)
def test_the_merge_removes_every_planted_answer(
    plant: str, lessons: list[Lesson], exam: list[Prompt]
) -> None:
    rows = [make_row("manual", "plant", FRESH, PLANTS[plant](exam[n].blueprint)) for n in range(10)]
    merged = merge(rows, Holdout.of(lessons), cap=5)
    assert not merged.rows and merged.removed["holdout_structure"] == 10


def test_the_gate_flags_instructions_in_other_clothes(lessons: list[Lesson], exam: list[Prompt]) -> None:
    harmless = lesson_rows(lessons)[0]
    for prompt in exam:
        for said in (
            prompt.instruction,
            prompt.instruction.upper(),
            f"Please: {prompt.instruction.rstrip('.')}!",
        ):
            findings = leak_gate([replace(harmless, instruction=said)], lessons)
            assert [found.reason for found in findings] == ["instruction"], said


def test_the_gate_passes_lessons_and_generated_rows_of_other_structures(lessons: list[Lesson]) -> None:
    held_out = holdout_structures(LESSONS)
    assert len(held_out) == 60
    examples = [e for e in generate(Random(2), 400) if structure_key(e.blueprint) not in held_out]
    rows = [make_row("synthetic", "", e.instruction, e.blueprint) for e in examples]
    assert leak_gate([*rows, *lesson_rows(lessons)], lessons) == []


def test_exposure_tells_seen_near_and_unseen_apart(exam: list[Prompt]) -> None:
    prompt = exam[0]
    seen = make_row("manual", "", FRESH, replace(_renumbered(prompt.blueprint), name="BP_Elsewhere"))
    near = make_row("manual", "", FRESH, _renamed(prompt.blueprint))
    other = make_row("manual", "", FRESH, exam[1].blueprint)
    assert exposure(prompt, TrainingIndex.of([seen, other])) == "seen"
    assert exposure(prompt, TrainingIndex.of([near, other])) == "near"
    assert exposure(prompt, TrainingIndex.of([other])) == "unseen"
    assert canonicalize(prompt.blueprint) == prompt.blueprint
