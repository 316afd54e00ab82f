"""One form for equal programs: canonical order and ids, and keys that ignore what does not matter.

Keys are colour refinement hashes (Weisfeiler and Leman 1968; Shervashidze et al. 2011): a node's label takes
in its neighbours' labels round by round, so ids and order cannot matter and isomorphic programs always get
the same key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from operator import is_

from nightforge.blueprint.catalog import NodeType, load_catalog
from nightforge.blueprint.graph import Blueprint, Comment, Graph, Node, PinSpec, Variable, Wire
from nightforge.blueprint.node_types import Definitions, is_opaque, type_of_node
from nightforge.blueprint.pin_types import PinTypes, fit_value
from nightforge.blueprint.printer import value_text
from nightforge.blueprint.spelling import respell

DANGLING = "missing"  # the id that stands for any id without a node
MAX_ROUNDS = 64  # how many wires away a difference still tells two nodes apart
Edge = tuple[str, int]  # how a neighbour is attached, and its index


def canonicalize(bp: Blueprint) -> Blueprint:
    """Return the canonical form: catalog spelling, n1.. in exec order, wires, variables and graphs in order.

    Variables stand in the order of their first use, unused ones behind by name. A pure node stands right
    before its first consumer. Isomorphic programs get equal results, except for the rare graphs whose nodes
    colour refinement cannot tell apart.
    """
    bp = normalize(bp)
    graphs = sorted(bp.graphs, key=lambda graph: (graph.name != "EventGraph", graph.name))
    ordered = tuple(_order_graph(bp, graph) for graph in graphs)
    return replace(bp, graphs=ordered, variables=_order_variables(bp.variables, ordered))


def normalize(bp: Blueprint) -> Blueprint:
    """Return the program in catalog spelling: names, property order and literals fitted to their types."""
    bp = respell(bp)
    variables = tuple(_normalize_variable(variable) for variable in bp.variables)
    definitions = Definitions.of(bp)
    graphs = tuple(_normalize_graph(bp, graph, definitions) for graph in bp.graphs)
    if all(map(is_, variables, bp.variables)) and all(map(is_, graphs, bp.graphs)):
        return bp
    return replace(bp, variables=variables, graphs=graphs)


def structure_key(bp: Blueprint) -> str:
    """Return a key of the shape alone, 32 hex digits.

    Kept: node types, wires and pins, which properties are set, variable types, and which nodes share a
    variable or event name. Ignored: ids, order, all names, the parent class and every literal.
    """
    return _program_key(normalize(bp), masked=True)


def canonical_structure_key(canonical: Blueprint) -> str:
    """Return `structure_key` of what `canonicalize` returned, which is normal already."""
    return _program_key(canonical, masked=True)


def content_key(bp: Blueprint) -> str:
    """Return a key of the meaning, 32 hex digits, blind to ids, order, type tags and the program's name."""
    return _program_key(normalize(bp), masked=False)


def _normalize_variable(variable: Variable) -> Variable:
    if variable.default is None:
        return variable
    default = fit_value(variable.type, variable.default)
    return variable if default is variable.default else replace(variable, default=default)


def _normalize_graph(bp: Blueprint, graph: Graph, definitions: Definitions) -> Graph:
    pins = PinTypes(bp, graph, definitions)
    nodes = tuple(_normalize_node(node, type_of_node(node, graph, definitions), pins) for node in graph.nodes)
    return graph if all(map(is_, nodes, graph.nodes)) else replace(graph, nodes=nodes)


def _normalize_node(node: Node, node_type: NodeType | None, pins: PinTypes) -> Node:
    if not node.properties:
        return node
    if node_type is None or is_opaque(node.type):
        return replace(node, properties=tuple(sorted(node.properties, key=lambda item: item[0])))
    order = node_type.property_names()
    properties = []
    for name, value in node.properties:
        declared, pin = node_type.declared(name), node_type.input(name)
        type_name = declared.type if declared else pins.of_pin(node.id, pin) if pin else None
        properties.append((name, fit_value(type_name, value) if type_name else value))
    properties.sort(key=lambda item: (order.index(item[0]) if item[0] in order else len(order), item[0]))
    if all(a is b and x is y for (a, x), (b, y) in zip(properties, node.properties, strict=True)):
        return node
    return replace(node, properties=tuple(properties))


