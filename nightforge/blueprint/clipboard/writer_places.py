"""Where the written nodes and comment boxes of a graph stand.

The editor keeps no list of a comment's nodes: a box holds the nodes whose upper left corner lies in it. So
a box must hold just the nodes of its comment. Where the layout of the whole graph has other nodes in between,
the nodes are laid out in groups of the same comments, side by side, and each box runs over a row of groups.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from nightforge.blueprint.graph import Blueprint, Comment, Graph
from nightforge.blueprint.layout import COMMENT_MARGIN, COMMENT_TITLE, Box, comment_box, layout

GROUP_GAP = 3 * COMMENT_MARGIN + COMMENT_TITLE  # between groups, and between nested boxes at most two margins
EMPTY_BOX = (256, 128)  # width and height of a comment around nothing
MAX_GROUPS = 400
MAX_ORDERS = 2000  # orders of groups that are tried before boxes may hold other nodes too


@dataclass(frozen=True, slots=True)
class Places:
    """The box of every node by id, and one for each comment in order."""

    nodes: dict[str, Box]
    comments: tuple[Box, ...]

    @property
    def bottom(self) -> int:
        """Return the lowest edge."""
        return max((box.bottom for box in (*self.nodes.values(), *self.comments)), default=0)

    def lower(self, y: int) -> Places:
        """Return the same places, further down."""
        nodes = {name: replace(box, y=box.y + y) for name, box in self.nodes.items()}
        return Places(nodes, tuple(replace(box, y=box.y + y) for box in self.comments))


def place_graph(bp: Blueprint, graph: Graph, ignored: frozenset[str] = frozenset()) -> Places:
    """Place the nodes and comment boxes of a graph; the nodes `ignored` may stand in any box."""
    boxes = layout(bp, graph)
    places = _with_comments(graph.comments, boxes)
    if _boxes_are_right(graph.comments, places, ignored):
        return places
    groups = _groups(graph, ignored)
    order = _order(list(groups), boxes, groups)
    if order is None:
        return places
    moved: dict[str, Box] = {}
    x = 0
    for key in order:
        inside = set(groups[key])
        part = replace(
            graph,
            nodes=tuple(node for node in graph.nodes if node.id in inside),
            wires=tuple(wire for wire in graph.wires if wire.source in inside and wire.target in inside),
            comments=(),
        )
        found = layout(bp, part)
        left, top = min(box.x for box in found.values()), min(box.y for box in found.values())
        moved |= {name: replace(box, x=box.x - left + x, y=box.y - top) for name, box in found.items()}
        x = max(moved[name].right for name in groups[key]) + GROUP_GAP
    return _with_comments(graph.comments, {name: moved[name] for name in boxes})


def _with_comments(comments: Sequence[Comment], boxes: dict[str, Box]) -> Places:
    """Draw a box around the nodes of each comment; one that holds all of another has a wider margin."""
    found: list[Box] = []
    y = max((box.bottom for box in boxes.values()), default=0) + GROUP_GAP
    for comment in comments:
        box = comment_box(boxes, comment.nodes)
        if box is None:
            box, y = Box(0, y, *EMPTY_BOX), y + EMPTY_BOX[1] + COMMENT_MARGIN
        found.append(box)
    return Places(boxes, tuple(found))


def _boxes_are_right(comments: Sequence[Comment], places: Places, ignored: frozenset[str]) -> bool:
    for comment, box in zip(comments, places.comments, strict=True):
        inside = {
            name
            for name, node in places.nodes.items()
            if box.x <= node.x <= box.right and box.y <= node.y <= box.bottom
        }
        if inside - ignored != set(comment.nodes) & set(places.nodes) - ignored:
            return False
    return True


def _groups(graph: Graph, ignored: frozenset[str]) -> dict[frozenset[int], list[str]]:
    """Group the nodes by the comments that hold them; an ignored node joins the node it comes from."""
    member: dict[str, set[int]] = {}
    for index, comment in enumerate(graph.comments):
        for name in comment.nodes:
            member.setdefault(name, set()).add(index)
    source = {wire.target: wire.source for wire in graph.wires if wire.target in ignored}
    groups: dict[frozenset[int], list[str]] = {}
    for node in graph.nodes:
        groups.setdefault(frozenset(member.get(source.get(node.id, node.id), ())), []).append(node.id)
    return groups


def _order(
    keys: list[frozenset[int]],
    boxes: dict[str, Box],
    groups: dict[frozenset[int], list[str]],
) -> list[frozenset[int]] | None:
    """Return an order in which the groups of every comment are neighbours, as they lie now where possible."""
    keys.sort(key=lambda key: (sum(boxes[name].x for name in groups[key]) / len(groups[key]), sorted(key)))
    budget = MAX_ORDERS

    def extend(done: list[frozenset[int]], left: list[frozenset[int]]) -> list[frozenset[int]] | None:
        nonlocal budget
        budget -= 1
        if not left or budget < 0:
            return done if not left else None
        started = {index for key in done for index in key}
        waiting = {index for key in left for index in key}
        # a comment that has begun and has groups to come must go on in the very next group
        open_now = started & waiting
        for place, key in enumerate(left):
            if open_now <= key:
                found = extend([*done, key], left[:place] + left[place + 1 :])
                if found is not None:
                    return found
        return None

    return extend([], keys) if len(keys) <= MAX_GROUPS else None
