"""The node catalog: the one source of names, pins, types and engine targets, read from catalog.json.

Pin notation in the file: `Name: Type`, with ` !` where the input must be wired or set, ` @event` where a
text names an event, `#` for a number and `*` for any text in the name (`Then_#`, `Case_*`). `T` is a
wildcard: all `T` pins of one node carry the same type. `ue_inputs` and `ue_outputs` name pins that the engine
calls otherwise, over the common `ue_pins`. Evidence `seen` means found in real editor exports,
`public` known from the public API only.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from nightforge.blueprint.graph import TYPE_NAME, is_identifier, split_type

CATALOG_FILE = Path(__file__).with_name("catalog.json")
CAST_PREFIX = "CastTo"
EXEC = "exec"
WILDCARD = "T"
SELF = "Self"

NodeKind = Literal["event", "exec", "pure", "macro"]
_PIN = re.compile(r"(?P<name>\w+[#*]?): (?P<type>\w+(?:<[\w,]+>)?)(?: @(?P<role>\w+))?(?P<required> !)?")


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin of a node type; `dynamic` is "number" or "text" for a family such as `Then_#` or `Case_*`."""

    name: str
    type: str
    required: bool = False
    role: str = "literal"
    dynamic: str = ""

    @property
    def is_exec(self) -> bool:
        """Say whether the pin carries control rather than a value."""
        return self.type == EXEC

    def matches(self, name: str) -> bool:
        """Say whether a written pin name means this pin."""
        if not self.dynamic:
            return name == self.name
        stem = self.name[:-1]
        rest = name[len(stem) :]
        if not name.startswith(stem) or not rest:
            return False
        return self.dynamic == "text" or re.fullmatch(r"0|[1-9]\d{0,3}", rest, re.ASCII) is not None


@dataclass(frozen=True, slots=True)
class Property:
    """A declared property that is no pin.

    Role says what its text names: variable, event, event_definition, action or class.
    """

    name: str
    type: str
    role: str
    required: bool


@dataclass(frozen=True, slots=True)
class NodeType:
    """A node type: kind, pins in canonical order, properties, its Unreal target and the evidence for it."""

    name: str
    kind: NodeKind
    category: str
    inputs: tuple[Pin, ...]
    outputs: tuple[Pin, ...]
    properties: tuple[Property, ...]
    ue_target: str
    evidence: Literal["seen", "public"]
    summary: str
    aliases: tuple[str, ...] = ()
    pin_aliases: dict[str, str] = field(default_factory=dict, hash=False)
    ue_inputs: dict[str, str] = field(default_factory=dict, hash=False)
    ue_outputs: dict[str, str] = field(default_factory=dict, hash=False)

    def input(self, name: str) -> Pin | None:
        """Return the input pin of that name, dynamic families included."""
        return next((pin for pin in self.inputs if pin.matches(name)), None)

    def output(self, name: str) -> Pin | None:
        """Return the output pin of that name, dynamic families included."""
        return next((pin for pin in self.outputs if pin.matches(name)), None)

    def ue_pin(self, name: str, side: Literal["input", "output"]) -> str:
        """Return the engine's name of a pin; `{VarName}` stands for that property. KeyError if unknown."""
        pin = self.input(name) if side == "input" else self.output(name)
        if pin is None:
            raise KeyError(f"{self.name} has no {side} pin {name!r}")
        target = (self.ue_inputs if side == "input" else self.ue_outputs).get(pin.name, pin.name)
        return target.replace(pin.name[-1], name[len(pin.name) - 1 :]) if pin.dynamic else target

    def declared(self, name: str) -> Property | None:
        """Return the declared property of that name; input pins that take literals are not among them."""
        return next((entry for entry in self.properties if entry.name == name), None)

    def property_names(self) -> tuple[str, ...]:
        """Return the names that may stand in brackets, in canonical order: properties, then data inputs."""
        return tuple(p.name for p in self.properties) + tuple(p.name for p in self.inputs if not p.is_exec)

    def role(self, name: str) -> str:
        """Return what a value in brackets names; `literal` where it names nothing."""
        found = self.declared(name) or self.input(name)
        return found.role if found else "literal"

    @property
    def has_exec_input(self) -> bool:
        """Say whether control can enter the node."""
        return any(pin.is_exec for pin in self.inputs)

    @property
    def is_entry(self) -> bool:
        """Say whether control starts at the node."""
        return self.kind == "event"


@dataclass(frozen=True, slots=True)
class Types:
    """Value types, struct fields, classes with parents, containers, and the implicit conversions."""

    values: tuple[str, ...]
    structs: dict[str, tuple[str, ...]]
    classes: dict[str, str | None]
    containers: dict[str, int]
    project_prefixes: dict[str, str]
    parents: tuple[str, ...]
    conversions: dict[str, tuple[str, ...]]

    def class_parent(self, name: str) -> str | None:
        """Return the parent of a class; project classes (BP_..., WBP_...) have the one their prefix names."""
        if name in self.classes:
            return self.classes[name]
        return next((base for prefix, base in self.project_prefixes.items() if name.startswith(prefix)), None)

    def is_class(self, name: str) -> bool:
        """Say whether a type is a class: a known one or a project class by prefix."""
        return name in self.classes or self.class_parent(name) is not None

    def is_subclass(self, name: str, base: str) -> bool:
        """Say whether a class is the other class or descends from it."""
        current: str | None = name
        while current is not None:
            if current == base:
                return True
            current = self.class_parent(current)
        return False

    def problem(self, type_name: str) -> str | None:
        """Return what is wrong with a written type, or None where it is known."""
        head, arguments = split_type(type_name)
        if arguments or head in self.containers:
            wanted = self.containers.get(head)
            if wanted is None:
                return f"{head} is no container; write Array<...>, Set<...> or Map<...,...>"
            if len(arguments) != wanted:
                return f"{head} needs {wanted} element type(s), as in {_example(head)}"
        for part in arguments or (head,):
            if part not in self.values and not self.is_class(part):
                return f"unknown type {part!r}{suggestion(part, [*self.values, *self.classes])}"
        return None

    def accepts(self, target: str, source: str) -> bool:
        """Say whether a `source` value may go into a `target` pin, conversions of UE included."""
        if target == source:
            return True
        if self.is_class(source):
            return self.is_subclass(source, target) or target in self.conversions.get("Object", ())
        return target in self.conversions.get(source, ())


