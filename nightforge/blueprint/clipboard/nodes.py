"""Turns one raw node into a node of the language: by its catalog entry where that says all of it, or opaque.

Nothing is dropped that carries meaning. What neither a pin nor a declared property can say stays in
properties `@Key` with the raw text: body keys under their name, a pin's literal that its type can't write (or
that a wire covers) as `@Pin.DefaultValue`, nested objects as `@Object(n)`.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass, field

from nightforge.blueprint.catalog import WILDCARDS, NodeType, Pin
from nightforge.blueprint.clipboard.defaults import literal, path_name, user_defaults
from nightforge.blueprint.clipboard.identity import (
    AUTOMATIC_NAMES,
    Identity,
    catalog_class,
    identify,
    macro_reference,
)
from nightforge.blueprint.clipboard.objects import RawObject, RawPin, object_path
from nightforge.blueprint.clipboard.pin_types import pin_type
from nightforge.blueprint.clipboard.tokens import quoted, unquote
from nightforge.blueprint.graph import Node, PinSpec, Value

# what the editor writes for itself: where a box stands, how it is shown, what the last compile said
NOISE = frozenset(
    "NodePosX NodePosY NodeWidth NodeHeight NodeGuid AdvancedPinDisplay ErrorType ErrorMsg "
    "NodeUpgradeMessage bHasCompilerMessage bCommentBubblePinned bCommentBubbleVisible "
    "bCommentBubbleVisible_InDetailsPanel".split()
)
# what follows from the function, event or pins of a node the catalog knows
_DERIVED = frozenset(
    "bIsPureFunc bDefaultsToPureFunc bIsConstFunc bOverrideFunction bInternalEvent bIsEditable "
    "NumAdditionalInputs ResolvedWildcardType PinNames MacroGraphReference MacroGraph EventSignatureName "
    "EventSignatureClass bCanHaveInputs bCanHaveOutputs IndexPinType NumOptionPins NumInputs".split()
)
_OUTER_PIN, _OWNER_PART = "Pin:", ".MemberParent"
_CAST_RESULT = "As"  # then the display name of the class, which may be translated
_ZEROS = frozenset(
    ("", "0", "0.0", "0.000000", "false", "None", "0, 0, 0")
)  # a user pin's default without one
_TYPE_PARTS = re.compile(r"\w+")


@dataclass(slots=True)
class Built:
    """A translated node with the names of its pins by their place in the raw node, and its literals kept."""

    node: Node
    pin_names: dict[int, str]
    opaque: bool
    literals: dict[int, tuple[str, ...]] = field(default_factory=dict)  # pin -> names of its properties


def build_node(raw: RawObject, node_id: str, wired: Set[int], known: tuple[NodeType, bool] | None) -> Built:
    """Translate a node; `wired` are the places of its wired pins, `known` what the catalog says of it."""
    given = {place: found for place, pin in enumerate(raw.pins) if (found := user_defaults(pin))}
    if known is not None:
        built = _Known(raw, node_id, wired, given, *known).build(identify(raw))
        if built is not None:
            return built
    return _opaque(raw, node_id, wired, given)


def literal_properties(
    pin: RawPin, name: str, type_name: str, given: dict[str, str], *, is_wired: bool, opaque: bool
) -> list[tuple[str, Value]]:
    """Return the properties that keep the literal of a pin: one under its name, or its raw fields."""
    value = None if is_wired else literal(type_name, pin, given, opaque)
    if value is not None:
        return [(name, value)]
    return [(f"@{name}.{key}", raw) for key, raw in given.items()]


def raw_properties(raw: RawObject, consumed: Set[str]) -> list[tuple[str, Value]]:
    """Return the body keys that are not noise and not consumed, and what else the object holds."""
    kept: dict[str, Value] = {}
    for key, value in raw.body:
        if key in NOISE or key in consumed or key.partition("(")[0] in consumed:
            continue
        kept[f"@{key}"] = value  # repeated keys: the editor keeps the last one too
    for index, line in enumerate(raw.custom):
        kept[f"@CustomProperties({index})"] = line
    for index, child in enumerate(raw.children):
        kept[f"@Object({index})"] = quoted("\n".join(block_lines(child)))
    return list(kept.items())


def block_lines(block: RawObject) -> list[str]:
    """Write an object that is no node of the graph, with everything in it, as lines."""
    lines = [f'Begin Object Class={block.class_path} Name="{block.name}"']
    for child in block.children:
        lines += block_lines(child)
    lines += [f"{key}={value}" for key, value in block.body]
    for pin in block.pins:
        lines.append("CustomProperties Pin (" + ",".join(f"{k}={v}" for k, v in pin.fields.items()) + ")")
    lines += [f"CustomProperties UserDefinedPin {user_pin_text(pin)}" for pin in block.user_pins]
    return [*lines, *block.custom, "End Object"]


def user_pin_text(pin: dict[str, str]) -> str:
    """Write the fields of a user pin of a custom event or function as the editor does."""
    return "(" + ",".join(f"{key}={value}" for key, value in pin.items()) + ")"


def ordered(defaults: list[tuple[str, Value]], body: list[tuple[str, Value]]) -> list[tuple[str, Value]]:
    """Put literals before body keys, and literals that could not be written as such last."""
    plain = [item for item in defaults if not item[0].startswith("@")]
    return plain + body + [item for item in defaults if item[0].startswith("@")]


def inputs_first(pins: list[PinSpec]) -> tuple[PinSpec, ...]:
    """Order a signature: inputs before outputs, each side as in the editor."""
    return tuple(sorted(pins, key=lambda pin: pin.direction))


class _Known:
    """Translates one node by its catalog entry; `build` returns None where the entry can't say all."""

    def __init__(
        self,
        raw: RawObject,
        node_id: str,
        wired: Set[int],
        given: dict[int, dict[str, str]],
        node_type: NodeType,
        told: bool,
    ) -> None:
        self.raw, self.node_id, self.wired, self.given = raw, node_id, wired, given
        self.type, self.told = node_type, told
        self.properties: list[tuple[str, Value]] = []
        self.defaults: list[tuple[str, Value]] = []
        self.consumed: set[str] = set(_DERIVED)
        self.class_pins: set[int] = set()
        self.pin_names: dict[int, str] = {}
        self.literals: dict[int, tuple[str, ...]] = {}
        self.signature: list[PinSpec] = []

    def build(self, identity: Identity) -> Built | None:
        if not self._references(identity) or not self._declared(identity) or not self._pins():
            return None
        if any(unquote(pin.get("PinDefaultValue", "")) not in _ZEROS for pin in self.raw.user_pins):
            return None  # the signature has no place for it
        order = {pin.name: index for index, pin in enumerate(self.type.inputs)}
        self.defaults.sort(key=lambda item: order.get(item[0], len(order)))
        properties = self.properties + ordered(self.defaults, raw_properties(self.raw, self.consumed))
        if len(dict(properties)) < len(properties):
            return None
        node = Node(self.node_id, self.type.name, tuple(properties), inputs_first(self.signature))
        return Built(node, self.pin_names, False, self.literals)

    def _references(self, identity: Identity) -> bool:
        """Consume the references that the node type itself stands for."""
        target = self.type.unreal
        if target.delegate:
            self._delegate(identity)
        for key, reference in identity.members.items():
            if reference.name != target.member or not reference.plain or reference.scope:
                continue
            if reference.owner not in ("", target.owner, *target.other_owners):
                continue
            if reference.self_context and reference.guid:
                return False  # a function of the user that happens to be called like one of the engine
            self.consumed.add(key)
        self.consumed |= {key for key, value in target.body if self.raw.get(key) == value}
        if target.cast_to == object_path(self.raw.get("TargetType") or "")[1]:
            self.consumed.add("TargetType")  # a project class keeps its folder, which its name does not tell
        if unquote(self.raw.get("OperationName") or "") == target.operation:
            self.consumed.add("OperationName")
        return self.told or not target.member

    def _delegate(self, identity: Identity) -> None:
        """Consume what a component event says about its delegate."""
        self.consumed |= {"DelegateOwnerClass", "DelegatePropertyName"}
        signature = identity.members.get("EventReference")
        if signature is not None and signature.name == self.type.unreal.signature.rpartition(".")[2]:
            self.consumed.add("EventReference")
        if unquote(self.raw.get("CustomFunctionName") or "").startswith(AUTOMATIC_NAMES):
            self.consumed.add("CustomFunctionName")

    def _declared(self, identity: Identity) -> bool:
        """Read the declared properties from where the catalog says the engine keeps them."""
        for entry in self.type.properties:
            place, _, part = entry.unreal.partition(".")
            if entry.unreal.startswith(_OUTER_PIN):
                value = self._from_pin(entry.unreal.removeprefix(_OUTER_PIN))
            elif place == "MacroGraphReference":
                macro = macro_reference(self.raw)
                value = None if macro is None else macro[1]
            elif part:
                reference = identity.members.get(place)
                with_owner = any(other.unreal == place + _OWNER_PART for other in self.type.properties)
                if reference is None or not reference.plain or reference.scope:
                    return False
                if bool(reference.owner) != with_owner:
                    return False
                value = path_name(reference.owner) if "." + part == _OWNER_PART else reference.name
                self.consumed.add(place)
            else:
                given = self.raw.get(place)
                value = None if given is None else self._name_in(given)
                self.consumed.add(place)
            if value:
                self.properties.append((entry.name, value))
            elif entry.required:
                return False
        return True

    def _name_in(self, raw: str) -> str:
        """Return a name, or what a reference `Class'Path'` or path names; a name may hold quotes itself."""
        text = unquote(raw)
        is_reference = text.startswith("/") or (text.endswith("'") and "'" in text[:-1])
        return path_name(raw) if is_reference else text

    def _from_pin(self, name: str) -> str | None:
        """Return the class or asset chosen on a pin that the language shows as a property."""
        for place, pin in enumerate(self.raw.pins):
            if pin.name == name and not pin.is_output:
                if place in self.wired:
                    return None
                self.class_pins.add(place)
                given = self.given.get(place, {})
                if len(given) != 1:
                    return None
                return path_name(next(iter(given.values())))
        return None

    def _pins(self) -> bool:
        """Name every pin that shows or carries something; False where the entry means another thing by it."""
        seen: set[tuple[bool, str]] = set()
        for place, pin in enumerate(self.raw.pins):
            if place in self.class_pins:
                entry = next(e for e in self.type.properties if e.unreal == _OUTER_PIN + pin.name)
                self.literals[place] = (entry.name,)
            elif not pin.hidden or self._is_used(place):
                if not self._place_pin(place, pin, seen):
                    return False
        self.signature = [spec for spec in self.signature if not self._implied(spec)]
        return self._has_all_exec_pins(seen)

    def _place_pin(self, place: int, pin: RawPin, seen: set[tuple[bool, str]]) -> bool:
        name = self._name(pin)
        known = None if name is None else self._known_pin(name, pin.is_output)
        if name is None or known is None:
            if not self._is_used(place) and not self._has_user_pins(pin.is_output):
                return not pin.is_exec  # an exec pin without a wire still says what form of the node this is
            name, known = pin.name, None
            if self._known_pin(name, pin.is_output) is not None:
                return False  # the catalog means another pin by this name
        elif known.is_exec != pin.is_exec:
            return False
        if (pin.is_output, name) in seen:
            return False
        seen.add((pin.is_output, name))
        if known is None or (known.dynamic and not self._is_used(place)):
            self.signature.append(PinSpec("out" if pin.is_output else "in", name, pin_type(pin)))
        self.pin_names[place] = name
        return place not in self.given or self._literal(place, pin, name, known)

    def _literal(self, place: int, pin: RawPin, name: str, known: Pin | None) -> bool:
        """Keep the literal of a pin; False where the type has no such literal."""
        type_name = pin_type(pin)
        if known is not None and not set(WILDCARDS) & set(_TYPE_PARTS.findall(known.type)):
            type_name = known.type
        wired = place in self.wired
        kept = literal_properties(pin, name, type_name, self.given[place], is_wired=wired, opaque=False)
        self.defaults += kept
        self.literals[place] = tuple(key for key, _ in kept)
        return wired or not kept[0][0].startswith("@")

    def _is_used(self, place: int) -> bool:
        return place in self.wired or place in self.given

    def _implied(self, spec: PinSpec) -> bool:
        """Say whether a higher pin of the same numbered or lettered family is used, which needs this one."""
        is_output = spec.direction == "out"
        family = self._known_pin(spec.name, is_output)
        if family is None or family.dynamic not in ("number", "letter"):
            return False
        stated = {(other.direction == "out", other.name) for other in self.signature}
        names = {(self.raw.pins[place].is_output, name) for place, name in self.pin_names.items()}
        return any(
            side == is_output and family.matches(name) and (len(name), name) > (len(spec.name), spec.name)
            for side, name in names - stated
        )

    def _has_all_exec_pins(self, seen: Set[tuple[bool, str]]) -> bool:
        """Say whether the raw node has every exec pin of the entry: a pure form of an exec node has not."""
        sides = ((False, self.type.inputs), (True, self.type.outputs))
        return all(
            (side, pin.name) in seen
            for side, pins in sides
            for pin in pins
            if pin.is_exec and not pin.dynamic
        )

    def _has_user_pins(self, is_output: bool) -> bool:
        return ("out" if is_output else "in") in self.type.user_pins

    def _known_pin(self, name: str, is_output: bool) -> Pin | None:
        return self.type.output(name) if is_output else self.type.input(name)

    def _name(self, pin: RawPin) -> str | None:
        """Return the name in the language of an engine pin; `{VarName}` stands for that property."""
        named = self.type.ue_outputs if pin.is_output else self.type.ue_inputs
        if (
            self.type.unreal.cast_to
            and pin.is_output
            and not pin.is_exec
            and pin.name.startswith(_CAST_RESULT)
        ):
            return next(own.name for own in self.type.outputs if own.name.startswith(_CAST_RESULT))
        values = dict(self.properties)
        for own in self.type.outputs if pin.is_output else self.type.inputs:
            pattern = named.get(own.name, own.name)
            if pattern.startswith("{") and values.get(pattern[1:-1]) == pin.name:
                return own.name
        return self.type.dsl_pin(pin.name, "output" if pin.is_output else "input")


