"""What profile tiny draws is near to what people ask for in the lessons: node types, and steps in a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from random import Random

import pytest

from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.lessons import load_lessons, within_scope
from nightforge.blueprint.synthesis import generate

LESSONS = Path(__file__).resolve().parents[3] / "lessons"
DECIDING = ("Branch", "IsValidBranch", "FlipFlop", "Sequence", "ForLoop", "ForEachLoop")


@pytest.fixture(scope="module")
def drawn() -> list[Blueprint]:
    return [example.blueprint for example in generate(Random(21), 2000, max_nodes=8)]


@pytest.fixture(scope="module")
def asked() -> list[Blueprint]:
    lessons = within_scope(load_lessons(LESSONS, holdout=False), "core")
    return [prompt.blueprint for lesson in lessons for prompt in lesson.prompts]


def test_node_types_are_drawn_about_as_often_as_lessons_use_them(
    drawn: list[Blueprint], asked: list[Blueprint]
) -> None:
    ours, theirs = _shares(drawn), _shares(asked)
    usual = {name: share for name, share in theirs.items() if share >= 0.03}
    assert len(usual) > 20
    apart = {name: round(ours[name] / share, 2) for name, share in usual.items() if ours[name] < share / 2}
    assert not apart


def test_each_node_type_of_the_core_has_its_rows(drawn: list[Blueprint]) -> None:
    shares = _shares(drawn)
    drawable = {name for name in load_catalog().core() if name != "FunctionEntry"}
    rare = {name for name in drawable if shares[name] < 0.002}
    assert len(rare) <= 0.1 * len(drawable)
    assert not rare & {"And", "Or", "IsValid", "WhileLoop", "SwitchOnInt", "Sequence", "FindLookAtRotation"}


def test_more_than_one_step_often_stands_behind_a_pin(drawn: list[Blueprint]) -> None:
    chains = [length for blueprint in drawn for length in _chains(blueprint)]
    assert len(chains) > 500
    assert 0.12 < sum(length > 1 for length in chains) / len(chains) < 0.35


def _shares(blueprints: Iterable[Blueprint]) -> Counter[str]:
    """Share of the programs that use each node type."""
    programs = [{node.type for node in blueprint.nodes()} for blueprint in blueprints]
    shares: Counter[str] = Counter()
    for types in programs:
        shares.update({name: 1 / len(programs) for name in types})  # type: ignore[arg-type]
    return shares


def _chains(blueprint: Blueprint) -> Iterable[int]:
    """Number of steps in a row behind each pin of a deciding node."""
    types = {node.id: node.type for node in blueprint.nodes()}
    wires = [wire for wire in blueprint.graphs[0].wires if wire.kind == "exec"]
    after = {(wire.source, wire.source_pin): wire.target for wire in wires}
    for (source, pin), target in after.items():
        if types[source] not in DECIDING or pin == "Then":
            continue
        length = 1
        while (target := after.get((target, "Then"), "")) and length < 9:
            length += 1
        yield length
