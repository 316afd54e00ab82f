"""Turns a composed program into a graph: a node per part, exec wires along steps, data wires into inputs."""

from __future__ import annotations

from dataclasses import dataclass, field

from nightforge.blueprint.canonical import canonicalize
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.graph import Blueprint, Graph, Node, Wire, split_type
from nightforge.blueprint.synthesis.parts import BLOCK, LINK, REFERENCE, Part, Program

End = tuple[str, str]  # node id, exec output pin


def to_blueprint(program: Program) -> Blueprint:
    """Build the canonical graph of a program; raises KeyError where a part names a label nobody published."""
    writer = _Writer({variable.name: variable.type for variable in program.variables}, program.parent)
    for handler in program.handlers:
        writer.handler(handler)
    for source, (label, entry) in writer.links:
        writer.exec_wire(source, writer.labels[label], entry)
    graph = Graph("EventGraph", tuple(writer.nodes), tuple(writer.wires))
    return canonicalize(Blueprint(program.name, program.parent, program.variables, (graph,)))


@dataclass(slots=True)
class _Writer:
    variable_types: dict[str, str]
    parent: str
    nodes: list[Node] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)  # label -> node id
    links: list[tuple[End, tuple[str, str]]] = field(default_factory=list)
    pins: dict[str, tuple[str, str, str]] = field(default_factory=dict)  # label -> node id, data pin, type

    def handler(self, event: Part) -> None:
        self.pins.clear()
        node = self.node(event)
        for pin, steps in event.bodies:
            self.run(steps, [(node, pin)])

    def run(self, steps: tuple[Part, ...], ends: list[End]) -> list[End]:
        for step in steps:
            ends = self.step(step, ends)
        return ends

    def step(self, part: Part, ends: list[End]) -> list[End]:
        if part.type == BLOCK:
            return self.run(part.bodies[0][1], ends)
        if part.type == LINK:
            self.links.extend((end, (part.label, part.entry)) for end in ends)
            return []
        node = self.node(part)
        for end in ends:
            self.exec_wire(end, node, part.entry)
        for pin, steps in part.bodies:
            self.run(steps, [(node, pin)])
        return [(node, part.then)] if part.then else []

    def node(self, part: Part) -> str:
        """Add the node of a part behind the nodes that feed it; returns its id."""
        sources = [(pin, *self.value(source)) for pin, source in part.inputs]
        node = f"n{len(self.nodes) + 1}"
        self.nodes.append(Node(node, part.type, part.props))
        for pin, source, source_pin, type_ in sources:
            self.wires.append(Wire("data", source, source_pin, node, pin, type_))
        for label, pin in part.binds:
            self.pins[label] = (node, pin, self.pin_type(part, pin))
        if part.label:
            self.labels[part.label] = node
        return node

    def value(self, part: Part) -> tuple[str, str, str]:
        if part.type == REFERENCE:
            return self.pins[part.out]
        return self.node(part), part.out, self.pin_type(part, part.out)

    def pin_type(self, part: Part, pin: str) -> str:
        """The type a data output really has, generic pins resolved."""
        if part.type in ("GetVar", "SetVar"):
            return self.variable_types[str(dict(part.props)["VarName"])]
        declared = next(item.type for item in load_catalog().nodes[part.type].outputs if item.name == pin)
        if declared == "T":
            return split_type(self.source_type(dict(part.inputs)["Array"]))[1][0]
        return self.parent if declared == "Self" else declared

    def source_type(self, part: Part) -> str:
        return self.pins[part.out][2] if part.type == REFERENCE else self.pin_type(part, part.out)

    def exec_wire(self, source: End, target: str, entry: str) -> None:
        self.wires.append(Wire("exec", source[0], source[1], target, entry))
