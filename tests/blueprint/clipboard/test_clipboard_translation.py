"""What a graph of the editor says, its program says: nodes, wires, literals, names, and nothing else."""

from __future__ import annotations

import random

import pytest
from clipboard_mutants import mutant
from clipboard_paste import Paste, execs, guid, out, pin, reference
from clipboard_samples import SAMPLES, all_samples, knots_in_a_row

from nightforge.blueprint.canonical import content_key
from nightforge.blueprint.check import validate
from nightforge.blueprint.clipboard.errors import ClipboardError
from nightforge.blueprint.clipboard.translate import Translation, translate
from nightforge.blueprint.parser import parse

LINES: dict[str, list[str]] = {
    "call_with_literals": [
        'NODE n2: PrintString [InString="lamp \\"on\\", (5)\\n"]',
        "EXEC n1.Then -> n2.Execute",
    ],
    "user_function_of_another_blueprint": ["BP_Fence.BP_Fence_C", 'MemberName=\\"Swing Open\\"', "Speed=3.0"],
    "engine_events": [
        'NODE n1: Event_BeginPlay [@EnabledState="Disabled"',
        "DATA n2.DeltaSeconds -> n4.Value [Float]",
    ],
    "custom_event_and_call": [
        'NODE n1: Event_CustomEvent [EventName="Light up"] (out Power: Float)',
        'NODE n2: CallEvent [EventName="Light up"]',
        "DATA n1.Power -> n2.Power [Float]",
    ],
    "component_event": ['Event_ComponentBeginOverlap [ComponentName="Gate Box"]'],
    "variables_get_and_set": ['VAR "Fuel Left": Float', "VAR Lamps: Array<Object>", 'Value="a, (b)"'],
    "variable_of_another_object": ["/Game/Yard/BP_Fence.BP_Fence_C", "Height"],
    "validated_get": ['@CurrentVariation="ValidatedObject"', 'VAR "Target Lamp": Object', "out else: exec"],
    "operators_by_suffix": ["AddFloat (in C: Float)", "MultiplyInt [B=3]", "EqualName", "And [C=true]"],
    "casts": [
        "CastToCharacter",
        "DATA n1.ReturnValue -> n2.Object [Pawn]",
        "DATA n2.AsCharacter -> n4.Target [Character]",
        '@bIsPureCast="True"',
        '"AsBP Fence"',
    ],
    "enhanced_input": [
        "/Game/Input/IA_Jump.IA_Jump",
        "EXEC n1.Triggered -> n2.Execute",
        "n1.ActionValue_X ->",
    ],
    "input_keys": ['Event_InputKey [Key="L", @bShift="True"]', "K2Node_InputDebugKey", "F3"],
    "timeline": ["Flicker", "EXEC n1.Then -> n2.PlayFromStart", "Glow: Float"],
    "spawn_and_widget": [
        'SpawnActorFromClass [ActorClass="/Game/Yard/BP_Moth.BP_Moth_C"] (in "Wing Span": Float)',
        'WidgetClass="/Game/UI/WBP_Hint.WBP_Hint_C"',
    ],
    "select_by_enum": ["NewEnumerator2=2.5", "/Game/Yard/E_Mood.E_Mood"],
    "switches": [
        'SwitchOnString [Selection="red"]',
        'EXEC n1."Case_dark blue" -> n2.Execute',
        "Case_red: exec",
    ],
    "delegates": ["On Lit", "Glow", "DATA n2.OutputDelegate -> n1.Delegate"],
    "message_and_parent_call": ["Ask Light", "/Game/Yard/BPI_Lit.BPI_Lit_C", "K2Node_CallParentFunction"],
    "subsystem_and_self": ["EnhancedInputLocalPlayerSubsystem", "NODE n2: Self"],
    "comments_around_nodes": ['COMMENT: "Lights the yard: \\"at dusk\\"\\r\\nand off at dawn" (n1)'],
    "macros_of_the_engine": [
        "NODE n2: ForEachLoop",
        "EXEC n2.LoopBody -> n3.Execute",
        "EXEC n4.Valid -> n5.Execute",
        "ForLoop [LastIndex=9]",
        "DATA n7.Value -> n8.Value [Int]",
        "EXEC n8.Then -> n9.Enter",
        "DATA n2.ArrayElement -> n4.Object [Object]",
    ],
    "macro_of_the_user": ["/Game/Yard/BP_Tools.BP_Tools:Blink Twice", "(in In: exec, out Out: exec)"],
    "knots_in_a_row": [
        "EXEC n1.Then -> n3.Execute",
        "EXEC n2.Then -> n3.Execute",
        "DATA n2.DeltaSeconds -> n4.Value [Float]",
        "DATA n2.DeltaSeconds -> n5.Value [Float]",
    ],
    "split_struct_pins": [
        "SetActorLocation [NewLocation_Z=50.0]",
        "DATA n2.Value -> n1.NewLocation_X [Float]",
    ],
    "several_targets": ["DATA n2.Value -> n1.Target", "DATA n3.Value -> n1.Target"],
    "function_graph": [
        'FUNCTION: "Dim Lamp" (in Amount: Float, out Dimmed: Bool)',
        "DATA n1.Amount -> n2.A [Float]",
        "DATA n2.ReturnValue -> n3.Dimmed [Bool]",
        "EXEC n1.Then -> n3.Execute",
    ],
    "localised_names_and_texts": ['Key="two, (three)"', 'NSLOCTEXT(\\"[A1]\\", \\"K, 2\\"'],
    "node_with_an_object_inside": ["Intensity=12.5", "NODE_Glow-0"],
}


