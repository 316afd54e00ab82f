"""What one program draws from: its size, variables, values in reach, events that must be defined."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from nightforge.blueprint.graph import Struct, Value, Variable, split_type
from nightforge.blueprint.pin_types import value_problem
from nightforge.blueprint.synthesis.grown.naming import MEASURES, Names
from nightforge.blueprint.synthesis.grown.tree import GET, Call, Params, Routine, Source
from nightforge.blueprint.synthesis.grown.vocabulary import Vocabulary, spaced

ASSET_PREFIXES = (
    ("Sound", "S_"), ("Material", "M_"), ("Texture", "T_"), ("SkeletalMesh", "SK_"), ("StaticMesh", "SM_"),
    ("Montage", "AM_"), ("Anim", "AN_"), ("Particle", "P_"), ("Niagara", "NS_"), ("DataTable", "DT_"),
    ("Curve", "C_"), ("Mesh", "SM_"), ("InputMapping", "IMC_"), ("InputAction", "IA_"), ("Widget", "WBP_"),
)  # fmt: skip
PARAMETERS = (
    "Float",
    "Int",
    "Bool",
    "String",
    "Vector",
    "Actor",
    "Float",
    "Int",
    "Name",
)  # types of user pins
REFERENCED = ("Actor", "ActorComponent", "Widget")  # classes whose objects are wired, never named


class Impossible(Exception):
    """What was drawn does not fit the program so far; the caller draws something else."""


@dataclass(frozen=True, slots=True)
class Level:
    """How large a program grows: statements per handler, depth of expressions, nesting of flow nodes."""

    name: str
    statements: tuple[int, int]
    depth: int
    nesting: int
    handlers: tuple[float, ...]  # odds of 1, 2, 3 handlers
    functions: float  # odds of a user function
    variables: int
    extras: float  # odds that an input programs seldom set is set


LEVELS = {
    "easy": Level("easy", (1, 2), 1, 1, (1.0,), 0.0, 2, 0.0),
    "medium": Level("medium", (2, 3), 2, 1, (0.8, 0.2), 0.12, 4, 0.02),
    "hard": Level("hard", (3, 5), 3, 2, (0.7, 0.25, 0.05), 0.25, 6, 0.04),
}


@dataclass(slots=True)
class Scope:
    """The state of one program while it grows."""

    names: Names
    vocabulary: Vocabulary
    level: Level
    parent: str
    rarity: Mapping[str, float]  # node type -> odds factor
    variables: dict[str, Variable] = field(default_factory=dict)
    outputs: dict[str, Source] = field(default_factory=dict)  # words -> value in reach
    events: dict[str, Params] = field(default_factory=dict)  # custom events with their pins
    pending: list[str] = field(default_factory=list)  # called, not yet defined
    own_event: str = ""  # the event or function that grows now; it never calls itself
    routines: list[Routine] = field(default_factory=list)  # what may be called here
    room: int = 12  # nodes that may still be added
    waits: bool = True  # whether nodes that take time may stand here
    nesting: int = 0

    def is_class(self, type_: str) -> bool:
        """Say whether a type is a class of objects."""
        return self.vocabulary.types.is_class(type_)

    def suits_self(self, type_: str) -> bool:
        """Say whether the blueprint itself is an object of a class, so that the input may stay open."""
        types = self.vocabulary.types
        return types.is_class(type_) and types.is_class(self.parent) and types.is_subclass(self.parent, type_)

    def literal(self, type_: str, meaning: str) -> Value | None:
        """Return a literal of a type for something of that meaning, in words; None where the type has
        none.
        """
        value = self._literal(type_, meaning)
        return None if value is None or value_problem(type_, value) else value

    def _literal(self, type_: str, meaning: str) -> Value | None:
        names, types = self.names, self.vocabulary.types
        plain: dict[str, Callable[[], Value]] = {
            "Bool": lambda: names.chance(0.5),
            "Int": lambda: names.whole(0, 4) if "index" in meaning else names.count(),
            "Byte": lambda: names.whole(0, 255),
            "Int64": names.count,
            "Float": lambda: names.number(meaning),
            "String": names.text,
            "Text": names.text,
            "Name": names.thing,
        }
        if type_ in plain:
            return plain[type_]()
        if type_ in types.enums:
            return names.pick([entry for entry in types.enums[type_] if entry != "None"])
        if type_ in types.struct_fields:
            return self._struct(types.struct_fields[type_], meaning)
        if type_.startswith("Class<"):
            return names.prefixed("WBP_" if "Widget" in type_ else "BP_")
        return self._asset(type_)

    def _asset(self, type_: str) -> Value | None:
        types = self.vocabulary.types
        if not types.is_class(type_) or type_ == "Object":
            return None
        if "Dynamic" in type_ or any(types.is_subclass(type_, base) for base in REFERENCED):
            return None
        prefix = next((prefix for part, prefix in ASSET_PREFIXES if part in type_), "")
        return self.names.prefixed(prefix) if prefix else None

    def _struct(self, fields: Mapping[str, str], meaning: str) -> Value | None:
        kinds = set(fields.values())
        if kinds == {"Float"}:
            return self.names.struct(tuple(fields), meaning)
        if kinds in ({"Int"}, {"Byte"}):
            return Struct(tuple((name, self.names.whole(0, 200)) for name in fields))
        return None

    def variable(self, type_: str, apart_from: str = "", loose: bool = False, exact: bool = False) -> Source:
        """Return a read of a variable that suits a type: one that exists two times in three, or a new one.

        Raises Impossible where the program has enough variables.
        """
        if type_ == "Delegate":
            raise Impossible("events are bound, not kept")
        known = [
            v
            for v in self.variables.values()
            if v.name != apart_from
            and (v.type == type_ if exact else self.vocabulary.accepts(type_, v.type, loose))
        ]
        full = len(self.variables) >= self.level.variables
        if known and (full or self.names.chance(0.65)):
            return self.read(self.names.pick(known))
        if full and len(self.variables) >= 8:
            raise Impossible(f"no {type_} variable and no room for one")
        return self.read(self.declare(type_))

    def declare(self, type_: str) -> Variable:
        """Add a variable with a start value where its type has literals people write."""
        base, arguments = split_type(type_)
        name = self.names.variable(type_, self._stems(base, arguments))
        default = None
        if type_ in ("Bool", "Int", "Float", "String", "Vector") and self.names.chance(0.75):
            default = self.literal(type_, spaced(name))
        self.variables[name] = Variable(name, type_, default)
        return self.variables[name]

    def _stems(self, base: str, arguments: tuple[str, ...]) -> tuple[str, ...]:
        if arguments:
            inner = self._stems(arguments[-1], ())
            return tuple(_plural(stem) for stem in inner)
        if base in MEASURES:
            return MEASURES[base]
        types = self.vocabulary.types
        if types.is_class(base):
            stem = (
                base.removesuffix("Component").removesuffix("Base").removeprefix("BP_").removeprefix("WBP_")
            )
            return (stem or base,)
        return (base[1:] if base in types.enums else base,)

    def parameters(self, low: int, high: int) -> Params:
        """Draw user pins: from low to high of them, each with a name and a type."""
        found = []
        for _ in range(self.names.whole(low, high)):
            type_ = self.names.pick(PARAMETERS)
            found.append((self.names.parameter(type_, MEASURES[type_]), type_))
        return tuple(found)

    def read(self, variable: Variable) -> Source:
        """Return a fresh read of a variable."""
        self.room -= 1
        call = Call(self.vocabulary.nodes[GET], {"VarName": variable.name})
        return Source(variable.type, call=call, pin="Value")

    def reached(self, type_: str, loose: bool = False) -> list[Source]:
        """Return the values in reach that suit a type, the newest last."""
        return [s for s in self.outputs.values() if self.vocabulary.accepts(type_, s.type, loose)]

    def publish(self, words: str, source: Source) -> None:
        """Put a value in reach; one that is said with the same words is no longer in reach."""
        self.outputs.pop(words, None)
        self.outputs[words] = source


def _plural(word: str) -> str:
    return f"{word}List" if word.endswith(("s", "x", "ch", "y")) else f"{word}s"
