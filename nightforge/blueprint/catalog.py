"""The node catalog: the one source of names, pins, types and engine targets, read from catalog.json.

The notation of pins stands in catalog_pins.py, the shape of the file in catalog.schema.json. `ue_inputs` and
`ue_outputs` name pins that the engine calls otherwise, over the common `ue_pins`. Evidence `seen` means found
in real editor exports, `public` known from the public API only. Level `core` marks the node types every
profile trains on, `more` the rest of the vocabulary.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from nightforge.blueprint.catalog_pins import EXEC, SELF, WILDCARD, WILDCARDS, Pin, read_pin
from nightforge.blueprint.catalog_schema import problems
from nightforge.blueprint.catalog_types import GENERATED, Types, read_types, suggestion
from nightforge.blueprint.catalog_unreal import (
    CAST_CLASS,
    MACRO_CLASS,
    STANDARD_MACROS,
    UnrealTarget,
    bare_class,
)
from nightforge.blueprint.graph import TYPE_NAME, is_identifier

__all__ = [
    "CAST_PREFIX", "EXEC", "SELF", "WILDCARD", "WILDCARDS", "Catalog", "NodeType", "Pin", "Property", "Types",
    "UnrealTarget", "load_catalog", "suggestion",
]  # fmt: skip

CATALOG_FILE = Path(__file__).with_name("catalog.json")
SCHEMA_FILE = Path(__file__).with_name("catalog.schema.json")
CAST_PREFIX = "CastTo"
CAST_MODEL = "CastToCharacter"

NodeKind = Literal["event", "exec", "pure", "macro"]
Level = Literal["core", "more"]
Side = Literal["in", "out"]


@dataclass(frozen=True, slots=True)
class Property:
    """A declared property that is no pin.

    Role says what its text names: variable, event, event_definition, action, class, function, macro, enum,
    struct, component, dispatcher, timeline or asset. `unreal` is where the engine keeps it: a body key such
    as `CustomFunctionName` or `VariableReference.MemberName`, or `Pin:Class` for a pin.
    """

    name: str
    type: str
    role: str
    required: bool
    unreal: str = ""


@dataclass(frozen=True, slots=True)
class NodeType:
    """A node type: kind, pins in canonical order, properties, its Unreal target and the evidence for it.

    `user_pins` names the sides on which a node may have further pins of its own, given by its signature.
    """

    name: str
    kind: NodeKind
    category: str
    inputs: tuple[Pin, ...]
    outputs: tuple[Pin, ...]
    properties: tuple[Property, ...]
    unreal: UnrealTarget
    evidence: Literal["seen", "public"]
    summary: str
    level: Level = "more"
    user_pins: tuple[Side, ...] = ()
    aliases: tuple[str, ...] = ()
    pin_aliases: dict[str, str] = field(default_factory=dict, hash=False)
    ue_inputs: dict[str, str] = field(default_factory=dict, hash=False)
    ue_outputs: dict[str, str] = field(default_factory=dict, hash=False)

    @property
    def ue_target(self) -> str:
        """Return the Unreal identity in one line, with the body keys that carry the properties."""
        keys = [entry.unreal for entry in self.properties if not entry.unreal.startswith("Pin:")]
        return " ".join([self.unreal.text(), *keys])

    def input(self, name: str) -> Pin | None:
        """Return the input pin of that name, dynamic families included."""
        for pin in self.inputs:
            if pin.matches(name):
                return pin
        return None

    def output(self, name: str) -> Pin | None:
        """Return the output pin of that name, dynamic families included."""
        for pin in self.outputs:
            if pin.matches(name):
                return pin
        return None

    def ue_pin(self, name: str, side: Literal["input", "output"]) -> str:
        """Return the engine's name of a pin; `{VarName}` stands for that property. KeyError if unknown."""
        pin = self.input(name) if side == "input" else self.output(name)
        if pin is None:
            raise KeyError(f"{self.name} has no {side} pin {name!r}")
        named = self.ue_inputs if side == "input" else self.ue_outputs
        return pin.engine_name(name, named.get(pin.name, pin.name))

    def dsl_pin(self, engine_name: str, side: Literal["input", "output"]) -> str | None:
        """Return the name in the language of an engine pin, or None; `{VarName}` pins are not among them."""
        pins, named = (self.inputs, self.ue_inputs) if side == "input" else (self.outputs, self.ue_outputs)
        fixed = next(
            (p.name for p in pins if not p.dynamic and named.get(p.name, p.name) == engine_name), None
        )
        if fixed is not None:
            return fixed
        for pin in pins:
            if pin.dynamic == "letter" and pin.matches(engine_name):
                return engine_name
            if pin.dynamic in ("number", "text"):
                before, after = named.get(pin.name, pin.name).split(pin.name[-1])
                if engine_name.startswith(before) and engine_name.endswith(after):
                    name = pin.name[:-1] + engine_name[len(before) : len(engine_name) - len(after)]
                    if pin.matches(name):
                        return name
        return None

    def declared(self, name: str) -> Property | None:
        """Return the declared property of that name; input pins that take literals are not among them."""
        for entry in self.properties:
            if entry.name == name:
                return entry
        return None

    def property_names(self) -> tuple[str, ...]:
        """Return the names that may stand in brackets, in canonical order: properties, then data inputs."""
        return tuple(p.name for p in self.properties) + tuple(p.name for p in self.inputs if not p.is_exec)

    def role(self, name: str) -> str:
        """Return what a value in brackets names; `literal` where it names nothing."""
        found = self.declared(name) or self.input(name)
        return found.role if found else "literal"

    def main_pins(self) -> NodeType:
        """Return the node type without its extra pins, as prompts and exercises show it."""
        inputs = tuple(pin for pin in self.inputs if not pin.extra)
        outputs = tuple(pin for pin in self.outputs if not pin.extra)
        return replace(self, inputs=inputs, outputs=outputs)

    @property
    def has_exec_input(self) -> bool:
        """Say whether control can enter the node."""
        return any(pin.is_exec for pin in self.inputs)

    @property
    def is_entry(self) -> bool:
        """Say whether control starts at the node."""
        return self.kind == "event"