@dataclass(slots=True)
class _Indexed:
    """A graph by node index; -1 stands for an id without a node, a repeated id means its first node."""

    nodes: tuple[Node, ...]
    types: list[NodeType | None]
    wires: list[tuple[Wire, int, int]]
    edges: list[list[Edge]]

    @classmethod
    def of(cls, graph: Graph, definitions: Definitions) -> _Indexed:
        index: dict[str, int] = {}
        for position, node in enumerate(graph.nodes):
            index.setdefault(node.id, position)
        wires = [(wire, index.get(wire.source, -1), index.get(wire.target, -1)) for wire in graph.wires]
        edges: list[list[Edge]] = [[] for _ in graph.nodes]
        for wire, source, target in wires:
            pins = f"{wire.kind}|{wire.source_pin}|{wire.target_pin}"
            if source >= 0:
                edges[source].append((f"out|{pins}", target))
            if target >= 0:
                edges[target].append((f"in|{pins}", source))
        types = [type_of_node(node, graph, definitions) for node in graph.nodes]
        return cls(graph.nodes, types, wires, edges)


# Keys


def _program_key(bp: Blueprint, masked: bool) -> str:
    labels: list[str] = []
    edges: list[list[Edge]] = []
    names: dict[tuple[str, str], int] = {}  # a vertex per shared name, so that sharing is part of the shape

    definitions = Definitions.of(bp)

    def named(kind: str, name: str, label: str) -> int:
        if (kind, name) not in names:
            names[kind, name] = len(labels)
            labels.append(label)
            edges.append([])
        return names[kind, name]

    for name, declarations in _declarations(bp, masked).items():
        named("variable", name, declarations)
    for graph in bp.graphs:
        offset = len(labels)
        indexed = _Indexed.of(graph, definitions)
        for node in graph.nodes:
            shown = [(n, value_text(v) if not masked else "") for n, v in node.properties]
            label = f"node|{node.type}|{shown}" + ("" if masked else f"|{graph.name}")
            labels.append(label + _pins_label(node.pins, masked))
        edges.extend(
            [(how, other + offset if other >= 0 else -1) for how, other in row] for row in indexed.edges
        )
        for position, name, shared, value in _shared_names(indexed) if masked else ():
            vertex = named(shared, value, f"{shared}|undeclared")
            edges[offset + position].append((f"names|{name}", vertex))
            edges[vertex].append((f"named by|{name}", offset + position))
        for label in _graph_labels(graph, masked):
            labels.append(label)
            edges.append([])
    head = "" if masked else f"{bp.parent}|{bp.category}|{sorted(graph.name for graph in bp.graphs)}"
    return _digest([head, *sorted(_refine(labels, edges))], size=16)


def _shared_names(indexed: _Indexed) -> Iterator[tuple[int, str, str, str]]:
    """Yield node index, property, kind and text of every variable and event name in a graph."""
    for position, node in enumerate(indexed.nodes):
        for name, value in node.properties:
            shared = _shared_kind(indexed.types[position], name)
            if shared and isinstance(value, str):
                yield position, name, shared, value


def _graph_labels(graph: Graph, masked: bool) -> Iterator[str]:
    """Yield a label for an empty graph and one for the header of a function or macro."""
    if not graph.nodes:
        yield "empty graph"
    if graph.kind != "graph":
        yield f"{graph.kind}|{'' if masked else graph.name}{_pins_label(graph.pins, masked)}"


def _pins_label(pins: tuple[PinSpec, ...], masked: bool) -> str:
    """Write a signature for a label: types and directions, the names only where they count."""
    return f"|{sorted((p.direction, p.type, '' if masked else p.name) for p in pins)}" if pins else ""


