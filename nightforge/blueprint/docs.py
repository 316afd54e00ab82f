"""Writes docs/dsl.md from the grammar and the catalog, so that page and program agree."""

from __future__ import annotations

from itertools import groupby

from nightforge.blueprint.catalog import Catalog, NodeType, load_catalog
from nightforge.blueprint.catalog_table import pin_note
from nightforge.blueprint.grammar import GRAMMAR
from nightforge.blueprint.prompt import EXAMPLE

HEAD = """# The Blueprint language

One program is one Blueprint: a header, variables, and graphs of nodes and wires. This page is made from
`nightforge/blueprint/catalog.json` and `grammar.py`; after a change to them run

    python -c "from nightforge.blueprint.docs import render; print(render(), end='')" > docs/dsl.md

```text
{example}```

## Grammar

What the printer writes, and the only spelling a model learns (the EBNF dialect of llama.cpp and
xgrammar):

```ebnf
{grammar}```

On input, more is accepted and then respelt:

- blank lines, `#` comments on their own or behind a line (not inside quotes), tabs and further blanks,
  Windows line ends, a byte-order mark; `VAR` lines after a `GRAPH`, nodes and wires in any order;
- bare words as texts (`ActionName=Jump`), `True` and `False`; quotes around names that need none;
- letters of any script in identifiers; a name that is no identifier stands in quotes (`n1."Array
  Element"`);
- the aliases of node types, pins and properties listed below.

Everything else is an error with line, column and what was expected, and all errors are reported. Literals
never stand at a wire: `DATA 5 -> n2.A` is refused, `NODE n2: AddInt [A=5]` is right. Struct literals nest
at most 16 deep, integers have 64 bits, numbers are finite. `parse(to_text(bp)).blueprint == bp` holds for
every program that can be built in catalog spelling.

## Canonical form

`canonicalize` numbers nodes `n1`, `n2`, ... along exec wires (depth first, outputs in catalog order,
events in catalog order), puts each pure node right before its first consumer, each wire behind the later
of its two nodes (there EXEC by source, then DATA by target), variables in the order of their first use,
graphs by name with `EventGraph` first, orders properties as the catalog does, writes `5` as `5.0` for a
Float, and tags each DATA wire with the type of its source.

## What is checked

Errors: unknown node types (opaque nodes can be read but are not valid), pins, properties and types; exec
wires to data pins or pure nodes; data types that do not fit; two wires into a data input or out of an
exec output; repeated wires, ids, variables, graphs, engine events and custom events; an input both wired
and set; a required input (marked `!`) left open, or a `Target` left open where the blueprint itself is
not of that class; values of the wrong type; undeclared variables; calls of custom events that do not
exist; loops of pure nodes; a graph without an event. Warnings: nodes that are never reached or not
connected, a missing type tag or the tag of the consumer, an unknown parent class, a timer for an unknown
event.

## Grading

`grade` matches the nodes of an answer to those of the expected program (same type and graph; opaque nodes
also by what they refer to). The matching is the one with the highest score: proven by branch and bound, or,
where its budget is spent, the best one found, and the grade then says `optimal: false`. It measures node F1,
wire F1 and property accuracy: right values over expected and unasked ones, where user pins, the parent, graph
names, the pins of functions, and the name, type and default of each variable count too. Comments and reroute
nodes do not count. score = 0.4 node F1 + 0.4 wire F1 + 0.2 property accuracy, halved if validation fails
(opaque nodes are not valid here), 0 if the text does not parse or no node matches; above two nodes per
expected node it is scaled down by the excess. `reasons` says in words where each point was lost: `wire
Branch.True -> PrintString.Execute is missing`, `value PrintString.InString is "a" instead of "b"`, `extra
node Delay`.

## Types
"""
KINDS = (
    "Kinds: an *event* starts control; *exec* and *macro* nodes run when control reaches them; a *pure* node "
    "has no exec pins and is worked out when its value is needed. `!` marks an input that must be wired "
    "or set, `T` a type all `T` pins of the node share, `Self` the parent class, `[Name]` a property that is "
    "no pin, `?` a pin that prompts and exercises leave out, `= x` the engine's default, `...` further pins "
    "the node's own signature gives. Evidence: ● seen in real editor exports, ○ known from the public API, "
    "not yet confirmed by pasting. **Bold** types are of level core, which every profile trains on."
)


def render() -> str:
    """Return the whole page docs/dsl.md."""
    catalog = load_catalog()
    parts = [HEAD.format(example=EXAMPLE, grammar=GRAMMAR), _types(catalog)]
    parts += [f"## Nodes\n\n{len(catalog.nodes)} types. {KINDS}\n"]
    for category, nodes in groupby(catalog.nodes.values(), key=lambda node: node.category):
        parts += [f"### {category.capitalize()}\n", _table(list(nodes))]
    return "\n".join(parts)


def _types(catalog: Catalog) -> str:
    types = catalog.types
    structs = ", ".join(f"{name} ({', '.join(fields)})" for name, fields in types.structs.items())
    enums = "; ".join(f"{name}: {', '.join(entries)}" for name, entries in types.enums.items())
    classes = ", ".join(f"{name} < {parent}" if parent else name for name, parent in types.classes.items())
    prefixes = ", ".join(f"`{prefix}...` < {base}" for prefix, base in types.project_prefixes.items())
    becomes = "; ".join(f"{source} → {', '.join(targets)}" for source, targets in types.conversions.items())
    rows = [
        f"- values: {', '.join(types.values)}",
        f"- structs, with their fields: {structs}",
        f"- enums, with their entries: {enums}",
        "- containers: `Array<T>`, `Set<T>`, `Map<K,V>`; they have no literal",
        f"- classes, each below its parent: {classes}; project classes {prefixes}",
        "- references to a class: `Class<T>`, `SoftClass<T>`; to an asset loaded later: `SoftObject<T>`",
        f"- implicit conversions along a wire: {becomes}; any class → its ancestors",
        f"- usual parents: {', '.join(types.parents)}; other classes give a warning",
    ]
    return "\n".join(rows) + "\n"


def _table(nodes: list[NodeType]) -> str:
    lines = [
        "| Type | Kind | Inputs | Outputs | Meaning | Unreal target | Aliases |",
        "|---|---|---|---|---|---|---|",
    ]
    for node in nodes:
        inputs = [f"[{entry.name}]" for entry in node.properties]
        inputs += [pin_note(pin) for pin in node.inputs] + ["..."] * ("in" in node.user_pins)
        outputs = [pin_note(pin) for pin in node.outputs] + ["..."] * ("out" in node.user_pins)
        mark = "●" if node.evidence == "seen" else "○"
        aliases = [*node.aliases, *(f"{alias} = {name}" for alias, name in node.pin_aliases.items())]
        name = f"**`{node.name}`**" if node.level == "core" else f"`{node.name}`"
        cells = [name, node.kind, _code(inputs), _code(outputs), node.summary]
        cells += [f"{mark} `{node.ue_target}`", ", ".join(aliases)]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _code(items: list[str]) -> str:
    return ", ".join(f"`{item}`" for item in items)
