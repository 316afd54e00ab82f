"""What a node shows: its title, its pins at the left and at the right, the values set on its inputs.

Layout and pictures share this, so that a box is as large as what is drawn into it. Lengths are editor units,
which are pixels at a zoom of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from nightforge.blueprint.catalog import EXEC, NodeType, Pin
from nightforge.blueprint.graph import Blueprint, Graph, Node, Struct, Value
from nightforge.blueprint.pin_types import PinTypes
from nightforge.blueprint.printer import value_text

GRID = 16
TITLE, SUBTITLE = 32, 16  # heights of the title bar and of the line below the title
ROW, PIN_MIDDLE, BELOW = 24, 20, 12  # a line of pins; the middle of the first below the bar; below the last
PIN_ROOM, COLUMN_GAP, VALUE_GAP = 28, 24, 8  # beside a pin; between inputs and outputs; before a value
MAX_TEXT = 32  # characters of a title, label or value that are shown
SYMBOL_WIDTH = 40

Side = Literal["input", "output"]
Kind = Literal["event", "function", "pure", "flow", "variable", "opaque"]

# The operation or function of an operator in the engine, and the sign that the editor draws for it.
_SYMBOLS = {
    "Add": "+",
    "Subtract": "−",
    "Multiply": "×",
    "Divide": "÷",
    "Greater": ">",
    "Less": "<",
    "GreaterEqual": "≥",
    "LessEqual": "≤",
    "EqualEqual": "==",
    "NotEqual": "!=",
    "BooleanAND": "AND",
    "BooleanOR": "OR",
}
_OWN_NAMES = ("event", "event_definition", "function", "macro", "member")  # roles that give a node its title
_MEMBER, _OBJECT = re.compile(r'MemberName="([^"]+)"'), re.compile(r"'[^']*[.:/]([^.:/']+)'")
OPAQUE = "opaque"  # the category of nodes that the catalog does not know
_NARROW, _WIDE = frozenset("iljtf.,:;'|!I()[]/ \""), frozenset("mwMW@%")


@dataclass(frozen=True, slots=True)
class FacePin:
    """A pin as shown: `type` is "exec", a type of the language, or None where it cannot be known."""

    name: str
    label: str
    type: str | None
    wired: bool
    value: Value | None = None  # set in the program; inputs only

    @property
    def is_exec(self) -> bool:
        """Say whether the pin carries control."""
        return self.type == EXEC

    @property
    def written(self) -> str:
        """Return the value as the language writes it; empty where none is set."""
        return value_text(self.value) if self.value is not None else ""

    @property
    def shown_value(self) -> str:
        """Return the value as it fits into its box: texts without quotes, structs without brackets."""
        if isinstance(self.value, Struct):
            fields = (f"{name} {_short_number(field)}" for name, field in self.value.fields)
            return shortened(", ".join(fields))
        return shortened(self.value) if isinstance(self.value, str) else shortened(self.written)


@dataclass(frozen=True, slots=True)
class Face:
    """All that is drawn of one node; `symbol` is the sign of a compact operator, which has no title bar."""

    title: str
    subtitle: str
    kind: Kind
    inputs: tuple[FacePin, ...]
    outputs: tuple[FacePin, ...]
    symbol: str = ""
    compact: bool = False
    full_title: str = ""  # title and what it is about, uncut
    disabled: bool = False  # the editor keeps the node but does not run it

    @property
    def bar(self) -> int:
        """Return the height of the title bar; compact nodes have none."""
        return 0 if self.compact else TITLE + (SUBTITLE if self.subtitle else 0)

    @property
    def columns(self) -> tuple[int, int]:
        """Return the widths of the inputs at the left and the outputs at the right."""
        left = max((_input_width(pin) for pin in self.inputs), default=0)
        return left, max((PIN_ROOM + text_width(pin.label) for pin in self.outputs), default=0)

    @property
    def width(self) -> int:
        """Return the width that holds the title and both columns of pins, on the grid."""
        left, right = self.columns
        middle = max(SYMBOL_WIDTH, text_width(self.symbol) * 2) if self.symbol else COLUMN_GAP
        pins = left + right + (middle if (left and right) or self.symbol else COLUMN_GAP // 2)
        titles = (text_width(self.title, 14), text_width(self.subtitle, 11))
        return on_grid(max(pins, 0 if self.compact else max(titles) + 56, 64))

    @property
    def height(self) -> int:
        """Return the height of the bar and the longer column of pins, on the grid."""
        rows = max(len(self.inputs), len(self.outputs))
        below = 8 if self.compact else BELOW
        return on_grid(self.bar + rows * ROW + (below if rows else 0))

    def pin_y(self, side: Side, name: str) -> int:
        """Return how far below the top of the node the middle of a pin is; the first one's where unknown."""
        pins = self.inputs if side == "input" else self.outputs
        return self.row_y(next((row for row, pin in enumerate(pins) if pin.name == name), 0))

    def pin_type(self, side: Side, name: str) -> str | None:
        """Return the type of a pin, or None where it is unknown."""
        pins = self.inputs if side == "input" else self.outputs
        return next((pin.type for pin in pins if pin.name == name), None)

    def row_y(self, row: int) -> int:
        """Return how far below the top of the node the middle of a row of pins is."""
        return self.bar + PIN_MIDDLE + row * ROW - (4 if self.compact else 0)


