"""Implicit conversions: the node the editor puts into a wire when its two ends have different types.

In the language the wire runs straight from an Int to a Float; in the editor a small node of one function
stands in between. The writer puts that node in and derives its NodeGuid from its own pins; the reader takes
the nodes with such a guid out, like knots, and keeps every other conversion as the node it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import replace

from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.catalog_unreal import CALL_CLASS
from nightforge.blueprint.clipboard.objects import RawObject
from nightforge.blueprint.graph import Blueprint, Graph, Node, PinSpec, Wire
from nightforge.blueprint.pin_types import PinTypes

RESULT = "ReturnValue"
_MATH, _STRING, _TEXT = (f"/Script/Engine.Kismet{part}Library" for part in ("Math", "String", "Text"))
# (from, to) -> library, function, its input
_FUNCTIONS = {
    ("Int", "Float"): (_MATH, "Conv_IntToDouble", "InInt"),
    ("Int", "Int64"): (_MATH, "Conv_IntToInt64", "InInt"),
    ("Int", "String"): (_STRING, "Conv_IntToString", "InInt"),
    ("Int", "Text"): (_TEXT, "Conv_IntToText", "Value"),
    ("Int64", "Int"): (_MATH, "Conv_Int64ToInt", "InInt"),
    ("Int64", "String"): (_STRING, "Conv_Int64ToString", "InInt"),
    ("Int64", "Text"): (_TEXT, "Conv_Int64ToText", "Value"),
    ("Byte", "Int"): (_MATH, "Conv_ByteToInt", "InByte"),
    ("Byte", "Float"): (_MATH, "Conv_ByteToDouble", "InByte"),
    ("Byte", "String"): (_STRING, "Conv_ByteToString", "InByte"),
    ("Byte", "Text"): (_TEXT, "Conv_ByteToText", "Value"),
    ("Float", "String"): (_STRING, "Conv_DoubleToString", "InDouble"),
    ("Float", "Text"): (_TEXT, "Conv_DoubleToText", "Value"),
    ("Bool", "String"): (_STRING, "Conv_BoolToString", "InBool"),
    ("Bool", "Text"): (_TEXT, "Conv_BoolToText", "InBool"),
    ("Name", "String"): (_STRING, "Conv_NameToString", "InName"),
    ("Name", "Text"): (_TEXT, "Conv_NameToText", "InName"),
    ("String", "Name"): (_STRING, "Conv_StringToName", "InString"),
    ("String", "Text"): (_TEXT, "Conv_StringToText", "InString"),
    ("Text", "String"): (_TEXT, "Conv_TextToString", "InText"),
    ("Vector", "String"): (_STRING, "Conv_VectorToString", "InVec"),
    ("Vector2D", "String"): (_STRING, "Conv_Vector2dToString", "InVec"),
    ("Rotator", "String"): (_STRING, "Conv_RotatorToString", "InRot"),
    ("Transform", "String"): (_STRING, "Conv_TransformToString", "InTrans"),
    ("LinearColor", "String"): (_STRING, "Conv_ColorToString", "InColor"),
    ("Object", "String"): (_STRING, "Conv_ObjectToString", "InObj"),
}


def conversion(source: str | None, target: str | None) -> tuple[str, str, str] | None:
    """Return (library, function, input pin) that turns a type into another, or None where none is needed."""
    if source is None or target is None or source == target:
        return None
    kind = "Object" if load_catalog().types.is_class(source) else source
    return _FUNCTIONS.get((kind, target))


def with_conversions(bp: Blueprint, graph: Graph) -> tuple[Graph, frozenset[str]]:
    """Return the graph with a node in every wire that needs one, and the ids of these nodes.

    The new nodes are opaque calls, one for each wire, each behind the node its wire comes from.
    """
    types = PinTypes(bp, graph)
    wires: list[Wire] = []
    added: dict[str, list[Node]] = {}
    ids = _free_ids({node.id for node in graph.nodes})
    for wire in graph.wires:
        found = _conversion_of(wire, types)
        if found is None:
            wires.append(wire)
            continue
        library, function, name = found
        source, target = types.output(wire.source, wire.source_pin), _input_type(wire, types)
        pins = (PinSpec("in", name, str(source)), PinSpec("out", RESULT, str(target)))
        parent = f"\"/Script/CoreUObject.Class'{library}'\""
        body = (
            ("@bDefaultsToPureFunc", "True"),
            ("@FunctionReference", f'(MemberParent={parent},MemberName="{function}")'),
        )
        node = Node(next(ids), CALL_CLASS, body, pins)
        added.setdefault(wire.source, []).append(node)
        wires.append(replace(wire, target=node.id, target_pin=name))
        wires.append(Wire("data", node.id, RESULT, wire.target, wire.target_pin, target))
    nodes = [entry for node in graph.nodes for entry in (node, *added.get(node.id, ()))]
    names = frozenset(node.id for row in added.values() for node in row)
    return replace(graph, nodes=tuple(nodes), wires=tuple(wires)), names


def conversion_guid(pin_ids: Iterable[str]) -> str:
    """Return the NodeGuid that marks a conversion as part of the wire through these two pins."""
    return hashlib.sha256("|".join(["conversion in a wire", *pin_ids]).encode()).hexdigest()[:32].upper()


def is_wire_conversion(node: RawObject) -> bool:
    """Say whether a raw node is a conversion that the writer put into a wire, unchanged since."""
    if node.class_name != CALL_CLASS or len(node.pins) != 2:
        return False
    return (node.get("NodeGuid") or "") == conversion_guid(pin.id for pin in node.pins)


def _free_ids(taken: set[str]):  # type: ignore[no-untyped-def]
    count = 0
    while True:
        count += 1
        if f"conversion{count}" not in taken:
            yield f"conversion{count}"


def _input_type(wire: Wire, types: PinTypes) -> str | None:
    node_type = types.types.get(wire.target)
    pin = node_type.input(wire.target_pin) if node_type else None
    return types.of_pin(wire.target, pin) if pin else None


def _conversion_of(wire: Wire, types: PinTypes) -> tuple[str, str, str] | None:
    if wire.kind != "data":
        return None
    return conversion(types.output(wire.source, wire.source_pin), _input_type(wire, types))
