"""Writes docs/dsl.md from the grammar and the catalog, so that page and program agree."""

from __future__ import annotations

from itertools import groupby

from nightforge.blueprint.catalog import Catalog, NodeType, load_catalog
from nightforge.blueprint.catalog_table import pin_note
from nightforge.blueprint.diagnostics import CODES
from nightforge.blueprint.grammar import GRAMMAR
from nightforge.blueprint.prompt import EXAMPLE

LARGER = """BLUEPRINT: BP_Camp
PARENT: Actor
VAR Health: Float = 50.0
VAR Prices: Map<Name,Int>
GRAPH: EventGraph
NODE n1: Event_BeginPlay
NODE n2: CallFunction [FunctionName="Heal", Amount=5.0]
EXEC n1.Then -> n2.Execute
NODE n3: CallEvent [EventName="Show Health"]
EXEC n2.Then -> n3.Execute
DATA n2."New Health" -> n3.Shown [Float]
NODE n4: Event_CustomEvent [EventName="Show Health"] (out Shown: Float)
NODE n5: PrintString
EXEC n4.Then -> n5.Execute
DATA n4.Shown -> n5.InString [Float]
NODE n6: "/Script/Extra.K2Node_Glow" [@ErrorType="1", Color="red"] (in execute: exec, in Color: Name)
EXEC n5.Then -> n6.execute
COMMENT: "Tell the player" (n4, n5)
FUNCTION: Heal (in Amount: Float, out "New Health": Float)
NODE n1: FunctionEntry
NODE n2: GetVar [VarName="Health"]
NODE n3: AddFloat
DATA n2.Value -> n3.A [Float]
DATA n1.Amount -> n3.B [Float]
NODE n4: SetVar [VarName="Health"]
EXEC n1.Then -> n4.Execute
DATA n3.ReturnValue -> n4.Value [Float]
NODE n5: FunctionResult
EXEC n4.Then -> n5.Execute
DATA n4.Value -> n5."New Health" [Float]
"""
HEAD = """# The Blueprint language

One program is one Blueprint: a header, variables, and graphs of nodes and wires. This page is made from
`nightforge/blueprint/catalog.json`, `grammar.py` and `diagnostics.py`; after a change to them run

    python -c "from nightforge.blueprint.docs import render; print(render(), end='')" > docs/dsl.md

```text
{example}```

## Statements

One statement a line; the first word says which.

| Statement | Meaning |
|---|---|
| `BLUEPRINT: Name` | the name of the program; required |
| `PARENT: Class` | the class it extends; required |
| `CATEGORY: Name` | where the editor lists it |
| `VAR Name: Type = default` | a variable; the default may be left out |
| `GRAPH: Name` | starts an event graph; nodes, wires and boxes below belong to it |
| `FUNCTION: Name (in A: Int, out B: Bool)` | starts a function of the user and its pins, exec pins implied |
| `MACRO: Name (in Go: exec, out Then: exec)` | starts a macro of the user and its pins, exec pins listed |
| `NODE id: Type [Name=value, ...] (in Name: Type, ...)` | a node, its properties and its further pins |
| `EXEC n1.Then -> n2.Execute` | a wire of control |
| `DATA n2.Value -> n3.A [Float]` | a wire of data, tagged with the type of its source |
| `COMMENT: "text" (n1, n2)` | a comment box around nodes of the graph; the list may be left out |

A property is an input pin with a fixed value, or one of the `[Name]` entries of the tables below. An
input is either set or wired. A property whose name begins with `@` is a key of the editor's own text
that must survive (`@EnabledState="Disabled"`), its value that text as it is.

A larger example, with a function, an event with a pin of its own, an opaque node and a comment box:

```text
{larger}```

### Signatures

The list of pins behind a node names what the catalog does not give: the user pins of a custom event
(`out`), the exposed pins of a spawned class, the members of a struct, all pins of an opaque node. Inside
a function or macro, `FunctionEntry` has its inputs as outputs and `FunctionResult` its outputs as
inputs. `CallFunction [FunctionName="F"]`, `CallMacro [MacroName="M"]` and `CallEvent [EventName="E"]`
have the pins of what they call.

### Opaque nodes

A node of the editor that the catalog does not know keeps its class as type: `K2Node_Name` for one of
`/Script/BlueprintGraph`, otherwise the whole path in quotes. All its pins stand in the signature. Such a
node is a warning (DSL302) in a program file and an error in training rows and answers.

### Types

`Bool`, `Int`, ... and every struct, enum and class below; `Array<T>`, `Set<T>`, `Map<K,V>`; a reference
to a class `Class<T>`, `SoftClass<T>`, `SoftObject<T>`; `exec` for a pin of control. A type that is no
identifier stands in quotes: `Array<"/Script/Extra.Glow">`. In a signature an unknown name is a warning
and a path is nothing special.

### Notes

A `#` outside quotes starts a note that ends with its line. Notes are for the reader of a file: they are
no part of the program and leave no trace in what is parsed, trained on or graded. `06_validate_dsl.py
--fix` keeps every one of them, behind the statement it stood behind or above the statement it stood
above. What belongs to the graph itself is a `COMMENT:` box.

## Grammar

What the printer writes, and the only spelling a model learns (the EBNF dialect of llama.cpp and
xgrammar):

```ebnf
{grammar}```

On input, more is accepted and then respelt. The lines may come in any order, except that nodes, wires
and boxes belong to the graph above them. Between the words of a line may be blanks and tabs; blank
lines, Windows line ends and a byte-order mark are fine. The rules that are wider:

```ebnf
line     ::= statement? note?                       # blank lines and notes anywhere
note     ::= "#" and the rest of the line
value    ::= word | [Tt] "rue" | [Ff] "alse"          # and all values above: a bare word is a text
pins     ::= "(" (pin ("," pin)*)? ")"              # empty brackets of pins and boxes
name     ::= word | string                          # quotes around names that need none
word     ::= letter (letter | digit | "_")*         # letters of any script
```

Aliases of node types, pins and properties (the tables below list them) and the engine's names of pins
(`n1.then`, `n4.self`, `n5."Array Element"`) are accepted too; `parse` returns the catalog's names.
`parse(to_text(bp)).blueprint == bp` holds for every program that can be built in catalog spelling.

Literals never stand at a wire: `DATA 5 -> n2.A` is refused, `NODE n2: AddInt [A=5]` is right. Struct
literals nest at most 16 deep, types 4; a node has at most 1,000 properties or pins; integers have 64
bits, numbers are finite; a program file has at most 16 MiB.

## Canonical form

`canonicalize` numbers nodes `n1`, `n2`, ... along exec wires (depth first, outputs in catalog order,
events in catalog order), puts each pure node right before its first consumer, each wire behind the later
of its two nodes (there EXEC by source, then DATA by target), variables in the order of their first use,
graphs by name with `EventGraph` first, orders properties as the catalog does, writes `5` as `5.0` for a
Float, and tags each DATA wire with the type of its source.

## What is checked

Every finding has a code that keeps its meaning, line, column, what was expected and, where one is known,
a fix: the text that belongs at that place. One pass lists all findings, several of one line among them;
what only follows from a line that could not be read is not reported again. A program with an error is
not valid; warnings are DSL204, DSL302, DSL409, DSL501 and DSL502, the tag of the consumer (DSL410), a
timer for an unknown event (DSL312), an unknown type in a signature (DSL207), a call that brings a
signature of its own because what it calls stands elsewhere (DSL314) and a type that an opaque node may
know better (DSL405).

| Code | Meaning |
|---|---|
{codes}

`python scripts/06_validate_dsl.py PATH...` validates files and folders; it exits with 2 where anything
is invalid. `--fix` rewrites program files in their one spelling: aliases, blanks, order, and the fixes
that can only mean one thing (a keyword, type or pin in the wrong case, missing quotes, a missing or
wrong type tag, a wire given twice). A file with an error that needs a person stays as it is. `--fix
--dry-run` lists the changes and writes nothing.

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
    "Kinds: an *event* starts control; *exec* and *macro* nodes run when control reaches them; a *pure* "
    "node has no exec pins and is worked out when its value is needed. `!` marks an input that must be "
    "wired or set, `T`, `K`, `V` a type that all such pins of the node share, `Self` the parent class, "
    "`[Name]` a property that is no pin, `?` a pin that prompts and exercises leave out, `= x` the "
    "engine's default, `...` further pins the node's own signature gives. Evidence: ● seen in real editor"
    " exports, ○ known from the public API, not yet confirmed by pasting. **Bold** types are of level "
    "core, which every profile trains on. `python -m nightforge.blueprint.catalog_table [--category C] "
    "[--format text|markdown|json]` prints them."
)


def render() -> str:
    """Return the whole page docs/dsl.md."""
    catalog = load_catalog()
    codes = "\n".join(f"| {code} | {meaning} |" for code, meaning in CODES.items())
    head = HEAD.format(example=EXAMPLE, larger=LARGER, grammar=GRAMMAR, codes=codes)
    parts = [head, _types(catalog)]
    parts += [f"## Nodes\n\n{len(catalog.nodes)} types. {KINDS}\n"]
    for category, nodes in groupby(catalog.nodes.values(), key=lambda node: node.category):
        parts += [f"### {category.capitalize()}\n", _table(list(nodes))]
    return "\n".join(parts)


def _types(catalog: Catalog) -> str:
    types = catalog.types
    structs = ", ".join(
        f"{name} ({', '.join(fields) or 'no literal'})" for name, fields in types.structs.items()
    )
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
