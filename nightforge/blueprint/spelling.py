"""One spelling for every name: aliases and the engine's names of pins give way to the catalog's."""

from __future__ import annotations

from dataclasses import replace
from operator import is_
from typing import Literal

from nightforge.blueprint.catalog import Catalog, NodeType, load_catalog
from nightforge.blueprint.graph import Blueprint, Graph, Node, Wire


def respell(bp: Blueprint) -> Blueprint:
    """Return the program with every alias of a node type, pin or property replaced by its one spelling.

    What is spelt so already is the same object, not a copy: nearly every program is, and most of its time
    would go into copies.
    """
    catalog = load_catalog()
    graphs = tuple(_respell_graph(graph, catalog) for graph in bp.graphs)
    return bp if all(map(is_, graphs, bp.graphs)) else replace(bp, graphs=graphs)


def _respell_graph(graph: Graph, catalog: Catalog) -> Graph:
    types: dict[str, NodeType | None] = {}
    own: set[tuple[str, str, str]] = set()  # (id, direction, pin) of signatures, which no alias may touch
    nodes = []
    for node in graph.nodes:
        node_type = catalog.lookup(node.type)
        types.setdefault(node.id, node_type)
        nodes.append(_respell_node(node, node_type, catalog))
        if node.pins:
            own.update((node.id, pin.direction, pin.name) for pin in node.pins)
    wires = [_respell_wire(wire, types, own) for wire in graph.wires]
    if all(map(is_, nodes, graph.nodes)) and all(map(is_, wires, graph.wires)):
        return graph
    return replace(graph, nodes=tuple(nodes), wires=tuple(wires))


def _respell_wire(wire: Wire, types: dict[str, NodeType | None], own: set[tuple[str, str, str]]) -> Wire:
    source_pin, target_pin = wire.source_pin, wire.target_pin
    if (wire.source, "out", source_pin) not in own:
        source_pin = _respell_pin(types.get(wire.source), source_pin, "output")
    if (wire.target, "in", target_pin) not in own:
        target_pin = _respell_pin(types.get(wire.target), target_pin, "input")
    if (source_pin, target_pin) == (wire.source_pin, wire.target_pin):
        return wire
    return replace(wire, source_pin=source_pin, target_pin=target_pin)


def _respell_node(node: Node, node_type: NodeType | None, catalog: Catalog) -> Node:
    if node_type is None:
        return node
    if not node.properties and node.type == node_type.name:
        return node
    own = {pin.name for pin in node.pins}
    names = {name: _respell_property(node_type, name, own) for name, _ in node.properties}
    if node.type == node_type.name and all(old == new for old, new in names.items()):
        return node
    if len(set(names.values())) < len(names):
        names = {name: name for name in names}  # both spellings given: left for the checks to report
    return replace(
        node,
        type=catalog.spelling(node.type),
        properties=tuple((names[n], v) for n, v in node.properties),
    )


def _respell_property(node_type: NodeType, name: str, own: set[str]) -> str:
    if name in own or name.startswith("@") or node_type.declared(name) is not None:
        return name
    other = node_type.pin_aliases.get(name)
    if other is not None:
        return other
    return name if node_type.input(name) is not None else node_type.dsl_pin(name, "input") or name


def _respell_pin(node_type: NodeType | None, name: str, side: Literal["input", "output"]) -> str:
    """Return the catalog's name of a pin that is written by an alias or by the engine's name."""
    if node_type is None:
        return name
    find = node_type.input if side == "input" else node_type.output
    if find(name) is not None:
        return name
    other = node_type.pin_aliases.get(name)
    if other is not None and find(other) is not None:
        return other
    other = node_type.dsl_pin(name, side)
    found = find(other) if other is not None else None
    # The engine calls the cases of a text switch as the user did: any misspelling would be one of them.
    return name if other is None or found is None or found.dynamic == "text" else other