def _opaque(raw: RawObject, node_id: str, wired: Set[int], given: dict[int, dict[str, str]]) -> Built:
    """Keep a node as it is: class, body keys, every pin that shows or carries something, literals."""
    properties = raw_properties(raw, frozenset())
    defaults: list[tuple[str, Value]] = []
    for index, pin_fields in enumerate(raw.user_pins):
        properties.append((f"@UserDefinedPin({index})", user_pin_text(pin_fields)))
    signature: list[PinSpec] = []
    names: dict[int, str] = {}
    literals: dict[int, tuple[str, ...]] = {}
    used: set[tuple[bool, str]] = set()
    for place, pin in enumerate(raw.pins):
        if pin.hidden and place not in wired and place not in given:
            continue
        name = _free_name(pin, used)
        names[place] = name
        type_name = pin_type(pin)
        signature.append(PinSpec("out" if pin.is_output else "in", name, type_name))
        if place in given:
            kept = literal_properties(
                pin, name, type_name, given[place], is_wired=place in wired, opaque=True
            )
            defaults += kept
            literals[place] = tuple(key for key, _ in kept)
    node = Node(node_id, catalog_class(raw), tuple(ordered(defaults, properties)), inputs_first(signature))
    return Built(node, names, True, literals)


def _free_name(pin: RawPin, used: set[tuple[bool, str]]) -> str:
    """Return the pin's name; a second pin of that name on the same side gets a number."""
    name, count = pin.name, 2
    while (pin.is_output, name) in used:
        name = f"{pin.name} ({count})"
        count += 1
    used.add((pin.is_output, name))
    return name
