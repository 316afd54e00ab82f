"""Infers the parent class, which the text does not carry, from events and calls on the Blueprint itself."""

from __future__ import annotations

from collections.abc import Iterator

from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.clipboard.grouping import RawAsset
from nightforge.blueprint.clipboard.identity import member
from nightforge.blueprint.clipboard.objects import RawObject, object_path

_EVENT = "K2Node_Event"
_TARGET = "self"


def infer_parent(asset: RawAsset) -> str | None:
    """Return the most special class that an event or an unwired target of this asset needs, or None.

    Classes of which none descends from the other contradict each other: then the first one stands.
    """
    types = load_catalog().types
    found: str | None = None
    for graph in asset.graphs:
        for node in graph.nodes:
            for name in _evidence(node):
                if found is None or types.is_subclass(name, found):
                    found = name
    return found if found != "Object" else None


def _evidence(node: RawObject) -> Iterator[str]:
    """Yield the classes of the engine that the Blueprint must be because of one node."""
    types = load_catalog().types
    event = member(node.get("EventReference")) if node.class_name == _EVENT else None
    if event is not None and (node.get("bOverrideFunction") or "").lower() == "true":
        name = types.name_of(event.owner)
        if name is not None and types.is_class(name):
            yield name
    if member(node.get("FunctionReference")) is None:
        return
    for pin in node.pins:
        if pin.name == _TARGET and not (
            pin.is_output or pin.hidden or pin.links or pin.text("DefaultObject")
        ):
            name = types.name_of(object_path(pin.text("PinType.PinSubCategoryObject"))[1])
            if pin.category == "object" and name in types.parents and name != "ActorComponent":
                yield name  # a component's function without a target is only unfinished
