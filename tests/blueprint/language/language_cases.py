"""Programs and strategies that the language tests share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.graph import (
    MAX_DEPTH,
    Blueprint,
    Comment,
    Graph,
    Node,
    PinSpec,
    Struct,
    Variable,
    Wire,
)
from nightforge.blueprint.parser import parse
from nightforge.blueprint.type_names import MAX_TYPE_DEPTH, type_text

Item = TypeVar("Item")

LANTERN = """BLUEPRINT: BP_Lantern
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
TWO_GRAPHS = """BLUEPRINT: BP_Store
PARENT: Character
VAR Coins: Array<Int>
VAR Total: Int = 0
GRAPH: EventGraph
NODE n1: Event_ActorBeginOverlap
NODE n2: CastToCharacter
EXEC n1.Then -> n2.Execute
DATA n1.OtherActor -> n2.Object [Actor]
NODE n3: Sequence
EXEC n2.CastSucceeded -> n3.Execute
NODE n4: SetTimerByFunctionName [FunctionName="Count", Time=2.0, bLooping=true]
EXEC n3.Then_0 -> n4.Execute
NODE n5: CallEvent [EventName="Count"]
EXEC n3.Then_1 -> n5.Execute
NODE n6: Event_CustomEvent [EventName="Count"]
NODE n7: GetVar [VarName="Coins"]
NODE n8: ForEachLoop
EXEC n6.Then -> n8.Execute
DATA n7.Value -> n8.Array [Array<Int>]
NODE n9: GetVar [VarName="Total"]
NODE n10: AddInt
DATA n9.Value -> n10.A [Int]
DATA n8.ArrayElement -> n10.B [Int]
NODE n11: SetVar [VarName="Total"]
EXEC n8.LoopBody -> n11.Execute
DATA n10.ReturnValue -> n11.Value [Int]
NODE n12: PrintString
EXEC n8.Completed -> n12.Execute
DATA n9.Value -> n12.InString [Int]
GRAPH: Reward
NODE n1: FunctionEntry
NODE n2: AddActorLocalOffset [DeltaLocation=(X=0.0,Y=0.0,Z=50.0)]
EXEC n1.Then -> n2.Execute
"""


def program(text: str) -> Blueprint:
    """Parse a program that is known to be good."""
    result = parse(text)
    assert result.blueprint is not None, [str(d) for d in result.diagnostics]
    return result.blueprint


def body(*lines: str, variables: str = "", parent: str = "Actor") -> str:
    """Wrap node and wire lines into a program whose node n1 is Event_BeginPlay."""
    head = f"BLUEPRINT: BP_Test\nPARENT: {parent}\n{variables}GRAPH: EventGraph\nNODE n1: Event_BeginPlay\n"
    return head + "\n".join(lines) + "\n"


def shuffled(bp: Blueprint, rng: Random) -> Blueprint:
    """Return the same program with other ids, another order of everything and another name."""
    graphs = []
    for graph in bp.graphs:
        numbers = rng.sample(range(10, 10 + 5 * len(graph.nodes)), len(graph.nodes))
        ids = {node.id: f"k{number}" for node, number in zip(graph.nodes, numbers, strict=True)}
        nodes = [replace(n, id=ids[n.id], properties=_mixed(n.properties, rng)) for n in graph.nodes]
        wires = [replace(w, source=ids[w.source], target=ids[w.target]) for w in graph.wires]
        comments = [replace(c, nodes=_mixed([ids[n] for n in c.nodes], rng)) for c in graph.comments]
        mixed = replace(graph, nodes=_mixed(nodes, rng), wires=_mixed(wires, rng), comments=tuple(comments))
        graphs.append(mixed)
    return replace(bp, name="BP_Other", variables=_mixed(bp.variables, rng), graphs=_mixed(graphs, rng))


def _mixed(items: Sequence[Item], rng: Random) -> tuple[Item, ...]:
    return tuple(rng.sample(items, len(items)))


# Any program the constructors allow, with nasty texts.

