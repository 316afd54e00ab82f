"""Finds nodes that the catalog describes too narrowly for the graph they come from."""

from __future__ import annotations

from nightforge.blueprint.check import check
from nightforge.blueprint.node_types import is_opaque
from nightforge.blueprint.parser import ParseResult

# a value, a property, a pin or a type that the catalog's entry does not allow, in a graph the editor allowed
_MISFITS = frozenset(
    {"DSL305", "DSL306", "DSL307", "DSL315", "DSL316", "DSL402", "DSL403", "DSL404", "DSL405"}
)


def misfitting_nodes(back: ParseResult) -> list[set[str]]:
    """Return for each graph the ids of nodes to keep as opaque ones; none where the text can't be read."""
    if back.blueprint is None:
        return [set() for _ in (back.partial.graphs if back.partial else ())]
    lines = {
        finding.line
        for finding in check(back.blueprint, back.lines)
        if finding.severity == "error" and finding.code in _MISFITS
    }
    found: list[set[str]] = []
    for index, graph in enumerate(back.blueprint.graphs):
        known = {node.id for node in graph.nodes if not is_opaque(node.type)}
        ids = {
            node.id for node, line in zip(graph.nodes, back.lines.nodes[index], strict=True) if line in lines
        }
        for wire, line in zip(graph.wires, back.lines.wires[index], strict=True):
            if line in lines:
                ids.add(wire.source if wire.source in known else wire.target)
        found.append(ids & known)
    return found
