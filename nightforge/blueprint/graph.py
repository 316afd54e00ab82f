"""The program model: a Blueprint is variables plus graphs of nodes and typed wires.

Everything is a frozen, hashable value. Constructors refuse what the text form cannot carry (an empty name, an
id that is no identifier, a number that is not finite): `parse(to_text(bp)).blueprint == bp` is a law.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from nightforge.blueprint.type_names import TYPE_NAME, is_identifier, is_type, split_type

__all__ = [
    "INT_LIMIT",
    "MAX_DEPTH",
    "TYPE_NAME",
    "Blueprint",
    "Comment",
    "Graph",
    "GraphKind",
    "Node",
    "PinSpec",
    "Struct",
    "Value",
    "Variable",
    "Wire",
    "is_identifier",
    "split_type",
    "writing_places",
]
INT_LIMIT = 2**63
MAX_ITEMS = 1000  # properties of a node, fields of a struct, pins of a signature; the editor has far fewer
MAX_DEPTH = 16  # nesting of struct literals; deeper ones are refused rather than risked on the call stack

WireKind = Literal["exec", "data"]
GraphKind = Literal["graph", "function", "macro"]
Direction = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Struct:
    """A structured literal such as `(X=1.0,Y=2.0)`; field order is kept."""

    fields: tuple[tuple[str, Value], ...]

    def __post_init__(self) -> None:
        """Refuse repeated field names and values the text form cannot carry."""
        _check_pairs(self.fields, "struct field")
        if self.depth > MAX_DEPTH:
            raise ValueError(f"struct literals nest at most {MAX_DEPTH} deep")

    @property
    def depth(self) -> int:
        """Return how deep structs nest here; a struct of plain values has depth 1."""
        return 1 + max((value.depth for _, value in self.fields if isinstance(value, Struct)), default=0)


Value = str | int | float | bool | Struct
Pairs = tuple[tuple[str, Value], ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared variable: `VAR name: type = default`; containers are `Array<Int>`, `Map<String,Int>`."""

    name: str
    type: str
    default: Value | None = None

    def __post_init__(self) -> None:
        """Refuse an empty name, a malformed type and a value the text form cannot carry."""
        _check_name(self.name, "variable name")
        _check_type(self.type)
        if self.default is not None:
            _check_value(self.default)


@dataclass(frozen=True, slots=True)
class PinSpec:
    """A pin in a signature, `in Name: Type`; the type is `exec` for control, the name may be empty."""

    direction: Direction
    name: str
    type: str

    def __post_init__(self) -> None:
        """Refuse a direction that is neither in nor out and a malformed type."""
        if self.direction not in ("in", "out"):
            raise ValueError(f"a pin's direction must be 'in' or 'out', not {self.direction!r}")
        _check_text(self.name, "pin name")
        _check_type(self.type)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment box around nodes of its graph; the list may be empty, the text is free."""

    text: str
    nodes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a text that is none, ids that are no identifiers, and an id given twice."""
        _check_text(self.text, "comment")
        for node_id in self.nodes:
            _check_identifier(node_id, "node id of a comment")
        if len(set(self.nodes)) < len(self.nodes):
            raise ValueError(f"a comment names a node twice: {self.nodes}")


