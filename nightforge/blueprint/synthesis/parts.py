"""The tree a program is composed of, before it becomes a graph.

A `Part` is one node together with what feeds it (data inputs) and what runs behind its exec outputs (bodies).
It also carries the English that asked for it: composing parts composes program and instruction at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from nightforge.blueprint.graph import Value, Variable

DEFAULT_NAME = "BP_Actor"  # of a program the instruction does not name
REFERENCE = "@ref"  # reads a data pin another part published under a label
LINK = "@link"  # runs into an exec pin of a part another handler owns
BLOCK = "@block"  # several steps asked for with one phrase


@dataclass(frozen=True, slots=True)
class Part:
    """One node with its inputs and the steps behind its exec outputs.

    `out` is the data pin a consumer reads; `entry` the exec pin steps arrive at; `then` the exec pin the next
    step continues from, empty where nothing can follow. `binds` publishes data pins as labels for later
    parts, and `label` names the node itself for a `LINK`.
    """

    type: str
    props: tuple[tuple[str, Value], ...] = ()
    inputs: tuple[tuple[str, Part], ...] = ()
    bodies: tuple[tuple[str, tuple[Part, ...]], ...] = ()
    binds: tuple[tuple[str, str], ...] = ()
    out: str = "ReturnValue"
    entry: str = "Execute"
    then: str = "Then"
    label: str = ""
    phrase: str = ""

    def said(self, phrase: str) -> Part:
        """The same part with its English."""
        return Part(
            self.type, self.props, self.inputs, self.bodies, self.binds,
            self.out, self.entry, self.then, self.label, phrase,
        )  # fmt: skip

    def walk(self) -> Iterator[Part]:
        """This part, everything that feeds it and everything behind it."""
        yield self
        for _, source in self.inputs:
            yield from source.walk()
        for _, steps in self.bodies:
            for step in steps:
                yield from step.walk()

    @property
    def size(self) -> int:
        """Nodes this part adds to the graph."""
        inside = sum(source.size for _, source in self.inputs)
        behind = sum(step.size for _, steps in self.bodies for step in steps)
        return (not self.type.startswith("@")) + inside + behind


@dataclass(frozen=True, slots=True)
class Program:
    """Event handlers with the variables they use; a handler is the event part, its steps are the bodies."""

    handlers: tuple[Part, ...]
    variables: tuple[Variable, ...] = ()
    name: str = DEFAULT_NAME
    parent: str = "Actor"

    @property
    def size(self) -> int:
        return sum(handler.size for handler in self.handlers)

    def types(self) -> tuple[str, ...]:
        """Catalog node types in the order they appear, repeats kept."""
        return tuple(part.type for handler in self.handlers for part in handler.walk() if part.type[0] != "@")


def call(type_: str, *, inputs: dict[str, Part] | None = None, then: str = "Then", **props: Value) -> Part:
    """An exec node: literals become properties, parts become data wires."""
    return Part(type_, props=tuple(props.items()), inputs=tuple((inputs or {}).items()), then=then)


def pure(
    type_: str, *, inputs: dict[str, Part] | None = None, out: str = "ReturnValue", **props: Value
) -> Part:
    """A node without exec pins, read at `out`."""
    return Part(type_, props=tuple(props.items()), inputs=tuple((inputs or {}).items()), out=out)


def ref(label: str) -> Part:
    """The data pin an earlier part published under `label`."""
    return Part(REFERENCE, out=label)


def link(label: str, entry: str) -> Part:
    """A jump into exec pin `entry` of the part named `label`; nothing follows it."""
    return Part(LINK, label=label, entry=entry, then="")


def block(*steps: Part) -> Part:
    """Steps in a row that one phrase asked for."""
    return Part(BLOCK, bodies=(("", steps),))


def get(name: str) -> Part:
    """The value of a variable."""
    return Part("GetVar", props=(("VarName", name),), out="Value", phrase=name)


def put(name: str, value: Value | Part) -> Part:
    """Store a literal or a computed value in a variable."""
    if isinstance(value, Part):
        return Part("SetVar", props=(("VarName", name),), inputs=(("Value", value),))
    return Part("SetVar", props=(("VarName", name), ("Value", value)))


def publish(part: Part, **labels: str) -> Part:
    """Make data pins of a part readable by later steps: `publish(spawn, spawned="ReturnValue")`."""
    pairs = tuple((label.replace("_", " "), pin) for label, pin in labels.items())
    return replace(part, binds=(*part.binds, *pairs))


def flow(type_: str, bodies: dict[str, tuple[Part, ...]], **props: Value) -> Part:
    """A node that runs a body behind each named exec pin; nothing follows it."""
    kept = tuple((pin, steps) for pin, steps in bodies.items() if steps)
    return Part(type_, props=tuple(props.items()), bodies=kept, then="")


def feed(part: Part, **inputs: Part) -> Part:
    """The same part with data wires into the named pins."""
    return replace(part, inputs=(*part.inputs, *inputs.items()))
