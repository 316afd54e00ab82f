"""Pins a node gets from its use: struct fields, format arguments, timeline tracks, families of inputs."""

from __future__ import annotations

from nightforge.blueprint.catalog import Pin
from nightforge.blueprint.synthesis.grown.naming import MEASURES
from nightforge.blueprint.synthesis.grown.scope import Impossible, Scope
from nightforge.blueprint.synthesis.grown.tree import Call
from nightforge.blueprint.synthesis.grown.vocabulary import FIELD_TYPES

ARGUMENTS = ("Int", "Float", "String")
FORMATS = ("{0}: {1}", "You have {1} left, {0}", "{0} is at {1}", "{0} found {1}", "Time for {0}: {1}")


def give_pins(scope: Scope, call: Call) -> None:
    """Choose the user pins of a call whose node type has some and that names no routine or event."""
    roles = {entry.role for entry in call.type.properties}
    if "struct" in roles:
        _struct_pins(scope, call)
    elif "timeline" in roles and not call.outs:
        call.outs = (
            (scope.names.parameter("Float", ("Alpha", "Height", "Opening", "Glow", "Offset")), "Float"),
        )
    elif call.type.input("Format") is not None and "in" in call.type.user_pins:
        _format(scope, call)


def _struct_pins(scope: Scope, call: Call) -> None:
    """Take one to three fields of the struct, as inputs or as the one output that is read."""
    fields = scope.vocabulary.types.struct_fields[call.binding["T"]]
    plain = [(name, type_) for name, type_ in fields.items() if type_ in FIELD_TYPES]
    if not plain:
        raise Impossible("a struct without plain fields")
    if "out" in call.type.user_pins:
        call.outs = call.outs or (scope.names.pick(plain),)
    else:
        call.ins = tuple(plain[: scope.names.whole(1, 3)])


def _format(scope: Scope, call: Call) -> None:
    """Write a text with one named place, and the input of that name."""
    type_ = scope.names.pick(ARGUMENTS)
    name = scope.names.parameter(type_, MEASURES[type_])
    call.properties["Format"] = (
        scope.names.pick(FORMATS).replace("{0}", scope.names.thing()).replace("{1}", f"{{{name}}}")
    )
    call.ins = ((name, type_),)


def family_pins(scope: Scope, call: Call) -> list[Pin]:
    """Return two or three inputs of each family of numbered data inputs, such as the options of a Select."""
    found = []
    for pin in call.type.inputs:
        if pin.dynamic == "number" and not pin.is_exec:
            count = 2 if scope.names.chance(0.6) else 3
            found += [Pin(f"{pin.name[:-1]}{number}", pin.type) for number in range(count)]
    return found
