"""Functions and macros of the user, grown before they are called."""

from __future__ import annotations

from nightforge.blueprint.catalog import NodeType
from nightforge.blueprint.synthesis.grown.scope import Scope
from nightforge.blueprint.synthesis.grown.sources import fill_call
from nightforge.blueprint.synthesis.grown.steps import CALLS, grow_steps, publish_outputs
from nightforge.blueprint.synthesis.grown.tree import Call, Kind, Routine
from nightforge.blueprint.synthesis.grown.vocabulary import vocabulary

ENTRY, RESULT = "FunctionEntry", "FunctionResult"
EXECS: dict[Kind, tuple[str, str]] = {"function": ("Then", "Execute"), "macro": ("Exec", "Then")}


def has_routines() -> bool:
    """Say whether the catalog has what functions and macros are made of."""
    nodes = vocabulary().nodes
    return all(name in nodes for name in (ENTRY, RESULT, *CALLS.values()))


def grow_routine(scope: Scope, kind: Kind, count: int, must: NodeType | None = None) -> Routine:
    """Grow a function or macro with a body of `count` statements and, if it gives something back, a result.

    Functions hold nothing that waits. Raises Impossible where nothing fits.
    """
    nodes = scope.vocabulary.nodes
    name = scope.names.function()
    ins, outs = scope.parameters(0, 2), scope.parameters(0, 1)
    if must is not None and must.name == RESULT and not outs:
        outs = scope.parameters(1, 1)
    leave, enter = EXECS[kind]
    entry = Call(nodes[ENTRY], outs=ins)
    scope.outputs, scope.waits, kept = {}, False, scope.routines
    scope.routines = []  # nothing in it calls a routine, so none can call itself
    publish_outputs(scope, entry)
    steps = grow_steps(
        scope, count, must if must and must.name not in (ENTRY, RESULT, *CALLS.values()) else None, True
    )
    if outs or kind == "macro":
        result = Call(nodes[RESULT], entry=enter, ins=outs)
        fill_call(scope, result, scope.level.depth)
        steps.append(result)
    entry.bodies[leave] = steps
    scope.outputs, scope.waits, scope.routines = {}, True, kept
    routine = Routine(kind, name, ins, outs, entry)
    scope.routines.append(routine)
    return routine
