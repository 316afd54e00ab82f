"""What an evaluation test may require of a program, checked on the parsed graph and never on its text.

A node is addressed as `Type`, `Type:ExecPin` (leaving by that pin) or `Type[Property=value]`. Requirements:

    has       "Branch"                                   a node of this type
    variable  ["Fuel", "Float"]                          a declared variable
    value     ["Delay", "Duration", 3.0]                 a property value; `Prop.Field` looks into a struct
    path      ["Event_Tick", "Branch"]                   exec wires lead from the first to the second
    wire      ["GetVar", "LessThan.A"]                   a data wire from a node of the type into the pin
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from nightforge.blueprint.graph import Blueprint, Graph, Node, Struct
from nightforge.blueprint.printer import value_text
from nightforge.core.errors import InputError

_ADDRESS = re.compile(r"(?P<type>\w+)(?:\[(?P<name>\w+)=(?P<value>[^\]]*)\])?(?::(?P<pin>\w+))?")
KINDS = ("has", "variable", "value", "path", "wire")


@dataclass(frozen=True)
class Address:
    """A node pattern: type, optional property value (as text), optional exec pin to leave by."""

    type: str
    name: str | None = None
    value: str | None = None
    pin: str | None = None

    @classmethod
    def read(cls, text: str) -> Address:
        """Read `Type`, `Type:Pin` or `Type[Name=value]`."""
        match = _ADDRESS.fullmatch(text)
        if match is None:
            raise InputError(f"evaluation test: {text!r} does not address a node")
        return cls(**match.groupdict())

    def fits(self, node: Node) -> bool:
        """Tell whether a node is meant."""
        if node.type != self.type:
            return False
        return self.name is None or _plain(dict(node.properties).get(self.name)) == self.value


def describe(check: dict[str, Any]) -> str:
    """Say in a few words what a requirement asks for."""
    (kind, wanted), *_ = check.items()
    parts = wanted if isinstance(wanted, list) else [wanted]
    return f"{kind} " + " -> ".join(str(part) for part in parts)


def holds(check: dict[str, Any], blueprint: Blueprint) -> bool:
    """Tell whether a program meets one requirement."""
    (kind, wanted), *_ = check.items()
    if kind == "has":
        return any(node.type == wanted for graph in blueprint.graphs for node in graph.nodes)
    if kind == "variable":
        return any((variable.name, variable.type) == tuple(wanted) for variable in blueprint.variables)
    if kind == "value":
        return any(_has_value(node, wanted) for graph in blueprint.graphs for node in graph.nodes)
    if kind == "path":
        first, second = (Address.read(text) for text in wanted)
        return any(_leads(graph, first, second) for graph in blueprint.graphs)
    if kind == "wire":
        source, (target, pin) = Address.read(wanted[0]), wanted[1].split(".")
        return any(_wired(graph, source, Address.read(target), pin) for graph in blueprint.graphs)
    raise InputError(f"evaluation test: unknown requirement {kind!r}; known are {', '.join(KINDS)}")


def _has_value(node: Node, wanted: list[Any]) -> bool:
    node_type, place, value = wanted
    if node.type != node_type:
        return False
    name, _, field = place.partition(".")
    given: Any = dict(node.properties).get(name)
    if field:
        given = dict(given.fields).get(field) if isinstance(given, Struct) else None
    if isinstance(value, bool) or isinstance(given, bool):
        return given is value
    if isinstance(value, int | float) and isinstance(given, int | float):
        return float(given) == float(value)
    return given is not None and _plain(given) == str(value)


def _leads(graph: Graph, first: Address, second: Address) -> bool:
    """Follow exec wires from nodes that fit `first` (by its pin, if named) to a node that fits `second`."""
    nodes = {node.id: node for node in graph.nodes}
    start = [node.id for node in graph.nodes if first.fits(node)]
    reached = {target for node_id in start for target in _exec_targets(graph, node_id, first.pin)}
    frontier = list(reached)
    while frontier:
        for target in _exec_targets(graph, frontier.pop(), None):
            if target not in reached:
                reached.add(target)
                frontier.append(target)
    return any(second.fits(nodes[node_id]) for node_id in reached if node_id in nodes)


def _exec_targets(graph: Graph, node_id: str, pin: str | None) -> Iterator[str]:
    for wire in graph.wires:
        if wire.kind == "exec" and wire.source == node_id and pin in (None, wire.source_pin):
            yield wire.target


def _wired(graph: Graph, source: Address, target: Address, pin: str) -> bool:
    nodes = {node.id: node for node in graph.nodes}
    return any(
        wire.kind == "data"
        and wire.target_pin == pin
        and wire.source in nodes
        and wire.target in nodes
        and source.fits(nodes[wire.source])
        and target.fits(nodes[wire.target])
        for wire in graph.wires
    )


def _plain(value: Any) -> str | None:
    """Write a property value without quotes; None stays None."""
    if value is None or isinstance(value, str):
        return value
    return value_text(value)
