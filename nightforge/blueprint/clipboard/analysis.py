"""What one clipboard text holds, for people: a JSON object with every node, pin and link, and a summary."""

from __future__ import annotations

from collections import Counter
from typing import Any

from nightforge.blueprint.clipboard.grouping import ENTRY_CLASS, RESULT_CLASS, group
from nightforge.blueprint.clipboard.identity import identify, macro_reference
from nightforge.blueprint.clipboard.linking import resolve
from nightforge.blueprint.clipboard.objects import RawObject, RawPin
from nightforge.blueprint.clipboard.pin_types import pin_type
from nightforge.blueprint.clipboard.reading import read_objects
from nightforge.blueprint.clipboard.tokens import unquote

SCHEMA_VERSION = 1
LINKS_SHOWN = 20
_EVENTS = ("K2Node_Event", "K2Node_CustomEvent", "K2Node_ComponentBoundEvent", "K2Node_ActorBoundEvent")


def analyze(text: str, source: str) -> dict[str, Any]:
    """Return `schema_version, source, nodes, summary` of a text of any graph; raises ClipboardError."""
    blocks = read_objects(text)
    nodes = [_node(block) for block in blocks]
    return {"schema_version": SCHEMA_VERSION, "source": source, "nodes": nodes, "summary": _summary(blocks)}


def summary_text(analysis: dict[str, Any]) -> str:
    """Write the summary of an analysis as lines for a terminal."""
    summary = analysis["summary"]
    lines = [f"{analysis['source']}: {summary['total_nodes']} objects, {summary['total_pins']} pins"]
    for graph in summary["graphs"]:
        lines.append(
            f"  graph {graph['asset'] or '(no asset)'} : {graph['graph']} with {graph['nodes']} nodes"
        )
    lines.append(
        "  classes: " + ", ".join(f"{name} {count}" for name, count in summary["node_types"].items())
    )
    for key, words in (
        ("events", "events"),
        ("function_calls", "calls"),
        ("variables_referenced", "variables"),
    ):
        if summary[key]:
            lines.append(f"  {words}: " + ", ".join(summary[key]))
    links = summary["connections"]
    lines.append(f"  {len(links)} links")
    lines += [f"    {x['from_node']}.{x['from_pin']} -> {x['to']}" for x in links[:LINKS_SHOWN]]
    if len(links) > LINKS_SHOWN:
        lines.append(f"    and {len(links) - LINKS_SHOWN} more, in the JSON file")
    if summary["links_outside"]:
        lines.append(f"  {len(summary['links_outside'])} links lead to nodes that are not part of the text")
    return "\n".join(lines)


def _node(block: RawObject) -> dict[str, Any]:
    return {
        "class": block.class_path,
        "name": block.name,
        "export_path": unquote(block.export_path),
        "line": block.line,
        "properties": dict(block.body),
        "pins": [_pin(pin) for pin in block.pins],
        "custom_properties": [*block.user_pins, *block.custom],
        "children": [_node(child) for child in block.children],
    }


def _pin(pin: RawPin) -> dict[str, Any]:
    return {
        "id": pin.id,
        "name": pin.name,
        "direction": "output" if pin.is_output else "input",
        "type": pin_type(pin),
        "hidden": pin.hidden,
        "default": {
            key: pin.text(key) for key in pin.fields if "Default" in key and not key.startswith("bDefault")
        },
        "linked_to": [{"node": link.node, "pin_id": link.pin_id} for link in pin.links],
    }


def _summary(blocks: list[RawObject]) -> dict[str, Any]:
    graphs: list[dict[str, Any]] = []
    connections: list[dict[str, str]] = []
    outside: list[dict[str, str]] = []
    events: list[str] = []
    calls: list[str] = []
    variables: list[str] = []
    notes: list[str] = []
    nodes = [(asset, graph) for asset in group(blocks) for graph in asset.graphs]
    for asset, graph in nodes:
        size = len(graph.nodes) + len(graph.comments)
        graphs.append({"asset": asset.place.asset, "graph": graph.name, "kind": graph.kind, "nodes": size})
        wiring = resolve(graph.nodes)
        notes += wiring.notes
        for wire in wiring.stated:
            source, target = graph.nodes[wire.source[0]], graph.nodes[wire.target[0]]
            end = f"{target.name}.{target.pins[wire.target[1]].name}"
            pin = source.pins[wire.source[1]].name
            connections.append({"from_node": source.name, "from_pin": pin, "to": end})
        for (index, place), link in wiring.outside:
            pin = graph.nodes[index].pins[place].name
            outside.append({"from_node": graph.nodes[index].name, "from_pin": pin, "to": link.node})
        for node in graph.nodes:
            _names(node, events, calls, variables)
    every = [block for _, graph in nodes for block in (*graph.nodes, *graph.comments)]
    return {
        "total_nodes": len(every),
        "total_pins": sum(len(block.pins) for block in every),
        "node_types": dict(Counter(block.class_name for block in every).most_common()),
        "unique_pin_types": sorted({pin_type(pin) for block in every for pin in block.pins}),
        "graphs": graphs,
        "connections": connections,
        "links_outside": outside,
        "events": list(dict.fromkeys(events)),
        "function_calls": list(dict.fromkeys(calls)),
        "variables_referenced": list(dict.fromkeys(variables)),
        "notes": notes,
    }


def _names(node: RawObject, events: list[str], calls: list[str], variables: list[str]) -> None:
    """Add what a node names to the list it belongs to."""
    members = identify(node).members
    own = unquote(node.get("CustomFunctionName") or "")
    if node.class_name in _EVENTS or "InputAction" in node.class_name or "InputKey" in node.class_name:
        reference = members.get("EventReference")
        parts = [unquote(node.get(key) or "") for key in ("ComponentPropertyName", "DelegatePropertyName")]
        bound = ".".join(part for part in parts if part)
        key = unquote(node.get("InputKey") or node.get("InputActionName") or node.get("InputAction") or "")
        name = bound or (reference.name if reference is not None else "") or own or key
        events.append(name or node.name)
    elif "FunctionReference" in members and node.class_name not in (ENTRY_CLASS, RESULT_CLASS):
        reference = members["FunctionReference"]
        owner = reference.owner.rpartition(".")[2]
        calls.append(f"{owner}.{reference.name}" if owner else reference.name)
    macro = macro_reference(node)
    if macro is not None:
        calls.append(macro[1])
    if "VariableReference" in members:
        variables.append(members["VariableReference"].name)
