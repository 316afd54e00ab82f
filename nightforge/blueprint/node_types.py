"""The node type each node really has: the catalog's, with the pins its signature or its definition adds.

A call has the pins of the function, macro or custom event it names; FunctionEntry and FunctionResult have
those of their graph's header; an opaque node, whose type is a K2 class, has just the pins of its signature.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from nightforge.blueprint.catalog import EXEC, NodeKind, NodeType, Pin, load_catalog
from nightforge.blueprint.graph import Blueprint, Graph, Node, PinSpec

ENTRY, RESULT = "FunctionEntry", "FunctionResult"
CALLED = {"function": "functions", "macro": "macros", "event": "events"}  # role -> field of Definitions
_OPAQUE = ("K2Node_", "/")  # a class of /Script/BlueprintGraph, or a whole class path


def is_opaque(node_type: str) -> bool:
    """Say whether a node type is a class of the editor rather than a name of the catalog."""
    return node_type.startswith(_OPAQUE) and load_catalog().lookup(node_type) is None


@dataclass(frozen=True, slots=True)
class Definitions:
    """What calls may name: functions, macros and custom events of a program, with the pins of a call."""

    functions: dict[str, tuple[PinSpec, ...]]
    macros: dict[str, tuple[PinSpec, ...]]
    events: dict[str, tuple[PinSpec, ...]]

    @classmethod
    def of(cls, bp: Blueprint) -> Definitions:
        """Collect the definitions of a program; of repeated names the first one counts."""
        functions: dict[str, tuple[PinSpec, ...]] = {}
        macros: dict[str, tuple[PinSpec, ...]] = {}
        events: dict[str, tuple[PinSpec, ...]] = {}
        for graph in bp.graphs:
            if graph.kind != "graph":
                (functions if graph.kind == "function" else macros).setdefault(graph.name, graph.pins)
        for node in bp.nodes():
            name = named(node, "event_definition")
            if name is not None:
                pins = tuple(replace(pin, direction="in") for pin in node.pins if pin.direction == "out")
                events.setdefault(name, pins)
        return cls(functions, macros, events)


def named(node: Node, role: str) -> str | None:
    """Return the text of the declared property with a role, such as the event a CallEvent names, or None."""
    node_type = load_catalog().lookup(node.type)
    for entry in node_type.properties if node_type else ():
        if entry.role == role:
            value = node.get(entry.name)
            return value if isinstance(value, str) else None
    return None


def type_of_node(node: Node, graph: Graph, definitions: Definitions) -> NodeType | None:
    """Return the type of a node with all its pins, or None where the type is unknown and not opaque."""
    base = load_catalog().lookup(node.type)
    if base is None:
        return _opaque_type(node) if is_opaque(node.type) else None
    if node.type == ENTRY and graph.kind != "graph":
        return _of_header(base, graph, "in", node.pins)
    if node.type == RESULT and graph.kind != "graph":
        return _of_header(base, graph, "out", node.pins)
    pins = (*_pins_of_call(node, base, definitions), *node.pins)
    if not pins:
        return base
    found = _with_pins(base, pins)
    return _by_exec_pins(found) if base.kind == "macro" and not base.inputs else found


def _pins_of_call(node: Node, base: NodeType, definitions: Definitions) -> tuple[PinSpec, ...]:
    for entry in base.properties:
        value = node.get(entry.name) if entry.role in CALLED else None
        if isinstance(value, str):
            known: dict[str, tuple[PinSpec, ...]] = getattr(definitions, CALLED[entry.role])
            return known.get(value, ())
    return ()


def _of_header(base: NodeType, graph: Graph, direction: str, own: Iterable[PinSpec]) -> NodeType:
    """Give the entry the inputs of its graph as outputs, the result the outputs as inputs."""
    pins = [
        replace(p, direction="out" if direction == "in" else "in")
        for p in graph.pins
        if p.direction == direction
    ]
    if graph.kind == "macro":  # its exec pins stand in the header
        base = replace(base, inputs=(), outputs=())
    return _with_pins(base, [*pins, *own])


def _with_pins(base: NodeType, pins: Iterable[PinSpec]) -> NodeType:
    """Add pins behind those of a type; a pin it has already stays what it is."""
    inputs, outputs = list(base.inputs), list(base.outputs)
    known = {("in", pin.name) for pin in inputs} | {("out", pin.name) for pin in outputs}
    for pin in pins:
        if (pin.direction, pin.name) not in known:
            known.add((pin.direction, pin.name))
            (inputs if pin.direction == "in" else outputs).append(Pin(pin.name, pin.type))
    return replace(base, inputs=tuple(inputs), outputs=tuple(outputs))


def _by_exec_pins(node_type: NodeType) -> NodeType:
    """Call a macro without exec pins what it is: pure."""
    pins = (*node_type.inputs, *node_type.outputs)
    return node_type if any(pin.type == EXEC for pin in pins) else replace(node_type, kind="pure")


def _opaque_type(node: Node) -> NodeType:
    inputs = tuple(Pin(pin.name, pin.type) for pin in node.pins if pin.direction == "in")
    outputs = tuple(Pin(pin.name, pin.type) for pin in node.pins if pin.direction == "out")
    kind: NodeKind = "pure"
    if any(pin.is_exec for pin in inputs):
        kind = "exec"
    elif any(pin.is_exec for pin in outputs):
        kind = "event"
    model = load_catalog().nodes["Branch"]
    return replace(
        model,
        name=node.type,
        kind=kind,
        category="opaque",
        inputs=inputs,
        outputs=outputs,
        properties=(),
        summary="A node of the editor that the catalog does not know.",
        aliases=(),
        pin_aliases={},
        ue_inputs={},
        ue_outputs={},
    )
