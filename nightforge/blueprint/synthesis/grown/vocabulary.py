"""The catalog as the grower sees it: what can start, run, decide, and which node yields which type.

Everything is derived from pins, kinds and roles, so that a new catalog entry is used without a change here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, wraps
from typing import TypeVar

from nightforge.blueprint.catalog import EXEC, SELF, NodeType, Pin, load_catalog
from nightforge.blueprint.graph import split_type

T = TypeVar("T")
WILDCARDS = ("T", "K", "V")
SCALAR = ("Bool", "Int", "Float", "String", "Name", "Vector", "Rotator")
FIELD_TYPES = ("Float", "Int", "Bool", "Name", "Vector", "Byte", "String")  # of struct fields that are set
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+[A-Z]?")


def by_name(function: Callable[..., T]) -> Callable[..., T]:
    """Keep the results of a function of a node type and texts; names are unique, hashing types is slow."""
    kept: dict[tuple[str, ...], T] = {}

    @wraps(function)
    def cached(node: NodeType, *rest: str) -> T:
        key = (node.name, *rest)
        if key not in kept:
            kept[key] = function(node, *rest)
        return kept[key]

    return cached


class Vocabulary:
    """Node types by use; the lists are in catalog order."""

    def __init__(self) -> None:
        """Sort the catalog once."""
        catalog = load_catalog()
        self.types = catalog.types
        self.nodes = catalog.nodes
        self._producers: dict[tuple[str, bool], tuple[tuple[NodeType, Pin], ...]] = {}
        self._consumers: dict[str, tuple[tuple[NodeType, Pin], ...]] = {}
        self.plain_structs = tuple(
            name
            for name, fields in catalog.types.struct_fields.items()
            if fields
            and set(fields.values()) <= set(FIELD_TYPES)
            and name not in ("Vector", "Rotator", "Transform")
        )
        plain = [node for node in catalog.nodes.values() if not is_structural(node)]
        self.events = tuple(n for n in plain if n.is_entry)
        self.pure = tuple(n for n in plain if n.kind == "pure")
        running = [n for n in plain if n.kind != "pure" and not n.is_entry and n.has_exec_input]
        self.straight = tuple(n for n in running if not is_flow(n))
        self.flows = tuple(n for n in running if is_flow(n))

    def accepts(self, target: str, source: str, loose: bool = False) -> bool:
        """Say whether a source suits a target: equal, a subclass or a wider number; `loose`: anything the
        engine converts to text as well.
        """
        if target == source:
            return True
        if not self.types.accepts(target, source):
            return False
        if loose or self.types.is_class(source) and self.types.is_class(target):
            return loose or target != "Object"
        return target not in ("String", "Text", "Name")

    def producers(self, type_: str, parent: str) -> tuple[tuple[NodeType, Pin], ...]:
        """Return the pure nodes and outputs that yield a type, wildcards included."""
        is_self = self.types.is_class(type_) and self.types.is_subclass(parent, type_)
        key = type_, is_self
        if key not in self._producers:
            found = []
            for node in self.pure:
                if any(entry.role == "variable" for entry in node.properties):
                    continue
                for pin in data_outputs(node):
                    if self._yields(node, pin.type, type_, is_self):
                        found.append((node, pin))
            self._producers[key] = tuple(found)
        return self._producers[key]

    def _yields(self, node: NodeType, given: str, wanted: str, is_self: bool) -> bool:
        if given == SELF:
            return is_self
        if any(entry.role == "struct" for entry in node.properties):
            return wanted in self.plain_structs
        if wildcards_of(given) and not is_decided(node, given):
            return wanted in (*SCALAR, "Actor") and any(entry.role == "action" for entry in node.properties)
        if wildcards_of(given):
            return unify(given, wanted) is not None
        return self.accepts(wanted, given)

    def consumers(self, type_: str) -> tuple[tuple[NodeType, Pin], ...]:
        """Return the steps and inputs that take a value of a type as it is."""
        if type_ not in self._consumers:
            self._consumers[type_] = tuple(
                (node, pin)
                for node in (*self.straight, *self.flows)
                for pin in data_inputs(node)
                if not pin.dynamic and pin.role == "literal" and not is_switch(node, pin)
                if not wildcards_of(pin.type) and self.accepts(pin.type, type_)
            )
        return self._consumers[type_]


@cache
def vocabulary() -> Vocabulary:
    """Return the vocabulary of the catalog at hand, made once."""
    return Vocabulary()


def is_structural(node: NodeType) -> bool:
    """Say whether a node belongs to the frame of a user graph and is placed by it, not drawn."""
    return node.name in ("FunctionEntry", "FunctionResult", "CallFunction", "CallMacro")


@by_name
def is_flow(node: NodeType) -> bool:
    """Say whether control can leave a node in more than one way, or only by a pin that must be named."""
    outs = [pin for pin in node.outputs if pin.is_exec]
    return len(outs) > 1 or any(pin.dynamic for pin in outs) or len(entries(node)) > 1


@by_name
def entries(node: NodeType) -> tuple[str, ...]:
    """Return the exec inputs of a node."""
    return tuple(pin.name for pin in node.inputs if pin.is_exec)


@by_name
def data_inputs(node: NodeType) -> tuple[Pin, ...]:
    """Return the inputs that take values and that programs usually set."""
    return tuple(pin for pin in node.inputs if pin.type != EXEC and not pin.extra)


@by_name
def extra_inputs(node: NodeType) -> tuple[Pin, ...]:
    """Return the inputs that programs seldom set."""
    return tuple(pin for pin in node.inputs if pin.type != EXEC and pin.extra and not pin.dynamic)


@by_name
def data_outputs(node: NodeType) -> tuple[Pin, ...]:
    """Return the outputs that hand values over, families of pins left out."""
    return tuple(pin for pin in node.outputs if pin.type != EXEC and not pin.dynamic and not pin.extra)


def is_switch(node: NodeType, pin: Pin) -> bool:
    """Say whether an input is a Bool that is chosen once and for all, as the looping of a timer is."""
    if pin.type != "Bool" or node.kind == "pure" or pin.name == "Condition":
        return False
    return is_flow(node) or len([p for p in data_inputs(node) if p.name != "Target"]) > 1


@cache
def wildcards_of(type_: str) -> tuple[str, ...]:
    """Return the wildcards a pin type mentions: `Map<K,V>` gives ("K", "V")."""
    head, arguments = split_type(type_)
    return tuple(part for part in (head, *arguments) if part in WILDCARDS)


@by_name
def is_decided(node: NodeType, type_: str) -> bool:
    """Say whether inputs or properties of a node tell what the wildcards of a type stand for."""
    given = {name for pin in node.inputs for name in wildcards_of(pin.type)}
    if any(entry.role in ("variable", "struct") for entry in node.properties):
        given.add("T")
    return set(wildcards_of(type_)) <= given


def unify(pattern: str, type_: str) -> dict[str, str] | None:
    """Return what the wildcards of a pin type stand for so that it becomes a type; None where it cannot."""
    head, arguments = split_type(pattern)
    if head in WILDCARDS:
        return None if "<" in type_ or type_ == "Delegate" else {head: type_}
    other, given = split_type(type_)
    if head != other or len(arguments) != len(given):
        return None
    bound: dict[str, str] = {}
    for name, value in zip(arguments, given, strict=True):
        if name in WILDCARDS:
            if bound.setdefault(name, value) != value:
                return None
        elif name != value:
            return None
    return bound


def substitute(pattern: str, binding: dict[str, str]) -> str:
    """Return a pin type with its wildcards filled in; unbound ones stay."""
    head, arguments = split_type(pattern)
    if not arguments:
        return binding.get(head, head)
    return f"{head}<{','.join(binding.get(part, part) for part in arguments)}>"


@cache
def spaced(name: str) -> str:
    """Write a name of the catalog in lower-case words: `SetActorScale3D` gives `set actor scale 3D`."""
    words: list[str] = []
    for word in _WORD.findall(re.sub(r"^b(?=[A-Z])", "", name)):
        if word.isdecimal() and words:
            words[-1] += word  # a number that stands alone would be read as one
        elif len(word) > 1 and word.isupper() or word[0].isdigit():
            words.append(word)
        else:
            words.append(word.lower())
    return " ".join(words)