def graph_faces(bp: Blueprint, graph: Graph) -> dict[str, Face]:
    """Return the face of every node by id; of a repeated id the first node counts."""
    types = PinTypes(bp, graph)
    wired: dict[tuple[str, Side], dict[str, str | None]] = {}
    for wire in graph.wires:
        kind = EXEC if wire.kind == "exec" else wire.type
        wired.setdefault((wire.source, "output"), {})[wire.source_pin] = kind
        wired.setdefault((wire.target, "input"), {})[wire.target_pin] = kind
    faces: dict[str, Face] = {}
    for node in graph.nodes:
        if node.id not in faces:
            inputs = _pins(node, "input", types, wired.get((node.id, "input"), {}))
            outputs = _pins(node, "output", types, wired.get((node.id, "output"), {}))
            face = _face(node, types.types[node.id], inputs, outputs)
            faces[node.id] = replace(face, disabled=node.get("@EnabledState") == "Disabled")
    return faces


def text_width(text: str, size: int = 13) -> int:
    """Estimate how wide a text is in a sans-serif font of that size; a little more rather than less."""
    units = 0.0
    for letter in text:
        if letter in _NARROW:
            units += 0.38
        elif letter in _WIDE:
            units += 0.9
        elif ord(letter) > 0x2E80:
            units += 1.05
        else:
            units += 0.7 if letter.isupper() else 0.62
    return round(units * size)


def shortened(text: str, most: int = MAX_TEXT) -> str:
    """Return a text as it is shown: at most so many characters on one line."""
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "…"


def on_grid(length: float) -> int:
    """Round a length up to the editor's grid."""
    return -int(-length // GRID) * GRID


def spaced(name: str) -> str:
    """Write a name as the editor shows it: `PrintString` as `Print String`, `bLooping` as `Looping`."""
    name = re.sub(r"^b(?=[A-Z])", "", name.rpartition(".")[2])
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.replace("_", " ")).strip()


def _face(
    node: Node, node_type: NodeType | None, inputs: tuple[FacePin, ...], outputs: tuple[FacePin, ...]
) -> Face:
    kind = _kind(node_type, inputs, outputs)
    event = node.type.startswith("Event_")
    title = spaced(node.type.removeprefix("Event_").rpartition("K2Node_")[2])
    title = f"Event {title}" if event and "Event" not in title else title
    own, role = _named(node, node_type)
    full = f"{title}: {own}" if own else title
    if role == "variable":
        if not inputs and len(outputs) == 1:
            pin = replace(outputs[0], label=shortened(own))
            return Face(shortened(own), "", "variable", (), (pin,), compact=True, full_title=full)
        shown = shortened(f"Set {own}" if any(pin.is_exec for pin in inputs) else own)
        return Face(shown, "", "variable", inputs, outputs, full_title=full)
    symbol = _symbol(node_type)
    if symbol and not any(pin.is_exec for pin in inputs):
        bare = tuple(replace(pin, label="") for pin in inputs)
        results = tuple(replace(pin, label="") for pin in outputs)
        return Face(title, "", kind, bare, results, symbol, compact=True, full_title=full)
    if role in _OWN_NAMES:
        return Face(shortened(own), shortened(title), kind, inputs, outputs, full_title=full)
    return Face(shortened(title), shortened(own), kind, inputs, outputs, full_title=full)


