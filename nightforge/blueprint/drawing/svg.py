"""Draws graphs as one SVG picture: no script, no font from elsewhere, every text escaped."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from nightforge.blueprint.drawing.markup import element, text, words
from nightforge.blueprint.drawing.palette import BAR_COLOURS, style
from nightforge.blueprint.drawing.shapes import draw_comment, draw_node, draw_pin, draw_wire
from nightforge.blueprint.faces import GRID, graph_faces, on_grid, shortened, text_width
from nightforge.blueprint.graph import Blueprint, Graph, Variable
from nightforge.blueprint.layout import Box, comment_boxes, place
from nightforge.blueprint.printer import to_text, value_text
from nightforge.core.errors import InputError

MARGIN = 48
HEAD = 48  # the line with the name of a graph
CHIP, CHIP_GAP = 32, 16  # height of a line of variables; between two of them
LEAST_WIDTH = 640
MAX_HEAD = 96  # characters of a heading


@dataclass(frozen=True, slots=True)
class _Picture:
    """A drawn graph that begins at (0, 0)."""

    markup: str
    width: int
    height: int


def to_svg(bp: Blueprint, graph: str | None = None) -> str:
    """Return a picture of one graph, or of all graphs one below the other, as SVG text.

    Raises InputError where the program has no graph of that name.
    """
    chosen = [entry for entry in bp.graphs if graph in (None, entry.name)]
    if not chosen:
        names = ", ".join(entry.name for entry in bp.graphs)
        raise InputError(f"{bp.name} has no graph {graph!r}", next_command=f"name one of: {names}")
    prefix = "bp" + hashlib.blake2b(to_text(bp).encode("utf-8", "replace"), digest_size=4).hexdigest()
    pictures = [_draw_graph(bp, entry, prefix) for entry in chosen]
    title = shortened(f"{bp.name} : {bp.parent}", MAX_HEAD)
    heads = [text_width(title, 20), *(text_width(_heading(entry), 14) for entry in chosen)]
    width = on_grid(max(LEAST_WIDTH, *heads, *(picture.width for picture in pictures)) + 2 * MARGIN)
    parts = [text(title, MARGIN, MARGIN - 4, "bp-ink bp-head")]
    chips, y = _draw_variables(bp.variables, width - MARGIN, MARGIN + 16)
    parts += chips
    for entry, picture in zip(chosen, pictures, strict=True):
        parts.append(text(_heading(entry), MARGIN, y + 20, "bp-soft bp-note"))
        parts.append(element("g", picture.markup, transform=f"translate({MARGIN} {y + HEAD})"))
        y = on_grid(y + HEAD + picture.height + MARGIN)
    return _document(bp, chosen, prefix, parts, width, y)


def _draw_graph(bp: Blueprint, graph: Graph, prefix: str) -> _Picture:
    """Draw wires below nodes, so that no wire hides what a node says."""
    faces = graph_faces(bp, graph)
    boxes = place(graph, faces)
    frames = comment_boxes(graph, boxes)
    around = sorted(
        zip(graph.comments, frames, strict=True), key=lambda pair: -pair[1].width * pair[1].height
    )
    comments = [draw_comment(comment.text, frame) for comment, frame in around]
    nodes = [draw_node(node_id, face, boxes[node_id], prefix) for node_id, face in faces.items()]
    wires = []
    for wire in graph.wires:
        if wire.source in boxes and wire.target in boxes:
            start, end = boxes[wire.source], boxes[wire.target]
            out, into = faces[wire.source], faces[wire.target]
            kind = "exec" if wire.kind == "exec" else out.pin_type("output", wire.source_pin) or wire.type
            name = f"{out.title}.{wire.source_pin} -> {into.title}.{wire.target_pin}"
            leave = (start.right, start.y + out.pin_y("output", wire.source_pin))
            wires.append(draw_wire(leave, (end.x, end.y + into.pin_y("input", wire.target_pin)), kind, name))
    return _moved([*comments, *wires, *nodes], [*boxes.values(), *frames])


def _moved(parts: list[str], boxes: Sequence[Box]) -> _Picture:
    """Move what was drawn so that it begins at (0, 0)."""
    left, top = min((box.x for box in boxes), default=0), min((box.y for box in boxes), default=0)
    right, bottom = (
        max((box.right for box in boxes), default=0),
        max((box.bottom for box in boxes), default=0),
    )
    return _Picture(element("g", *parts, transform=f"translate({-left} {-top})"), right - left, bottom - top)


def _draw_variables(variables: Sequence[Variable], right: int, y: int) -> tuple[list[str], int]:
    """Write the variables in lines with the colours of their types; returns where the next thing begins."""
    parts: list[str] = []
    x = MARGIN
    for variable in variables:
        default = "" if variable.default is None else f" = {value_text(variable.default)}"
        label = shortened(f"{variable.name}: {_short_type(variable.type)}{default}")
        width = 20 + text_width(label) + CHIP_GAP
        if x > MARGIN and x + width > right:
            x, y = MARGIN, y + CHIP
        parts.append(draw_pin(variable.type, True, x + 6, y + 8))
        parts.append(text(label, x + 20, y + 13, "bp-ink"))
        x += width
    return parts, y + CHIP if variables else y


def _heading(graph: Graph) -> str:
    """Return the name of a graph, of a function with what goes in and out."""
    if graph.kind == "graph":
        return shortened(graph.name, MAX_HEAD)
    sides = [
        ", ".join(f"{pin.name}: {_short_type(pin.type)}" for pin in graph.pins if pin.direction == side)
        for side in ("in", "out")
    ]
    out = f" -> {sides[1]}" if sides[1] else ""
    return shortened(f"{graph.kind.title()} {graph.name} ({sides[0]}){out}", MAX_HEAD)


def _short_type(type_name: str) -> str:
    """Return a type with `BoxSpace` for a part such as `"/Script/X.ScriptStruct'/Script/X.BoxSpace'"`."""
    return re.sub(r'"[^"]*[./]([^"./\']+)\'?"', r"\1", type_name)


def _document(
    bp: Blueprint, graphs: Sequence[Graph], prefix: str, parts: Sequence[str], width: int, height: int
) -> str:
    counts = [f"{g.name}: {len(g.nodes)} nodes, {len(g.wires)} wires" for g in graphs]
    bars = [
        element(
            "linearGradient",
            element("stop", offset=0, stop_color=start),
            element("stop", offset=1, stop_color=end),
            id=f"{prefix}-{kind}",
        )
        for kind, (start, end) in BAR_COLOURS.items()
    ]
    lines = element("path", d=f"M{2 * GRID} 0H0V{2 * GRID}", class_="bp-grid bp-line")
    pattern = element(
        "pattern",
        lines,
        id=f"{prefix}-grid",
        width=2 * GRID,
        height=2 * GRID,
        patternUnits="userSpaceOnUse",
    )
    return (
        element(
            "svg",
            words("title", f"{bp.name}: {', '.join(graph.name for graph in graphs)}", id=f"{prefix}-title"),
            words("desc", "; ".join(counts), id=f"{prefix}-desc"),
            element("style", style()),
            element("defs", *bars, pattern),
            element("rect", width=width, height=height, class_="bp-ground"),
            element("rect", width=width, height=height, fill=f"url(#{prefix}-grid)"),
            *parts,
            xmlns="http://www.w3.org/2000/svg",
            width=width,
            height=height,
            viewBox=f"0 0 {width} {height}",
            class_="bp",
            role="img",
            aria_labelledby=f"{prefix}-title {prefix}-desc",
        )
        + "\n"
    )
