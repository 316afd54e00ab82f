"""Functions, macros, events with pins, opaque nodes and comment boxes mean what their signatures say."""

from __future__ import annotations

import pytest
from language_cases import body, program

from nightforge.blueprint.canonical import canonicalize, content_key, structure_key
from nightforge.blueprint.check import validate
from nightforge.blueprint.graph import Comment, Graph, Node, PinSpec
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.type_names import is_type, plain_name, split_type, type_text

HEALING = """BLUEPRINT: BP_Camp
PARENT: Actor
VAR Health: Float = 50.0
GRAPH: EventGraph
NODE n1: Event_BeginPlay
NODE n2: CallFunction [FunctionName="Heal", Amount=5.0]
EXEC n1.Then -> n2.Execute
NODE n3: CallEvent [EventName="Show Health"]
EXEC n2.Then -> n3.Execute
DATA n2."New Health" -> n3.Shown [Float]
NODE n4: Event_CustomEvent [EventName="Show Health"] (out Shown: Float)
NODE n5: CallMacro [MacroName="Twice"]
EXEC n4.Then -> n5.In
NODE n6: PrintString
EXEC n5.Again -> n6.Execute
DATA n4.Shown -> n6.InString [Float]
COMMENT: "Show it twice" (n4, n5, n6)
COMMENT: "Done by \\"hand\\""
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
MACRO: Twice (in In: exec, out Again: exec)
NODE n1: FunctionEntry
NODE n2: Sequence
EXEC n1.In -> n2.Execute
NODE n3: FunctionResult
EXEC n2.Then_0 -> n3.Again
EXEC n2.Then_1 -> n3.Again
"""


def test_a_program_with_a_function_a_macro_and_an_event_with_pins_is_valid_and_printed_alike() -> None:
    assert [str(d) for d in validate(HEALING).diagnostics] == []
    assert to_text(program(HEALING)) == HEALING


def test_the_model_carries_headers_signatures_and_boxes() -> None:
    first, heal, twice = program(HEALING).graphs
    assert (first.kind, heal.kind, twice.kind) == ("graph", "function", "macro")
    assert heal.pins == (PinSpec("in", "Amount", "Float"), PinSpec("out", "New Health", "Float"))
    assert first.comments == (Comment("Show it twice", ("n4", "n5", "n6")), Comment('Done by "hand"'))


