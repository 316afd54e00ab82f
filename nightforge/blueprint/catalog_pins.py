"""Pins of the catalog and their notation: `Name: Type @role ! ? = default`.

`!` marks an input that must be wired or set, `?` one that prompts and exercises leave out, `@event` an input
whose text names an event. `Then_#` is a family of numbered pins, `Case_*` one of named pins, `^` the letters
behind the last lettered pin (C, D, ... of a commutative operator). `T`, `K` and `V` are wildcards: all pins
of one node with the same wildcard carry the same type. Defaults are those of the engine, in the spelling of
the language: `5`, `0.2`, `true`, `"Hello"`, `(X=0.0,Y=0.0,Z=1.0)`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from nightforge.blueprint.graph import Struct, Value

EXEC = "exec"
WILDCARD = "T"
WILDCARDS = ("T", "K", "V")
SELF = "Self"

_FAMILIES = {"#": "number", "*": "text", "^": "letter"}
_PIN = re.compile(
    r"(?P<name>\w+[#*]?|\^): (?P<type>\w[\w<>,]*)(?: @(?P<role>\w+))?(?P<required> !)?(?P<extra> \?)?"
    r"(?: = (?P<default>\S.*))?"
)
_LETTERS = re.compile(r"[C-Z]")
_NUMBER = re.compile(r"0|[1-9]\d{0,3}", re.ASCII)
_FIELD = re.compile(r'(\w+)=(\([^()]*\)|"[^"]*"|[^,()"]+)(?:,|$)')


@dataclass(frozen=True, slots=True)
class Pin:
    """A pin of a node type; `dynamic` is "number", "text" or "letter" for a family such as `Then_#`.

    `default` is what the engine uses where an input is neither wired nor set, None where it has none;
    `extra` inputs are real but stay out of prompts and exercises.
    """

    name: str
    type: str
    required: bool = False
    role: str = "literal"
    dynamic: str = ""
    extra: bool = False
    default: Value | None = None

    @property
    def is_exec(self) -> bool:
        """Say whether the pin carries control rather than a value."""
        return self.type == EXEC

    def matches(self, name: str) -> bool:
        """Say whether a written pin name means this pin."""
        if not self.dynamic:
            return name == self.name
        if self.dynamic == "letter":
            return _LETTERS.fullmatch(name) is not None
        stem = self.name[:-1]
        rest = name[len(stem) :]
        if not name.startswith(stem) or not rest:
            return False
        return self.dynamic == "text" or _NUMBER.fullmatch(rest) is not None

    def engine_name(self, name: str, target: str) -> str:
        """Put the changing part of a written name into the engine's name of the family."""
        if not self.dynamic:
            return target
        return target.replace(self.name[-1], name[len(self.name) - 1 :])


def read_pin(text: str, node: str) -> Pin:
    """Read the notation of a pin; raises ValueError naming the node where it is malformed."""
    match = _PIN.fullmatch(text)
    if match is None:
        raise ValueError(f"catalog.json: {node} has the malformed pin {text!r}")
    name, written = match["name"], match["default"]
    try:
        default = None if written is None else read_value(written)
    except ValueError as error:
        raise ValueError(f"catalog.json: {node}, default of the pin {name}: {error}") from error
    return Pin(
        name=name,
        type=match["type"],
        required=match["required"] is not None,
        role=match["role"] or "literal",
        dynamic=_FAMILIES.get(name[-1], ""),
        extra=match["extra"] is not None,
        default=default,
    )


def read_value(text: str) -> Value:
    """Read a literal: a JSON number, bool or text, or a struct of them; raises ValueError otherwise."""
    if text.startswith("(") and text.endswith(")"):
        inner = text[1:-1]
        found = list(_FIELD.finditer(inner))
        if not found or "".join(match[0] for match in found) != inner or inner.endswith(","):
            raise ValueError(f"{text!r} is no struct such as (X=1.0,Y=2.0)")
        return Struct(tuple((match[1], read_value(match[2])) for match in found))
    value = json.loads(text)
    if not isinstance(value, str | int | float | bool):
        raise ValueError(f"{text!r} is no number, bool, text or struct")
    return value