def program(text: str) -> str:
    return "".join(document.text for document in translate(text).documents)


def complete(found: Translation) -> bool:
    ledger = found.ledger
    names = ("nodes", "wires", "defaults", "names", "comments")
    return all(getattr(ledger, f"{name}_in") == getattr(ledger, f"{name}_kept") for name in names)


def test_every_sample_is_expected_to_say_something() -> None:
    assert set(LINES) == set(SAMPLES)


@pytest.mark.parametrize("name", SAMPLES)
def test_each_kind_of_node_keeps_its_identity(name: str) -> None:
    found = translate(SAMPLES[name]().text())
    text = "".join(document.text for document in found.documents)
    for line in LINES[name]:
        assert line in text
    assert complete(found)
    assert parse(text).blueprint == found.documents[0].blueprint
    assert text.startswith("BLUEPRINT: BP_Lantern\n")


@pytest.mark.parametrize("name", SAMPLES)
def test_the_order_of_objects_is_no_part_of_the_program(name: str) -> None:
    paste = SAMPLES[name]()
    order = list(range(len(paste.blocks)))
    random.Random(7).shuffle(order)
    first, second = translate(paste.text()), translate(paste.text(order=order))
    keys = [[content_key(document.blueprint) for document in found.documents] for found in (first, second)]
    assert keys[0] == keys[1]
    assert first.ledger.to_dict() == second.ledger.to_dict()


def test_links_are_found_by_node_and_pin_where_pin_ids_repeat() -> None:
    paste = Paste()
    calls = [paste.call("PrintString", pin("InString", "string")) for _ in range(3)]
    for call in calls:
        for index, entry in enumerate(call.pins):
            entry.id = guid(f"copied {index}")
    paste.link(calls[0], "then", calls[2], "execute")
    paste.link(calls[2], "then", calls[1], "execute")
    text = program(paste.text())
    assert "EXEC n1.Then -> n3.Execute" in text
    assert "EXEC n3.Then -> n2.Execute" in text


def test_objects_of_one_name_in_two_graphs_are_two_nodes() -> None:
    first, second = Paste(), Paste(graph="Dim")
    for paste in (first, second):
        event = paste.event()
        paste.link(event, "then", paste.call("PrintString"), "execute")
    text = program(first.text() + second.text())
    assert text.count("EXEC n1.Then -> n2.Execute") == 2
    assert "GRAPH: EventGraph" in text and "GRAPH: Dim" in text


def test_objects_of_one_name_in_one_graph_are_told_apart_by_their_pins() -> None:
    paste = Paste()
    event, call = paste.event(), paste.call("PrintString")
    other = paste.call("PrintString")
    other.name = call.name
    paste.link(event, "then", call, "execute")
    found = translate(paste.text())
    assert found.ledger.nodes_kept == 3
    assert "EXEC n1.Then -> n2.Execute" in found.documents[0].text
    for a, b in zip(call.pins, other.pins, strict=True):
        b.id, b.links = a.id, a.links
    with pytest.raises(ClipboardError, match="fits 2 pins of objects named"):
        translate(paste.text())


