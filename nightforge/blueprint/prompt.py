"""Writes the system prompt from the catalog, so that the model is told just what the parser accepts."""

from __future__ import annotations

from itertools import groupby
from typing import Literal

from nightforge.blueprint.catalog import Catalog, NodeType, Pin, load_catalog
from nightforge.config.schema import Model

PromptStyle = Literal["minimal", "compact", "full"]
Reference = Literal["none", "core", "all"]
_OWN_REFERENCE: dict[PromptStyle, Reference] = {"minimal": "none", "compact": "core", "full": "all"}

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
NOT_LISTED = (
    "Nodes as Type(inputs)>outputs; Execute, Target, Then, ReturnValue and the pair A,B are not listed."
)


def configured_prompt(model: Model) -> str:
    """Return the prompt of a configuration: the one that is trained under, stored with the adapter and asked
    with.
    """
    return system_prompt(model.system_prompt, model.prompt_reference)


def system_prompt(style: PromptStyle, reference: Reference | None = None) -> str:
    """Return the system prompt: one sentence, the rules in short, or the whole reference.

    `reference` says which node types stand in its table; None is what the style has by itself: minimal has
    none, compact the core ones, full all.
    """
    if style not in _OWN_REFERENCE:
        raise ValueError(f"prompt style must be minimal, compact or full, not {style!r}")
    catalog = load_catalog()
    nodes = _listed(catalog, reference or _OWN_REFERENCE[style])
    if style == "full":
        return _full(catalog, nodes)
    rules = [*FORMAT_RULES, *_wire_rules(catalog)[:4]] if style == "compact" else []
    table = [NOT_LISTED, *_terse_table(nodes)] if nodes else []
    return "\n".join([MINIMAL, *rules, *table]) + "\n"


def _listed(catalog: Catalog, reference: Reference) -> list[NodeType]:
    if reference == "none":
        return []
    return list((catalog.core() if reference == "core" else catalog.nodes).values())


def _wire_rules(catalog: Catalog) -> tuple[str, ...]:
    """The rules of wires, the general ones first; names come from the catalog."""
    variables = [
        (n.name, p.name) for n in catalog.nodes.values() for p in n.properties if p.role == "variable"
    ]
    holders = " and ".join(name for name, _ in variables)
    callers = " and ".join(_with_role(catalog, "event"))
    events = " or ".join(_with_role(catalog, "event_definition"))
    return (
        "Start every graph at an event and follow EXEC wires from output to input pins.",
        "An exec output has one wire; an exec input may have several. Do several things with a node that has "
        "several exec outputs.",
        "A data input has one wire; a data output may have many. Tag a DATA wire with its source's type.",
        "Pure nodes have no exec pins.",
        "Int fits Float; numbers, booleans, vectors and objects fit String; a class fits its ancestors.",
        f"{holders} name a declared variable in {variables[0][1]}, and their value has its type.",
        f"{callers} and timers name an {events} of the same blueprint.",
    )


def _with_role(catalog: Catalog, role: str) -> list[str]:
    return [node.name for node in catalog.nodes.values() if any(p.role == role for p in node.properties)]


def _terse_table(nodes: list[NodeType]) -> list[str]:
    return [
        f"{category}: " + " ".join(_terse(node.main_pins()) for node in group)
        for category, group in groupby(nodes, key=lambda node: node.category)
    ]


def _full(catalog: Catalog, nodes: list[NodeType]) -> str:
    types = catalog.types
    containers = ", ".join(f"{name}<{','.join('T' * count)}>" for name, count in types.containers.items())
    parts = [MINIMAL, "", "Example:", EXAMPLE, "Format:"]
    parts += [f"- {rule}" for rule in FORMAT_RULES]
    parts += ["", "Wires:", *(f"- {rule}" for rule in _wire_rules(catalog)), "", "Types:"]
    parts.append(f"- values: {', '.join(types.values)}; containers: {containers}")
    prefixes = ", ".join(f"{prefix}..." for prefix in types.project_prefixes)
    parts.append(f"- classes: {', '.join(types.classes)}, and project classes {prefixes}")
    parts.append(f"- parents: {', '.join(types.parents)}")
    for category, group in groupby(nodes, key=lambda node: node.category):
        parts += ["", f"Nodes, {category}:"]
        parts += [f"- {signature(node.main_pins())}: {node.summary}" for node in group]
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
