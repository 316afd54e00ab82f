"""The matching of nodes is as good as trying every possibility, and is proven to be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations, product
from random import Random

import pytest
from language_cases import TWO_GRAPHS, program, shuffled

from nightforge.blueprint.canonical import canonicalize
from nightforge.blueprint.graph import Blueprint, Graph, Node, Wire
from nightforge.blueprint.matching import Flat, Matching, flatten, match_nodes
from nightforge.blueprint.matching_search import Worth

EXITS = {"PrintString": ["Then"], "Delay": ["Completed"], "Branch": ["True", "False"]}
SETS = {"PrintString": ("InString", "a", "b"), "Delay": ("Duration", 1.0, 2.0), "AddInt": ("A", 1, 2)}


def random_program(rng: Random, size: int) -> Blueprint:
    """Return a program of few node types: chains of control, sums, repeated wires, wires to themselves."""
    nodes = [Node("n0", "Event_BeginPlay")]
    wires: list[Wire] = []
    free = [("n0", "Then")]
    for number in range(1, size):
        kind = rng.choice([*EXITS, "AddInt", "AddInt"])
        name, *values = SETS.get(kind, ("",))
        node = Node(f"n{number}", kind, ((name, rng.choice(values)),) if name and rng.random() < 0.6 else ())
        nodes.append(node)
        if free and kind in EXITS and rng.random() < 0.85:
            wires.append(Wire("exec", *free.pop(rng.randrange(len(free))), node.id, "Execute"))
        free += [(node.id, pin) for pin in EXITS.get(kind, ())]
    sums = [node.id for node in nodes if node.type == "AddInt"]
    wires += [Wire("data", rng.choice(sums), "ReturnValue", rng.choice(sums), "B") for _ in sums]
    return Blueprint("A", "Actor", (), (Graph("EventGraph", tuple(nodes), tuple(wires)),))


def changed(bp: Blueprint, rng: Random) -> Blueprint:
    """Return a program like it: some wires left out, one led elsewhere, one node less, a value moved."""
    graph = bp.graphs[0]
    nodes, wires = list(graph.nodes), rng.sample(graph.wires, max(len(graph.wires) - 2, 0))
    gone = nodes.pop(rng.randrange(len(nodes))).id
    wires = [wire for wire in wires if gone not in (wire.source, wire.target)]
    if wires:
        place = rng.randrange(len(wires))
        wires[place] = replace(wires[place], target=rng.choice(nodes).id)
    return shuffled(replace(bp, graphs=(Graph(graph.name, tuple(nodes), tuple(wires)),)), rng)


def worth_for(wanted: Flat, given: Flat) -> Worth:
    named = sum(len(values) for flat in (wanted, given) for values in flat.values)
    return Worth(0.8 / max(len(wanted.wires) + len(given.wires), 1), 0.2, 2, 2 + named)


def value(wanted: Flat, given: Flat, mapping: dict[int, int]) -> float:
    """Work out the worth of a mapping from its definition."""
    images = [wire.moved(mapping) for wire in wanted.wires]
    wires = sum((Counter(image for image in images if image) & Counter(given.wires)).values())
    pairs = [(wanted.values[a], given.values[b]) for a, b in mapping.items()]
    right = sum(mine.get(key) == theirs[key] for mine, theirs in pairs for key in theirs if key in mine)
    shared = sum(len(mine.keys() & theirs.keys()) for mine, theirs in pairs)
    worth = worth_for(wanted, given)
    return worth.wire_gain * wires + 0.2 * (2 + right) / (worth.total - shared)


def every_mapping(wanted: Flat, given: Flat) -> Iterator[dict[int, int]]:
    choices = []
    for kind in {node.type for node in wanted.nodes}:
        here = [i for i, node in enumerate(wanted.nodes) if node.type == kind]
        there = [i for i, node in enumerate(given.nodes) if node.type == kind]
        if len(here) <= len(there):
            choices.append(
                [list(zip(here, picked, strict=True)) for picked in permutations(there, len(here))]
            )
        else:
            choices.append(
                [list(zip(picked, there, strict=True)) for picked in permutations(here, len(there))]
            )
    for parts in product(*choices):
        yield dict(pair for part in parts for pair in part)


def found(wanted: Flat, given: Flat, budget: int = 100_000) -> Matching:
    return match_nodes(wanted, given, worth_for(wanted, given), budget)


@pytest.mark.parametrize("seed", range(4))
def test_the_matching_is_worth_as_much_as_the_best_of_all(seed: int) -> None:
    rng = Random(seed)
    for number in range(40):
        bp = random_program(rng, rng.randrange(2, 8))
        other = random_program(rng, rng.randrange(2, 8)) if number % 2 else changed(bp, rng)
        wanted, given = flatten(canonicalize(bp)), flatten(canonicalize(other))
        best = max(value(wanted, given, mapping) for mapping in every_mapping(wanted, given))
        matching = found(wanted, given)
        assert matching.optimal
        assert value(wanted, given, matching.pairs) == pytest.approx(best, abs=1e-12)


def test_a_bad_start_does_not_matter_to_the_search() -> None:
    rng = Random(9)
    for _ in range(30):
        bp = random_program(rng, 9)
        wanted, given = flatten(bp), flatten(changed(bp, rng))  # not canonical: the first guess is a bad one
        there, back = found(wanted, given), found(given, wanted)
        assert value(wanted, given, there.pairs) == pytest.approx(value(given, wanted, back.pairs), abs=1e-12)


def test_a_spent_budget_is_said_and_leaves_the_first_guess() -> None:
    rng = Random(3)
    wanted, given = flatten(random_program(rng, 40)), flatten(random_program(rng, 40))
    short, longer = found(wanted, given, 10), found(wanted, given, 1000)
    assert not short.optimal
    assert value(wanted, given, short.pairs) <= value(wanted, given, longer.pairs)
    assert not found(flatten(random_program(rng, 90)), flatten(random_program(rng, 90))).optimal


def test_a_program_is_matched_to_its_shuffled_self_without_search() -> None:
    bp = program(TWO_GRAPHS)
    wanted, given = flatten(canonicalize(bp)), flatten(canonicalize(shuffled(bp, Random(1))))
    matching = found(wanted, given, 0)
    assert matching.optimal and value(wanted, given, matching.pairs) == pytest.approx(0.4 + 0.2)


def test_a_mapping_is_one_to_one_and_within_a_type() -> None:
    rng = Random(1)
    for _ in range(30):
        wanted, given = flatten(random_program(rng, 9)), flatten(random_program(rng, 6))
        mapping = found(wanted, given).pairs
        assert len(set(mapping.values())) == len(mapping)
        assert all(wanted.nodes[a].type == given.nodes[b].type for a, b in mapping.items())
        shared = Counter(n.type for n in wanted.nodes) & Counter(n.type for n in given.nodes)
        assert len(mapping) == sum(shared.values())