def _declarations(bp: Blueprint, masked: bool) -> dict[str, str]:
    """Return a label per variable name; a name declared twice has one label for all its declarations."""
    labels: dict[str, list[str]] = {}
    for variable in bp.variables:
        default = "" if variable.default is None else value_text(variable.default)
        label = f"variable|{variable.type}" + ("" if masked else f"|{variable.name}|{default}")
        labels.setdefault(variable.name, []).append(label)
    return {name: "|".join(sorted(found)) for name, found in labels.items()}


def _shared_kind(node_type: NodeType | None, name: str) -> str:
    role = node_type.role(name) if node_type else "literal"
    return {"variable": "variable", "event": "event", "event_definition": "event"}.get(role, "")


def _refine(labels: list[str], edges: list[list[Edge]]) -> list[str]:
    """Mix neighbour labels into each label until no further classes appear; returns hex digests."""
    current = [_digest([label]) for label in labels]
    classes = len(set(current))
    for _ in range(min(len(labels), MAX_ROUNDS)):
        current = [
            _digest([own, *sorted(how + "|" + (current[other] if other >= 0 else "-") for how, other in row)])
            for own, row in zip(current, edges, strict=True)
        ]
        count = len(set(current))
        if count == classes:
            break
        classes = count
    return current


def _digest(parts: Iterable[str], size: int = 8) -> str:
    return hashlib.blake2b("\n".join(parts).encode("utf-8", "surrogatepass"), digest_size=size).hexdigest()


# Order


def _order_variables(variables: tuple[Variable, ...], graphs: tuple[Graph, ...]) -> tuple[Variable, ...]:
    first: dict[str, int] = {}
    for node in (node for graph in graphs for node in graph.nodes):
        node_type = load_catalog().lookup(node.type)
        for name, value in node.properties:
            if _shared_kind(node_type, name) == "variable" and isinstance(value, str):
                first.setdefault(value, len(first))
    return tuple(sorted(variables, key=lambda v: (first.get(v.name, len(first)), v.name, v.type)))


def _order_graph(bp: Blueprint, graph: Graph) -> Graph:
    pins = PinTypes(bp, graph)
    indexed = _Indexed.of(graph, pins.definitions)
    order = _Placer(indexed).place()
    position = {index: place for place, index in enumerate(order)}
    ids = {index: f"n{place + 1}" for index, place in position.items()} | {-1: DANGLING}
    wires = [
        Wire(
            wire.kind,
            ids[source],
            wire.source_pin,
            ids[target],
            wire.target_pin,
            pins.output(wire.source, wire.source_pin) or wire.type if wire.kind == "data" else None,
        )
        for wire, source, target in sorted(
            indexed.wires, key=lambda item: _wire_rank(item, indexed, position)
        )
    ]
    nodes = tuple(_with_id(graph.nodes[index], ids[index]) for index in order)
    return replace(graph, nodes=nodes, wires=tuple(wires), comments=_order_comments(graph, position))


def _with_id(node: Node, node_id: str) -> Node:
    return node if node.id == node_id else replace(node, id=node_id)


def _order_comments(graph: Graph, position: dict[int, int]) -> tuple[Comment, ...]:
    """Name the nodes of each comment box anew, in order; an id without a node is left out."""
    places: dict[str, int] = {}
    for index, node in enumerate(graph.nodes):
        places.setdefault(node.id, position[index])
    found = [
        (c.text, sorted(places[node_id] for node_id in c.nodes if node_id in places)) for c in graph.comments
    ]
    found.sort(key=lambda item: (item[1][:1] or [len(places)], item))
    return tuple(Comment(text, tuple(f"n{place + 1}" for place in members)) for text, members in found)


def _wire_rank(
    item: tuple[Wire, int, int], indexed: _Indexed, position: dict[int, int]
) -> tuple[object, ...]:
    wire, source, target = item
    out = (position.get(source, -1), _pin_rank(indexed, source, wire.source_pin, output=True))
    into = (position.get(target, -1), _pin_rank(indexed, target, wire.target_pin, output=False))
    return (0, out, into) if wire.kind == "exec" else (1, into, out)


