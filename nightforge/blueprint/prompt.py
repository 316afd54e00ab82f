"""Writes the system prompt from the catalog, so that the model is told just what the parser accepts."""

from __future__ import annotations

from itertools import groupby
from typing import Literal

from nightforge.blueprint.catalog import Catalog, NodeType, Pin, load_catalog

PromptStyle = Literal["minimal", "compact", "full"]

MINIMAL = (
    "Write the Blueprint program for the request: header, variables, nodes, each with its EXEC and DATA "
    "wires. Answer with the program only."
)
EXAMPLE = """BLUEPRINT: BP_Lantern
PARENT: Actor
VAR Fuel: Float = 30.0
GRAPH: EventGraph
NODE n1: Event_BeginPlay
NODE n2: GetVar [VarName="Fuel"]
NODE n3: GreaterThan [B=5.0]
DATA n2.Value -> n3.A [Float]
NODE n4: Branch
EXEC n1.Then -> n4.Execute
DATA n3.ReturnValue -> n4.Condition [Bool]
NODE n5: PrintString [InString="lantern lit"]
EXEC n4.True -> n5.Execute
"""
FORMAT_RULES = (
    "One statement a line: BLUEPRINT:, PARENT:, VAR name: Type = default, GRAPH:, then each NODE and behind "
    "it the EXEC and DATA wires that join it to nodes above.",
    'NODE id: Type [Name=value, ...]; values are 5, 5.0, true, "text" or (X=1.0,Y=2.0,Z=3.0).',
    "A fixed input value is a property on its node; a computed one is a DATA wire; never both.",
)
WIRE_RULES = (
    "Start every graph at an event and follow EXEC wires from output to input pins.",
    "An exec output has one wire; an exec input may have several. Use Sequence to do several things.",
    "A data input has one wire; a data output may have many. Tag a DATA wire with the type of its source.",
    "Pure nodes have no exec pins.",
    "Int fits Float; numbers, booleans, vectors and objects fit String; a class fits its ancestors.",
    "GetVar and SetVar name a declared variable in VarName, and their Value has its type.",
    "CallEvent and timers name an Event_CustomEvent of the same blueprint.",
)


def system_prompt(style: PromptStyle) -> str:
    """Return the system prompt: one sentence, the rules with a terse node list, or the whole reference."""
    if style == "minimal":
        return MINIMAL + "\n"
    catalog = load_catalog()
    if style == "compact":
        return _compact(catalog)
    if style == "full":
        return _full(catalog)
    raise ValueError(f"prompt style must be minimal, compact or full, not {style!r}")


def _compact(catalog: Catalog) -> str:
    lines = [MINIMAL, *FORMAT_RULES, *WIRE_RULES[:4]]
    lines.append(
        "Nodes as Type(inputs)>outputs; Execute, Target, Then, ReturnValue and the pair A,B are not listed."
    )
    for category, nodes in groupby(catalog.core().values(), key=lambda node: node.category):
        lines.append(f"{category}: " + " ".join(_terse(node) for node in nodes))
    return "\n".join(lines) + "\n"


def _full(catalog: Catalog) -> str:
    types = catalog.types
    containers = ", ".join(f"{name}<{','.join('T' * count)}>" for name, count in types.containers.items())
    parts = [MINIMAL, "", "Example:", EXAMPLE, "Format:"]
    parts += [f"- {rule}" for rule in FORMAT_RULES]
    parts += ["", "Wires:", *(f"- {rule}" for rule in WIRE_RULES), "", "Types:"]
    parts.append(f"- values: {', '.join(types.values)}; containers: {containers}")
    parts.append(f"- classes: {', '.join(types.classes)}, and project classes BP_..., WBP_...")
    parts.append(f"- parents: {', '.join(types.parents)}")
    for category, nodes in groupby(catalog.nodes.values(), key=lambda node: node.category):
        parts += ["", f"Nodes, {category}:"]
        parts += [f"- {signature(node.main_pins())}: {node.summary}" for node in nodes]
    return "\n".join(parts) + "\n"


def signature(node: NodeType) -> str:
    """Write a node type as `Branch (Execute: exec, Condition: Bool) -> (True: exec, False: exec)`."""
    brackets = f" [{', '.join(entry.name for entry in node.properties)}]" if node.properties else ""
    return f"{node.name}{brackets} ({_pins(node.inputs)}) -> ({_pins(node.outputs)})"


def pin_text(pin: Pin) -> str:
    """Write a pin as `Name: Type`; families are written `Then_0..n`, `Case_<text>` and `C..Z`."""
    stem = pin.name[:-1] if pin.dynamic else pin.name
    return (
        f"{stem}{ {'number': '0..n', 'text': '<text>', 'letter': 'C..Z'}.get(pin.dynamic, '') }: {pin.type}"
    )


def _pins(pins: tuple[Pin, ...]) -> str:
    return ", ".join(pin_text(pin) for pin in pins)


def _terse(node: NodeType) -> str:
    names = [entry.name for entry in node.properties]
    inputs = [pin.name for pin in node.inputs if pin.name not in ("Execute", "Target")]
    names += inputs if inputs != ["A", "B"] else []
    outputs = [pin.name for pin in node.outputs if pin.name not in ("Then", "ReturnValue")]
    return (
        node.name + (f"({','.join(names)})" if names else "") + (f">{','.join(outputs)}" if outputs else "")
    )
