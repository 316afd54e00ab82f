"""Where the parts of a program stand in its text, and which of them could not be read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from nightforge.blueprint.graph import Blueprint, writing_places

HEADER_ORDER = ("BLUEPRINT", "PARENT", "CATEGORY")


@dataclass(frozen=True, slots=True)
class SourceMap:
    """Line numbers, counted from 1: header lines by keyword, variables, graphs and the parts of each graph.

    `lost` holds the ids on lines of a graph that could not be read, and `lost_variables` the names on such
    VAR lines: what follows from their absence is no finding of its own. `text` is the source, line by line.
    """

    header: tuple[tuple[str, int], ...] = ()
    variables: tuple[int, ...] = ()
    graphs: tuple[int, ...] = ()
    nodes: tuple[tuple[int, ...], ...] = ()
    wires: tuple[tuple[int, ...], ...] = ()
    comments: tuple[tuple[int, ...], ...] = ()
    lost: tuple[frozenset[str], ...] = ()
    lost_variables: frozenset[str] = frozenset()
    text: tuple[str, ...] = ()

    @property
    def parent(self) -> int:
        """Return the line of the parent class, or the first line where there is none."""
        return dict(self.header).get("PARENT", 1)

    def numbers(self) -> Iterator[int]:
        """Yield the line of every statement: header, variables, then all graphs, nodes, wires and boxes."""
        known = dict(self.header)
        yield from (known[keyword] for keyword in HEADER_ORDER if keyword in known)
        yield from self.variables
        yield from self.graphs
        for part in (self.nodes, self.wires, self.comments):
            for numbers in part:
                yield from numbers


def layout(bp: Blueprint) -> SourceMap:
    """Say where `to_text` puts everything; the map carries no text."""
    header = tuple(
        (word, line) for line, word in enumerate(HEADER_ORDER[: 2 if bp.category is None else 3], 1)
    )
    line = 1 + len(header)
    variables = tuple(range(line, line + len(bp.variables)))
    line += len(bp.variables)
    graphs, nodes, wires, comments = [], [], [], []
    for graph in bp.graphs:
        graphs.append(line)
        places = writing_places(graph.nodes, graph.wires)
        before = [bisect_left(places, index) for index in range(len(graph.nodes))]  # wires above each node
        nodes.append(tuple(line + 1 + index + count for index, count in enumerate(before)))
        shift = line + 2 if graph.nodes else line + 1
        wires.append(tuple(shift + place + count for count, place in enumerate(places)))
        line += 1 + len(graph.nodes) + len(graph.wires)
        comments.append(tuple(range(line, line + len(graph.comments))))
        line += len(graph.comments)
    return SourceMap(header, variables, tuple(graphs), tuple(nodes), tuple(wires), tuple(comments))
