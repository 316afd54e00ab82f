"""Counts a translation on both sides: the raw objects, and the program read back from its written text."""

from __future__ import annotations

from nightforge.blueprint.catalog import NodeType, load_catalog
from nightforge.blueprint.clipboard.building import BuiltGraph
from nightforge.blueprint.clipboard.defaults import user_defaults
from nightforge.blueprint.clipboard.grouping import RawAsset
from nightforge.blueprint.clipboard.identity import names
from nightforge.blueprint.clipboard.kinds import is_routing
from nightforge.blueprint.clipboard.ledger import Ledger
from nightforge.blueprint.clipboard.tokens import resolved
from nightforge.blueprint.graph import Blueprint, Graph, Node
from nightforge.blueprint.parser import ParseResult


def account(asset: RawAsset, built: list[BuiltGraph], program: Blueprint, back: ParseResult) -> Ledger:
    """Return the ledger of one asset; what is kept is counted in `back`, the written text read again."""
    ledger = Ledger()
    if back.blueprint is None:
        ledger.missing += [f"the program can't be read back: {finding}" for finding in back.diagnostics[:3]]
    elif back.blueprint != program:
        ledger.missing.append("the program reads back as another one")
    graphs = (back.blueprint or back.partial or program).graphs
    for index, graph in enumerate(built):
        kept = graphs[index] if index < len(graphs) else Graph("missing")
        _nodes(graph, kept, ledger)
        _wires(graph, kept, ledger)
        ledger.comments_in += len(graph.raw.comments)
        ledger.comments_kept += len(kept.comments)
    return ledger


def _nodes(graph: BuiltGraph, kept: Graph, ledger: Ledger) -> None:
    found = {node.id: node for node in kept.nodes}
    for index, raw in enumerate(graph.raw.nodes):
        if is_routing(raw):
            ledger.knots += 1
            continue
        ledger.nodes_in += 1
        built = graph.built[index]
        node = found.get(built.node.id)
        wanted = names(raw)
        literals = [place for place, pin in enumerate(raw.pins) if user_defaults(pin)]
        ledger.names_in += len(wanted)
        ledger.defaults_in += len(literals)
        if node is None or node.type != built.node.type:
            ledger.missing.append(f"node {raw.name} ({raw.class_name})")
            continue
        ledger.nodes_kept += 1
        (ledger.opaque if built.opaque else ledger.known)[node.type] += 1
        given = {name for name, _ in node.properties}
        for place in literals:
            keys = built.literals.get(place, ())
            if keys and given.issuperset(keys):
                ledger.defaults_kept += 1
            else:
                ledger.missing.append(f"the literal of {raw.name}.{raw.pins[place].name}")
        words = _words(node, kept)
        for name in wanted:
            if any(name in word for word in words):
                ledger.names_kept += 1
            else:
                ledger.missing.append(f"the name {name!r} of {raw.name}")


def _words(node: Node, graph: Graph) -> list[str]:
    """Return every text that a node of the program stands for: its properties, its type's engine names."""
    types = load_catalog().types
    texts = [value for _, value in node.properties if isinstance(value, str)]
    found = load_catalog().lookup(node.type)
    paths = [path for text in texts if (path := types.path(text)) is not None]
    plain = [resolved(text) for text in texts if "\\" in text]
    return [*texts, *plain, *paths, graph.name, *(_engine_names(found) if found is not None else ())]


def _engine_names(node_type: NodeType) -> list[str]:
    target = node_type.unreal
    members = [member for _, _, member in target.keys()]
    return [*members, target.operation, target.cast_to, target.owner, target.signature, *target.other_owners]


def _wires(graph: BuiltGraph, kept: Graph, ledger: Ledger) -> None:
    ends = {(w.kind, w.source, w.source_pin, w.target, w.target_pin) for w in kept.wires}
    ledger.wires_stated += len(graph.wiring.stated)
    ledger.links_outside += len(graph.wiring.outside)
    for raw in graph.wiring.wires:
        ledger.wires_in += 1
        wire = graph.wire(raw)
        if (wire.kind, wire.source, wire.source_pin, wire.target, wire.target_pin) in ends:
            ledger.wires_kept += 1
        else:
            source = graph.raw.nodes[raw.source[0]].name
            target = graph.raw.nodes[raw.target[0]].name
            ledger.missing.append(f"the wire {source}.{wire.source_pin} -> {target}.{wire.target_pin}")
    if len(kept.wires) != len(graph.wiring.wires):
        ledger.missing.append(f"{len(kept.wires)} wires in the program for {len(graph.wiring.wires)}")
