"""Ids, order and names of programs do not matter to the canonical form and the keys; meaning does."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from language_cases import LANTERN, TWO_GRAPHS, blueprints, body, program, shuffled, wired_programs

from nightforge.blueprint.canonical import canonicalize, content_key, structure_key
from nightforge.blueprint.check import validate
from nightforge.blueprint.graph import Blueprint, Graph
from nightforge.blueprint.printer import to_text


def unnamed(bp: Blueprint) -> str:
    """The text after the name line."""
    return to_text(bp).split("\n", 1)[1]


@pytest.mark.parametrize("text", [LANTERN, TWO_GRAPHS])
@pytest.mark.parametrize("seed", range(25))
def test_shuffled_and_renamed_programs_come_back_to_one_form(text: str, seed: int) -> None:
    bp = program(text)
    other = shuffled(bp, Random(seed))
    assert to_text(other) != text
    assert unnamed(canonicalize(other)) == unnamed(canonicalize(bp))
    assert content_key(other) == content_key(bp)
    assert structure_key(other) == structure_key(bp)


@settings(max_examples=60, deadline=None)
@given(wired_programs(), st.integers(0, 2**32))
def test_keys_are_blind_to_ids_and_order_for_any_program(bp: Blueprint, seed: int) -> None:
    other = shuffled(bp, Random(seed))
    assert content_key(other) == content_key(bp)
    assert structure_key(other) == structure_key(bp)
    assert content_key(canonicalize(other)) == content_key(bp)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(wired_programs(), st.integers(0, 2**32))
def test_isomorphic_programs_have_equal_canonical_texts(bp: Blueprint, seed: int) -> None:
    assert unnamed(canonicalize(shuffled(bp, Random(seed)))) == unnamed(canonicalize(bp))


@settings(max_examples=50, deadline=None)
@given(blueprints)
def test_any_program_has_a_canonical_form_with_every_node_and_wire(bp: Blueprint) -> None:
    form = canonicalize(bp)
    assert len(list(form.nodes())) == len(list(bp.nodes()))
    assert len(list(form.wires())) == len(list(bp.wires()))
    assert canonicalize(form) == form
    assert structure_key(form) == structure_key(bp)


def test_the_example_is_its_own_canonical_form() -> None:
    assert to_text(canonicalize(program(LANTERN))) == LANTERN


def test_ids_follow_exec_order_with_pure_nodes_before_their_first_consumer() -> None:
    text = body(
        "NODE x9: PrintString",
        "NODE x8: Delay",
        "NODE x7: Branch",
        "NODE x6: RandomFloat",
        "NODE x5: RandomBool",
        "EXEC n1.Then -> x7.Execute",
        "EXEC x7.True -> x9.Execute",
        "EXEC x7.False -> x8.Execute",
        "DATA x6.ReturnValue -> x8.Duration",
        "DATA x6.ReturnValue -> x9.InString",
        "DATA x5.ReturnValue -> x7.Condition",
    )
    graph = canonicalize(program(text)).graphs[0]
    types = [node.type for node in graph.nodes]
    assert types == ["Event_BeginPlay", "RandomBool", "Branch", "RandomFloat", "PrintString", "Delay"]
    assert [node.id for node in graph.nodes] == ["n1", "n2", "n3", "n4", "n5", "n6"]
    assert [wire.type for wire in graph.wires if wire.kind == "data"] == ["Bool", "Float", "Float"]


def test_literals_are_fitted_to_their_pins() -> None:
    text = body(
        "NODE n2: SetActorLocation [NewLocation=(Z=3,X=1)]",
        "NODE n3: ClampFloat [Max=9, Min=1]",
        "NODE n4: SetActorRotation [NewRotation=(Pitch=1,Yaw=2,Roll=3)]",
    )
    written = to_text(canonicalize(program(text)))
    assert "[NewLocation=(X=1.0,Z=3.0)]" in written
    assert "ClampFloat [Min=1.0, Max=9.0]" in written
    assert "[NewRotation=(Roll=3.0,Pitch=1.0,Yaw=2.0)]" in written


def test_numbered_pins_sort_by_number() -> None:
    lines = ["NODE s: Sequence", "EXEC n1.Then -> s.Execute"]
    for i in range(12):
        lines += [f'NODE p{i}: PrintString [InString="{i}"]', f"EXEC s.Then_{i} -> p{i}.Execute"]
    graph = canonicalize(program(body(*lines))).graphs[0]
    shown = [node.get("InString") for node in graph.nodes if node.type == "PrintString"]
    assert shown == [str(i) for i in range(12)]


# name: (one line replaced, what replaces it, structure changes, content changes)
CHANGES = {
    "another literal": ("B=5.0", "B=6.0", False, True),
    "another text": ("lantern lit", "lamp on", False, True),
    "another default": ("= 30.0", "= 31.0", False, True),
    "a renamed variable": ("Fuel", "Oil", False, True),
    "another parent": ("PARENT: Actor", "PARENT: Pawn", False, True),
    "another program name": ("BP_Lantern", "BP_Torch", False, False),
    "an int for a float literal": ("B=5.0", "B=5", False, False),
    "an alias": ("GetVar", "VariableGet", False, False),
    "no type tag": (" [Bool]", "", False, False),
    "another node type": ("GreaterThan", "LessThan", True, True),
    "another exec pin": ("n4.True", "n4.False", True, True),
    "another data pin": ("n3.A [Float]", "n3.B [Float]", True, True),
    "a property more": ("NODE n4: Branch", "NODE n4: Branch [Condition=true]", True, True),
    "another variable type": ("Float =", "Int =", True, True),
    "a wire less": ("EXEC n4.True -> n5.Execute\n", "", True, True),
    "a node more": ("NODE n4", "NODE n6: Delay\nNODE n4", True, True),
    "a variable more": ("GRAPH", "VAR Extra: Int\nGRAPH", True, True),
}


@pytest.mark.parametrize("case", CHANGES)
def test_keys_change_exactly_with_what_they_stand_for(case: str) -> None:
    old, new, structural, meaningful = CHANGES[case]
    assert old in LANTERN
    before, after = program(LANTERN), program(LANTERN.replace(old, new))
    assert (structure_key(before) != structure_key(after)) == structural
    assert (content_key(before) != content_key(after)) == meaningful


def test_sharing_a_variable_is_part_of_the_shape() -> None:
    two = "VAR A: Int\nVAR B: Int\n"
    shared = body('NODE n2: GetVar [VarName="A"]', 'NODE n3: GetVar [VarName="A"]', variables=two)
    apart = body('NODE n2: GetVar [VarName="A"]', 'NODE n3: GetVar [VarName="B"]', variables=two)
    swapped = body('NODE n2: GetVar [VarName="B"]', 'NODE n3: GetVar [VarName="B"]', variables=two)
    assert structure_key(program(shared)) != structure_key(program(apart))
    assert structure_key(program(shared)) == structure_key(program(swapped))


def test_calling_the_same_event_is_part_of_the_shape() -> None:
    events = ['NODE n2: Event_CustomEvent [EventName="A"]', 'NODE n3: Event_CustomEvent [EventName="B"]']
    one = body(*events, 'NODE n4: CallEvent [EventName="A"]', 'NODE n5: CallEvent [EventName="A"]')
    both = body(*events, 'NODE n4: CallEvent [EventName="A"]', 'NODE n5: CallEvent [EventName="B"]')
    assert structure_key(program(one)) != structure_key(program(both))


def test_action_and_graph_names_are_masked_in_the_structure() -> None:
    def text(action: str, graph: str) -> str:
        return (
            f"BLUEPRINT: A\nPARENT: Actor\nGRAPH: {graph}\nNODE n1: Event_InputAction [ActionName={action}]\n"
        )

    assert structure_key(program(text("Jump", "EventGraph"))) == structure_key(program(text("Fire", "Other")))
    assert content_key(program(text("Jump", "EventGraph"))) != content_key(
        program(text("Fire", "EventGraph"))
    )


def test_dangling_wires_and_repeated_ids_do_not_break_the_form() -> None:
    bp = program(body("NODE n1: Delay", "EXEC n1.Then -> gone.Execute", "DATA lost.X -> n1.Y [Int]"))
    form = canonicalize(bp)
    assert [node.id for node in form.graphs[0].nodes] == ["n1", "n2"]
    assert {end for wire in form.wires() for end in (wire.source, wire.target)} == {"n1", "missing"}
    assert not validate(to_text(form)).valid


def test_very_long_chains_are_no_problem() -> None:
    lines = [f"NODE a{i}: Delay" for i in range(1000)] + ["EXEC n1.Then -> a0.Execute"]
    lines += [f"EXEC a{i}.Completed -> a{i + 1}.Execute" for i in range(999)]
    graph = canonicalize(program(body(*lines))).graphs[0]
    assert graph.wires[-1].target == "n1001"


def test_graphs_come_in_one_order_with_the_event_graph_first() -> None:
    bp = program(TWO_GRAPHS)
    turned = Blueprint(bp.name, bp.parent, bp.variables, tuple(reversed((Graph("AAA"), *bp.graphs))))
    assert [graph.name for graph in canonicalize(turned).graphs] == ["EventGraph", "AAA", "Reward"]


def test_variables_stand_in_the_order_of_their_first_use() -> None:
    declared = "VAR Alpha: Int\nVAR Idle: Int\nVAR Beta: Int\nVAR Count: Int\n"
    text = body(
        'NODE n2: SetVar [VarName="Count"]',
        'NODE n3: GetVar [VarName="Beta"]',
        'NODE n4: SetVar [VarName="Alpha", Value=1]',
        "EXEC n1.Then -> n2.Execute",
        "EXEC n2.Then -> n4.Execute",
        "DATA n3.Value -> n2.Value",
        variables=declared,
    )
    names = [variable.name for variable in canonicalize(program(text)).variables]
    assert names == ["Beta", "Count", "Alpha", "Idle"]