@dataclass(frozen=True, slots=True)
class Catalog:
    """All node types by name in file order, their aliases, the types, and the index by Unreal identity."""

    nodes: dict[str, NodeType]
    aliases: dict[str, str]
    types: Types
    unreal_index: dict[tuple[str, str, str], str]

    def lookup(self, name: str) -> NodeType | None:
        """Return a node type by name or alias, casts to any known class included, or None."""
        found = self.nodes.get(name) or self.nodes.get(self.aliases.get(name, ""))
        return found if found is not None else _cast_type(self, name)

    def core(self) -> dict[str, NodeType]:
        """Return the node types of level `core` by name, without their extra pins."""
        return {name: node.main_pins() for name, node in self.nodes.items() if node.level == "core"}

    def spelling(self, name: str) -> str:
        """Return the one spelling of a node type name; unknown names stay as they are."""
        return self.aliases.get(name, name)

    def suggest(self, name: str) -> str:
        """Return `; did you mean X?` for a misspelt node type, or an empty text."""
        return suggestion(name, [*self.nodes, *self.aliases])

    def by_unreal(self, node_class: str, owner: str = "", member: str = "") -> NodeType | None:
        """Return the node type of a K2Node class, owner and member, all exact, or None.

        owner is the path of the declaring class or macro asset (`/Script/Engine.Actor`); member the function,
        event, macro, delegate or variant (see UnrealTarget), for casts the path of the class. A call in self
        context has no owner: it means the one function of that name with a target, if exactly one exists.
        """
        kind = bare_class(node_class)
        name = self.unreal_index.get((kind, owner, member))
        if name is not None:
            return self.nodes[name]
        if kind == CAST_CLASS:
            target = self.types.name_of(member)
            return self.lookup(CAST_PREFIX + target) if target else None
        return None


@cache
def load_catalog() -> Catalog:
    """Read catalog.json once; raises ValueError naming the entry where the file contradicts itself."""
    raw = json.loads(CATALOG_FILE.read_text(encoding="utf-8"))
    return read_catalog(raw)


def read_catalog(raw: dict[str, Any]) -> Catalog:
    """Build the catalog of a parsed file; raises ValueError with every breach of catalog.schema.json."""
    schema = json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))
    found = problems(raw, schema)
    if found:
        raise ValueError("catalog.json does not fit catalog.schema.json:\n" + "\n".join(found[:20]))
    types = read_types(raw["types"])
    nodes: dict[str, NodeType] = {}
    for entry in raw["nodes"]:
        if entry["name"] in nodes:
            raise ValueError(f"catalog.json: {entry['name']} is given twice")
        nodes[entry["name"]] = _node_type(entry, raw["ue_pins"], types)
    aliases: dict[str, str] = {}
    for node in nodes.values():
        for alias in node.aliases:
            if alias in nodes or alias in aliases:
                raise ValueError(f"catalog.json: alias {alias!r} of {node.name} already means another node")
            aliases[alias] = node.name
    return Catalog(nodes, aliases, types, _unreal_index(nodes))


