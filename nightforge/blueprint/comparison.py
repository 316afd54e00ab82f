"""Compares two programs part by part and says in words what differs.

Declarations, the parent and the graphs are compared by name; nodes, wires and values under a matching of
nodes. A property of either program counts once: it is right, or it is missing, wrong or unasked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from nightforge.blueprint.graph import Blueprint, Graph, Variable
from nightforge.blueprint.matching import Flat, WireEnds, node_words, pin_types
from nightforge.blueprint.printer import value_text

Found = tuple[int, int, list[str]]  # right, total, what is wrong in words


@dataclass(frozen=True, slots=True)
class Comparison:
    """Right properties of all, wires found, and what differs; `reasons` are in the order of the program."""

    right: int
    total: int
    reasons: tuple[str, ...]
    wires: int = 0
    missing_wires: tuple[str, ...] = ()
    extra_wires: tuple[str, ...] = ()

    def with_nodes(self, wanted: Flat, given: Flat, pairs: dict[int, int]) -> Comparison:
        """Return the comparison of the whole programs under a matching of nodes."""
        wires, missing, extra = _compare_wires(wanted, given, pairs)
        right, total, wrong = _compare_values(wanted, given, pairs)
        matched = set(pairs.values())
        nodes = [
            f"node {node_words(wanted, i)} is missing" for i in range(len(wanted.nodes)) if i not in pairs
        ]
        nodes += [f"extra node {node_words(given, i)}" for i in range(len(given.nodes)) if i not in matched]
        ways = [f"wire {wire} is missing" for wire in missing] + [f"extra wire {wire}" for wire in extra]
        return replace(
            self,
            right=self.right + right,
            total=self.total + total,
            reasons=(*self.reasons, *nodes, *ways, *wrong),
            wires=wires,
            missing_wires=missing,
            extra_wires=extra,
        )


def compare(expected: Blueprint, actual: Blueprint) -> Comparison:
    """Compare what stands outside of nodes: parent, variables, graphs and their pins."""
    right, total, reasons = _compare_variables(expected, actual)
    if expected.parent == actual.parent:
        right += 1
    else:
        reasons.insert(0, f"parent is {actual.parent} instead of {expected.parent}")
    graphs = _compare_graphs(expected.graphs, actual.graphs)
    return Comparison(right + graphs[0], total + 1 + graphs[1], (*reasons, *graphs[2]))


def _compare_wires(
    wanted: Flat, given: Flat, pairs: dict[int, int]
) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    """Count the expected wires found between matched nodes; also describe the missing and the extra ones."""
    left = Counter(given.wires)
    missing: list[WireEnds] = []
    for wire in wanted.wires:
        image = wire.moved(pairs)
        if image is not None and left[image] > 0:
            left[image] -= 1
        else:
            missing.append(wire)
    extra = [given.describe(wire) for wire in left.elements()]
    described = [wanted.describe(wire) for wire in missing]
    return len(wanted.wires) - len(missing), tuple(sorted(described)), tuple(sorted(extra))


def _compare_values(wanted: Flat, given: Flat, pairs: dict[int, int]) -> Found:
    """Compare the values of matched nodes; those of nodes alone count, but their nodes are the reason."""
    right = total = 0
    reasons: list[str] = []
    for index, values in enumerate(wanted.values):
        total += len(values)
        if index in pairs:
            theirs = given.values[pairs[index]]
            right += len(values.items() & theirs.items())
            reasons += _differences(f"value {wanted.nodes[index].type}", values, theirs)
    back = {there: here for here, there in pairs.items()}
    for index, values in enumerate(given.values):
        asked = wanted.values[back[index]] if index in back else {}
        total += sum(key not in asked for key in values)
    return right, total, reasons


def _compare_variables(expected: Blueprint, actual: Blueprint) -> Found:
    """Compare name, type and default of each variable."""
    right = total = 0
    reasons = []
    for want, got in _pair_variables(expected.variables, actual.variables):
        total += 3
        if want is None or got is None:
            reasons.append(
                f"variable {want.name} is missing" if want else f"extra variable {got and got.name}"
            )
            continue
        parts = [("name", want.name, got.name), ("type", want.type, got.type)]
        parts.append(("default", _default(want), _default(got)))
        for part, here, there in parts:
            right += here == there
            if here != there:
                reasons.append(f"the {part} of variable {want.name} is {there} instead of {here}")
    return right, total, reasons


def _default(variable: Variable) -> str:
    return "nothing" if variable.default is None else value_text(variable.default)


def _compare_graphs(expected: tuple[Graph, ...], actual: tuple[Graph, ...]) -> Found:
    """Compare graphs by kind and name, functions and macros by their pins too; comments do not count."""
    here, there = (Counter(map(_graph_words, graphs)) for graphs in (expected, actual))
    reasons = [f"{name} is missing" for name in (here - there).elements()]
    reasons += [f"extra {name}" for name in (there - here).elements()]
    right, total = sum((here & there).values()), sum((here | there).values())
    mine, theirs = ({_graph_words(g): pin_types(g.pins) for g in graphs} for graphs in (expected, actual))
    for name in mine | theirs:
        pins, other = mine.get(name, {}), theirs.get(name, {})
        right += len(pins.items() & other.items())
        total += len(pins.keys() | other.keys())
        if name in mine and name in theirs:
            reasons += _differences(f"pin {name}", pins, other)
    return right, total, reasons


def _graph_words(graph: Graph) -> str:
    return f"{graph.kind} {graph.name}"


def _differences(what: str, wanted: Mapping[str, str], given: Mapping[str, str]) -> list[str]:
    """Say which values are wrong, missing or unasked for."""
    found = []
    for key, value in wanted.items():
        if key not in given:
            found.append(f"{what}.{key} is missing, it should be {value}")
        elif given[key] != value:
            found.append(f"{what}.{key} is {given[key]} instead of {value}")
    return found + [f"extra {what}.{key} = {given[key]}" for key in given if key not in wanted]


def _pair_variables(
    expected: tuple[Variable, ...], actual: tuple[Variable, ...]
) -> list[tuple[Variable | None, Variable | None]]:
    """Pair declarations by name, the rest by type, equal defaults first; what stays alone is with None."""
    here, there = list(expected), list(actual)
    pairs: list[tuple[Variable | None, Variable | None]] = []
    alike: tuple[Callable[[Variable], object], ...] = (
        lambda variable: variable.name,
        lambda variable: (variable.type, _default(variable)),
        lambda variable: variable.type,
    )
    for key in alike:
        for want in list(here):
            got = next((v for v in there if key(v) == key(want)), None)
            if got is not None:
                pairs.append((want, got))
                here.remove(want)
                there.remove(got)
    return pairs + [(want, None) for want in here] + [(None, got) for got in there]
