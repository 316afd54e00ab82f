"""Grades an answer as a graph: matches nodes whatever their ids and order, then compares wires and values.

score = 0.4 node F1 + 0.4 wire F1 + 0.2 property accuracy, halved where strict validation fails, 0 where the
answer does not parse or shares no node with the expected program. Extra nodes, wires and properties cost; an
answer of more than twice the expected nodes is scaled down by the excess, so padding never pays.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nightforge.blueprint.canonical import canonicalize, content_key
from nightforge.blueprint.check import validate
from nightforge.blueprint.graph import Blueprint, Node, Variable
from nightforge.blueprint.matching import Flat, WireEnds, flatten, match_nodes
from nightforge.blueprint.printer import value_text

NODE_WEIGHT, WIRE_WEIGHT, PROPERTY_WEIGHT = 0.4, 0.4, 0.2
INVALID_FACTOR = 0.5
PADDING_LIMIT = 2.0  # actual nodes per expected node that cost nothing beyond node F1


@dataclass(frozen=True, slots=True)
class Grade:
    """What one answer is worth; measures are 0..1, node_types has expected, matched and actual counts."""

    valid: bool
    exact: bool
    node_f1: float
    wire_f1: float
    property_acc: float
    score: float
    missing_nodes: tuple[str, ...]
    extra_nodes: tuple[str, ...]
    missing_wires: tuple[str, ...]
    extra_wires: tuple[str, ...]
    errors: tuple[str, ...]
    node_types: dict[str, dict[str, int]]


def grade(expected: Blueprint, actual_text: str) -> Grade:
    """Grade a program text against the expected program; never raises on bad text."""
    validation = validate(actual_text)
    errors = tuple(str(d) for d in validation.errors)
    wanted = flatten(canonicalize(expected))
    if validation.blueprint is None:
        return _worthless(wanted, errors)
    given_program = canonicalize(validation.blueprint)
    given = flatten(given_program)
    exact = content_key(expected) == content_key(given_program)
    mapping = match_nodes(wanted, given)
    wires, missing_wires, extra_wires = _compare_wires(wanted, given, mapping)
    node_f1 = _f1(len(mapping), len(wanted.nodes), len(given.nodes))
    wire_f1 = _f1(wires, len(wanted.wires), len(given.wires))
    property_acc = _property_accuracy(expected, given_program, wanted, given, mapping) if mapping else 0.0
    if exact:  # the matching may settle for less on symmetric graphs; the keys do not
        node_f1 = wire_f1 = property_acc = 1.0
        missing_wires = extra_wires = ()
    score = NODE_WEIGHT * node_f1 + WIRE_WEIGHT * wire_f1 + PROPERTY_WEIGHT * property_acc if mapping else 0.0
    score *= min(1.0, PADDING_LIMIT * len(wanted.nodes) / max(len(given.nodes), 1))
    return Grade(
        valid=validation.valid,
        exact=exact,
        node_f1=node_f1,
        wire_f1=wire_f1 if mapping else 0.0,
        property_acc=property_acc,
        score=score if validation.valid else score * INVALID_FACTOR,
        missing_nodes=_left_over(wanted, set(mapping)),
        extra_nodes=_left_over(given, set(mapping.values())),
        missing_wires=missing_wires,
        extra_wires=extra_wires,
        errors=errors,
        node_types=_by_type(wanted, given, mapping),
    )


def _worthless(wanted: Flat, errors: tuple[str, ...]) -> Grade:
    every_wire = tuple(wanted.describe(wire) for wire in wanted.wires)
    counts = _by_type(wanted, Flat((), (), ()), {})
    nodes = _left_over(wanted, set())
    return Grade(False, False, 0.0, 0.0, 0.0, 0.0, nodes, (), every_wire, (), errors, counts)


def _f1(matched: int, expected: int, actual: int) -> float:
    return 2 * matched / (expected + actual) if expected + actual else 1.0


def _left_over(flat: Flat, matched: set[int]) -> tuple[str, ...]:
    return tuple(sorted(node.type for index, node in enumerate(flat.nodes) if index not in matched))


def _by_type(wanted: Flat, given: Flat, mapping: dict[int, int]) -> dict[str, dict[str, int]]:
    expected = Counter(node.type for node in wanted.nodes)
    matched = Counter(wanted.nodes[index].type for index in mapping)
    actual = Counter(node.type for node in given.nodes)
    return {
        name: {"expected": expected[name], "matched": matched[name], "actual": actual[name]}
        for name in sorted(expected | actual)
    }


def _compare_wires(
    wanted: Flat, given: Flat, mapping: dict[int, int]
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Count the expected wires found between matched nodes; also describe the missing and the extra ones."""
    left = Counter(given.wires)
    missing: list[WireEnds] = []
    for wire in wanted.wires:
        image = wire.moved(mapping)
        if image is not None and left[image] > 0:
            left[image] -= 1
        else:
            missing.append(wire)
    extra = [given.describe(wire) for wire in left.elements()]
    described = [wanted.describe(wire) for wire in missing]
    return len(wanted.wires) - len(missing), tuple(sorted(described)), tuple(sorted(extra))


def _property_accuracy(
    expected: Blueprint, actual: Blueprint, wanted: Flat, given: Flat, mapping: dict[int, int]
) -> float:
    """Return right values over expected and unasked values; declarations, parent and graph names count."""
    right, total = int(expected.parent == actual.parent), 1
    back = {there: here for here, there in mapping.items()}
    for index, node in enumerate(wanted.nodes):
        partner = given.nodes[mapping[index]] if index in mapping else None
        total += len(node.properties)
        right += _equal_properties(node, partner) if partner is not None else 0
    for index, node in enumerate(given.nodes):
        asked = {name for name, _ in wanted.nodes[back[index]].properties} if index in back else set()
        total += sum(name not in asked for name, _ in node.properties)
    for want, got in _pair_variables(expected.variables, actual.variables):
        total += 3  # name, type, default
        if want is not None and got is not None:
            right += (want.name == got.name) + (want.type == got.type) + _same_default(want, got)
    names = Counter(graph.name for graph in expected.graphs)
    given_names = Counter(graph.name for graph in actual.graphs)
    right += sum((names & given_names).values())
    total += sum((names | given_names).values())
    return right / total


def _equal_properties(node: Node, partner: Node) -> int:
    given = {name: value_text(value) for name, value in partner.properties}
    return sum(given.get(name) == value_text(value) for name, value in node.properties)


def _same_default(want: Variable, got: Variable) -> bool:
    if want.default is None or got.default is None:
        return want.default is got.default
    return value_text(want.default) == value_text(got.default)


def _pair_variables(
    expected: tuple[Variable, ...], actual: tuple[Variable, ...]
) -> list[tuple[Variable | None, Variable | None]]:
    """Pair declarations by name, the rest by type; what stays alone is paired with None."""
    here, there = list(expected), list(actual)
    pairs: list[tuple[Variable | None, Variable | None]] = []
    for field in ("name", "type"):
        for want in list(here):
            got = next((v for v in there if getattr(v, field) == getattr(want, field)), None)
            if got is not None:
                pairs.append((want, got))
                here.remove(want)
                there.remove(got)
    return pairs + [(want, None) for want in here] + [(None, got) for got in there]