texts = st.text(max_size=12) | st.sampled_from(
    [
        "a, b=c]d",
        'say "hi"',
        "back\\slash",
        "line\nbreak",
        "# no comment",
        "->",
        "[x]",
        "\u2028",
        "tab\t",
        "Ünïcødé 名前",
    ]
)
names = texts.filter(bool) | st.sampled_from(["Then", "Value", "true", "NODE", "Array Element", " ", "0"])
identifiers = st.from_regex(r"[A-Za-zÀ-ÖØ-ö_][A-Za-z0-9_]{0,6}", fullmatch=True)
heads = identifiers | names | st.sampled_from(["/Script/Engine.HitResult", "a<b", "c,d"])
types = st.recursive(
    heads.map(type_text),
    lambda inner: st.builds(type_text, heads, inner) | st.builds(type_text, heads, inner, inner),
    max_leaves=3,
).filter(lambda text: text.count("<") < MAX_TYPE_DEPTH)
scalars = (
    texts
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)


def _pairs(values: st.SearchStrategy) -> st.SearchStrategy:
    keys = names | st.sampled_from(["", "@EnabledState", "@PinNames(0)"])
    return st.dictionaries(keys, values, max_size=3).map(lambda d: tuple(d.items()))


values = st.recursive(scalars, lambda inner: st.builds(Struct, _pairs(inner)), max_leaves=4).filter(
    lambda value: not isinstance(value, Struct) or value.depth <= MAX_DEPTH
)
known_types = st.sampled_from([*load_catalog().nodes, "CastToBP_Door"])
pin_names = names | st.just("")
pins = st.lists(
    st.builds(PinSpec, st.sampled_from(["in", "out"]), pin_names, types | st.just("exec")),
    max_size=3,
    unique_by=lambda pin: (pin.direction, pin.name),
).map(tuple)
opaque_types = st.sampled_from(["K2Node_Timeline", "/Script/UMGEditor.K2Node_CreateWidget"])
nodes = st.builds(Node, identifiers, known_types | opaque_types | names, _pairs(values), pins)
data_wires = st.builds(
    Wire, st.just("data"), identifiers, pin_names, identifiers, pin_names, st.none() | types
)
exec_wires = st.builds(Wire, st.just("exec"), identifiers, pin_names, identifiers, pin_names)


def _tuples(items: st.SearchStrategy, low: int = 0, high: int = 4) -> st.SearchStrategy:
    return st.lists(items, min_size=low, max_size=high).map(tuple)


comments = st.builds(Comment, texts, st.lists(identifiers, max_size=3, unique=True).map(tuple))
_parts = (_tuples(nodes), _tuples(data_wires | exec_wires))
graphs = st.builds(Graph, names, *_parts, comments=_tuples(comments, 0, 2)) | st.builds(
    Graph, names, *_parts, st.sampled_from(["function", "macro"]), pins, _tuples(comments, 0, 2)
)
variables = st.builds(Variable, names, types, st.none() | values)
blueprints = st.builds(Blueprint, names, names, _tuples(variables), _tuples(graphs, 1, 2), st.none() | names)


@st.composite
def wired_programs(draw: st.DrawFn) -> Blueprint:
    """Draw a program of catalog nodes whose wires join real pins, legal or not."""
    catalog = load_catalog()
    kinds = draw(st.lists(st.sampled_from(list(catalog.nodes)), min_size=1, max_size=8))
    members = []
    for number, kind in enumerate(kinds):
        properties = tuple(
            (p.name, draw(st.sampled_from(["Fuel", "Count"]))) for p in catalog.nodes[kind].properties
        )
        members.append(Node(f"n{number}", kind, properties))
    wires = []
    for _ in range(draw(st.integers(0, 12))):
        source, target = draw(st.sampled_from(members)), draw(st.sampled_from(members))
        outputs, inputs = catalog.nodes[source.type].outputs, catalog.nodes[target.type].inputs
        if outputs and inputs:
            out, into = draw(st.sampled_from(outputs)), draw(st.sampled_from(inputs))
            kind = "exec" if out.is_exec else "data"
            wires.append(Wire(kind, source.id, _pin_name(out.name), target.id, _pin_name(into.name)))
    declared = (Variable("Fuel", "Float", 1.0), Variable("Count", "Int"))
    return Blueprint("BP_Drawn", "Actor", declared, (Graph("EventGraph", tuple(members), tuple(wires)),))


def _pin_name(name: str) -> str:
    return name.replace("#", "0").replace("*", "red").replace("^", "C")
