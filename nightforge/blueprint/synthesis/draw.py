"""The state of one program being drawn: random source, variables and labels in reach, weighted choice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import TypeVar

from nightforge.blueprint.graph import Struct, Value, Variable
from nightforge.blueprint.synthesis import pools
from nightforge.blueprint.synthesis.parts import Part

T = TypeVar("T")

NAMES: dict[str, tuple[str, ...]] = {
    "Float": pools.FLOAT_NAMES,
    "Int": pools.INT_NAMES,
    "Bool": pools.BOOL_NAMES,
    "String": pools.STRING_NAMES,
    "Vector": pools.VECTOR_NAMES,
    "Rotator": pools.ROTATOR_NAMES,
    "Actor": pools.ACTOR_NAMES,
    "PointLightComponent": pools.LIGHT_NAMES,
    "StaticMeshComponent": pools.MESH_NAMES,
    "UserWidget": pools.WIDGET_NAMES,
    "Array<Actor>": pools.ACTOR_LISTS,
    "Array<String>": pools.TEXT_LISTS,
    "Array<Int>": pools.INT_LISTS,
}
MAX_VARIABLES = 3
USUAL_WORDING = 0.4  # odds of the first wording before an even choice among all


class Impossible(Exception):
    """A pattern that does not fit the program drawn so far; the caller draws another one."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """One way to draw a part: its function, its odds and its node types; equal to itself only."""

    build: Callable[[Draw], Part]
    weight: float
    types: tuple[str, ...]

    @property
    def name(self) -> str:
        return self.build.__name__


@dataclass(slots=True)
class Draw:
    """Everything one program draws from; a new one is made for each program."""

    rng: Random
    focus: Mapping[str, float] = field(default_factory=dict)
    variables: dict[str, Variable] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)  # label in reach -> type
    calls: list[str] = field(default_factory=list)  # custom events that must exist
    defined: set[str] = field(default_factory=set)  # custom events that have a handler
    own_event: str = ""  # the custom event being drawn, which must not call itself
    patterns: list[str] = field(default_factory=list)
    depth: int = 0

    def pick(self, items: Sequence[T]) -> T:
        return items[int(self.rng.random() * len(items))]

    def word(self, wordings: Sequence[str]) -> str:
        """One of several wordings; the first is the usual one, so that it is learnt first."""
        return wordings[0] if self.chance(USUAL_WORDING) else self.pick(wordings)

    def chance(self, odds: float) -> bool:
        return self.rng.random() < odds

    def choose(self, patterns: Sequence[Pattern]) -> Part:
        """Draw one pattern by weight and build it, trying others while they do not fit."""
        left = tuple(patterns)
        while left:
            pattern = self.rng.choices(left, cum_weights=self._sums(left))[0]
            before = dict(self.variables), list(self.calls), list(self.patterns), dict(self.labels)
            try:
                part = pattern.build(self)
            except Impossible:
                self.variables, self.calls, self.patterns, self.labels = before
                place = left.index(pattern)
                left = left[:place] + left[place + 1 :]
                continue
            self.patterns.append(pattern.name)
            return part
        raise Impossible("no pattern fits")

    def _sums(self, patterns: tuple[Pattern, ...]) -> Sequence[float]:
        """The odds of the patterns, each with those before it."""
        if not self.focus:
            return _plain_sums(patterns)
        get = self.focus.get
        return list(
            accumulate(p.weight * (1.0 + max((get(t, 0.0) for t in p.types), default=0.0)) for p in patterns)
        )

    def variable(self, type_: str, *, apart_from: str = "") -> str:
        """The name of a variable of a type: a known one three times in four, otherwise a new one."""
        known = [v.name for v in self.variables.values() if v.type == type_ and v.name != apart_from]
        if known and (self.chance(0.75) or len(self.variables) >= MAX_VARIABLES):
            return self.pick(known)
        if len(self.variables) >= MAX_VARIABLES:
            raise Impossible("enough variables")
        free = [name for name in NAMES[type_] if name not in self.variables]
        name = self.pick(free)
        self.variables[name] = Variable(name, type_, self.default(type_))
        return name

    def default(self, type_: str) -> Value | None:
        """A start value that is always said in the instruction; references and lists have none."""
        if type_ == "Float":
            return self.pick((0.0, *pools.AMOUNTS))
        if type_ == "Int":
            return self.pick((0, *pools.SMALL_INTS, *pools.LARGE_INTS))
        if type_ == "Bool":
            return self.chance(0.4)
        if type_ == "String":
            return self.text()
        return None

    def text(self) -> str:
        """One or two words of a message."""
        kind = self.rng.random()
        if kind < 0.3:
            return self.pick(pools.TEXT_ALONE)
        return f"{self.pick(pools.TEXT_SUBJECTS)} {self.pick(pools.TEXT_STATES)}"

    def label(self, type_: str) -> str:
        """A label in reach whose pin has a type."""
        found = [label for label, known in self.labels.items() if known == type_]
        if not found:
            raise Impossible(f"no {type_} in reach")
        return self.pick(found)

    def reached(self) -> tuple[str, str]:
        """A label in reach and its type; the frame time is asked for by name, never just printed."""
        found = [(label, type_) for label, type_ in self.labels.items() if label != "delta seconds"]
        if not found:
            raise Impossible("nothing in reach")
        newest = found[-2:]  # a loop in an event: what the loop hands over
        return self.pick(newest)

    def vector(self) -> Struct:
        """A place or a push: mostly along one axis."""
        axes = self.pick((("X",), ("Y",), ("Z",), ("Z",), ("X", "Z"), ("X", "Y", "Z")))
        return xyz(*(self.pick(pools.LENGTHS) if axis in axes else 0.0 for axis in "XYZ"))


@lru_cache(maxsize=1024)  # the same few lists of patterns are drawn from all the time
def _plain_sums(patterns: tuple[Pattern, ...]) -> tuple[float, ...]:
    return tuple(accumulate(pattern.weight for pattern in patterns))


def xyz(x: float, y: float, z: float) -> Struct:
    """A Vector literal."""
    return Struct((("X", x), ("Y", y), ("Z", z)))


def turn(roll: float, pitch: float, yaw: float) -> Struct:
    """A Rotator literal."""
    return Struct((("Roll", roll), ("Pitch", pitch), ("Yaw", yaw)))


def say(value: Value) -> str:
    """A value as a person writes it: 30 for 30.0, (0, 0, 50) for a struct, quoted text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:g}"
    if isinstance(value, Struct):
        return "(" + ", ".join(say(item) for _, item in value.fields) + ")"
    return f'"{value}"'


def seconds(value: float) -> str:
    """A time as a person writes it: `1 second`, `2.5 seconds`."""
    return "1 second" if value == 1 else f"{value:g} seconds"