def test_a_copy_pasted_twice_is_two_of_everything() -> None:
    text = SAMPLES["custom_event_and_call"]().text()
    found = translate(text + text)
    assert (found.ledger.nodes_kept, found.ledger.wires_kept) == (4, 4)
    assert "EXEC n3.Then -> n4.Execute" in found.documents[0].text


def test_two_assets_are_two_programs() -> None:
    first, second = Paste(), Paste("/Game/Yard/BP_Fence.BP_Fence")
    first.event()
    second.event("ReceiveTick", out("DeltaSeconds", "real"))
    names = [document.blueprint.name for document in translate(first.text() + second.text()).documents]
    assert names == ["BP_Lantern", "BP_Fence"]


def test_without_an_asset_the_name_given_serves() -> None:
    paste = Paste(asset=None)
    paste.event()
    document = translate(paste.text(), "lamp 3").documents[0]
    assert document.text.startswith('BLUEPRINT: "lamp 3"\nPARENT: Actor\nGRAPH: EventGraph\n')


@pytest.mark.parametrize(
    ("owner", "event", "parent"),
    [
        ("/Script/Engine.Actor", "ReceiveBeginPlay", "Actor"),
        ("/Script/Engine.Pawn", "ReceivePossessed", "Pawn"),
        ("/Script/UMG.UserWidget", "Construct", "UserWidget"),
    ],
)
def test_the_parent_class_is_inferred_from_events(owner: str, event: str, parent: str) -> None:
    paste = Paste()
    paste.event(event, owner=owner)
    document = translate(paste.text()).documents[0]
    assert document.blueprint.parent == parent
    assert not any("parent class" in note for note in document.notes)


def test_a_parent_class_that_nothing_tells_is_named_in_a_note_or_on_the_command_line() -> None:
    paste = Paste()
    paste.call("PrintString")
    assert any("--parent" in note for note in translate(paste.text()).notes)
    assert translate(paste.text(), parent="Pawn").documents[0].blueprint.parent == "Pawn"


def test_links_to_nodes_outside_of_the_copy_are_told_not_lost_silently() -> None:
    paste = Paste()
    event = paste.event()
    event.pin("then").links.append(f"K2Node_CallFunction_77 {'A' * 32}")
    found = translate(paste.text())
    assert found.ledger.links_outside == 1
    assert any("K2Node_CallFunction_77, which is not part of the text" in note for note in found.notes)


def test_a_wire_stated_on_one_end_is_kept_and_told() -> None:
    paste = Paste()
    event, call = paste.event(), paste.call("PrintString")
    paste.link(event, "then", call, "execute")
    call.pin("execute").links.clear()
    found = translate(paste.text())
    assert "EXEC n1.Then -> n2.Execute" in found.documents[0].text
    assert any("one end only" in note for note in found.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda event, call: event.pin("then").links.append(f"{call.name} {'F' * 32}"), "has no pin"),
        (
            lambda event, call: event.pin("then").links.append(f"{call.name} {call.pin('then').id}"),
            "both are outputs",
        ),
        (
            lambda event, call: event.pin("then").links.append(f"{call.name} {call.pin('InString').id}"),
            "only one of them",
        ),
    ],
)
def test_links_that_cannot_be_are_errors(change, words: str) -> None:
    paste = Paste()
    event, call = paste.event(), paste.call("PrintString", pin("InString", "string"))
    change(event, call)
    with pytest.raises(ClipboardError, match=words) as caught:
        translate(paste.text())
    assert caught.value.code == "CLIP107"
    assert caught.value.line > 0


def test_knots_in_a_ring_or_without_an_end_do_not_hang() -> None:
    paste = Paste()
    event = paste.event()
    a, b, c = paste.knot(), paste.knot(), paste.knot()
    paste.link(event, "then", a, "InputPin")
    paste.link(a, "OutputPin", b, "InputPin")
    paste.link(b, "OutputPin", a, "InputPin")
    paste.link(c, "OutputPin", paste.call("PrintString"), "execute")
    found = translate(paste.text())
    assert found.ledger.wires_kept == 0
    assert any("end nowhere" in note for note in found.notes)
    assert any("nothing feeds the knot" in note for note in found.notes)


def test_a_knot_passes_everything_on() -> None:
    assert translate(knots_in_a_row().text()).ledger.to_dict()["knots"] == 3


