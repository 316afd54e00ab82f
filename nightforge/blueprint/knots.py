"""Takes reroute nodes out of a program: they only lead wires around and mean nothing."""

from __future__ import annotations

from dataclasses import replace

from nightforge.blueprint.graph import Blueprint, Graph, Wire

KNOT = "K2Node_Knot"


def without_knots(bp: Blueprint) -> Blueprint:
    """Return the program with every wire led straight from its source to its targets."""
    if all(node.type != KNOT for node in bp.nodes()):
        return bp
    return replace(bp, graphs=tuple(map(_straightened, bp.graphs)))


def _straightened(graph: Graph) -> Graph:
    knots = {node.id for node in graph.nodes if node.type == KNOT}
    onward: dict[str, list[Wire]] = {}
    for wire in graph.wires:
        if wire.source in knots:
            onward.setdefault(wire.source, []).append(wire)
    wires: list[Wire] = []
    for wire in graph.wires:
        if wire.source in knots:
            continue
        if wire.target not in knots:
            wires.append(wire)
            continue
        ends: dict[Wire, None] = {}
        waiting, seen = [wire.target], {wire.target}
        while waiting:  # through knots behind knots, in a loop of them no further than once
            for further in onward.get(waiting.pop(), ()):
                if further.target not in knots:
                    ends[replace(wire, target=further.target, target_pin=further.target_pin)] = None
                elif further.target not in seen:
                    seen.add(further.target)
                    waiting.append(further.target)
        wires += ends
    nodes = tuple(node for node in graph.nodes if node.id not in knots)
    comments = tuple(replace(c, nodes=tuple(n for n in c.nodes if n not in knots)) for c in graph.comments)
    return replace(graph, nodes=nodes, wires=tuple(wires), comments=comments)
