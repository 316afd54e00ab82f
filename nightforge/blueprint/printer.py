"""Writes the one spelling of a program: a line per thing, strings quoted, floats with a decimal point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from nightforge.blueprint.graph import (
    Blueprint,
    Comment,
    Graph,
    Node,
    PinSpec,
    Struct,
    Value,
    Variable,
    Wire,
    is_identifier,
    writing_places,
)
from nightforge.blueprint.lexer import quote


def to_text(bp: Blueprint) -> str:
    """Write a program as text, one statement a line; reading it back gives an equal program."""
    return "\n".join(_lines(bp)) + "\n"


def value_text(value: Value) -> str:
    """Write a literal: `true`, `5`, `5.0`, `"text"`, `(X=1.0,Y=2.0)`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Struct):
        return "(" + ",".join(f"{name_text(name)}={value_text(field)}" for name, field in value.fields) + ")"
    return quote(value)


def name_text(name: str) -> str:
    """Write a name: bare where it is an identifier, otherwise in quotes."""
    return name if is_identifier(name) else quote(name)


def key_text(name: str) -> str:
    """Write a property name: as any name, or bare behind an `@` where it is a body key of the editor."""
    return name if name.startswith("@") and is_identifier(name[1:]) else name_text(name)


def variable_line(variable: Variable) -> str:
    """Write one `VAR` line."""
    default = "" if variable.default is None else f" = {value_text(variable.default)}"
    return f"VAR {name_text(variable.name)}: {variable.type}{default}"


def graph_line(graph: Graph) -> str:
    """Write one `GRAPH`, `FUNCTION` or `MACRO` line."""
    return f"{graph.kind.upper()}: {name_text(graph.name)}" + signature_text(graph.pins)


def node_line(node: Node) -> str:
    """Write one `NODE` line."""
    properties = ", ".join(f"{key_text(name)}={value_text(value)}" for name, value in node.properties)
    brackets = f" [{properties}]" if properties else ""
    return f"NODE {node.id}: {name_text(node.type)}{brackets}{signature_text(node.pins)}"


def signature_text(pins: tuple[PinSpec, ...]) -> str:
    """Write a signature behind a blank, ` (in Name: Type, ...)`; nothing where there are no pins."""
    written = ", ".join(f"{pin.direction} {name_text(pin.name)}: {pin.type}" for pin in pins)
    return f" ({written})" if pins else ""


def comment_line(comment: Comment) -> str:
    """Write one `COMMENT` line."""
    return f"COMMENT: {quote(comment.text)}" + (f" ({', '.join(comment.nodes)})" if comment.nodes else "")


def wire_line(wire: Wire) -> str:
    """Write one `EXEC` or `DATA` line."""
    ends = f"{wire.source}.{name_text(wire.source_pin)} -> {wire.target}.{name_text(wire.target_pin)}"
    return f"{wire.kind.upper()} {ends}" + (f" [{wire.type}]" if wire.type else "")


def _lines(bp: Blueprint) -> Iterator[str]:
    yield f"BLUEPRINT: {name_text(bp.name)}"
    yield f"PARENT: {name_text(bp.parent)}"
    if bp.category is not None:
        yield f"CATEGORY: {name_text(bp.category)}"
    for variable in bp.variables:
        yield variable_line(variable)
    for graph in bp.graphs:
        yield graph_line(graph)
        yield from _graph_lines(graph)


def _graph_lines(graph: Graph) -> Iterator[str]:
    """Yield each node, and behind it the wires that join it to nodes above; comment boxes stand last."""
    behind: dict[int, list[Wire]] = defaultdict(list)
    for place, wire in zip(writing_places(graph.nodes, graph.wires), graph.wires, strict=True):
        behind[place].append(wire)
    for index, node in enumerate(graph.nodes):
        yield node_line(node)
        yield from (wire_line(wire) for wire in behind[index])
    if not graph.nodes:
        yield from (wire_line(wire) for wire in graph.wires)
    yield from (comment_line(comment) for comment in graph.comments)