@dataclass(frozen=True, slots=True)
class Catalog:
    """All node types by name in file order, their aliases, and the type system."""

    nodes: dict[str, NodeType]
    aliases: dict[str, str]
    types: Types

    def lookup(self, name: str) -> NodeType | None:
        """Return a node type by name or alias, casts to any known class included, or None."""
        found = self.nodes.get(self.aliases.get(name, name))
        return found if found is not None else _cast_type(self, name)

    def spelling(self, name: str) -> str:
        """Return the one spelling of a node type name; unknown names stay as they are."""
        return self.aliases.get(name, name)

    def suggest(self, name: str) -> str:
        """Return `; did you mean X?` for a misspelt node type, or an empty text."""
        return suggestion(name, [*self.nodes, *self.aliases])


@cache
def load_catalog() -> Catalog:
    """Read catalog.json once; raises ValueError naming the entry where the file contradicts itself."""
    raw = json.loads(CATALOG_FILE.read_text(encoding="utf-8"))
    nodes = {entry["name"]: _node_type(entry, raw["ue_pins"]) for entry in raw["nodes"]}
    aliases: dict[str, str] = {}
    for node in nodes.values():
        for alias in node.aliases:
            if alias in nodes or alias in aliases:
                raise ValueError(f"catalog.json: alias {alias!r} of {node.name} already means another node")
            aliases[alias] = node.name
    return Catalog(nodes, aliases, _types(raw["types"]))


def suggestion(name: str, known: list[str]) -> str:
    """Return `; did you mean X?` with the nearest known name, or an empty text."""
    lowered = {entry.lower(): entry for entry in known}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return f"; did you mean {lowered[close[0]]}?" if close else ""


def _node_type(entry: dict[str, Any], ue_pins: dict[str, str]) -> NodeType:
    name = entry["name"]
    inputs = tuple(_pin(text, name) for text in entry["inputs"])
    outputs = tuple(_pin(text, name) for text in entry["outputs"])
    if entry["kind"] == "pure" and any(pin.is_exec for pin in inputs + outputs):
        raise ValueError(f"catalog.json: {name} is pure but has an exec pin")
    return NodeType(
        name=name,
        kind=entry["kind"],
        category=entry["category"],
        inputs=inputs,
        outputs=outputs,
        properties=tuple(Property(**item) for item in entry.get("properties", ())),
        ue_target=entry["ue"],
        evidence=entry["evidence"],
        summary=entry["summary"],
        aliases=tuple(entry.get("aliases", ())),
        pin_aliases=dict(entry.get("pin_aliases", {})),
        ue_inputs={**ue_pins, **entry.get("ue_inputs", {})},
        ue_outputs={**ue_pins, **entry.get("ue_outputs", {})},
    )


def _pin(text: str, node: str) -> Pin:
    match = _PIN.fullmatch(text)
    if match is None:
        raise ValueError(f"catalog.json: {node} has the malformed pin {text!r}")
    name = match["name"]
    dynamic = {"#": "number", "*": "text"}.get(name[-1], "")
    return Pin(name, match["type"], match["required"] is not None, match["role"] or "literal", dynamic)


def _types(raw: dict[str, Any]) -> Types:
    return Types(
        values=tuple(raw["values"]),
        structs={name: tuple(fields) for name, fields in raw["structs"].items()},
        classes=dict(raw["classes"]),
        containers=dict(raw["containers"]),
        project_prefixes=dict(raw["project_prefixes"]),
        parents=tuple(raw["parents"]),
        conversions={name: tuple(targets) for name, targets in raw["conversions"].items()},
    )


def _cast_type(catalog: Catalog, name: str) -> NodeType | None:
    """Derive `CastTo<Class>` from the listed CastToCharacter; the target class must be known."""
    target = name.removeprefix(CAST_PREFIX)
    if target == name or not is_identifier(target) or TYPE_NAME.fullmatch(target) is None:
        return None
    if not catalog.types.is_class(target):
        return None
    model = catalog.nodes["CastToCharacter"]
    outputs = (*model.outputs[:2], Pin(f"As{target}", target))
    return replace(
        model,
        name=name,
        outputs=outputs,
        ue_target=f"K2Node_DynamicCast TargetType={target}",
        ue_outputs={**model.ue_outputs, f"As{target}": f"As {_spaced(target)}"},
        summary=f"Treats the object as a {target} if it is one.",
    )


def _spaced(name: str) -> str:
    """Write a class name as the editor shows it: `Player Controller`, `BP Door`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.replace("_", " "))


def _example(container: str) -> str:
    return {"Map": "Map<String,Int>"}.get(container, f"{container}<Int>")