def _kind(node_type: NodeType | None, inputs: tuple[FacePin, ...], outputs: tuple[FacePin, ...]) -> Kind:
    if node_type is None or node_type.category == OPAQUE:
        return "opaque"
    if node_type.kind == "event":
        return "event"
    if not any(pin.is_exec for pin in inputs + outputs):
        return "pure"
    return "flow" if node_type.kind == "macro" or node_type.category == "flow" else "function"


def _symbol(node_type: NodeType | None) -> str:
    if node_type is None:
        return ""
    return _SYMBOLS.get(node_type.unreal.operation or node_type.unreal.function, "")


def _named(node: Node, node_type: NodeType | None) -> tuple[str, str]:
    """Return the name of what the node is about, and its role; empty without one.

    Known nodes have a property for it, opaque ones the member or the object that a body key refers to.
    """
    for entry in node_type.properties if node_type else ():
        value = node.get(entry.name)
        if isinstance(value, str) and value:
            return value, entry.role
    for name, value in node.properties:
        if name.startswith("@") and isinstance(value, str):
            member, thing = _MEMBER.search(value), _OBJECT.search(value)
            if member:
                return spaced(member[1]), "member"
            if thing:
                return thing[1], "object"
    return "", ""


def _pins(node: Node, side: Side, types: PinTypes, wired: dict[str, str | None]) -> tuple[FacePin, ...]:
    """Return the pins of one side: those of the catalog in order, then what only wires and values name."""
    node_type = types.types[node.id]
    listed = (node_type.inputs if side == "input" else node_type.outputs) if node_type else ()
    values = {name: value for name, value in node.properties if not name.startswith("@")}
    if side == "output":
        values = {}
    elif node_type is not None:
        values = {name: value for name, value in values.items() if node_type.declared(name) is None}
    found: dict[str, str | None] = {}
    for pin in listed:
        if pin.extra and pin.name not in wired and pin.name not in values:
            continue  # as the editor folds away what is rarely set
        for name in _family(pin, (*wired, *values)):
            found[name] = EXEC if pin.is_exec else types.of_pin(node.id, pin)
    for name in (*wired, *values):
        found.setdefault(name, wired.get(name))
    return tuple(
        FacePin(name, _label(name, kind), kind or wired.get(name), name in wired, values.get(name))
        for name, kind in found.items()
    )


def _family(pin: Pin, used: Iterable[str]) -> list[str]:
    """Return the names a pin stands for: itself, or the members of its family; two or more of a number."""
    if not pin.dynamic:
        return [pin.name]
    stem = pin.name[:-1]
    members = sorted({name for name in used if pin.matches(name)}, key=lambda name: (len(name), name))
    if pin.dynamic != "number":
        return sorted(members)
    last = max([int(name[len(stem) :]) for name in members], default=1)
    dense = last < 2 * len(members) + 8  # a switch on 0 and 900 shows two cases, not nine hundred
    return [f"{stem}{number}" for number in range(max(last, 1) + 1)] if dense else members


def _label(name: str, kind: str | None) -> str:
    """Return what stands beside a pin; the usual way in and out of a node needs no words."""
    return "" if kind == EXEC and name.lower() in ("execute", "then") else shortened(spaced(name) or name)


def _input_width(pin: FacePin) -> int:
    value = 0
    if pin.value is not None:
        value = VALUE_GAP + (18 if isinstance(pin.value, bool) else 12 + text_width(pin.shown_value, 12))
    return PIN_ROOM + text_width(pin.label) + value


def _short_number(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) and abs(value) < 1e6 else value_text(value)
