"""Turns a tree into the canonical program: a node per call, exec wires along steps, data wires into it."""

from __future__ import annotations

from dataclasses import dataclass, field

from nightforge.blueprint.canonical import canonicalize
from nightforge.blueprint.catalog import EXEC
from nightforge.blueprint.graph import Blueprint, Graph, Node, PinSpec, Wire
from nightforge.blueprint.synthesis.grown.tree import Call, Jump, Routine, Steps, Tree
from nightforge.blueprint.synthesis.grown.vocabulary import is_structural

DEFINED = ("event", "function", "macro")  # roles of what is defined elsewhere, with its pins
End = tuple[str, str]  # node id, exec output


def to_blueprint(tree: Tree) -> Blueprint:
    """Build the canonical program of a tree."""
    writer = _Writer()
    for handler in tree.handlers:
        writer.handler(handler)
    writer.finish()
    graphs = [Graph("EventGraph", tuple(writer.nodes), tuple(writer.wires))]
    graphs += [_routine_graph(routine) for routine in tree.routines]
    return canonicalize(Blueprint(tree.name, tree.parent, tree.variables, tuple(graphs)))


def _routine_graph(routine: Routine) -> Graph:
    writer = _Writer()
    writer.handler(routine.entry)
    writer.finish()
    pins = [PinSpec("in", name, type_) for name, type_ in routine.ins]
    outs = [PinSpec("out", name, type_) for name, type_ in routine.outs]
    if routine.kind == "macro":
        pins.insert(0, PinSpec("in", "Exec", EXEC))
        outs.insert(0, PinSpec("out", "Then", EXEC))
    return Graph(routine.name, tuple(writer.nodes), tuple(writer.wires), routine.kind, (*pins, *outs))


@dataclass(slots=True)
class _Writer:
    nodes: list[Node] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    ids: dict[int, str] = field(default_factory=dict)  # id() of a call -> node id
    jumps: list[tuple[list[End], Jump]] = field(default_factory=list)

    def handler(self, event: Call) -> None:
        self.node(event)
        self.bodies(event)

    def finish(self) -> None:
        """Add the wires into calls that stand elsewhere."""
        for ends, jump in self.jumps:
            self.enter(ends, self.ids[id(jump.target)], jump.entry)

    def run(self, steps: Steps, ends: list[End]) -> None:
        for step in steps:
            if isinstance(step, Jump):
                self.jumps.append((ends, step))
                return
            node = self.node(step)
            self.enter(ends, node, step.entry)
            self.bodies(step)
            ends = [(node, step.then)] if step.then else []

    def bodies(self, call: Call) -> None:
        for pin, steps in call.bodies.items():
            self.run(steps, [(self.ids[id(call)], pin)])

    def enter(self, ends: list[End], node: str, entry: str) -> None:
        self.wires += [Wire("exec", source, pin, node, entry) for source, pin in ends]

    def node(self, call: Call) -> str:
        """Add the node of a call behind the nodes that feed it; returns its id."""
        sources = []
        for pin, source in call.inputs.items():
            assert source.call is not None
            origin = self.ids[id(source.call)] if source.shared else self.node(source.call)
            sources.append((pin, origin, source.pin, source.type))
        node = f"n{len(self.nodes) + 1}"
        self.ids[id(call)] = node
        pins: tuple[PinSpec, ...] = ()
        if not any(entry.role in DEFINED for entry in call.type.properties) and not is_structural(call.type):
            pins = tuple(PinSpec("in", name, type_) for name, type_ in call.ins)
            pins += tuple(PinSpec("out", name, type_) for name, type_ in call.outs)
        self.nodes.append(Node(node, call.type.name, tuple(call.properties.items()), pins))
        self.wires += [Wire("data", origin, out, node, pin, type_) for pin, origin, out, type_ in sources]
        return node
