"""Declares the variables a paste uses: the text carries no declarations, only references with typed pins."""

from __future__ import annotations

from nightforge.blueprint.catalog import WILDCARD
from nightforge.blueprint.clipboard.grouping import RawAsset
from nightforge.blueprint.clipboard.identity import member
from nightforge.blueprint.clipboard.pin_types import pin_type
from nightforge.blueprint.graph import Variable

_CLASSES = ("K2Node_VariableGet", "K2Node_VariableSet")
_ECHO = "Output_Get"  # the output of a set node


def declarations(asset: RawAsset, notes: list[str]) -> tuple[Variable, ...]:
    """Return a declaration for each variable of the Blueprint itself, in the order of first use."""
    found: dict[str, str] = {}
    for graph in asset.graphs:
        for node in graph.nodes:
            reference = member(node.get("VariableReference")) if node.class_name in _CLASSES else None
            if reference is None or reference.owner or reference.scope or not reference.name:
                continue
            types = [
                pin_type(pin) for pin in node.pins if pin.name in (reference.name, _ECHO) and not pin.is_exec
            ]
            kind = next((name for name in types if name != WILDCARD), "")
            before = found.get(reference.name)
            if not before:
                found[reference.name] = kind
            elif kind and before != kind:
                notes.append(f"variable {reference.name!r} is a {before} and, at {node.name}, a {kind}")
    for name, kind in found.items():
        if not kind:
            notes.append(f"no pin tells the type of variable {name!r}; Object is taken")
    return tuple(Variable(name, kind or "Object") for name, kind in found.items())
