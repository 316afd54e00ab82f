"""Pins as the writer states them: which a node has, under which engine names, with which defaults."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from nightforge.blueprint.catalog import SELF, WILDCARDS, NodeType, Pin, load_catalog
from nightforge.blueprint.clipboard.tokens import quoted
from nightforge.blueprint.clipboard.writer_types import PinType, editor_type
from nightforge.blueprint.clipboard.writer_values import default_fields, literal_type
from nightforge.blueprint.graph import Graph, Node, split_type
from nightforge.blueprint.node_types import ENTRY, RESULT, is_opaque
from nightforge.blueprint.pin_types import PinTypes
from nightforge.blueprint.type_names import type_text

TARGET = "self"
_RAW_DEFAULT = re.compile(r"@(.*)\.(DefaultValue|DefaultObject|DefaultTextValue)", re.DOTALL)
_WILDCARD = re.compile(rf"\b(?:{'|'.join(WILDCARDS)})\b")
_NO_GUID = "0" * 32
_FLAGS = "bNotConnectable=False,bDefaultValueIsReadOnly=False,bDefaultValueIsIgnored=False"
_LAST = "bAdvancedView=False,bOrphanedPin=False,"


@dataclass(slots=True)
class WrittenPin:
    """A pin of a written node: its name in the language and the engine's, its type, defaults and links."""

    name: str
    engine_name: str
    is_output: bool
    type: PinType
    id: str
    defaults: list[str] = field(default_factory=list)
    hidden: bool = False
    member: str = ""  # the signature of a delegate pin
    parts: list[WrittenPin] = field(default_factory=list)  # of a split struct
    whole: WrittenPin | None = None
    links: list[tuple[str, str]] = field(default_factory=list)  # (node name, PinId)

    def line(self, node_name: str) -> str:
        """Return the `CustomProperties Pin` line; inputs state no direction."""
        fields = [f"PinId={self.id}"]
        if self.engine_name:
            fields.append(f"PinName={quoted(self.engine_name)}")
        if self.is_output:
            fields.append('Direction="EGPD_Output"')
        for text in self.type.pin_fields():
            is_member = text.startswith("PinType.PinSubCategoryMemberReference=")
            fields.append(text.replace("()", self.member) if self.member and is_member else text)
        fields += self.defaults
        if self.links:
            fields.append("LinkedTo=(" + "".join(f"{node} {pin}," for node, pin in self.links) + ")")
        if self.parts:
            fields.append("SubPins=(" + "".join(f"{node_name} {pin.id}," for pin in self.parts) + ")")
        if self.whole is not None:
            fields.append(f"ParentPin={node_name} {self.whole.id}")
        fields.append(f"PersistentGuid={_NO_GUID},bHidden={self.hidden},{_FLAGS},{_LAST}")
        return f"CustomProperties Pin ({','.join(fields)})"


@dataclass(slots=True)
class GraphPins:
    """What the pins of a graph's nodes hang on: their types, the wires at them, the key of their ids."""

    graph: Graph
    types: PinTypes
    key: str
    used: dict[tuple[str, bool], dict[str, None]] = field(default_factory=dict)  # (node, is output) -> pins
    tags: dict[tuple[str, bool, str], str] = field(default_factory=dict)  # (node, is output, pin) -> type

    def __post_init__(self) -> None:
        """Note which pins have wires."""
        for wire in self.graph.wires:
            self.used.setdefault((wire.source, True), {})[wire.source_pin] = None
            self.used.setdefault((wire.target, False), {})[wire.target_pin] = None
            if wire.type is not None:
                self.tags.setdefault((wire.source, True, wire.source_pin), wire.type)
                self.tags.setdefault((wire.target, False, wire.target_pin), wire.type)

    def wired(self, node: Node, is_output: bool) -> Iterable[str]:
        """Return the names of the wired pins of one side of a node."""
        return self.used.get((node.id, is_output), {})


def guid(*parts: str) -> str:
    """Return 32 upper-case hex digits that depend on these parts alone."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32].upper()


def pins_of(node: Node, node_type: NodeType, scope: GraphPins) -> list[WrittenPin]:
    """Return the pins of a node in the editor's order: control, hidden ones, inputs, outputs."""
    found = _NodePins(node, node_type, scope).all()
    if is_opaque(node.type):
        return found
    control = [pin for pin in found if pin.type.category == "exec"]
    target = [pin for pin in found if pin.engine_name == TARGET and not pin.is_output]
    rest = [pin for pin in found if pin not in control and pin not in target]
    shown = {pin.engine_name for pin in found}
    hidden = [hidden_pin(node, pin, scope) for pin in node_type.unreal.hidden if pin.name not in shown]
    pins = [*control, *target, *hidden, *rest]
    _join_parts(pins)
    return pins


def hidden_pin(node: Node, pin: Pin, scope: GraphPins) -> WrittenPin:
    """Return a pin that the engine has and neither the language nor the editor shows."""
    made = WrittenPin(
        pin.name, pin.name, False, editor_type(pin.type), guid(scope.key, node.id, "hidden", pin.name)
    )
    made.hidden = True
    made.defaults = default_fields(pin.type, None, pin.default)
    return made


def raw_defaults(node: Node) -> dict[str, dict[str, str]]:
    """Return the raw default fields a node keeps as `@Pin.DefaultValue`, by the name of the pin."""
    found: dict[str, dict[str, str]] = {}
    for name, value in node.properties:
        match = _RAW_DEFAULT.fullmatch(name)
        if match is not None:
            found.setdefault(match[1], {})[match[2]] = str(value)
    return found


