"""Writes programs as the text the editor takes by paste: a node is an object, a pin a line with its links.

The same program gives the same text: GUIDs are hashes of document, node and pin. What a paste can't carry,
variables and the parent class above all, `create_first` lists in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nightforge.blueprint.catalog import EXEC, load_catalog
from nightforge.blueprint.clipboard.conversions import conversion_guid, with_conversions
from nightforge.blueprint.clipboard.objects import COMMENT_CLASS
from nightforge.blueprint.clipboard.tokens import quoted
from nightforge.blueprint.clipboard.writer_nodes import WrittenNode, written_node
from nightforge.blueprint.clipboard.writer_pins import GraphPins, WrittenPin, guid
from nightforge.blueprint.clipboard.writer_places import Places, place_graph
from nightforge.blueprint.graph import Blueprint, Comment, Graph, PinSpec
from nightforge.blueprint.layout import Box
from nightforge.blueprint.node_types import Definitions
from nightforge.blueprint.pin_types import PinTypes
from nightforge.blueprint.printer import to_text, value_text
from nightforge.core.errors import InputError

COMMENT_PATH = f"/Script/UnrealEd.{COMMENT_CLASS}"
FOLDER = "/Game"
GRAPH_GAP = 256  # between the graphs of one text, so that a paste of all of them does not overlap
_NO_OBJECT_NAME = re.compile(r"[\s\"'.,:/\\|&!~@#(){}\[\]=;^%$`]")  # what no name of the engine may hold
_INDENT = "   "


@dataclass(frozen=True, slots=True)
class WrittenText:
    """A clipboard text with the number of its nodes, comment boxes and links as the editor counts them.

    conversions: those of the nodes that stand for a part of a wire; each splits its wire in two.
    """

    text: str
    nodes: int
    comments: int
    links: int
    conversions: int


@dataclass(slots=True)
class _Names:
    """Gives each object a name by the counter of its class."""

    counts: dict[str, int]

    def next(self, class_path: str) -> str:
        short = class_path.rpartition(".")[2]
        self.counts[short] = self.counts.get(short, -1) + 1
        return f"{short}_{self.counts[short]}"


def to_clipboard(bp: Blueprint) -> str:
    """Return the text of all graphs, one behind the other; InputError where a node or pin is unknown."""
    return write_graphs(bp, bp.graphs).text


def graph_texts(bp: Blueprint) -> dict[str, str]:
    """Return the text of each graph by name, to paste them one by one; InputError as to_clipboard."""
    return {graph.name: write_graphs(bp, [graph]).text for graph in bp.graphs}


def write_graphs(bp: Blueprint, graphs: Sequence[Graph]) -> WrittenText:
    """Write some graphs of a program; InputError names the node, pin or wire that can't be written."""
    asset = asset_path(bp)
    key = guid(to_text(bp))
    definitions = Definitions.of(bp)
    names = _Names({})
    lines: list[str] = []
    sums = [0, 0, 0, 0]
    y = 0
    for graph in graphs:
        _refuse_repeated(graph)
        widened, conversions = with_conversions(bp, graph)
        scope = GraphPins(widened, PinTypes(bp, widened, definitions), guid(key, graph.name))
        nodes = _nodes(scope, asset, names, conversions)
        places = place_graph(bp, widened, conversions).lower(y)
        place = f"{asset}:{object_name(graph.name)}"
        for comment, box in zip(graph.comments, places.comments, strict=True):
            lines += _comment_lines(comment, box, names.next(COMMENT_PATH), place, scope.key)
        for node in nodes:
            lines += _node_lines(node, places, place)
        y = places.bottom + GRAPH_GAP
        for index, count in enumerate(
            (len(nodes), len(graph.comments), len(widened.wires), len(conversions))
        ):
            sums[index] += count
    return WrittenText("\n".join(lines) + "\n", *sums)


def asset_path(bp: Blueprint) -> str:
    """Return the path that ExportPath names: the folder is not known, the name is the program's."""
    name = object_name(bp.name)
    return f"{FOLDER}/{name}.{name}"


def object_name(name: str) -> str:
    """Return a name as the engine allows it; graphs may hold blanks."""
    return _NO_OBJECT_NAME.sub(lambda match: " " if match[0] == " " else "_", name)


def create_first(bp: Blueprint) -> list[str]:
    """Return what must exist before the paste, one line for each thing: parent class, variables, functions.

    The clipboard carries nodes alone; they refer to all this by name.
    """
    found = [f"Blueprint {bp.name} with parent class {bp.parent}"]
    for variable in bp.variables:
        default = "" if variable.default is None else f", default {value_text(variable.default)}"
        found.append(f"variable {variable.name} of type {variable.type}{default}")
    for graph in bp.graphs:
        if graph.kind != "graph":
            found.append(
                f"{graph.kind} {graph.name}{_header_words(graph.pins)}, then paste its nodes into it"
            )
        elif graph.name != "EventGraph":
            found.append(f"event graph {graph.name}")
    found += _assets(bp)
    return found


