"""Where the nodes of a graph stand in the editor: events at the left, control to the right, no overlaps.

Lengths are editor units on the editor's grid of 16. Connected pieces of the graph stand one below the other,
nodes without any wire in rows below them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nightforge.blueprint.faces import Face, graph_faces
from nightforge.blueprint.graph import Blueprint, Graph
from nightforge.blueprint.layers import Link, Part, arrange

PIECE_GAP = 96  # between connected pieces
SHELF_GAP, SHELF_WIDTH = 48, 1600  # between nodes without wires; how wide a row of them becomes
COMMENT_MARGIN, COMMENT_TITLE = 32, 48  # around the nodes of a comment box; above them


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in editor units: left, top, width, height, all multiples of 16."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """Return the right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> int:
        """Return the lower edge."""
        return self.y + self.height


def layout(bp: Blueprint, graph: Graph) -> dict[str, Box]:
    """Return the box of every node by id; no two boxes touch. Of a repeated id the first node counts."""
    return place(graph, graph_faces(bp, graph))


def place(graph: Graph, faces: Mapping[str, Face]) -> dict[str, Box]:
    """Return the box of every node by id, for faces that are known already."""
    ids = list(faces)
    parts = [_part(face) for face in faces.values()]
    links = _links(graph, faces, {node_id: index for index, node_id in enumerate(ids)})
    corners = _pieces(parts, links)
    return {
        node_id: Box(*corner, part.width, part.height)
        for node_id, part, corner in zip(ids, parts, corners, strict=True)
    }


def comment_box(boxes: Mapping[str, Box], nodes: Iterable[str]) -> Box | None:
    """Return the comment box around these nodes, or None where none of them has a box."""
    inside = [boxes[node_id] for node_id in nodes if node_id in boxes]
    if not inside:
        return None
    left, top = min(box.x for box in inside), min(box.y for box in inside)
    right, bottom = max(box.right for box in inside), max(box.bottom for box in inside)
    margin = COMMENT_MARGIN
    return Box(
        left - margin,
        top - margin - COMMENT_TITLE,
        right - left + 2 * margin,
        bottom - top + 2 * margin + COMMENT_TITLE,
    )


def _part(face: Face) -> Part:
    pure = face.kind != "event" and not any(pin.is_exec for pin in face.inputs + face.outputs)
    return Part(face.width, face.height, face.kind == "event", pure)


def _links(graph: Graph, faces: Mapping[str, Face], index: Mapping[str, int]) -> list[Link]:
    """Return the wires between known nodes, those of one node in the order of its output pins."""
    links = []
    for wire in graph.wires:
        if wire.source in index and wire.target in index:
            out_y = faces[wire.source].pin_y("output", wire.source_pin)
            in_y = faces[wire.target].pin_y("input", wire.target_pin)
            links.append(Link(index[wire.source], index[wire.target], wire.kind == "exec", out_y, in_y))
    return sorted(links, key=lambda link: (link.source, link.out_y))


def _pieces(parts: Sequence[Part], links: Sequence[Link]) -> list[tuple[int, int]]:
    """Return the left upper corner of each part: connected pieces in order, single parts in rows below."""
    corners = [(0, 0)] * len(parts)
    loose: list[int] = []
    y = 0
    leaving: dict[int, list[Link]] = {}
    for link in links:
        leaving.setdefault(link.source, []).append(link)
    for piece in _connected(parts, links):
        if len(piece) == 1 and not parts[piece[0]].entry:
            loose += piece
            continue
        local = {index: place for place, index in enumerate(piece)}
        inner = [
            Link(local[link.source], local[link.target], link.is_exec, link.out_y, link.in_y)
            for index in piece
            for link in leaving.get(index, ())
        ]
        found = arrange([parts[index] for index in piece], inner)
        for index, (left, top) in zip(piece, found, strict=True):
            corners[index] = (left, y + top)
        y = max(corners[index][1] + parts[index].height for index in piece) + PIECE_GAP
    x = row = 0
    for index in loose:
        if x and x + parts[index].width > SHELF_WIDTH:
            x, y, row = 0, y + row + SHELF_GAP, 0
        corners[index] = (x, y)
        x += parts[index].width + SHELF_GAP
        row = max(row, parts[index].height)
    return corners


def _connected(parts: Sequence[Part], links: Sequence[Link]) -> list[list[int]]:
    """Return the connected pieces, those with an event first, otherwise in the order of their first part."""
    root = list(range(len(parts)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = root[root[index]]
            index = root[index]
        return index

    for link in links:
        a, b = find(link.source), find(link.target)
        root[max(a, b)] = min(a, b)
    pieces: dict[int, list[int]] = {}
    for index in range(len(parts)):
        pieces.setdefault(find(index), []).append(index)
    return sorted(pieces.values(), key=lambda piece: not any(parts[index].entry for index in piece))
