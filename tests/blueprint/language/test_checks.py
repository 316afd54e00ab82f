"""Strict validation says what is wrong with a program that can be read, once and on the right line."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from language_cases import LANTERN, TWO_GRAPHS, blueprints, body, program, wired_programs

from nightforge.blueprint.check import check, validate
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text

VARS = "VAR Fuel: Float = 1.0\nVAR Coins: Array<Int>\nVAR Lamp: PointLightComponent\nVAR Door: BP_Door\n"
FIRST = 9  # line of the first line of a body with VARS

# name: (body lines, line of the finding counted from the first body line, part of its message)
ERRORS = {
    "an unknown node type": (
        ["NODE n2: PrintStrng"],
        1,
        "unknown node type 'PrintStrng'; did you mean PrintString?",
    ),
    "an unknown input pin": (["NODE n2: Delay", "EXEC n1.Then -> n2.Run"], 2, "Delay has no input pin 'Run'"),
    "an unknown output pin": (
        ["NODE n2: Branch", "NODE n3: Delay", "EXEC n2.Truee -> n3.Execute"],
        3,
        "did you mean True?",
    ),
    "a wire to a missing id": (["EXEC n1.Then -> n9.Execute"], 1, "no node has the id 'n9'"),
    "a repeated id": (["NODE n2: Delay", "NODE n2: Delay"], 2, "node id 'n2' is used twice"),
    "an exec wire from a pure node": (
        ["NODE n2: AddInt", "NODE n3: Delay", "EXEC n2.Then -> n3.Execute"],
        3,
        "pure node",
    ),
    "an exec wire into a pure node": (["NODE n2: AddInt", "EXEC n1.Then -> n2.Execute"], 2, "pure node"),
    "an exec wire into a data pin": (
        ["NODE n2: Delay", "EXEC n1.Then -> n2.Duration"],
        2,
        "n2.Duration is a data pin",
    ),
    "a data wire from an exec pin": (
        ["NODE n2: Delay", "DATA n1.Then -> n2.Duration [Float]"],
        2,
        "n1.Then is an exec pin",
    ),
    "an exec output used twice": (
        ["NODE n2: Delay", "NODE n3: Delay", "EXEC n1.Then -> n2.Execute", "EXEC n1.Then -> n3.Execute"],
        4,
        "leads to two nodes",
    ),
    "a data input fed twice": (
        [
            "NODE n2: RandomFloat",
            "NODE n3: RandomFloat",
            "NODE n4: Abs",
            "DATA n2.ReturnValue -> n4.A [Float]",
            "DATA n3.ReturnValue -> n4.A [Float]",
        ],
        5,
        "has two wires",
    ),
    "the same wire twice": (
        ["NODE n2: Delay", "EXEC n1.Then -> n2.Execute", "EXEC n1.Then -> n2.Execute"],
        3,
        "stands twice",
    ),
    "a float into an int": (
        ["NODE n2: RandomFloat", "NODE n3: AddInt", "DATA n2.ReturnValue -> n3.A [Float]"],
        3,
        "joins Float to Int",
    ),
    "an actor into a character": (
        [
            "NODE n2: Event_ActorBeginOverlap",
            "NODE n3: LaunchCharacter",
            "DATA n2.OtherActor -> n3.Target [Actor]",
        ],
        3,
        "joins Actor to Character",
    ),
    "a value into an array": (
        ["NODE n2: RandomFloat", "NODE n3: ArrayLength", "DATA n2.ReturnValue -> n3.Array [Float]"],
        3,
        "to Array<T>",
    ),
    "a wrong element": (
        [
            'NODE n2: GetVar [VarName="Coins"]',
            "NODE n3: RandomFloat",
            "NODE n4: ArrayContains",
            "DATA n2.Value -> n4.Array [Array<Int>]",
            "DATA n3.ReturnValue -> n4.Item [Float]",
        ],
        5,
        "joins Float to Int",
    ),
    "a variable of another type": (
        ["NODE n2: RandomBool", 'NODE n3: SetVar [VarName="Fuel"]', "DATA n2.ReturnValue -> n3.Value [Bool]"],
        3,
        "joins Bool to Float",
    ),
    "a wrong tag": (
        ["NODE n2: RandomFloat", "NODE n3: Abs", "DATA n2.ReturnValue -> n3.A [Bool]"],
        3,
        "is tagged Bool but carries Float",
    ),
    "an undeclared variable": (['NODE n2: GetVar [VarName="Fule"]'], 1, "not declared; did you mean Fuel?"),
    "a missing variable name": (["NODE n2: GetVar"], 1, "needs VarName"),
    "an unknown property": (["NODE n2: Delay [Time=2.0]"], 1, "Delay has no property 'Time'"),
    "a property for an exec pin": (["NODE n2: Delay [Execute=1]"], 1, "no property 'Execute'"),
    "a text for a float": (['NODE n2: Delay [Duration="2"]'], 1, "Float needs a number"),
    "a bool for a float": (["NODE n2: Delay [Duration=true]"], 1, "Float needs a number"),
    "a float for an int": (["NODE n2: AddInt [A=2.5]"], 1, "Int needs a whole number"),
    "a number for a text": (["NODE n2: PrintString [InString=5]"], 1, "String needs a text"),
    "an unknown struct field": (["NODE n2: SetActorLocation [NewLocation=(X=1.0,Q=2.0)]"], 1, "no field 'Q'"),
    "a text in a struct": (['NODE n2: SetActorLocation [NewLocation=(X="a")]'], 1, "field X"),
    "a literal actor": (['NODE n2: DestroyActor [Target="Bob"]'], 1, "Actor has no literal"),
    "a literal array": (["NODE n2: ArrayLength [Array=5]"], 1, "leave it out"),
    "a value for the variable of another type": (
        ['NODE n2: SetVar [VarName="Fuel", Value="x"]'],
        1,
        "Float needs a number",
    ),
    "an input both set and wired": (
        [
            "NODE n2: RandomFloat",
            "NODE n3: Delay [Duration=1.0]",
            "DATA n2.ReturnValue -> n3.Duration [Float]",
        ],
        2,
        "both set and wired",
    ),
    "a required input left open": (["NODE n2: CastToPawn"], 1, "n2.Object of CastToPawn needs a wire"),
    "a component target left open": (
        ["NODE n2: SetVisibility"],
        1,
        "n2.Target of SetVisibility needs a wire",
    ),
    "a call of no event": (['NODE n2: CallEvent [EventName="Boom"]'], 1, "no custom event is named 'Boom'"),
    "a custom event defined twice": (
        ['NODE n2: Event_CustomEvent [EventName="A"]', 'NODE n3: Event_CustomEvent [EventName="A"]'],
        1,
        "defined twice",
    ),
    "an engine event twice": (["NODE n2: Event_BeginPlay"], 1, "stands twice"),
    "a loop of pure nodes": (
        [
            "NODE n2: Abs",
            "NODE n3: Abs",
            "DATA n2.ReturnValue -> n3.A [Float]",
            "DATA n3.ReturnValue -> n2.A [Float]",
        ],
        1,
        "loop",
    ),
    "a gap between numbered pins is no pin": (
        ["NODE n2: Sequence", "NODE n3: Delay", "EXEC n2.Then_01 -> n3.Execute"],
        3,
        "no output pin 'Then_01'",
    ),
    "a cast to no class": (["NODE n2: CastToBanana"], 1, "unknown node type"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_a_wrong_program_is_invalid_and_the_finding_names_its_line(case: str) -> None:
    lines, line, message = ERRORS[case]
    validation = validate(body(*lines, variables=VARS))
    assert not validation.valid
    assert validation.blueprint is not None
    assert any(message in d.message and d.line == FIRST + line - 1 for d in validation.errors), (
        validation.errors
    )


DECLARATIONS = {
    "an unknown type": ("VAR A: Flota\n", "unknown type 'Flota'; did you mean Float?"),
    "a container of an unknown type": ("VAR A: Array<Foo>\n", "unknown type 'Foo'"),
    "a bare container": ("VAR A: Array\n", "needs 1 element type"),
    "a map with one type": ("VAR A: Map<Int>\n", "needs 2 element type"),
    "a name declared twice": ("VAR A: Int\nVAR A: Int\n", "declared twice"),
    "a default of another type": ('VAR A: Int = "x"\n', "default of A: Int needs"),
    "a default for a container": ("VAR A: Array<Int> = 3\n", "Array has no literal"),
    "a default for an actor": ('VAR A: Actor = "x"\n', "Actor has no literal"),
}


@pytest.mark.parametrize("case", DECLARATIONS)
def test_a_wrong_declaration_is_an_error(case: str) -> None:
    variables, message = DECLARATIONS[case]
    assert any(message in d.message for d in validate(body(variables=variables)).errors)


VALID = {
    "an int into a float": ["NODE n2: RandomInteger", "NODE n3: Abs", "DATA n2.ReturnValue -> n3.A [Int]"],
    "an int literal for a float": ["NODE n2: Delay [Duration=2]"],
    "a float into a text": [
        "NODE n2: RandomFloat",
        "NODE n3: PrintString",
        "DATA n2.ReturnValue -> n3.InString [Float]",
    ],
    "an actor into a text": [
        "NODE n2: Self",
        "NODE n3: PrintString",
        "DATA n2.ReturnValue -> n3.InString [Actor]",
    ],
    "a character into an actor": [
        "NODE n2: GetPlayerCharacter",
        "NODE n3: DestroyActor",
        "DATA n2.ReturnValue -> n3.Target [Character]",
    ],
    "a project class into an actor": [
        'NODE n2: GetVar [VarName="Door"]',
        "NODE n3: DestroyActor",
        "DATA n2.Value -> n3.Target [BP_Door]",
    ],
    "a light into a scene component": [
        'NODE n2: GetVar [VarName="Lamp"]',
        "NODE n3: SetVisibility",
        "DATA n2.Value -> n3.Target [PointLightComponent]",
    ],
    "one output for many inputs": [
        "NODE n2: RandomFloat",
        "NODE n3: AddFloat",
        "DATA n2.ReturnValue -> n3.A [Float]",
        "DATA n2.ReturnValue -> n3.B [Float]",
    ],
    "two wires into an exec input": [
        "NODE n2: Branch [Condition=true]",
        "NODE n3: Delay",
        "EXEC n1.Then -> n2.Execute",
        "EXEC n2.True -> n3.Execute",
        "EXEC n2.False -> n3.Execute",
    ],
    "many outputs of a sequence": [
        "NODE n2: Sequence",
        "NODE n3: Delay",
        "EXEC n1.Then -> n2.Execute",
        "EXEC n2.Then_12 -> n3.Execute",
    ],
    "a case of any text": [
        "NODE n2: SwitchOnString",
        "NODE n3: Delay",
        'EXEC n2."Case_dark red" -> n3.Execute',
    ],
    "an element through two nodes": [
        'NODE n2: GetVar [VarName="Coins"]',
        "NODE n3: ArrayGet [Index=0]",
        "NODE n4: AddInt [B=1]",
        "DATA n2.Value -> n3.Array [Array<Int>]",
        "DATA n3.ReturnValue -> n4.A [Int]",
    ],
    "a cast to a project class": [
        "NODE n2: CastToBP_Door",
        "NODE n3: Self",
        "DATA n3.ReturnValue -> n2.Object [Actor]",
    ],
    "an asset by name": ['NODE n2: PlaySound [Sound="Chime"]'],
    "a loop of exec wires": [
        "NODE n2: Delay [Duration=1.0]",
        "EXEC n1.Then -> n2.Execute",
        "EXEC n2.Completed -> n2.Execute",
    ],
    "the output of a set": [
        'NODE n2: SetVar [VarName="Fuel", Value=3.0]',
        "NODE n3: Abs",
        "DATA n2.Value -> n3.A [Float]",
    ],
}


@pytest.mark.parametrize("case", VALID)
def test_a_right_program_has_no_errors(case: str) -> None:
    assert validate(body(*VALID[case], variables=VARS)).errors == ()


WARNINGS = {
    "an exec node that is never reached": (["NODE n2: Delay"], "never reached"),
    "a pure node without wires": (["NODE n2: RandomFloat"], "not connected"),
    "a wire without a tag": (
        ["NODE n2: RandomFloat", "NODE n3: Abs", "DATA n2.ReturnValue -> n3.A"],
        "no type tag",
    ),
    "the tag of the consumer": (
        ["NODE n2: RandomInteger", "NODE n3: Abs", "DATA n2.ReturnValue -> n3.A [Float]"],
        "is tagged Float but carries Int",
    ),
    "a timer for an unknown function": (
        ['NODE n2: SetTimerByFunctionName [FunctionName="X", Time=1.0]'],
        "no custom event is named 'X'",
    ),
}


@pytest.mark.parametrize("case", WARNINGS)
def test_doubtful_things_are_warnings_only(case: str) -> None:
    lines, message = WARNINGS[case]
    validation = validate(body(*lines, variables=VARS))
    assert validation.valid
    assert any(message in d.message and d.severity == "warning" for d in validation.diagnostics)


@pytest.mark.parametrize("text", [LANTERN, TWO_GRAPHS])
def test_the_reference_programs_have_no_findings(text: str) -> None:
    assert [str(d) for d in validate(text).diagnostics] == []


def test_a_graph_without_an_event_is_an_error() -> None:
    text = "BLUEPRINT: A\nPARENT: Actor\nGRAPH: EventGraph\nNODE n1: Delay\n"
    assert any("no event to start from" in d.message and d.line == 3 for d in validate(text).errors)


def test_a_graph_name_may_not_come_twice() -> None:
    text = body() + "GRAPH: EventGraph\nNODE n1: Event_Tick\n"
    assert sum("given twice" in d.message for d in validate(text).errors) == 2


def test_the_target_may_stay_open_where_the_blueprint_itself_fits() -> None:
    assert validate(body("NODE n2: AddToViewport", parent="UserWidget")).valid
    assert not validate(body("NODE n2: AddToViewport", parent="Actor")).valid


def test_an_unknown_parent_is_a_warning() -> None:
    validation = validate(body(parent="Acter"))
    assert validation.valid and any("did you mean Actor?" in d.message for d in validation.diagnostics)


def test_a_wire_that_joins_a_node_to_itself_is_judged_at_both_ends() -> None:
    lines = ['NODE n2: SetVar [VarName="Fuel"]', "DATA n2.Value -> n2.Value [Float]"]
    assert validate(body(*lines, variables=VARS)).valid


def test_a_long_chain_of_wildcards_does_not_break_the_checks() -> None:
    lines = [f"NODE a{i}: ArrayGet" for i in range(1000)]
    lines += [f"DATA a{i}.ReturnValue -> a{i + 1}.Array [Array<Int>]" for i in range(999)]
    assert not validate(body(*lines)).valid


@settings(max_examples=50, deadline=None)
@given(wired_programs())
def test_line_numbers_without_a_text_are_those_of_the_printed_text(bp: Blueprint) -> None:
    result = parse(to_text(bp))
    assert result.blueprint is not None
    assert check(bp) == check(result.blueprint, result.lines)


@settings(max_examples=50, deadline=None)
@given(blueprints)
def test_checks_never_raise(bp: Blueprint) -> None:
    assert all(d.line <= to_text(bp).count("\n") for d in check(bp))


def test_program_helper_is_strict() -> None:
    with pytest.raises(AssertionError):
        program("nonsense")
