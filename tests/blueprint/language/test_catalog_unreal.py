"""The catalog fits its schema, knows each node's Unreal identity, finds it again, and prints as a table."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from nightforge.blueprint.catalog import (
    CATALOG_FILE,
    SCHEMA_FILE,
    Catalog,
    NodeType,
    load_catalog,
    read_catalog,
)
from nightforge.blueprint.catalog_pins import Pin, read_pin
from nightforge.blueprint.catalog_schema import problems
from nightforge.blueprint.catalog_table import main
from nightforge.blueprint.graph import Struct
from nightforge.blueprint.pin_types import fit_value, value_problem

CATALOG = load_catalog()
RAW: dict[str, Any] = json.loads(CATALOG_FILE.read_text(encoding="utf-8"))
ENGINE = "/Script/Engine."
MATH = ENGINE + "KismetMathLibrary"
SYSTEM = ENGINE + "KismetSystemLibrary"
MACROS = "/Engine/EditorBlueprintResources/StandardMacros.StandardMacros"
every_node = pytest.mark.parametrize("node", CATALOG.nodes.values(), ids=list(CATALOG.nodes))


def planted(change: Callable[[dict[str, Any]], None]) -> Catalog:
    """Read the catalog after one change to its file."""
    raw = copy.deepcopy(RAW)
    change(raw)
    return read_catalog(raw)


# the file


def test_the_file_fits_its_schema() -> None:
    assert problems(RAW, json.loads(SCHEMA_FILE.read_text(encoding="utf-8"))) == []


BREACHES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "a word the schema does not know": (
        lambda raw: raw["nodes"][0].update(colour="red"),
        "'colour' is not known",
    ),
    "an entry without identity": (lambda raw: raw["nodes"][0].pop("unreal"), "'unreal' is missing"),
    "a malformed pin": (lambda raw: raw["nodes"][0]["outputs"].append("Then"), "does not match"),
    "a kind that is none": (lambda raw: raw["nodes"][0].update(kind="node"), "is none of event, exec"),
    "a class path without module": (
        lambda raw: raw["types"]["classes"]["Actor"].update(module="Engine"),
        "does not match",
    ),
    "an entry given twice": (
        lambda raw: raw["nodes"].append(raw["nodes"][0]),
        "Event_BeginPlay is given twice",
    ),
    "a pure node with control": (
        lambda raw: next(n for n in raw["nodes"] if n["name"] == "Abs")["inputs"].append("Execute: exec"),
        "Abs is pure but has an exec pin",
    ),
    "two entries of one identity": (
        lambda raw: raw["nodes"].append({**raw["nodes"][0], "name": "Event_Start"}),
        "the same to Unreal",
    ),
    "a default that is no value": (
        lambda raw: next(n for n in raw["nodes"] if n["name"] == "Abs")["inputs"].append("B: Float = many"),
        "default of the pin B",
    ),
    "a parent that does not exist": (
        lambda raw: raw["types"]["classes"]["Pawn"].update(parent="Beast"),
        "unknown parent 'Beast'",
    ),
    "a cast to nowhere": (
        lambda raw: next(n for n in raw["nodes"] if n["name"] == "CastToPawn")["unreal"].update(
            cast_to="Beast"
        ),
        "unknown class 'Beast'",
    ),
}


@pytest.mark.parametrize("case", BREACHES)
def test_a_broken_file_is_refused_with_the_place(case: str) -> None:
    change, words = BREACHES[case]
    with pytest.raises(ValueError, match=r"catalog\.json") as error:
        planted(change)
    assert words in str(error.value)


def test_a_schema_word_that_nobody_checks_is_an_error() -> None:
    with pytest.raises(ValueError, match="maxLength"):
        problems("x", {"$defs": {}, "maxLength": 3})


# pins


PINS = {
    "Duration: Float = 0.2": Pin("Duration", "Float", default=0.2),
    "Sound: SoundBase": Pin("Sound", "SoundBase"),
    "Array: Array<T> !": Pin("Array", "Array<T>", required=True),
    'FunctionName: String @event ! ? = "a = b"': Pin(
        "FunctionName", "String", required=True, role="event", extra=True, default="a = b"
    ),
    "Case_*: exec": Pin("Case_*", "exec", dynamic="text"),
    "^: Bool ?": Pin("^", "Bool", dynamic="letter", extra=True),
    "Scale: Vector = (X=1.0,Y=-2,Z=3e2)": Pin(
        "Scale", "Vector", default=Struct((("X", 1.0), ("Y", -2), ("Z", 300.0)))
    ),
}


@pytest.mark.parametrize("text", PINS)
def test_the_notation_of_pins_is_read(text: str) -> None:
    assert read_pin(text, "Node") == PINS[text]


@pytest.mark.parametrize(
    "text", ["Duration", "Duration: ", "A: Float = ", "A: Vector = (X=1.0,)", "A: Bool = [1]"]
)
def test_malformed_pins_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"catalog\.json: Node"):
        read_pin(text, "Node")


@every_node
def test_defaults_are_literals_of_their_pins_in_their_one_spelling(node: NodeType) -> None:
    for pin in node.inputs:
        if pin.default is not None:
            assert value_problem(pin.type, pin.default) is None, pin
            assert fit_value(pin.type, pin.default) == pin.default, pin


def test_defaults_of_well_known_pins() -> None:
    branch, delay, message = (CATALOG.nodes[name] for name in ("Branch", "Delay", "PrintString"))
    assert branch.input("Condition").default is True and delay.input("Duration").default == 0.2
    assert message.input("InString").default == "Hello"


def test_further_inputs_of_an_operator_are_letters() -> None:
    add = CATALOG.nodes["AddFloat"]
    assert add.input("C") and add.input("Z") and add.ue_pin("D", "input") == "D"
    assert not add.input("AA") and not add.input("c") and not add.output("C")
    assert not CATALOG.nodes["SubtractFloat"].input("C")


# identity


@every_node
def test_every_node_is_found_again_by_its_identity(node: NodeType) -> None:
    target = node.unreal
    member = target.member
    assert CATALOG.by_unreal(target.class_path, target.owner, member) is node
    assert CATALOG.by_unreal(target.node_class, target.owner, member) is node


@every_node
def test_pins_of_the_engine_lead_back_to_the_pins_of_the_language(node: NodeType) -> None:
    for pins, side in ((node.inputs, "input"), (node.outputs, "output")):
        for pin in pins:
            name = pin.name.replace("#", "12").replace("*", "dark red").replace("^", "C")
            engine_name = node.ue_pin(name, side)
            if "{" not in engine_name:
                assert node.dsl_pin(engine_name, side) == name
    assert node.dsl_pin("NoSuchPin_x", "input") is None


@every_node
def test_identities_are_whole(node: NodeType) -> None:
    target = node.unreal
    assert len([m for m in (target.function, target.event, target.macro, target.delegate) if m]) <= 1
    assert bool(target.owner) == bool(target.function or target.event or target.macro or target.delegate)
    assert not target.operation or target.short_class == "K2Node_PromotableOperator"
    owner = CATALOG.types.name_of(target.owner)
    if owner is None:
        assert (
            target.macro
            or target.owner == ""
            or target.owner.endswith("Library")
            or "GameplayStatics" in target.owner
        )
    shown = {node.ue_pin(pin.name, "input") for pin in node.inputs if not pin.dynamic}
    assert not shown & {pin.name for pin in target.hidden}


@every_node
def test_a_method_has_its_owner_as_target_and_a_library_has_none(node: NodeType) -> None:
    if node.unreal.short_class != "K2Node_CallFunction" or not node.unreal.function:
        return
    target = node.input("Target")
    called_on = target is not None and node.ue_pin("Target", "input") == "self"
    owner = CATALOG.types.name_of(node.unreal.owner)
    assert (target.type if called_on else None) == owner


IDENTITIES = {
    "a library function": ("K2Node_CallFunction", SYSTEM, "PrintString", "PrintString"),
    "a method": ("K2Node_CallFunction", ENGINE + "Actor", "K2_DestroyActor", "DestroyActor"),
    "a method on the blueprint itself": ("K2Node_CallFunction", "", "K2_DestroyActor", "DestroyActor"),
    "a whole class path": ("/Script/BlueprintGraph.K2Node_IfThenElse", "", "", "Branch"),
    "a class of another module": ("/Script/UMGEditor.K2Node_CreateWidget", "", "", "CreateWidget"),
    "a macro": ("K2Node_MacroInstance", MACROS, "Do N", "DoN"),
    "an event": ("K2Node_Event", ENGINE + "Actor", "ReceiveTick", "Event_Tick"),
    "the same event of a component": ("K2Node_Event", ENGINE + "ActorComponent", "ReceiveTick", "Event_Tick"),
    "a typed operator": ("K2Node_PromotableOperator", MATH, "Add_VectorVector", "AddVector"),
    "an operator as UE4 wrote it": (
        "K2Node_CommutativeAssociativeBinaryOperator",
        MATH,
        "Add_FloatFloat",
        "AddFloat",
    ),
    "a comparison that was never promoted": ("K2Node_CallFunction", MATH, "Less_DoubleDouble", "LessThan"),
    "a listed cast": ("K2Node_DynamicCast", "", ENGINE + "Pawn", "CastToPawn"),
    "a cast to another class": (
        "K2Node_DynamicCast",
        "",
        ENGINE + "PointLightComponent",
        "CastToPointLightComponent",
    ),
    "a cast to a class of the project": (
        "K2Node_DynamicCast",
        "",
        "/Game/Yard/BP_Door.BP_Door_C",
        "CastToBP_Door",
    ),
    "a component event": (
        "K2Node_ComponentBoundEvent",
        ENGINE + "PrimitiveComponent",
        "OnComponentHit",
        "Event_ComponentHit",
    ),
    "a variant": ("K2Node_Select", "", "bool", "SelectByBool"),
    "a timer by event": ("K2Node_CallFunction", SYSTEM, "K2_SetTimerDelegate", "SetTimerByEvent"),
    "a widget, not its component": (
        "K2Node_CallFunction",
        "/Script/UMG.Widget",
        "SetVisibility",
        "SetWidgetVisibility",
    ),
}


@pytest.mark.parametrize("case", IDENTITIES)
def test_an_identity_names_its_node(case: str) -> None:
    node_class, owner, member, name = IDENTITIES[case]
    found = CATALOG.by_unreal(node_class, owner, member)
    assert found is not None and found.name == name


STRANGERS = {
    "part of a name": ("K2Node_CallFunction", SYSTEM, "PrintStringX"),
    "the name in small letters": ("K2Node_CallFunction", SYSTEM, "printstring"),
    "another owner": ("K2Node_CallFunction", ENGINE + "Actor", "PrintString"),
    "a library function on the blueprint itself": ("K2Node_CallFunction", "", "PrintString"),
    "a name two classes have": ("K2Node_CallFunction", "", "SetVisibility"),
    "a macro of the project": ("K2Node_MacroInstance", "/Game/M.M", "ForLoop"),
    "a class of another module with a known name": ("/Script/Other.K2Node_IfThenElse", "", ""),
    "a cast to a class that nobody knows": ("K2Node_DynamicCast", "", "/Script/Zoo.Beast"),
}


@pytest.mark.parametrize("case", STRANGERS)
def test_what_is_not_exactly_known_is_not_known(case: str) -> None:
    assert CATALOG.by_unreal(*STRANGERS[case]) is None


# types


def test_types_have_script_paths_both_ways() -> None:
    types = CATALOG.types
    for name in (*types.structs, *types.enums, *types.classes):
        path = types.path(name)
        assert path is not None and path.startswith("/Script/") and types.name_of(path) == name
    assert types.path("Vector") == "/Script/CoreUObject.Vector"
    assert types.path("BP_Door") is None and types.name_of("/Game/Yard/BP_Door.BP_Door_C") == "BP_Door"
    assert types.name_of("/Game/Yard/Actor.Actor_C") is None and types.name_of("/Script/Zoo.Beast") is None


def test_references_to_classes_follow_the_classes() -> None:
    types = CATALOG.types
    assert types.accepts("Class<Actor>", "Class<Pawn>") and not types.accepts("Class<Pawn>", "Class<Actor>")
    assert types.accepts("Object", "Class<Actor>") and not types.accepts("SoftClass<Actor>", "Class<Actor>")
    assert types.accepts("Byte", "ECollisionEnabled") and not types.accepts("Int", "ECollisionEnabled")
    assert types.problem("Array<Class<Actor>>") is None and types.problem("Class<Int>") is not None


# levels and the table


def test_the_core_is_what_every_profile_trains_on() -> None:
    core = CATALOG.core()
    assert len(core) == 129
    assert not [pin for node in core.values() for pin in (*node.inputs, *node.outputs) if pin.extra]
    assert [pin.name for pin in core["PrintString"].inputs] == ["Execute", "InString"]


def test_the_table_prints_one_category_in_each_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--category", "timer"]) == 0
    text = capsys.readouterr().out
    assert "SetTimerByEvent" in text and "K2_SetTimerDelegate" in text and "PrintString" not in text
    assert main(["--category", "timer", "--format", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("| type | category |")
    assert main(["--format", "json"]) == 0
    assert [entry["type"] for entry in json.loads(capsys.readouterr().out)] == list(CATALOG.nodes)


def test_an_unknown_category_is_an_error_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--category", "timers"]) == 2
    complaint = capsys.readouterr().err
    assert "did you mean timer?" in complaint and "physics" in complaint
