"""An exam answer in other clothes: what a leak gate must recognise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from nightforge.blueprint.graph import Blueprint, Value, Variable


def renamed(blueprint: Blueprint) -> Blueprint:
    """Another blueprint name, other variable and event names, other literals; the same shape."""
    declared = {variable.name for variable in blueprint.variables}

    def other(name: str, value: Value) -> Value:
        if name in ("VarName", "EventName", "FunctionName"):
            return f"{value}Two"
        if isinstance(value, bool):
            return not value
        if isinstance(value, str):
            return f"{value} again"
        return value + 1 if isinstance(value, int | float) else value

    graph = blueprint.graphs[0]
    nodes = tuple(
        replace(n, properties=tuple((k, other(k, v)) for k, v in n.properties)) for n in graph.nodes
    )
    variables = tuple(
        Variable(f"{v.name}Two", v.type, v.default) for v in blueprint.variables if v.name in declared
    )
    return replace(blueprint, name="BP_Other", variables=variables, graphs=(replace(graph, nodes=nodes),))


def revalued(blueprint: Blueprint) -> Blueprint:
    """The same names, other literals."""

    def other(name: str, value: Value) -> Value:
        if name in ("VarName", "EventName", "FunctionName") or isinstance(value, str):
            return value
        return (
            not value if isinstance(value, bool) else value + 7 if isinstance(value, int | float) else value
        )

    graph = blueprint.graphs[0]
    nodes = tuple(
        replace(n, properties=tuple((k, other(k, v)) for k, v in n.properties)) for n in graph.nodes
    )
    return replace(blueprint, graphs=(replace(graph, nodes=nodes),))


def reordered(blueprint: Blueprint) -> Blueprint:
    graph, rng = blueprint.graphs[0], Random(5)
    nodes, wires = list(graph.nodes), list(graph.wires)
    rng.shuffle(nodes)
    rng.shuffle(wires)
    return replace(blueprint, graphs=(replace(graph, nodes=tuple(nodes), wires=tuple(wires)),))


def renumbered(blueprint: Blueprint) -> Blueprint:
    graph = blueprint.graphs[0]
    ids = [node.id for node in graph.nodes]
    Random(7).shuffle(ids)
    new = {node.id: f"k{place}" for node, place in zip(graph.nodes, ids, strict=True)}
    nodes = tuple(replace(node, id=new[node.id]) for node in graph.nodes)
    wires = tuple(replace(wire, source=new[wire.source], target=new[wire.target]) for wire in graph.wires)
    return replace(blueprint, graphs=(replace(graph, nodes=nodes, wires=wires),))


PLANTS: dict[str, Callable[[Blueprint], Blueprint]] = {
    "verbatim": lambda blueprint: blueprint,
    "renamed": renamed,
    "other values": revalued,
    "reordered": reordered,
    "renumbered": renumbered,
    "all three": lambda blueprint: renumbered(reordered(renamed(blueprint))),
}
