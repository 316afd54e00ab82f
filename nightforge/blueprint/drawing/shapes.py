"""The parts of a picture: nodes with their pins, wires, comment boxes, variables."""

from __future__ import annotations

from nightforge.blueprint.drawing.markup import element, text, words
from nightforge.blueprint.drawing.palette import pin_family
from nightforge.blueprint.faces import (
    PIN_ROOM,
    SUBTITLE,
    TITLE,
    VALUE_GAP,
    Face,
    FacePin,
    text_width,
)
from nightforge.blueprint.layout import COMMENT_TITLE, Box
from nightforge.blueprint.type_names import split_type

PIN_X = 14  # from the edge of a node to the middle of a pin
CORNER = 6
_ICONS = {
    "event": "M-6 0 L0 -6 L6 0 L0 6 Z",
    "flow": "M-6 0 H-1 L5 -5 M-1 0 L5 5",
    "variable": "M-5 -3 H5 M-5 3 H5",
    "opaque": "M-5 -5 H5 V5 H-5 Z",
}


def draw_node(node_id: str, face: Face, box: Box, prefix: str) -> str:
    """Draw one node with its title bar, pins and values; hovering names it in full."""
    parts = [words("title", f"{face.full_title} ({node_id})")]
    parts.append(
        element("rect", x=0, y=0, width=box.width, height=box.height, rx=CORNER, class_="bp-panel bp-edge")
    )
    if face.compact:
        if face.kind == "variable":
            parts.append(_bar(face, box, box.height, prefix, veil=True))
        if face.symbol:
            left, right = face.columns
            middle = (left + box.width - right) // 2
            parts.append(text(face.symbol, middle, box.height // 2 + 7, "bp-ink bp-symbol"))
    else:
        parts += [_bar(face, box, face.bar, prefix), *_titles(face)]
    for row, pin in enumerate(face.inputs):
        parts.append(_input(pin, face.row_y(row)))
    for row, pin in enumerate(face.outputs):
        parts.append(_output(pin, face.row_y(row), box.width))
    faded = "0.45" if face.disabled else None
    return element("g", *parts, transform=f"translate({box.x} {box.y})", opacity=faded)


def draw_wire(start: tuple[int, int], end: tuple[int, int], type_name: str | None, name: str) -> str:
    """Draw a wire as a Bezier curve that leaves to the right and arrives from the left."""
    (x1, y1), (x2, y2) = start, end
    ahead = x2 - x1
    reach = max(32, min(ahead // 2, 200)) if ahead >= 0 else min(96 - ahead // 4, 320)
    path = f"M{x1} {y1} C{x1 + reach} {y1} {x2 - reach} {y2} {x2} {y2}"
    return element("path", words("title", name), d=path, class_=f"bp-wire bp-{pin_family(type_name)}")


def draw_comment(message: str, box: Box) -> str:
    """Draw a comment box with as much of its text as two lines above its nodes hold."""
    shape: dict[str, str | int | None] = {"x": box.x, "y": box.y, "width": box.width, "rx": CORNER}
    lines = wrapped(message, box.width - 32, 14, 2)
    return element(
        "g",
        words("title", message),
        element("rect", **shape, height=box.height, class_="bp-comment bp-veil"),
        element("rect", **shape, height=COMMENT_TITLE, class_="bp-comment bp-veilbar"),
        element("rect", **shape, height=box.height, class_="bp-commentedge bp-line"),
        *(
            text(line, box.x + 16, box.y + (20 if len(lines) > 1 else 30) + 19 * row, "bp-ink bp-note")
            for row, line in enumerate(lines)
        ),
    )


def draw_pin(type_name: str | None, wired: bool, x: int, y: int) -> str:
    """Draw a pin: an arrow for control, a circle for a value, other signs for containers; full when wired."""
    family = pin_family(type_name)
    look = f"bp-pin bp-{family}" + ("" if wired else " bp-hollow")
    head, _ = split_type(type_name or "")
    if family == "exec":
        path = "M-5 -6 H0 L6 0 L0 6 H-5 Z"
    elif head == "Array":
        path = "".join(f"M{a} {b}h3v3h-3z" for a in (-6, -2, 2) for b in (-6, -2, 2))
    elif head in ("Set", "Map"):
        path = "".join(f"M-6 {b}h3v3h-3zM-1 {b}h7v3h-7z" for b in (-6, -2, 2))
    else:
        return element("circle", cx=x, cy=y, r=5, class_=look, stroke_width=2)
    move = f"translate({x} {y})"
    width = 2 if family == "exec" else 1
    return element("path", d=path, transform=move, class_=look, stroke_width=width, stroke_linejoin="round")


def wrapped(message: str, width: int, size: int, most: int) -> list[str]:
    """Break a text into lines of that width; what does not fit into the last one ends in `…`."""
    lines: list[str] = [""]
    for word in message.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_width(longer, size) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    cut = lines[:most]
    if len(lines) > most or text_width(cut[-1], size) > width:
        while cut[-1] and text_width(cut[-1] + "…", size) > width:
            cut[-1] = cut[-1][:-1]
        cut[-1] += "…"
    return cut


def _bar(face: Face, box: Box, height: int, prefix: str, veil: bool = False) -> str:
    wide, low = box.width, 0 if height < box.height else CORNER
    path = f"M0 {height - low} V{CORNER} Q0 0 {CORNER} 0 H{wide - CORNER} Q{wide} 0 {wide} {CORNER}"
    path += f" V{height - low} Q{wide} {height} {wide - low} {height} H{low} Q0 {height} 0 {height - low} Z"
    return element("path", d=path, fill=f"url(#{prefix}-{face.kind})", fill_opacity="0.45" if veil else None)


def _titles(face: Face) -> list[str]:
    icon = _ICONS.get(face.kind)
    marks: dict[str, str | int | None] = {
        "transform": "translate(18 16)",
        "fill": "none",
        "stroke": "#fff",
        "stroke_width": 2,
    }
    parts = [element("path", d=icon, **marks) if icon else text("ƒ", 13, 21, "bp-title")]
    parts.append(text(face.title, 34, 21, "bp-title"))
    if face.subtitle:
        parts.append(text(face.subtitle, 34, TITLE + SUBTITLE - 11, "bp-subtitle"))
    return parts


def _input(pin: FacePin, y: int) -> str:
    parts = [_stub(pin, 0, y), draw_pin(pin.type, pin.wired, PIN_X, y)]
    if pin.label:
        parts.append(text(pin.label, PIN_ROOM, y + 5, "bp-ink"))
    if pin.value is not None:
        parts.append(_value(pin, PIN_ROOM + (text_width(pin.label) + VALUE_GAP if pin.label else 0), y))
    return element("g", *parts)


def _output(pin: FacePin, y: int, width: int) -> str:
    parts = [_stub(pin, width, y), draw_pin(pin.type, pin.wired, width - PIN_X, y)]
    if pin.label:
        parts.append(text(pin.label, width - PIN_ROOM, y + 5, "bp-ink bp-end"))
    return element("g", *parts)


def _stub(pin: FacePin, edge: int, y: int) -> str:
    """Lead a wire from the edge of the node to its pin."""
    if not pin.wired:
        return ""
    inner = PIN_X - 5 if edge == 0 else edge - PIN_X + 5
    return element("path", d=f"M{edge} {y} H{inner}", class_=f"bp-wire bp-{pin_family(pin.type)}")


def _value(pin: FacePin, x: int, y: int) -> str:
    """Draw the value set on an input: a box to tick for a Bool, otherwise its text in a box."""
    full = words("title", f"{pin.name} = {pin.written}")
    look = "bp-box bp-boxedge"
    box: dict[str, str | int | None] = {"x": x, "y": y - 9, "height": 18, "rx": 3, "class_": look}
    if isinstance(pin.value, bool):
        tick = element("path", d=f"M{x + 4} {y} l4 4 l7 -8", class_="bp-mark bp-wire bp-exec")
        return element("g", full, element("rect", width=18, **box), tick if pin.value else "")
    shown = pin.shown_value
    width = text_width(shown, 12) + 12
    return element(
        "g", full, element("rect", width=width, **box), text(shown, x + 6, y + 4, "bp-ink bp-value")
    )
