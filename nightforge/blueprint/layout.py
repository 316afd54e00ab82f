"""Where the nodes of a graph stand in the editor: events at the left, control to the right, no overlaps.

Lengths are editor units on the editor's grid of 16. Connected pieces of the graph stand one below the other,
nodes without any wire in rows below them. What a comment box holds is placed as one piece, so that the box
holds its nodes and no others; only boxes that cut into each other without one holding the other may.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nightforge.blueprint.faces import Face, graph_faces
from nightforge.blueprint.graph import Blueprint, Graph
from nightforge.blueprint.layers import Link, Part, arrange

PIECE_GAP = 64  # between connected pieces
SHELF_GAP, SHELF_WIDTH = 48, 1600  # between nodes without wires; how wide a row of them becomes
COMMENT_MARGIN, COMMENT_TITLE = 32, 48  # around the nodes of a comment box; above them
EMPTY_COMMENT = (400, 112)  # width and height of a comment box around nothing
MAX_NESTING = 32  # comment boxes inside each other; further ones are drawn around their nodes only

Corner = tuple[int, int]


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
    corners, _ = _place_cluster(_clusters(graph, faces), graph, faces)
    return {node_id: Box(*corners[node_id], face.width, face.height) for node_id, face in faces.items()}


def comment_box(boxes: Mapping[str, Box], nodes: Iterable[str]) -> Box | None:
    """Return the comment box around these nodes, or None where none of them has a box."""
    return _around([boxes[node_id] for node_id in nodes if node_id in boxes])


def comment_boxes(graph: Graph, boxes: Mapping[str, Box]) -> tuple[Box, ...]:
    """Return the box of every comment of a graph in order; a box inside another one keeps a margin to it.

    Comments around no node stand in a row below the graph.
    """
    members = [frozenset(comment.nodes) & boxes.keys() for comment in graph.comments]
    found: dict[int, Box] = {}
    for index in sorted(range(len(members)), key=lambda i: (len(members[i]), -i)):
        inner = [boxes[node_id] for node_id in members[index]]
        inner += [box for other, box in found.items() if members[other] <= members[index]]
        box = _around(inner)
        if box is not None:
            found[index] = box
    everything = [*boxes.values(), *found.values()]
    x = min((box.x for box in everything), default=0)
    y = max((box.bottom for box in everything), default=0) + PIECE_GAP
    for index in range(len(members)):
        if index not in found:
            found[index] = Box(x, y, *EMPTY_COMMENT)
            x += EMPTY_COMMENT[0] + SHELF_GAP
    return tuple(found[index] for index in range(len(members)))


def _around(inside: Sequence[Box]) -> Box | None:
    if not inside:
        return None
    left, top = min(box.x for box in inside), min(box.y for box in inside)
    right, bottom = max(box.right for box in inside), max(box.bottom for box in inside)
    margin = COMMENT_MARGIN
    width, height = right - left + 2 * margin, bottom - top + 2 * margin + COMMENT_TITLE
    return Box(left - margin, top - margin - COMMENT_TITLE, width, height)


@dataclass(slots=True)
class _Cluster:
    """Nodes that are placed as one piece, and the clusters among them; `boxes` counts the comments around."""

    ids: frozenset[str]
    boxes: int = 0
    inner: list[_Cluster] = field(default_factory=list)
    nesting: int = 0


def _clusters(graph: Graph, faces: Mapping[str, Face]) -> _Cluster:
    """Return all nodes as a tree of comment boxes; one that cuts into a larger one is left out."""
    root = _Cluster(frozenset(faces))
    sets = [frozenset(comment.nodes) & faces.keys() for comment in graph.comments]
    for ids in sorted(filter(None, sets), key=len, reverse=True):
        around = root
        while (deeper := next((c for c in around.inner if ids <= c.ids), None)) is not None:
            around = deeper
        if ids == around.ids and around.boxes:
            around.boxes += 1
        elif not any(ids & other.ids for other in around.inner) and around.nesting < MAX_NESTING:
            around.inner.append(_Cluster(ids, 1, nesting=around.nesting + 1))
    return root


def _place_cluster(
    cluster: _Cluster, graph: Graph, faces: Mapping[str, Face]
) -> tuple[dict[str, Corner], Corner]:
    """Return the corners of the nodes of a cluster, its width and height, with the margins of its boxes."""
    inner_of = {node_id: inner for inner in cluster.inner for node_id in inner.ids}
    item_of: dict[str, int] = {}
    offsets: dict[str, Corner] = {}
    parts: list[Part] = []
    for node_id, face in faces.items():
        if node_id not in cluster.ids or node_id in item_of:
            continue
        inner = inner_of.get(node_id)
        if inner is None:
            corners, part = {node_id: (0, 0)}, _part(face)
        else:
            corners, size = _place_cluster(inner, graph, faces)
            found = [_part(faces[member]) for member in inner.ids]
            part = Part(*size, any(p.entry for p in found), all(p.pure for p in found))
        offsets |= corners
        item_of |= dict.fromkeys(corners, len(parts))
        parts.append(part)
    corners_of = _pieces(parts, _links(graph, faces, item_of, offsets))
    margin, title = COMMENT_MARGIN * cluster.boxes, COMMENT_TITLE * cluster.boxes
    placed = {}
    for node_id, item in item_of.items():
        (x, y), (inner_x, inner_y) = corners_of[item], offsets[node_id]
        placed[node_id] = (x + inner_x + margin, y + inner_y + margin + title)
    width = max((corner[0] + part.width for corner, part in zip(corners_of, parts, strict=True)), default=0)
    height = max((corner[1] + part.height for corner, part in zip(corners_of, parts, strict=True)), default=0)
    return placed, (width + 2 * margin, height + 2 * margin + title)


def _part(face: Face) -> Part:
    pure = face.kind != "event" and not any(pin.is_exec for pin in face.inputs + face.outputs)
    return Part(face.width, face.height, face.kind == "event", pure)


def _links(
    graph: Graph, faces: Mapping[str, Face], item_of: Mapping[str, int], offsets: Mapping[str, Corner]
) -> list[Link]:
    """Return the wires between different items, those of one item in the order of its output pins."""
    links = []
    for wire in graph.wires:
        if wire.source in item_of and wire.target in item_of:
            source, target = item_of[wire.source], item_of[wire.target]
            if source != target:
                out_y = offsets[wire.source][1] + faces[wire.source].pin_y("output", wire.source_pin)
                in_y = offsets[wire.target][1] + faces[wire.target].pin_y("input", wire.target_pin)
                links.append(Link(source, target, wire.kind == "exec", out_y, in_y))
    return sorted(links, key=lambda link: (link.source, link.out_y))


def _pieces(parts: Sequence[Part], links: Sequence[Link]) -> list[Corner]:
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
