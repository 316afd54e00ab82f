"""The matching of nodes is nearly as good as trying every possibility."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import permutations, product
from random import Random

from language_cases import shuffled

from nightforge.blueprint.canonical import canonicalize
from nightforge.blueprint.graph import Blueprint, Graph, Node, Wire
from nightforge.blueprint.matching import Flat, flatten, match_nodes

EXITS = {"PrintString": ["Then"], "Delay": ["Completed"], "Branch": ["True", "False"]}


def random_program(rng: Random, size: int) -> Blueprint:
    nodes = [Node("n0", "Event_BeginPlay")]
    wires: list[Wire] = []
    free = [("n0", "Then")]
    for number in range(1, size):
        node = Node(f"n{number}", rng.choice(list(EXITS)))
        if free and rng.random() < 0.9:
            wires.append(Wire("exec", *free.pop(rng.randrange(len(free))), node.id, "Execute"))
        nodes.append(node)
        free += [(node.id, pin) for pin in EXITS[node.type]]
    return Blueprint("A", "Actor", (), (Graph("EventGraph", tuple(nodes), tuple(wires)),))


def without_some_wires(bp: Blueprint, rng: Random) -> Blueprint:
    graph = bp.graphs[0]
    kept = rng.sample(graph.wires, max(len(graph.wires) - 2, 0))
    return shuffled(Blueprint("A", "Actor", (), (Graph(graph.name, graph.nodes, tuple(kept)),)), rng)


def agreement(wanted: Flat, given: Flat, mapping: dict[int, int]) -> int:
    images = [wire.moved(mapping) for wire in wanted.wires]
    return sum((Counter(image for image in images if image) & Counter(given.wires)).values())


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


def test_few_wires_are_lost_against_an_exhaustive_search() -> None:
    rng = Random(0)
    best = found = 0
    for number in range(60):
        program = random_program(rng, 7)
        other = random_program(rng, 7) if number % 2 else without_some_wires(program, rng)
        wanted, given = flatten(canonicalize(program)), flatten(canonicalize(other))
        best += max(agreement(wanted, given, mapping) for mapping in every_mapping(wanted, given))
        found += agreement(wanted, given, match_nodes(wanted, given))
    assert found >= 0.98 * best


def test_a_mapping_is_one_to_one_and_within_a_type() -> None:
    rng = Random(1)
    for _ in range(30):
        wanted, given = flatten(random_program(rng, 9)), flatten(random_program(rng, 6))
        mapping = match_nodes(wanted, given)
        assert len(set(mapping.values())) == len(mapping)
        assert all(wanted.nodes[a].type == given.nodes[b].type for a, b in mapping.items())
        shared = Counter(n.type for n in wanted.nodes) & Counter(n.type for n in given.nodes)
        assert len(mapping) == sum(shared.values())
