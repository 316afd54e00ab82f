"""Wildcards of maps, selects and structs get their types; enums, classes and keys take the right literals."""

from __future__ import annotations

import pytest

from nightforge.blueprint.check import validate
from nightforge.blueprint.graph import Struct
from nightforge.blueprint.parser import parse
from nightforge.blueprint.pin_types import PinTypes, fit_value, value_problem

MAPS = """BLUEPRINT: BP_Shop
PARENT: Actor
VAR Prices: Map<String,Float>
VAR Item: String = "rope"
GRAPH: EventGraph
NODE n1: GetVar [VarName="Prices"]
NODE n2: MapFind [Key="rope"]
DATA n1.Value -> n2.Map [Map<String,Float>]
NODE n3: Select [Index=1]
DATA n2.Value -> n3.Option_1 [Float]
NODE n4: BreakStruct [StructType="HitResult"] (out Distance: Float)
NODE n5: MapContains
DATA n1.Value -> n5.Map [Map<String,Float>]
"""
PINS = {
    "the value of a map": ("n2", "Value", "Float"),
    "what a select gives": ("n3", "ReturnValue", "Float"),
    "a field of a struct": ("n4", "Distance", "Float"),
}


@pytest.mark.parametrize("case", PINS)
def test_an_output_has_the_type_its_wildcard_stands_for(case: str) -> None:
    node, pin, wanted = PINS[case]
    bp = parse(MAPS).blueprint
    assert bp is not None
    assert PinTypes(bp, bp.graphs[0]).output(node, pin) == wanted


def test_inputs_follow_the_key_of_the_map_and_the_named_struct() -> None:
    bp = parse(MAPS).blueprint
    assert bp is not None
    types = PinTypes(bp, bp.graphs[0])
    key, struct = types.types["n5"].input("Key"), types.types["n4"].input("Struct")
    assert types.of_pin("n5", key) == "String" and types.of_pin("n4", struct) == "HitResult"


def test_a_key_of_another_type_is_an_error() -> None:
    wrong = MAPS.replace('[Key="rope"]', "[Key=5]") + "NODE n9: Event_BeginPlay\n"
    assert any("Key: String needs a text" in error.message for error in validate(wrong).errors)


LITERALS = {
    "an enum entry": ("ECollisionEnabled", "NoCollision", None),
    "no entry of the enum": ("ECollisionEnabled", "Sometimes", "write one of NoCollision"),
    "a class": ("Class<Actor>", "BP_Door", None),
    "a class by its path": ("Class<Actor>", "/Game/BP_Door.BP_Door_C", None),
    "a number for a class": ("Class<Actor>", 5, "name of a class"),
    "a key": ("Key", "SpaceBar", None),
    "an event": ("Delegate", "Open", "no literal"),
    "a struct that only nodes make": ("TimerHandle", Struct((("Handle", 1),)), "no literal"),
    "a colour": ("LinearColor", Struct((("R", 1.0), ("A", 1))), None),
    "a field of another type": ("IntPoint", Struct((("X", 1.5),)), "whole number"),
}


@pytest.mark.parametrize("case", LITERALS)
def test_literals_of_the_newer_types(case: str) -> None:
    type_name, value, words = LITERALS[case]
    problem = value_problem(type_name, value)
    assert problem is None if words is None else problem is not None and words in problem


def test_whole_numbers_of_a_struct_stay_whole_where_its_fields_are() -> None:
    assert fit_value("IntPoint", Struct((("Y", 2), ("X", 1)))) == Struct((("X", 1), ("Y", 2)))
    assert fit_value("Vector2D", Struct((("X", 1),))) == Struct((("X", 1.0),))
