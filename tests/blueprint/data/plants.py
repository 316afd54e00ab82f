"""An exam answer in other clothes: what a leak gate must recognise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from nightforge.blueprint.graph import Blueprint, Graph, Node, Value, Variable

NAMES = ("VarName", "EventName", "FunctionName", "MacroName")


def renamed(blueprint: Blueprint) -> Blueprint:
    """Another blueprint name, other variable and event names, other literals; the same shape."""
    declared = {variable.name for variable in blueprint.variables}

    def other(name: str, value: Value) -> Value:
        if name in NAMES:
            return f"{value}Two"
        if isinstance(value, bool):
            return not value
        if isinstance(value, str):
            return f"{value} again"
        return value + 1 if isinstance(value, int | float) else value

    def changed(graph: Graph) -> Graph:
        name = graph.name if graph.kind == "graph" else f"{graph.name}Two"
        return replace(graph, name=name, nodes=_with_properties(graph, other))

    variables = tuple(
        Variable(f"{v.name}Two", v.type, v.default) for v in blueprint.variables if v.name in declared
    )
    graphs = tuple(changed(graph) for graph in blueprint.graphs)
    return replace(blueprint, name="BP_Other", variables=variables, graphs=graphs)


def revalued(blueprint: Blueprint) -> Blueprint:
    """The same names, other literals."""

    def other(name: str, value: Value) -> Value:
        if name in NAMES or isinstance(value, str):
            return value
        return (
            not value if isinstance(value, bool) else value + 7 if isinstance(value, int | float) else value
        )

    graphs = tuple(replace(graph, nodes=_with_properties(graph, other)) for graph in blueprint.graphs)
    return replace(blueprint, graphs=graphs)


def reordered(blueprint: Blueprint) -> Blueprint:
    rng = Random(5)

    def mixed(graph: Graph) -> Graph:
        nodes, wires = list(graph.nodes), list(graph.wires)
        rng.shuffle(nodes)
        rng.shuffle(wires)
        return replace(graph, nodes=tuple(nodes), wires=tuple(wires))

    return replace(blueprint, graphs=tuple(mixed(graph) for graph in blueprint.graphs))


def renumbered(blueprint: Blueprint) -> Blueprint:
    def changed(graph: Graph) -> Graph:
        ids = [node.id for node in graph.nodes]
        Random(7).shuffle(ids)
        new = {node.id: f"k{place}" for node, place in zip(graph.nodes, ids, strict=True)}
        nodes = tuple(replace(node, id=new[node.id]) for node in graph.nodes)
        wires = tuple(replace(w, source=new[w.source], target=new[w.target]) for w in graph.wires)
        return replace(graph, nodes=nodes, wires=wires)

    return replace(blueprint, graphs=tuple(changed(graph) for graph in blueprint.graphs))


def _with_properties(graph: Graph, other: Callable[[str, Value], Value]) -> tuple[Node, ...]:
    return tuple(
        replace(node, properties=tuple((k, other(k, v)) for k, v in node.properties)) for node in graph.nodes
    )


PLANTS: dict[str, Callable[[Blueprint], Blueprint]] = {
    "verbatim": lambda blueprint: blueprint,
    "renamed": renamed,
    "other values": revalued,
    "reordered": reordered,
    "renumbered": renumbered,
    "all three": lambda blueprint: renumbered(reordered(renamed(blueprint))),
}
