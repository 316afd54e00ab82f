"""Where the parts of a program stand in its text, and which of them could not be read."""

from __future__ import annotations

from dataclasses import dataclass


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
