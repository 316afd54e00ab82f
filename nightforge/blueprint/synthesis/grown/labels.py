"""What the values that events, loops and steps hand over are called."""

from __future__ import annotations

import re

from nightforge.blueprint.catalog import NodeType
from nightforge.blueprint.synthesis.grown.tree import Call
from nightforge.blueprint.synthesis.grown.vocabulary import by_name, spaced

LABELS = {
    ("Event_Hit", "Other"): "the other actor",
    ("Event_Hit", "HitNormal"): "the hit normal",
    ("ForEachLoop", "ArrayElement"): "the element",
    ("ForEachLoop", "ArrayIndex"): "the element index",
    ("ForLoop", "Index"): "the loop index",
    ("DoN", "Counter"): "the counter",
    ("FlipFlop", "IsA"): "the flip flop state",
    ("SpawnActorFromClass", "ReturnValue"): "the spawned actor",
    ("CreateWidget", "ReturnValue"): "the new widget",
    ("ApplyDamage", "ReturnValue"): "the damage dealt",
    ("ArrayAdd", "ReturnValue"): "the index of the new item",
    ("ArrayRemove", "ReturnValue"): "the removal result",
    ("GetAllActorsOfClass", "OutActors"): "the found actors",
    ("GetAllActorsWithTag", "OutActors"): "the found actors",
    ("SphereOverlapActors", "OutActors"): "the found actors",
    ("SpawnEmitterAtLocation", "ReturnValue"): "the spawned emitter",
    ("SpawnSoundAtLocation", "ReturnValue"): "the spawned audio component",
    ("CreateSaveGameObject", "ReturnValue"): "the new save game",
    ("LoadGameFromSlot", "ReturnValue"): "the loaded save game",
    ("SetTimerByEvent", "ReturnValue"): "the handle of the new timer",
    ("LineTraceByChannel", "ReturnValue"): "the success of the trace",
    ("LineTraceForObjects", "ReturnValue"): "the success of the trace",
    ("CreateDynamicMaterialInstance", "ReturnValue"): "the new dynamic material",
    ("IncrementInt", "Result"): "the incremented value",
    ("DecrementInt", "Result"): "the decremented value",
}


@by_name
def output_label(node: NodeType, pin: str) -> str:
    """Return the words for an output: of the list, or from the names of pin and node."""
    found = LABELS.get((node.name, pin))
    if found:
        return found
    if pin == "ReturnValue":
        return f"the result of {spaced(node.name)}"
    if pin.startswith("As") and node.name.startswith("CastTo"):
        return f"the cast {spaced(pin[2:])}"
    return "the " + re.sub("^(in|out) ", "", spaced(pin))


def own_label(call: Call, pin: str) -> str:
    """Return the words for an output that a call has of its own: its name, and what it belongs to."""
    roles = ("function", "macro", "timeline")
    owner = next((call.properties[entry.name] for entry in call.type.properties if entry.role in roles), "")
    return f"the {pin} of {owner}" if owner else pin