def _node_type(entry: dict[str, Any], ue_pins: dict[str, str], types: Types) -> NodeType:
    name = entry["name"]
    inputs = tuple(read_pin(text, name) for text in entry["inputs"])
    outputs = tuple(read_pin(text, name) for text in entry["outputs"])
    if entry["kind"] == "pure" and any(pin.is_exec for pin in inputs + outputs):
        raise ValueError(f"catalog.json: {name} is pure but has an exec pin")
    return NodeType(
        name=name,
        kind=entry["kind"],
        category=entry["category"],
        inputs=inputs,
        outputs=outputs,
        properties=tuple(Property(**item) for item in entry.get("properties", ())),
        unreal=_target(entry["unreal"], name, types),
        evidence=entry["evidence"],
        summary=entry["summary"],
        level=entry["level"],
        user_pins=tuple(entry.get("user_pins", ())),
        aliases=tuple(entry.get("aliases", ())),
        pin_aliases=dict(entry.get("pin_aliases", {})),
        ue_inputs={**ue_pins, **entry.get("ue_inputs", {})},
        ue_outputs={**ue_pins, **entry.get("ue_outputs", {})},
    )


def _target(raw: dict[str, Any], node: str, types: Types) -> UnrealTarget:
    """Read the field `unreal` of an entry; a macro without owner is one of the standard macros."""
    given = dict(raw)
    cast_to = given.pop("cast_to", "")
    path = types.path(cast_to) if cast_to else ""
    if path is None:
        raise ValueError(f"catalog.json: {node} casts to the unknown class {cast_to!r}")
    hidden = tuple(read_pin(text, node) for text in given.pop("hidden", ()))
    body = tuple(given.pop("body", {}).items())
    if given["class"] == MACRO_CLASS and "macro" in given:
        given.setdefault("owner", STANDARD_MACROS)
    others = tuple(given.pop("other_owners", ()))
    return UnrealTarget(
        node_class=given.pop("class"), cast_to=path, hidden=hidden, body=body, other_owners=others, **given
    )


def _unreal_index(nodes: dict[str, NodeType]) -> dict[tuple[str, str, str], str]:
    """Index the node types by every Unreal identity; raises ValueError where two share one."""
    index: dict[tuple[str, str, str], str] = {}
    on_self: dict[tuple[str, str, str], list[str]] = {}
    for node in nodes.values():
        for key in node.unreal.keys():
            if index.setdefault(key, node.name) != node.name:
                raise ValueError(f"catalog.json: {node.name} and {index[key]} are the same to Unreal: {key}")
        called = node.unreal.function
        if called and any(node.ue_inputs.get(pin.name) == "self" for pin in node.inputs):
            on_self.setdefault((node.unreal.node_class, "", called), []).append(node.name)
    for key, names in on_self.items():
        if len(names) == 1:
            index.setdefault(key, names[0])
    return index


def _cast_type(catalog: Catalog, name: str) -> NodeType | None:
    """Derive `CastTo<Class>` from the listed CastToCharacter; the target class must be known."""
    target = name.removeprefix(CAST_PREFIX)
    if target == name or not is_identifier(target) or TYPE_NAME.fullmatch(target) is None:
        return None
    if not catalog.types.is_class(target):
        return None
    model = catalog.nodes[CAST_MODEL]
    outputs = (*model.outputs[:2], Pin(f"As{target}", target), *model.outputs[3:])
    path = catalog.types.path(target) or target + GENERATED
    return replace(
        model,
        name=name,
        level="more",
        outputs=outputs,
        unreal=replace(model.unreal, cast_to=path),
        ue_outputs={**model.ue_outputs, f"As{target}": f"As{_spaced(target)}"},
        summary=f"Treats the object as a {target} if it is one.",
    )


def _spaced(name: str) -> str:
    """Write a class name as the editor shows it: `Player Controller`, `BP Door`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.replace("_", " "))