def _assets(bp: Blueprint) -> Iterator[str]:
    """Yield the project classes that nodes name without a folder: the editor must find them by name."""
    types = load_catalog().types
    names: dict[str, None] = {}
    for node in bp.nodes():
        node_type = load_catalog().lookup(node.type)
        for name, value in node.properties:
            role = node_type.role(name) if node_type else ""
            if role in ("class", "asset") and isinstance(value, str) and types.path(value) is None:
                names[value] = None
    yield from (f"asset {name}; choose it on the node if the editor does not find it" for name in names)


def _header_words(pins: Sequence[PinSpec]) -> str:
    sides = (
        (word, [f"{pin.name} ({pin.type})" for pin in pins if pin.direction == side])
        for word, side in (("inputs", "in"), ("outputs", "out"))
    )
    shown = [f"{word} {', '.join(names)}" for word, names in sides if names]
    return f" with {' and '.join(shown)}" if shown else ""


def _refuse_repeated(graph: Graph) -> None:
    seen: set[str] = set()
    for node in graph.nodes:
        if node.id in seen:
            raise InputError(f"graph {graph.name}: node id {node.id!r} is used twice", next_command=_CHECK)
        seen.add(node.id)


_CHECK = "python scripts/06_validate_dsl.py FILE"


def _nodes(scope: GraphPins, asset: str, names: _Names, conversions: frozenset[str]) -> list[WrittenNode]:
    """Return the objects of a graph with names, guids and links."""
    nodes: dict[str, WrittenNode] = {}
    for node in scope.graph.nodes:
        made = written_node(node, scope, asset)
        if made is None:
            message = f"graph {scope.graph.name}: node {node.id} has the unknown type {node.type!r}"
            raise InputError(message, next_command=_CHECK)
        made.name = names.next(made.class_path)
        is_ours = node.id in conversions
        made.body["NodeGuid"] = (
            conversion_guid(pin.id for pin in made.pins) if is_ours else guid(scope.key, node.id, "node")
        )
        nodes[node.id] = made
    for wire in scope.graph.wires:
        source = _end(nodes, wire.source, wire.source_pin, True, scope.graph)
        target = _end(nodes, wire.target, wire.target_pin, False, scope.graph)
        if (source.type.category == EXEC) != (wire.kind == "exec"):
            message = f"graph {scope.graph.name}: {wire.source}.{wire.source_pin} is no {wire.kind} pin"
            raise InputError(message, next_command=_CHECK)
        source.links.append((nodes[wire.target].name, target.id))
        target.links.append((nodes[wire.source].name, source.id))
    return list(nodes.values())


def _end(nodes: dict[str, WrittenNode], node_id: str, name: str, is_output: bool, graph: Graph) -> WrittenPin:
    node = nodes.get(node_id)
    pin = node.pin(name, is_output) if node is not None else None
    if pin is None:
        side = "output" if is_output else "input"
        what = f"node {node_id} has no {side} pin {name!r}" if node else f"there is no node {node_id!r}"
        raise InputError(f"graph {graph.name}: a wire is wrong: {what}", next_command=_CHECK)
    return pin


def _node_lines(node: WrittenNode, places: Places, graph: str) -> Iterator[str]:
    yield _header(node.class_path, node.name, graph)
    yield from (_INDENT + line for line in node.inner)
    identity = node.body.pop("NodeGuid")
    yield from (f"{_INDENT}{key}={value}" for key, value in node.body.items())
    yield from _position(places.nodes[node.id])
    yield f"{_INDENT}NodeGuid={identity}"
    yield from (_INDENT + pin.line(node.name) for pin in node.pins)
    yield from (_INDENT + line for line in node.lines)
    yield "End Object"


def _comment_lines(comment: Comment, box: Box, name: str, graph: str, key: str) -> Iterator[str]:
    yield _header(COMMENT_PATH, name, graph)
    yield from _position(box)
    yield f"{_INDENT}NodeWidth={box.width}"
    yield f"{_INDENT}NodeHeight={box.height}"
    yield f"{_INDENT}NodeComment={quoted(comment.text)}"
    yield f"{_INDENT}NodeGuid={guid(key, name)}"
    yield "End Object"


def _header(class_path: str, name: str, graph: str) -> str:
    return f'Begin Object Class={class_path} Name="{name}" ExportPath="{class_path}\'{graph}.{name}\'"'


def _position(box: Box) -> Iterator[str]:
    """Yield the place; the editor leaves a zero out."""
    if box.x:
        yield f"{_INDENT}NodePosX={box.x}"
    if box.y:
        yield f"{_INDENT}NodePosY={box.y}"