class _NodePins:
    """The pins of one node, with what its wildcards stand for here."""

    def __init__(self, node: Node, node_type: NodeType, scope: GraphPins) -> None:
        self.node, self.type, self.scope = node, node_type, scope
        self.is_opaque = is_opaque(node.type)
        self.raw = raw_defaults(node)
        self.open = {} if self.is_opaque else self._bindings()

    def all(self) -> list[WrittenPin]:
        """Return the inputs, then the outputs."""
        return [
            self._pin(pin, name, is_output)
            for is_output in (False, True)
            for pin, name in self._named(is_output)
        ]

    def _named(self, is_output: bool) -> Iterator[tuple[Pin, str]]:
        """Yield each pin of one side with its name; families by the members that are used, gaps filled."""
        pins = self.type.outputs if is_output else self.type.inputs
        families = [pin for pin in pins if pin.dynamic]
        fixed = [pin for pin in pins if not pin.dynamic and not any(f.matches(pin.name) for f in families)]
        names = {pin.name for pin in fixed}
        for pin in pins:
            if pin in fixed:
                yield pin, pin.name
            elif pin.dynamic:
                written = [name for name, _ in self.node.properties] if not is_output else []
                stated = [spec.name for spec in self.node.pins if (spec.direction == "out") == is_output]
                wanted = dict.fromkeys([*stated, *written, *self.scope.wired(self.node, is_output)])
                yield from ((pin, name) for name in _members(pin, [n for n in wanted if n not in names]))

    def _pin(self, pin: Pin, name: str, is_output: bool) -> WrittenPin:
        node, scope = self.node, self.scope
        side: Literal["input", "output"] = "output" if is_output else "input"
        engine_name = name if self._is_own(name, is_output) else self.type.ue_pin(name, side)
        if engine_name.startswith("{"):
            engine_name = str(node.get(engine_name[1:-1]))
        type_name = self._type(pin)
        identity = guid(scope.key, node.id, "out" if is_output else "in", name)
        made = WrittenPin(name, engine_name, is_output, editor_type(type_name), identity)
        if is_output or pin.is_exec:
            return made
        if name in self.raw:
            made.defaults = [f"{key}={value}" for key, value in self.raw[name].items()]
        else:
            automatic = None if self.is_opaque else pin.default
            made.defaults = default_fields(type_name, node.get(name), automatic, bare=self.is_opaque)
        return made

    def _is_own(self, name: str, is_output: bool) -> bool:
        """Say whether a pin is one that the user made and named, by a signature or a definition."""
        base = load_catalog().lookup(self.node.type)
        if base is None or (self.scope.graph.kind == "macro" and self.node.type in (ENTRY, RESULT)):
            return True
        return (base.output(name) if is_output else base.input(name)) is None

    def _type(self, pin: Pin) -> str:
        if pin.type == SELF or self.is_opaque:
            return pin.type
        known = self.scope.types.of_pin(self.node.id, pin)
        return known or _WILDCARD.sub(lambda match: self.open.get(match[0], match[0]), pin.type)

    def _bindings(self) -> dict[str, str]:
        """Return the types of the wildcards that only a property, the tag of a wire or a literal tells."""
        found: dict[str, str] = {}
        for entry in self.type.properties:
            named = self.node.get(entry.name)
            if entry.role in ("struct", "enum") and isinstance(named, str):
                found.setdefault(WILDCARDS[0], type_text(named))
        for is_output in (True, False):
            for name in self.scope.wired(self.node, is_output):
                pin = self.type.output(name) if is_output else self.type.input(name)
                tag = self.scope.tags.get((self.node.id, is_output, name))
                if pin is not None and tag is not None:
                    _bind(pin.type, tag, found)
        for name, value in self.node.properties:
            pin, kind = self.type.input(name), literal_type(value)
            if pin is not None and kind is not None:
                _bind(pin.type, kind, found)
        return found


def _bind(pattern: str, type_name: str, found: dict[str, str]) -> None:
    """Note what the wildcards of a pin's type stand for where a value of another type fits it."""
    if _WILDCARD.search(type_name):
        return
    if pattern in WILDCARDS:
        found.setdefault(pattern, type_name)
        return
    (head, parts), (other, given) = split_type(pattern), split_type(type_name)
    if head == other and len(parts) == len(given):
        for part, kind in zip(parts, given, strict=True):
            if part in WILDCARDS:
                found.setdefault(part, kind)


def _members(family: Pin, wanted: list[str]) -> list[str]:
    """Return the used members of a family in order; numbers and letters have no gaps in the editor."""
    used = [name for name in wanted if family.matches(name)]
    if not used or family.dynamic == "text":
        return used
    if family.dynamic == "letter":
        return [chr(code) for code in range(ord("C"), ord(max(used)) + 1)]
    stem = family.name[:-1]
    return [f"{stem}{number}" for number in range(max(int(name[len(stem) :]) for name in used) + 1)]


def _join_parts(pins: list[WrittenPin]) -> None:
    """Tie the members of a split struct to their pin: `Location_X` belongs to the struct input `Location`."""
    structs = {(pin.engine_name, pin.is_output): pin for pin in pins if pin.type.category == "struct"}
    for pin in pins:
        whole = structs.get((pin.engine_name.rpartition("_")[0], pin.is_output))
        if whole is not None and whole is not pin and not whole.hidden:
            pin.whole = whole
            whole.parts.append(pin)
    for whole in structs.values():
        if whole.parts:
            whole.hidden = True