@pytest.mark.parametrize(
    ("category", "fields", "shown"),
    [
        ("bool", {"DefaultValue": '"true"', "AutogeneratedDefaultValue": '"false"'}, "P=true"),
        ("int", {"DefaultValue": '"-7"'}, "P=-7"),
        ("int64", {"DefaultValue": '"9000000000"'}, "P=9000000000"),
        ("real", {"DefaultValue": '"1.500000"', "AutogeneratedDefaultValue": '"0.0"'}, "P=1.5"),
        ("byte", {"DefaultValue": '"NewEnumerator2"'}, 'P="NewEnumerator2"'),
        ("name", {"DefaultValue": '"Lamp"', "AutogeneratedDefaultValue": '"None"'}, 'P="Lamp"'),
        ("string", {"AutogeneratedDefaultValue": '"Hello"'}, 'P=""'),
        ("text", {"DefaultTextValue": 'INVTEXT("a, b")'}, 'P="a, b"'),
        ("object", {"DefaultObject": '"/Game/S_Click.S_Click"'}, 'P="/Game/S_Click.S_Click"'),
        ("softobject", {"DefaultValue": '"/Game/S_Click.S_Click"'}, 'P="/Game/S_Click.S_Click"'),
        ("real", {"DefaultValue": '"often"'}, 'P="often"'),
        ("real", {"DefaultValue": '"2.0"', "AutogeneratedDefaultValue": '"2.0"'}, None),
        ("object", {"DefaultObject": '"None"'}, None),
        ("object", {"DefaultObject": '"/Script/Engine.Default__Lib"', "bHidden": "True"}, None),
        ("int", {"DefaultValue": '"3"', "bHidden": "True"}, "P=3"),
    ],
)
def test_a_property_stands_where_the_author_set_a_value(
    category: str, fields: dict, shown: str | None
) -> None:
    paste = Paste()
    paste.call("Unknown Lamp Call", pin("P", category, **fields))
    found = translate(paste.text())
    text = found.documents[0].text
    assert (f"[{shown}, @" in text) if shown else ("[@FunctionReference" in text)
    assert found.ledger.defaults_in == found.ledger.defaults_kept == (shown is not None)


@pytest.mark.parametrize(
    ("path", "value", "shown"),
    [
        ("Vector", "1.5, 0, -2", "(X=1.5,Y=0.0,Z=-2.0)"),
        ("Rotator", "10, 20, 30", "(Roll=30.0,Pitch=10.0,Yaw=20.0)"),
        ("LinearColor", "(R=1.0,G=0.5,B=0.25,A=1.0)", "(R=1.0,G=0.5,B=0.25,A=1.0)"),
        ("Vector2D", "(X=1.0,Y=2.0)", "(X=1.0,Y=2.0)"),
        (
            "Transform",
            "1,2,3|10,20,30|1,1,1",
            "(Location=(X=1.0,Y=2.0,Z=3.0),Rotation=(Roll=30.0,Pitch=10.0,Yaw=20.0),Scale=(X=1.0,Y=1.0,Z=1.0))",
        ),
        ("Vector", "(A=5)", '"(A=5)"'),
    ],
)
def test_structs_are_read_by_their_own_syntax(path: str, value: str, shown: str) -> None:
    kind = reference("ScriptStruct", f"/Script/CoreUObject.{path}")
    paste = Paste()
    given = pin("P", "struct", PinType__PinSubCategoryObject=kind, DefaultValue=f'"{value}"')
    paste.call("Unknown Lamp Call", given)
    assert f"[P={shown}, @" in program(paste.text())


def test_a_literal_under_a_wire_is_kept_beside_it() -> None:
    paste = Paste()
    get = paste.variable("Message", "string")
    show = paste.call(
        "PrintString", pin("InString", "string", DefaultValue='"old"', AutogeneratedDefaultValue='"Hello"')
    )
    paste.link(get, "Message", show, "InString")
    found = translate(paste.text())
    assert '"@InString.DefaultValue"="\\"old\\""' in found.documents[0].text
    assert found.ledger.defaults_kept == 1


@pytest.mark.parametrize(
    ("fields", "type_name"),
    [
        ({"PinType__ContainerType": "Array"}, "Array<Int>"),
        ({"PinType__ContainerType": "Set"}, "Set<Int>"),
        ({"PinType__bIsArray": "True"}, "Array<Int>"),
        (
            {"PinType__ContainerType": "Map", "PinType__PinValueType": '(TerminalCategory="string")'},
            "Map<Int,String>",
        ),
    ],
)
def test_containers_keep_their_element_types(fields: dict, type_name: str) -> None:
    paste = Paste()
    paste.variable("Counts", "int", **fields)
    assert f"VAR Counts: {type_name}\n" in program(paste.text())