@dataclass(frozen=True, slots=True)
class Node:
    """One node: an id that is unique in its graph, a type, properties in writing order, and further pins.

    `pins` lists what the catalog does not give: user pins of custom events, all pins of opaque nodes (the
    type is then the name or path of a K2 class), and dynamic pins such as the options of a Select.
    """

    id: str
    type: str
    properties: Pairs = ()
    pins: tuple[PinSpec, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an id that is no identifier, an empty type and repeated properties or pins."""
        _check_identifier(self.id, "node id")
        _check_name(self.type, "node type")
        _check_pairs(self.properties, "property")
        _check_pins(self.pins)

    def get(self, name: str) -> Value | None:
        """Return the value of a property, or None where it is not set."""
        for key, value in self.properties:
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire from an output pin to an input pin; data wires may carry the type of their source pin."""

    kind: WireKind
    source: str
    source_pin: str
    target: str
    target_pin: str
    type: str | None = None

    def __post_init__(self) -> None:
        """Refuse an unknown kind, malformed ends and a type on an exec wire."""
        if self.kind not in ("exec", "data"):
            raise ValueError(f"wire kind must be 'exec' or 'data', not {self.kind!r}")
        _check_identifier(self.source, "wire source")
        _check_identifier(self.target, "wire target")
        _check_text(self.source_pin, "source pin")
        _check_text(self.target_pin, "target pin")
        if self.type is not None:
            if self.kind == "exec":
                raise ValueError("an exec wire carries no type")
            _check_type(self.type)


@dataclass(frozen=True, slots=True)
class Graph:
    """A named graph: nodes as given, each wire behind the later of the two nodes it joins, as it is written.

    Wires behind the same node keep their order; a wire to an id without a node stands last. A function or
    macro of the user is a graph of that kind, whose `pins` are those of its call.
    """

    name: str
    nodes: tuple[Node, ...] = ()
    wires: tuple[Wire, ...] = ()
    kind: GraphKind = "graph"
    pins: tuple[PinSpec, ...] = ()
    comments: tuple[Comment, ...] = ()

    def __post_init__(self) -> None:
        """Refuse an empty name, an unknown kind and pins that its kind has none of; order the wires."""
        _check_name(self.name, "graph name")
        if self.kind not in ("graph", "function", "macro"):
            raise ValueError(f"graph kind must be 'graph', 'function' or 'macro', not {self.kind!r}")
        if self.pins and self.kind == "graph":
            raise ValueError("only a function or a macro has pins")
        _check_pins(self.pins)
        places = writing_places(self.nodes, self.wires)
        order = sorted(range(len(places)), key=places.__getitem__)
        object.__setattr__(self, "wires", tuple(self.wires[index] for index in order))


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A whole program: name, parent class, variables and at least one graph."""

    name: str
    parent: str
    variables: tuple[Variable, ...]
    graphs: tuple[Graph, ...]
    category: str | None = None

    def __post_init__(self) -> None:
        """Refuse empty names and a program without a graph."""
        _check_name(self.name, "blueprint name")
        _check_name(self.parent, "parent class")
        if self.category is not None:
            _check_name(self.category, "category")
        if not self.graphs:
            raise ValueError("a blueprint needs at least one graph")

    def nodes(self) -> Iterator[Node]:
        """Yield the nodes of every graph in order."""
        for graph in self.graphs:
            yield from graph.nodes

    def wires(self) -> Iterator[Wire]:
        """Yield the wires of every graph in order."""
        for graph in self.graphs:
            yield from graph.wires


def writing_places(nodes: Sequence[Node], wires: Sequence[Wire]) -> list[int]:
    """Return for each wire the index of the node it is written behind; unknown ids count as the last."""
    index: dict[str, int] = {}
    for position, node in enumerate(nodes):
        index.setdefault(node.id, position)
    last = max(len(nodes) - 1, 0)
    return [max(index.get(wire.source, last), index.get(wire.target, last)) for wire in wires]


def _check_identifier(text: str, what: str) -> None:
    if not isinstance(text, str) or not is_identifier(text):
        raise ValueError(f"{what} must be an identifier, not {text!r}")


def _check_name(text: str, what: str) -> None:
    if not isinstance(text, str) or not text:
        raise ValueError(f"{what} must be a text that is not empty, not {text!r}")


def _check_text(text: str, what: str) -> None:
    if not isinstance(text, str):
        raise ValueError(f"{what} must be a text, not {text!r}")


def _check_type(text: str) -> None:
    if not isinstance(text, str) or not is_type(text):
        raise ValueError(f"a type is a name such as Float, Array<Int> or Map<String,Int>, not {text!r}")


def _check_pins(pins: tuple[PinSpec, ...]) -> None:
    if len(pins) > MAX_ITEMS:
        raise ValueError(f"a signature has at most {MAX_ITEMS} pins")
    seen: set[tuple[str, str]] = set()
    for pin in pins:
        if (pin.direction, pin.name) in seen:
            raise ValueError(f"pin {pin.direction} {pin.name!r} is given twice")
        seen.add((pin.direction, pin.name))


def _check_pairs(pairs: Pairs, what: str) -> None:
    if len(pairs) > MAX_ITEMS:
        raise ValueError(f"at most {MAX_ITEMS} of the kind {what} stand in one list")
    seen: set[str] = set()
    for name, value in pairs:
        _check_text(name, what)
        if name in seen:
            raise ValueError(f"{what} {name!r} is given twice")
        seen.add(name)
        _check_value(value)


def _check_value(value: Value) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"a number must be finite, not {value!r}")
    elif isinstance(value, int):
        if not -INT_LIMIT <= value < INT_LIMIT:
            raise ValueError(f"an integer must fit into 64 bits, not {value!r}")
    elif not isinstance(value, str | Struct):
        raise ValueError(f"a value is a string, number, bool or struct, not {value!r}")
