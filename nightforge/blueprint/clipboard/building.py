"""Builds one graph of the language from the raw objects of one graph of the editor."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from nightforge.blueprint.clipboard.definitions import Definitions, Header, header_pins
from nightforge.blueprint.clipboard.errors import ClipboardError
from nightforge.blueprint.clipboard.grouping import RawGraph
from nightforge.blueprint.clipboard.kinds import is_routing
from nightforge.blueprint.clipboard.linking import RawWire, Wiring, resolve, wired_pins
from nightforge.blueprint.clipboard.nodes import Built, build_node
from nightforge.blueprint.clipboard.objects import RawObject
from nightforge.blueprint.clipboard.pin_types import pin_type
from nightforge.blueprint.clipboard.tokens import unquote
from nightforge.blueprint.graph import Comment, Node, Wire

COMMENT_WIDTH, COMMENT_HEIGHT = 400.0, 100.0  # of a box that states none


@dataclass(slots=True)
class BuiltGraph:
    """A translated graph; `built` maps the index of a raw node to its translation, knots are left out."""

    raw: RawGraph
    wiring: Wiring
    built: dict[int, Built]
    nodes: tuple[Node, ...]
    wires: tuple[Wire, ...]
    comments: tuple[Comment, ...]
    header: Header | None

    def wire(self, raw: RawWire) -> Wire:
        """Return the wire of the program that a raw wire became, without its type tag."""
        source, target = self.built[raw.source[0]], self.built[raw.target[0]]
        pin = self.raw.nodes[raw.source[0]].pins[raw.source[1]]
        kind = "exec" if pin.is_exec else "data"
        names = source.pin_names[raw.source[1]], target.pin_names[raw.target[1]]
        return Wire(kind, source.node.id, names[0], target.node.id, names[1])  # type: ignore[arg-type]


def build_graph(
    raw: RawGraph, definitions: Definitions, notes: list[str], opaque: Set[str] = frozenset()
) -> BuiltGraph:
    """Translate a graph, the nodes with ids in `opaque` not by the catalog; ClipboardError for a bad link."""
    wiring = resolve(raw.nodes)
    notes += wiring.notes
    for (index, place), link in wiring.outside:
        node = raw.nodes[index]
        pin = node.pins[place]
        notes.append(f"{node.name}.{pin.name} is linked to {link.node}, which is not part of the text")
    header = header_pins(raw) if raw.kind != "graph" else None
    wired: dict[int, set[int]] = {}
    for index, place in wired_pins(wiring.wires):
        wired.setdefault(index, set()).add(place)
    built: dict[int, Built] = {}
    for index, node in enumerate(raw.nodes):
        if is_routing(node):
            continue
        node_id = f"n{len(built) + 1}"
        known = None if node_id in opaque else definitions.known(node, raw, header)
        built[index] = build_node(node, node_id, wired.get(index, set()), known)
    graph = BuiltGraph(
        raw, wiring, built, tuple(b.node for b in built.values()), (), _comments(raw, built), header
    )
    graph.wires = _wires(graph)
    return graph


def _wires(graph: BuiltGraph) -> tuple[Wire, ...]:
    """Return the wires in an order that does not hang on the order of pins: exec first, then by ends."""
    found: list[tuple[tuple[bool, int, str, int, str], Wire]] = []
    for raw in graph.wiring.wires:
        source = graph.raw.nodes[raw.source[0]].pins[raw.source[1]]
        target = graph.raw.nodes[raw.target[0]].pins[raw.target[1]]
        if source.is_exec != target.is_exec:
            message = f"{source.name} and {target.name} are linked, but only one of them is an exec pin"
            raise ClipboardError("CLIP107", message, source.line)
        wire = graph.wire(raw)
        if wire.kind == "data":
            tag = pin_type(source)
            wire = Wire("data", wire.source, wire.source_pin, wire.target, wire.target_pin, tag)
        key = (wire.kind == "data", raw.source[0], wire.source_pin, raw.target[0], wire.target_pin)
        found.append((key, wire))
    return tuple(wire for _, wire in sorted(found, key=lambda item: item[0]))


def _comments(raw: RawGraph, built: dict[int, Built]) -> tuple[Comment, ...]:
    """Return the comment boxes; a box holds the nodes whose upper left corner lies in it."""
    places = [(_corner(raw.nodes[index]), found.node.id) for index, found in built.items()]
    comments = []
    for box in raw.comments:
        left, top = _corner(box)
        right = left + box.number("NodeWidth", COMMENT_WIDTH)
        bottom = top + box.number("NodeHeight", COMMENT_HEIGHT)
        inside = [node for (x, y), node in places if left <= x <= right and top <= y <= bottom]
        comments.append(Comment(unquote(box.get("NodeComment") or ""), tuple(inside)))
    return tuple(comments)


def _corner(block: RawObject) -> tuple[float, float]:
    return block.number("NodePosX"), block.number("NodePosY")
