"""The type system of the catalog: values, structs, enums, classes, containers and implicit conversions."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

from nightforge.blueprint.catalog_pins import read_pin
from nightforge.blueprint.graph import split_type

OBJECT = "Object"
REFERENCES = ("Class", "SoftClass", "SoftObject")  # what may stand before <SomeClass>
GENERATED = "_C"  # the engine's ending of a class made by a Blueprint asset


@dataclass(frozen=True, slots=True)
class Types:
    """Value types, structs with typed fields, enums, classes with parents, and what turns into what.

    `paths` gives the script path of a struct, enum or class (`/Script/Engine.Actor`), `names` the reverse.
    """

    values: tuple[str, ...]
    struct_fields: dict[str, dict[str, str]]
    enums: dict[str, tuple[str, ...]]
    classes: dict[str, str | None]
    containers: dict[str, int]
    project_prefixes: dict[str, str]
    parents: tuple[str, ...]
    conversions: dict[str, tuple[str, ...]]
    paths: dict[str, str]
    names: dict[str, str]
    structs: dict[str, tuple[str, ...]]

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

    def is_known(self, name: str) -> bool:
        """Say whether a plain type name is a value, struct, enum or class."""
        return name in self.values or name in self.struct_fields or name in self.enums or self.is_class(name)

    def path(self, name: str) -> str | None:
        """Return the script path of a struct, enum or class of the engine; None for project types."""
        return self.paths.get(name)

    def name_of(self, path: str) -> str | None:
        """Return the type a path means: an engine type exactly, or a project class with a known prefix."""
        known = self.names.get(path)
        if known is not None or path.startswith("/Script/"):
            return known
        name = path.rpartition(".")[2]
        name = name.removesuffix(GENERATED)
        return name if name not in self.classes and self.is_class(name) else None

    def problem(self, type_name: str) -> str | None:
        """Return what is wrong with a written type, or None where it is known."""
        head, arguments = split_type(type_name)
        if head in REFERENCES:
            if len(arguments) != 1 or not self.is_class(arguments[0]):
                return f"{head} needs a class, as in {head}<Actor>"
            return None
        if arguments or head in self.containers:
            wanted = self.containers.get(head)
            if wanted is None:
                return f"{head} is no container; write Array<...>, Set<...> or Map<...,...>"
            if len(arguments) != wanted:
                return f"{head} needs {wanted} element type(s), as in {_example(head)}"
        for part in arguments:
            found = self.problem(part)
            if found is not None:
                return found
        if not arguments and not self.is_known(head):
            known = [*self.values, *self.struct_fields, *self.enums, *self.classes]
            return f"unknown type {head!r}{suggestion(head, known)}"
        return None

    def accepts(self, target: str, source: str) -> bool:
        """Say whether a `source` value may go into a `target` pin, conversions of UE included."""
        if target == source:
            return True
        if self.is_class(source):
            return self.is_subclass(source, target) or target in self.conversions.get(OBJECT, ())
        if self._reference_fits(target, source):
            return True
        kind = "Enum" if source in self.enums else source
        return target in self.conversions.get(kind, ())

    def _reference_fits(self, target: str, source: str) -> bool:
        """Let Class<Pawn> into Class<Actor>, and any class reference into an Object."""
        head, arguments = split_type(source)
        if head not in REFERENCES or len(arguments) != 1:
            return False
        wanted, bases = split_type(target)
        if target == OBJECT:
            return head == "Class"
        return wanted == head and len(bases) == 1 and self.is_subclass(arguments[0], bases[0])


def read_types(raw: dict[str, Any]) -> Types:
    """Read the section `types` of catalog.json; raises ValueError where it contradicts itself."""
    classes = {name: entry.get("parent") for name, entry in raw["classes"].items()}
    for name, parent in classes.items():
        if parent is not None and parent not in classes:
            raise ValueError(f"catalog.json: class {name} has the unknown parent {parent!r}")
    paths: dict[str, str] = {}
    for section in ("structs", "enums", "classes"):
        for name, entry in raw[section].items():
            if name in paths:
                raise ValueError(f"catalog.json: the type {name!r} is given twice")
            paths[name] = f"{entry['module']}.{name}"
    fields = {
        name: {pin.name: pin.type for pin in (read_pin(text, name) for text in entry["fields"])}
        for name, entry in raw["structs"].items()
    }
    return Types(
        values=tuple(raw["values"]),
        struct_fields=fields,
        enums={name: tuple(entry["entries"]) for name, entry in raw["enums"].items()},
        classes=classes,
        containers=dict(raw["containers"]),
        project_prefixes=dict(raw["project_prefixes"]),
        parents=tuple(raw["parents"]),
        conversions={name: tuple(targets) for name, targets in raw["conversions"].items()},
        paths=paths,
        names={path: name for name, path in paths.items()},
        structs={name: tuple(typed) for name, typed in fields.items()},
    )


def suggestion(name: str, known: list[str]) -> str:
    """Return `; did you mean X?` with the nearest known name, or an empty text."""
    lowered = {entry.lower(): entry for entry in known}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return f"; did you mean {lowered[close[0]]}?" if close else ""


def _example(container: str) -> str:
    return {"Map": "Map<String,Int>"}.get(container, f"{container}<Int>")
