"""The tree a grown program is made of: calls of catalog nodes, what feeds them and what runs behind them.

A tree knows nothing about English: `render` says it, `build` turns it into a graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from nightforge.blueprint.catalog import NodeType
from nightforge.blueprint.graph import Value, Variable

GET, SET = "GetVar", "SetVar"
DEFAULT_NAME = "BP_Actor"  # of a program the instruction does not name
Kind = Literal["function", "macro"]
Params = tuple[tuple[str, str], ...]  # names and types of user pins


@dataclass(eq=False, slots=True)
class Call:
    """One node of the tree; two calls are never equal, so that a reference means this very node.

    `bodies` are the steps behind exec outputs, in the order they are said; `then` is the exec output the next
    step runs behind, empty where none can follow; `entry` the exec input it is reached by.
    """

    type: NodeType
    properties: dict[str, Value] = field(default_factory=dict)
    inputs: dict[str, Source] = field(default_factory=dict)
    bodies: dict[str, list[Call | Jump]] = field(default_factory=dict)
    then: str = ""
    entry: str = "Execute"
    binding: dict[str, str] = field(default_factory=dict)  # wildcard -> type
    outs: Params = ()  # user pins: what a custom event or a function entry hands over
    ins: Params = ()  # user pins: what a call of it takes

    def walk(self) -> Iterator[Call]:
        """Yield this call, everything that feeds it and everything behind it."""
        yield self
        for source in self.inputs.values():
            if source.call is not None and not source.shared:
                yield from source.call.walk()
        for steps in self.bodies.values():
            for step in steps:
                if isinstance(step, Call):
                    yield from step.walk()


@dataclass(eq=False, slots=True)
class Jump:
    """A wire into another exec input of a call that stands elsewhere: open the gate, reset the do once."""

    target: Call
    entry: str


@dataclass(frozen=True, slots=True)
class Source:
    """What fills an input: a literal, or an output pin of a call.

    `shared` means that the call stands elsewhere in the tree (an event, a loop, an earlier step); otherwise
    it is a pure node of this input alone.
    """

    type: str
    literal: Value | None = None
    call: Call | None = None
    pin: str = ""
    shared: bool = False

    @property
    def variable(self) -> str:
        """Return the name of the variable that is read here, or an empty text."""
        if self.call is None or self.call.type.name != GET:
            return ""
        return str(self.call.properties["VarName"])

    @property
    def is_literal(self) -> bool:
        """Say whether the value is written rather than wired."""
        return self.call is None


Steps = list[Call | Jump]


@dataclass(eq=False, slots=True)
class Routine:
    """A function or macro of the user: its name, its pins, its entry with the steps behind it."""

    kind: Kind
    name: str
    ins: Params
    outs: Params
    entry: Call


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole program before it is said and built: event handlers, functions, variables."""

    name: str
    parent: str
    handlers: tuple[Call, ...]
    routines: tuple[Routine, ...]
    variables: tuple[Variable, ...]
    named: bool

    def walk(self) -> Iterator[Call]:
        """Yield every call of every graph."""
        for handler in self.handlers:
            yield from handler.walk()
        for routine in self.routines:
            yield from routine.entry.walk()
