"""Programs for the tests of the writer: one for each node type, those of the lessons; comparing two."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from nightforge.blueprint.canonical import content_key
from nightforge.blueprint.catalog import NodeType, load_catalog
from nightforge.blueprint.clipboard.translate import translate
from nightforge.blueprint.clipboard.writer import to_clipboard
from nightforge.blueprint.graph import Blueprint, Graph, Node, PinSpec, Struct, Value, Variable
from nightforge.blueprint.parser import parse

LESSONS = Path(__file__).parents[3] / "lessons"
NAMED = {
    "variable": "Fuel",
    "event": "Ping",
    "event_definition": "Ping",
    "function": "Work",
    "macro": "Twist",
    "class": "BP_Lamp",
    "enum": "ECollisionChannel",
    "struct": "HitResult",
    "component": "Box",
    "dispatcher": "OnDone",
    "timeline": "Fade",
    "asset": "IA_Jump",
    "action": "Jump",
}
_LITERALS: dict[str, Value] = {
    "Bool": True,
    "Int": -7,
    "Int64": 2**40,
    "Byte": 7,
    "Float": 1e-07,
    "String": 'a "b", (c]\n\\',
    "Name": "Tag x",
    "Text": "it's done, or is it?",
}
_WORK = (PinSpec("in", "Size", "Float"), PinSpec("out", "Ok", "Bool"))
_TWIST = (PinSpec("in", "Go", "exec"), PinSpec("in", "Size", "Float"), PinSpec("out", "Done", "exec"))
_ENDS = (Node("start", "FunctionEntry"), Node("end", "FunctionResult"))


def program_of(node_type: NodeType) -> Blueprint:
    """A program with one node of a type, and the definitions its properties name."""
    roles = {entry.role for entry in node_type.properties}
    node = Node(
        "n1", node_type.name, tuple((entry.name, NAMED[entry.role]) for entry in node_type.properties)
    )
    graphs = [Graph("EventGraph", (node,))]
    if node_type.name in ("FunctionEntry", "FunctionResult"):
        graphs = []
    if "event" in roles:
        ping = Node("n2", "Event_CustomEvent", (("EventName", "Ping"),), (PinSpec("out", "Amount", "Int"),))
        graphs[0] = replace(graphs[0], nodes=(node, ping))
    if "function" in roles or not graphs:
        graphs.append(Graph("Work", _ENDS, kind="function", pins=_WORK))
    if "macro" in roles:
        graphs.append(Graph("Twist", _ENDS, kind="macro", pins=_TWIST))
    variables = (Variable("Fuel", "Float"),) if "variable" in roles else ()
    return Blueprint("BP_Test", "Actor", variables, tuple(graphs))


def literal_of(type_name: str) -> Value | None:
    """A literal of a type that is hardly its default, or None where the type has none."""
    types = load_catalog().types
    if type_name in _LITERALS:
        return _LITERALS[type_name]
    if type_name in types.enums:
        return types.enums[type_name][-1]
    if type_name in ("Vector", "Rotator", "Vector2D", "LinearColor"):
        names = types.structs[type_name]
        return Struct(tuple((name, 0.5 + index) for index, name in enumerate(names)))
    if type_name == "Transform":
        parts = (("Location", "Vector"), ("Rotation", "Rotator"), ("Scale", "Vector"))
        return Struct(tuple((name, literal_of(kind)) for name, kind in parts))  # type: ignore[misc]
    return "S_Beep" if type_name == "SoundBase" else None


def lesson_programs() -> list[tuple[str, Blueprint]]:
    """Every program of the lessons and exams with its name."""
    found = []
    for path in sorted(LESSONS.glob("*.json")):
        for prompt in json.loads(path.read_text(encoding="utf-8"))["prompts"]:
            program = parse(prompt["expected_dsl"]).blueprint
            assert program is not None, prompt["id"]
            found.append((f"{path.stem} {prompt['id']}", program))
    return found


def read_back(bp: Blueprint) -> Blueprint:
    """Write a program, read the text, and put back what no clipboard carries: parent, variables, category."""
    documents = translate(to_clipboard(bp), bp.name, bp.parent).documents
    assert len(documents) == 1
    return replace(documents[0].blueprint, parent=bp.parent, variables=bp.variables, category=bp.category)


def same(a: Blueprint, b: Blueprint) -> bool:
    """Say whether two programs mean the same."""
    return content_key(a) == content_key(b)