# name: (text replaced, replacement, code, part of the message)
WRONG = {
    "a call of no function": ('FunctionName="Heal"', 'FunctionName="Heel"', "DSL314", "did you mean Heal?"),
    "a call of no macro": ('MacroName="Twice"', 'MacroName="Thrice"', "DSL314", "no macro is named"),
    "an input the function lacks": ("Amount=5.0", "Amnt=5.0", "DSL305", "did you mean Amount?"),
    "a value of another type": ("Amount=5.0", 'Amount="x"', "DSL306", "Float needs a number"),
    "an output the function lacks": (
        'n2."New Health" ->',
        "n2.Health ->",
        "DSL402",
        "no output pin 'Health'",
    ),
    "a pin the event lacks": ("out Shown: Float", "out Show: Float", "DSL402", "no input pin 'Shown'"),
    "another type in the event": ("out Shown: Float", "out Shown: Vector", "DSL405", "Float to Vector"),
    "a pin the entry lacks": ("n1.Amount", "n1.Count", "DSL402", "FunctionEntry has no output pin 'Count'"),
    "another type in the header": ("in Amount: Float", "in Amount: Bool", "DSL405", "joins Bool to Float"),
    "an exec pin in a function": ("(in Amount: Float", "(in Go: exec, in Amount: Float", "DSL211", "anyway"),
    "an unknown type in a header": ("in Amount: Float", "in Amount: Flot", "DSL207", "did you mean Float?"),
    "an event in a function": ("FUNCTION: Heal", "FUNCTION: Heal ()\nNODE e: Event_Tick", "DSL316", "cannot"),
    "a result in an event graph": ("NODE n6:", "NODE r: FunctionResult\nNODE n6:", "DSL316", "outside"),
    "a pin the node has anyway": ("(out Shown: Float)", "(out Then: exec)", "DSL315", "anyway"),
    "a box around a missing node": ("(n4, n5, n6)", "(n4, n9)", "DSL210", "'n9'"),
    "a function without entry": (
        "NODE n1: FunctionEntry\nNODE n2: Get",
        "NODE n2: Get",
        "DSL209",
        "no event",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_agree_with_a_signature_is_found(case: str) -> None:
    old, new, code, message = WRONG[case]
    assert old in HEALING
    found = [d for d in validate(HEALING.replace(old, new, 1)).diagnostics if d.code == code]
    assert any(message in d.message for d in found), validate(HEALING.replace(old, new, 1)).diagnostics


def test_a_call_with_a_signature_of_its_own_may_call_what_stands_elsewhere() -> None:
    alone = 'NODE n2: CallFunction [FunctionName="Far"]'
    with_pins = f"{alone} (in Amount: Float)"
    assert [d.code for d in validate(body(alone)).errors] == ["DSL314"]
    assert validate(body(with_pins)).errors == ()
    assert "DSL314" in [d.code for d in validate(body(with_pins)).diagnostics]


def test_a_macro_without_exec_pins_is_pure_and_needs_no_entry() -> None:
    macro = "MACRO: Half (in Whole: Float, out Part: Float)\nNODE n1: FunctionResult [Part=2.0]\n"
    call = 'NODE n2: CallMacro [MacroName="Half", Whole=4.0]'
    lines = [call, "NODE n3: Delay", "DATA n2.Part -> n3.Duration [Float]", "EXEC n1.Then -> n3.Execute"]
    assert validate(body(*lines) + macro).errors == ()


OPAQUE = """BLUEPRINT: BP_Sliding
PARENT: Actor
GRAPH: EventGraph
NODE n1: Event_BeginPlay
NODE n2: "/Script/Extra.K2Node_Slide" [@EnabledState="Disabled", "@Keys(0)"="a", Speed=2.0] \
(in execute: exec, in Speed: Float, out then: exec, out "New Location": Vector, \
out "": "/Script/Extra.SlideState")
EXEC n1.Then -> n2.execute
NODE n3: SetActorLocation
EXEC n2.then -> n3.Execute
DATA n2."New Location" -> n3.NewLocation [Vector]
"""


def test_an_opaque_node_is_kept_with_a_warning_and_is_an_error_for_graders() -> None:
    validation = validate(OPAQUE)
    assert validation.valid and [d.code for d in validation.diagnostics] == ["DSL302"]
    assert not validate(OPAQUE, opaque="error").valid
    assert to_text(program(OPAQUE)) == OPAQUE
    assert to_text(canonicalize(program(OPAQUE))).count("@EnabledState") == 1


def test_wires_of_opaque_nodes_are_checked_against_their_signature() -> None:
    found = validate(OPAQUE.replace("n2.then ->", "n2.done ->")).errors
    assert [d.code for d in found] == ["DSL402"]
    assert "did you mean" not in found[0].message and "'done'" in found[0].message
    doubtful = validate(OPAQUE.replace('out "New Location": Vector', 'out "New Location": Float'))
    assert "DSL405" in [d.code for d in doubtful.diagnostics if d.severity == "warning"]


def test_a_body_key_is_a_text() -> None:
    found = validate(OPAQUE.replace('@EnabledState="Disabled"', "@EnabledState=5")).errors
    assert [d.code for d in found] == ["DSL306"]


def test_a_misspelt_catalog_name_is_no_opaque_node() -> None:
    assert [d.code for d in validate(body("NODE n2: Delai")).errors] == ["DSL301"]


def test_the_canonical_form_keeps_headers_and_renames_the_nodes_of_boxes() -> None:
    mixed = HEALING.replace("n4", "zz").replace("(zz, n5, n6)", "(n6, zz, n5)")
    assert to_text(canonicalize(program(mixed))) == to_text(canonicalize(program(HEALING)))
    text = to_text(canonicalize(program(HEALING)))
    assert "FUNCTION: Heal (in Amount: Float" in text and 'COMMENT: "Show it twice" (n' in text


def test_keys_tell_signatures_apart() -> None:
    other = program(HEALING.replace("in Amount: Float", "in Amount: Int"))
    renamed = program(HEALING.replace("Heal (", "Mend (").replace('"Heal"', '"Mend"'))
    assert structure_key(other) != structure_key(program(HEALING))
    assert structure_key(renamed) == structure_key(program(HEALING))
    assert content_key(renamed) != content_key(program(HEALING))


TYPES = {
    "Float": ("Float", ()),
    "Array<Int>": ("Array", ("Int",)),
    "Map<Name,Class<Actor>>": ("Map", ("Name", "Class<Actor>")),
    '"/Script/Engine.HitResult"': ('"/Script/Engine.HitResult"', ()),
    'Array<"a<b,c>\\"d">': ("Array", ('"a<b,c>\\"d"',)),
    'Map<"x, y",Array<Int>>': ("Map", ('"x, y"', "Array<Int>")),
}


@pytest.mark.parametrize("text", TYPES)
def test_types_are_split_and_built(text: str) -> None:
    head, arguments = TYPES[text]
    assert is_type(text) and split_type(text) == (head, arguments)
    assert type_text(plain_name(head), *arguments) == text


@pytest.mark.parametrize(
    "text", ["", "Array<", "Array<>", "A<B,C,D>", '"Float"', '"a', "A<B>>", "A B", "A<B<C<D<E>>>>", '""']
)
def test_malformed_types_are_refused(text: str) -> None:
    assert not is_type(text)
    with pytest.raises(ValueError):
        PinSpec("in", "A", text)


def test_constructors_refuse_repeated_pins_and_pins_of_an_event_graph() -> None:
    pin = PinSpec("in", "A", "Int")
    for build in (lambda: Node("n1", "X", (), (pin, pin)), lambda: Graph("G", pins=(pin,))):
        with pytest.raises(ValueError):
            build()
    with pytest.raises(ValueError):
        Comment("x", ("n1", "n1"))


MAPS = """VAR Costs: Map<Name,Int>
VAR Seen: Set<Actor>
VAR Kind: Class<Pawn>
VAR Mode: EMovementMode = "MOVE_Falling"
"""


def test_typed_containers_carry_their_elements_through_nodes() -> None:
    lines = [
        'NODE n2: GetVar [VarName="Costs"]',
        'NODE n3: MapFind [Key="Rope"]',
        "DATA n2.Value -> n3.Map [Map<Name,Int>]",
        "NODE n4: AddInt [B=1]",
        "DATA n3.Value -> n4.A [Int]",
    ]
    assert validate(body(*lines, variables=MAPS)).errors == ()
    wrong = validate(body(*lines[:3], "NODE n4: Not", "DATA n3.Value -> n4.A [Int]", variables=MAPS)).errors
    assert ["joins Int to Bool" in d.message for d in wrong] == [True]
    literal = validate(body(*[line.replace('"Rope"', "5") for line in lines], variables=MAPS)).errors
    assert ["Name needs a text" in d.message for d in literal] == [True]


def test_an_enum_value_is_one_of_its_entries() -> None:
    assert validate(body(variables=MAPS)).errors == ()
    [found] = validate(body(variables=MAPS.replace("MOVE_Falling", "Falling"))).errors
    assert found.code == "DSL208" and "no entry of EMovementMode" in found.message
    lines = ['NODE n2: SetVar [VarName="Mode", Value="MOVE_falling"]', "EXEC n1.Then -> n2.Execute"]
    [found] = validate(body(*lines, variables=MAPS)).errors
    assert found.code == "DSL307" and found.fix is not None and found.fix.text == '"MOVE_Falling"'


def test_every_part_of_a_program_may_have_a_name_with_blanks() -> None:
    text = 'BLUEPRINT: "My Camp"\nPARENT: Actor\nVAR "Max Fuel": Float\nGRAPH: "My Graph"\n'
    text += 'NODE n1: Event_CustomEvent [EventName="Go On"] (out "Late Value": Array<"My Struct">)\n'
    assert parse(text).diagnostics == () and to_text(program(text)) == text