def test_pins_without_a_name_and_pins_of_one_name_stay_apart() -> None:
    paste = Paste()
    node = paste.add("MacroInstance", pins=[pin(None), pin("A", "int"), pin("A", "int"), out(None), out(" ")])
    start = paste.event()
    paste.link(start, "then", node, None)
    text = program(paste.text())
    assert '(in "": exec, in A: Int, in "A (2)": Int, out "": exec, out " ": exec)' in text
    assert 'EXEC n2.Then -> n1.""' in text


def test_the_graph_inside_a_collapsed_node_is_a_graph_of_its_own() -> None:
    paste = Paste()
    outer = paste.add(
        "Composite", "BoundGraph=\"/Script/Engine.EdGraph'Blink'\"", pins=[pin("In"), out("Out")]
    )
    inner = Paste(asset=None)
    entry = inner.add("Tunnel", "bCanHaveOutputs=True", pins=[out("In")])
    end = inner.add("Tunnel", "bCanHaveInputs=True", pins=[pin("Out")])
    call = inner.call("PrintString")
    inner.link(entry, "In", call, "execute")
    inner.link(call, "then", end, "Out")
    lines = [f"   {line}" for line in inner.text().splitlines()]
    outer.inner = ['Begin Object Class=/Script/Engine.EdGraph Name="Blink"', *lines, "End Object"]
    found = translate(paste.text())
    text = found.documents[0].text
    assert "GRAPH: EventGraph\nNODE n1: K2Node_Composite" in text
    assert "MACRO: Blink (in In: exec, out Out: exec)\nNODE n1: FunctionEntry\n" in text
    assert "EXEC n1.In -> n3.Execute\nEXEC n3.Then -> n2.Out" in text
    assert found.ledger.nodes_kept == 4


def test_a_macro_graph_has_its_tunnels_in_the_header() -> None:
    paste = Paste(graph="Blink")
    entry = paste.add("Tunnel", "bCanHaveOutputs=True", pins=[out("In"), out("Times", "int")])
    end = paste.add("Tunnel", "bCanHaveInputs=True", pins=[pin("Out")])
    paste.link(entry, "In", end, "Out")
    text = program(paste.text())
    assert "MACRO: Blink (in In: exec, in Times: Int, out Out: exec)\nNODE n1: FunctionEntry\n" in text
    assert "EXEC n1.In -> n2.Out" in text


def test_a_call_of_a_function_of_the_same_copy_is_a_call_of_that_function() -> None:
    function = SAMPLES["function_graph"]()
    paste = Paste()
    body = 'FunctionReference=(MemberName="Dim Lamp",bSelfContext=True)'
    amount = pin("Amount", "real", DefaultValue='"0.5"', AutogeneratedDefaultValue='"0.0"')
    call = paste.add(
        "CallFunction", body, pins=[*execs(), pin("self", "object"), amount, out("Dimmed", "bool")]
    )
    paste.link(paste.event(), "then", call, "execute")
    text = program(paste.text() + function.text())
    assert 'CallFunction [FunctionName="Dim Lamp", Amount=0.5]\n' in text
    assert validate(text).valid, validate(text).errors


def test_a_more_special_class_than_the_catalog_gives_keeps_the_node_opaque_and_the_program_valid() -> None:
    paste = Paste()
    start = paste.event()
    pawn = reference("Class", "/Script/Engine.Character")
    get = paste.call(
        "GetPlayerPawn",
        out("ReturnValue", "object", PinType__PinSubCategoryObject=pawn),
        owner="/Script/Engine.GameplayStatics",
        pure=True,
    )
    target = pin("self", "object", PinType__PinSubCategoryObject=pawn)
    jump = paste.call("Jump", target, owner="/Script/Engine.Character")
    paste.link(start, "then", jump, "execute")
    paste.link(get, "ReturnValue", jump, "self")
    text = program(paste.text())
    assert "out ReturnValue: Character" in text
    assert validate(text).valid, validate(text).errors


def test_mutated_texts_end_in_a_program_or_a_named_error() -> None:
    texts = list(all_samples().values())
    rng = random.Random(11)
    codes = set()
    for _ in range(400):
        try:
            found = translate(mutant(rng.choice(texts), rng))
        except ClipboardError as error:
            codes.add(error.code)
        else:
            assert complete(found)
    assert len(codes) >= 3