def _pin_rank(indexed: _Indexed, index: int, name: str, output: bool) -> tuple[int, int, str]:
    """Rank pins in catalog order, numbered ones by number, unknown ones last by name."""
    node_type = indexed.types[index] if index >= 0 else None
    if node_type is not None:
        for place, pin in enumerate(node_type.outputs if output else node_type.inputs):
            if pin.matches(name):
                digits = name.rpartition("_")[2]
                return (place, int(digits) if pin.dynamic and digits.isdecimal() else 0, name)
    return (10**6, 0, name)


@cache
def _catalog_order() -> dict[str, int]:
    return {name: place for place, name in enumerate(load_catalog().nodes)}


class _Placer:
    """Puts the nodes of a graph into exec order, each pure node right before its first consumer."""

    def __init__(self, indexed: _Indexed) -> None:
        self.indexed = indexed
        labels = [f"{n.type}|{[(k, value_text(v)) for k, v in n.properties]}" for n in indexed.nodes]
        colours = _refine(labels, indexed.edges)
        catalog_order = _catalog_order()
        # Ties between equal colours fall to the given order; the nodes are then interchangeable.
        self.rank = [
            (catalog_order.get(node.type, len(catalog_order)), node.type, label, colour)
            for node, label, colour in zip(indexed.nodes, labels, colours, strict=True)
        ]
        self.order: list[int] = []
        self.placed: set[int] = set()
        self.next_exec: list[list[int]] = [[] for _ in indexed.nodes]
        self.feeds: list[list[int]] = [[] for _ in indexed.nodes]
        self._index_wires()

    def place(self) -> list[int]:
        entered = {target for wire, _, target in self.indexed.wires if wire.kind == "exec"}
        consumed = {source for wire, source, _ in self.indexed.wires if wire.kind == "data"}
        everything = sorted(range(len(self.indexed.nodes)), key=lambda index: self.rank[index])
        starts = [index for index in everything if self._is_entry(index)]
        loose = [index for index in everything if not self._is_pure(index) and index not in entered]
        others = [index for index in everything if not self._is_pure(index)]
        sinks = [index for index in everything if index not in consumed]
        for index in (*starts, *loose, *others, *sinks, *everything):
            self._follow(index)
        return self.order

    def _index_wires(self) -> None:
        keyed = [
            (
                _pin_rank(self.indexed, source, wire.source_pin, output=True),
                _pin_rank(self.indexed, target, wire.target_pin, output=False),
                wire.kind,
                source,
                target,
            )
            for wire, source, target in self.indexed.wires
            if source >= 0 and target >= 0
        ]
        for _, _, kind, source, target in sorted(keyed, key=lambda k: (k[0], k[1], self.rank[k[4]])):
            if kind == "exec":
                self.next_exec[source].append(target)
        for _, _, kind, source, target in sorted(keyed, key=lambda k: (k[1], k[0], self.rank[k[3]])):
            if kind == "data" and self._is_pure(source):
                self.feeds[target].append(source)

    def _follow(self, start: int) -> None:
        """Go depth first along exec wires, first output first; a stack, since chains may be very long."""
        stack = [start]
        while stack:
            index = stack.pop()
            if index in self.placed:
                continue
            self._put(index)
            stack += [target for target in reversed(self.next_exec[index]) if target not in self.placed]

    def _put(self, index: int) -> None:
        """Place a node after the pure nodes it reads from, in the order of its inputs."""
        self.placed.add(index)
        stack: list[tuple[int, int]] = [(index, 0)]
        while stack:
            current, done = stack.pop()
            if done < len(self.feeds[current]):
                stack.append((current, done + 1))
                source = self.feeds[current][done]
                if source not in self.placed:
                    self.placed.add(source)
                    stack.append((source, 0))
            else:
                self.order.append(current)

    def _is_entry(self, index: int) -> bool:
        node_type = self.indexed.types[index]
        return node_type is not None and node_type.is_entry

    def _is_pure(self, index: int) -> bool:
        node_type = self.indexed.types[index]
        return node_type is not None and node_type.kind == "pure"
