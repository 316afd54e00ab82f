"""Sorts the objects of a paste into assets and graphs, the graphs inside collapsed nodes included."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nightforge.blueprint.clipboard.identity import member
from nightforge.blueprint.clipboard.kinds import is_comment, is_graph, is_node
from nightforge.blueprint.clipboard.objects import Place, RawObject, place_of
from nightforge.blueprint.graph import GraphKind

UNNAMED_GRAPH = "EventGraph"
ENTRY_CLASS, RESULT_CLASS, TUNNEL_CLASS = "K2Node_FunctionEntry", "K2Node_FunctionResult", "K2Node_Tunnel"
_ENDS = (ENTRY_CLASS, RESULT_CLASS)


@dataclass(slots=True)
class RawGraph:
    """The nodes (knots among them) and comment boxes of one graph."""

    place: Place
    name: str
    nodes: list[RawObject] = field(default_factory=list)
    comments: list[RawObject] = field(default_factory=list)

    @property
    def kind(self) -> GraphKind:
        """Return function, macro (collapsed nodes too) or graph, from the nodes only such a graph has."""
        classes = {node.class_name for node in self.nodes}
        events = {"K2Node_Event", "K2Node_CustomEvent", "K2Node_ComponentBoundEvent"}
        if classes & {ENTRY_CLASS, RESULT_CLASS} and not classes & events:
            return "function"
        return "macro" if TUNNEL_CLASS in classes and not classes & events else "graph"


@dataclass(slots=True)
class RawAsset:
    """The graphs of one asset in the order in which they appear."""

    place: Place
    graphs: list[RawGraph] = field(default_factory=list)


def group(blocks: Iterable[RawObject]) -> list[RawAsset]:
    """Sort top-level objects by ExportPath; objects without one join the first graph of the paste."""
    placed = [(block, place_of(block.export_path)) for block in blocks]
    first = next((place for _, place in placed if place.asset), Place())
    graphs: dict[tuple[str, tuple[str, ...]], RawGraph] = {}
    for block, place in placed:
        home = place if place.asset else first
        key = (home.asset, home.graph)
        graph = graphs.get(key)
        if graph is None:
            graph = graphs[key] = RawGraph(home, (home.graph[-1] if home.graph else "") or UNNAMED_GRAPH)
        (graph.comments if is_comment(block) else graph.nodes).append(block)
    assets: dict[str, RawAsset] = {}
    for graph in graphs.values():
        if not graph.place.graph:
            graph.name = _function_name(graph) or graph.name
        asset = assets.setdefault(graph.place.asset, RawAsset(graph.place))
        asset.graphs.append(graph)
        for node in graph.nodes:
            _take_inner(node, graph, asset)
    return list(assets.values())


def _function_name(graph: RawGraph) -> str:
    """Return the name of a function whose text has no ExportPath, from its entry or result."""
    if graph.kind != "function":
        return ""
    references = [member(node.get("FunctionReference")) for node in graph.nodes if node.class_name in _ENDS]
    return next((reference.name for reference in references if reference is not None and reference.name), "")


def _take_inner(node: RawObject, outer: RawGraph, asset: RawAsset) -> None:
    """Take the graphs out of a collapsed node; each becomes a graph of the same asset."""
    inner = [child for child in node.children if is_graph(child)]
    if not inner:
        return
    node.children = [child for child in node.children if child not in inner]
    for block in inner:
        place = Place(outer.place.asset, (*outer.place.graph, node.name, block.name))
        graph = RawGraph(place, block.name)
        for child in block.children:
            if is_comment(child):
                graph.comments.append(child)
            elif is_node(child):
                graph.nodes.append(child)
        asset.graphs.append(graph)
        for child in graph.nodes:
            _take_inner(child, graph, asset)
