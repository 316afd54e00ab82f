"""Grades an answer as a graph: matches nodes whatever their ids and order, then compares wires and values.

score = 0.4 node F1 + 0.4 wire F1 + 0.2 property accuracy, halved where strict validation fails, 0 where the
answer does not parse or shares no node with the expected program. Missing and extra nodes, wires and
properties cost alike; an answer of more than twice the expected nodes is scaled down by the excess, so
padding never pays. The matching is the one with the highest score. Comments and reroute nodes mean nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nightforge.blueprint.canonical import canonicalize, content_key
from nightforge.blueprint.check import check, validate
from nightforge.blueprint.comparison import Comparison, compare
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.knots import without_knots
from nightforge.blueprint.matching import Flat, Matching, flatten, match_nodes
from nightforge.blueprint.matching_search import Worth

NODE_WEIGHT, WIRE_WEIGHT, PROPERTY_WEIGHT = 0.4, 0.4, 0.2
INVALID_FACTOR = 0.5
PADDING_LIMIT = 2.0  # actual nodes per expected node that cost nothing beyond node F1


@dataclass(frozen=True, slots=True)
class Grade:
    """What one answer is worth; measures are 0..1, node_types has expected, matched and actual counts.

    `reasons` says in words where each point was lost; `optimal` says that no other matching of nodes would
    give a higher score.
    """

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
    reasons: tuple[str, ...] = ()
    optimal: bool = True


def grade(expected: Blueprint, actual_text: str) -> Grade:
    """Grade a program text against the expected program; never raises on bad text."""
    validation = validate(actual_text, opaque="error")
    errors = tuple(str(d) for d in validation.errors)
    expected = without_knots(expected)
    wanted = flatten(canonicalize(expected))
    answer = validation.blueprint
    if answer is None:
        return _worthless(wanted, errors)
    straight = without_knots(answer)
    if straight is not answer:
        found = check(straight, opaque="error")
        errors = tuple(str(d) for d in found if d.severity == "error")
    given_program = canonicalize(straight)
    given = flatten(given_program)
    if content_key(expected) == content_key(given_program):
        return _exact(wanted, errors)
    outside = compare(expected, given_program)
    matching = match_nodes(wanted, given, _worth(wanted, given, outside))
    return _measured(wanted, given, matching, outside, errors)


def _measured(
    wanted: Flat, given: Flat, matching: Matching, outside: Comparison, errors: tuple[str, ...]
) -> Grade:
    pairs = matching.pairs
    found = outside.with_nodes(wanted, given, pairs)
    some = bool(pairs)
    node_f1 = _f1(len(pairs), len(wanted.nodes), len(given.nodes))
    wire_f1 = _f1(found.wires, len(wanted.wires), len(given.wires)) if some else 0.0
    property_acc = found.right / found.total if some else 0.0
    score = NODE_WEIGHT * node_f1 + WIRE_WEIGHT * wire_f1 + PROPERTY_WEIGHT * property_acc if some else 0.0
    padding = min(1.0, PADDING_LIMIT * len(wanted.nodes) / max(len(given.nodes), 1))
    reasons = [f"the answer is not valid, which halves the score: {errors[0]}"] if errors else []
    if padding < 1.0:
        reasons.append(
            f"{len(given.nodes)} nodes are far more than the {len(wanted.nodes)} that are asked for"
        )
    return Grade(
        valid=not errors,
        exact=False,
        node_f1=node_f1,
        wire_f1=wire_f1,
        property_acc=property_acc,
        score=score * padding * (INVALID_FACTOR if errors else 1.0),
        missing_nodes=_left_over(wanted, set(pairs)),
        extra_nodes=_left_over(given, set(pairs.values())),
        missing_wires=found.missing_wires,
        extra_wires=found.extra_wires,
        errors=errors,
        node_types=_by_type(wanted, given, pairs),
        reasons=(*reasons, *found.reasons),
        optimal=matching.optimal,
    )


def _exact(wanted: Flat, errors: tuple[str, ...]) -> Grade:
    """Grade an answer whose content key is the expected one: all is there, whatever a matching would say."""
    pairs = {index: index for index in range(len(wanted.nodes))}
    reasons = tuple(f"the answer is not valid, which halves the score: {error}" for error in errors[:1])
    score = INVALID_FACTOR if errors else 1.0
    counts = _by_type(wanted, wanted, pairs)
    return Grade(not errors, True, 1.0, 1.0, 1.0, score, (), (), (), (), errors, counts, reasons)


def _worthless(wanted: Flat, errors: tuple[str, ...]) -> Grade:
    every_wire = tuple(sorted(wanted.describe(wire) for wire in wanted.wires))
    counts = _by_type(wanted, Flat((), (), ()), {})
    nodes = _left_over(wanted, set())
    reasons = tuple(f"the answer is no program: {error}" for error in errors[:1])
    return Grade(False, False, 0.0, 0.0, 0.0, 0.0, nodes, (), every_wire, (), errors, counts, reasons)


def _worth(wanted: Flat, given: Flat, outside: Comparison) -> Worth:
    """Return the share of the score that depends on which nodes are matched."""
    wires = len(wanted.wires) + len(given.wires)
    named = sum(len(values) for flat in (wanted, given) for values in flat.values)
    gain = 2 * WIRE_WEIGHT / wires if wires else 0.0
    return Worth(gain, PROPERTY_WEIGHT, outside.right, outside.total + named)


def _f1(matched: int, expected: int, actual: int) -> float:
    return 2 * matched / (expected + actual) if expected + actual else 1.0


def _left_over(flat: Flat, matched: set[int]) -> tuple[str, ...]:
    return tuple(sorted(node.type for index, node in enumerate(flat.nodes) if index not in matched))


def _by_type(wanted: Flat, given: Flat, pairs: dict[int, int]) -> dict[str, dict[str, int]]:
    expected = Counter(node.type for node in wanted.nodes)
    matched = Counter(wanted.nodes[index].type for index in pairs)
    actual = Counter(node.type for node in given.nodes)
    return {
        name: {"expected": expected[name], "matched": matched[name], "actual": actual[name]}
        for name in sorted(expected | actual)
    }
