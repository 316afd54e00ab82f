"""Grows whole programs: events with their steps, the custom events they call, jumps into gates, functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from nightforge.blueprint.catalog import NodeType
from nightforge.blueprint.synthesis.grown.naming import Names
from nightforge.blueprint.synthesis.grown.routines import grow_routine, has_routines
from nightforge.blueprint.synthesis.grown.scope import Impossible, Level, Scope
from nightforge.blueprint.synthesis.grown.sources import fill_call
from nightforge.blueprint.synthesis.grown.steps import CALLS, grow_steps, publish_outputs
from nightforge.blueprint.synthesis.grown.tree import DEFAULT_NAME, Call, Jump, Kind, Routine, Tree
from nightforge.blueprint.synthesis.grown.vocabulary import by_name, entries, is_structural, vocabulary

CUSTOM = "Event_CustomEvent"
PARENTS = ("Actor",) * 6 + ("Pawn", "Character")
JUMP_ODDS = 0.5
COMMON = {  # how often a node type is drawn, against 1 for any other
    "PrintString": 12.0, "Delay": 5.0, "PlaySound": 4.0, "DestroyActor": 3.0, "SpawnActorFromClass": 4.0,
    "SetActorLocation": 4.0, "SetActorRotation": 2.0, "AddActorLocalRotation": 2.0, "ArrayAdd": 2.0,
    "SetTimerByFunctionName": 3.0, "CallEvent": 3.0, "CreateWidget": 2.0, "ApplyDamage": 2.0,
    "SetVisibility": 2.0,
    "Branch": 12.0, "ForEachLoop": 4.0, "ForLoop": 2.0, "Sequence": 3.0,
    "Event_BeginPlay": 8.0, "Event_Tick": 5.0, "Event_ActorBeginOverlap": 6.0, "Event_InputAction": 5.0,
    "Event_InputKey": 5.0, "Event_CustomEvent": 3.0, "Event_AnyDamage": 2.0,
    "GreaterThan": 4.0, "LessThan": 4.0, "And": 2.0, "GetActorLocation": 3.0, "AddFloat": 3.0,
    "SubtractFloat": 2.0,
    "MultiplyFloat": 2.0, "AddInt": 2.0, "GetPlayerPawn": 2.0, "Concatenate": 2.0,
    "ArrayGet": 0.4, "ArrayRandom": 0.4, "MapFind": 0.4, "MakeArray": 0.3, "Select": 0.3, "SelectByBool": 0.4,
    "MakeStruct": 0.2, "Self": 0.2, "RandomBool": 0.5, "GetMember": 0.3, "BreakHitResult": 0.3,
}  # fmt: skip


def grow_tree(names: Names, level: Level, must: NodeType, room: int, focus: Mapping[str, float]) -> Tree:
    """Grow a program of about `room` nodes at most that holds a node of type `must`.

    `focus` gives odds to add by node type. Raises Impossible where this attempt does not fit.
    """
    rarity = {**COMMON, **{name: COMMON.get(name, 1.0) * (1.0 + odds) for name, odds in focus.items()}}
    words = vocabulary()
    first = must if must.is_entry and must in words.events else None
    parent = _parent(names, first)
    scope = Scope(names, words, level, parent, rarity, room=room)
    routines = _routines(scope, must)
    handlers: list[Call] = []
    inside = vocabulary().nodes[CALLS[routines[0].kind]] if is_structural(must) else must
    _handlers(scope, handlers, first, None if first else inside)
    _jumps(scope, handlers)
    widget = words.types.is_subclass(parent, "UserWidget")
    named = widget or names.chance(0.4)
    name = names.blueprint("WBP" if widget else "BP") if named else DEFAULT_NAME
    tree = Tree(name, parent, tuple(handlers), tuple(routines), (), named)
    used = {variable for call in tree.walk() for variable in _read(call)}
    return replace(tree, variables=tuple(v for v in scope.variables.values() if v.name in used))


def _handlers(scope: Scope, handlers: list[Call], first: NodeType | None, inside: NodeType | None) -> None:
    """Grow one to three event handlers and the custom events they call; the first holds what is asked for."""
    level = scope.level
    count = 1 + scope.names.rng.choices(range(len(level.handlers)), level.handlers)[0]
    low, high = level.statements
    for number in range(count):
        if number and scope.room < 5:
            break
        event = first if first and not number else _event(scope, [handler.type for handler in handlers])
        size = scope.names.whole(low, high if number == 0 else max(low, high // 2))
        _handler(scope, handlers, event, size, inside if not number else None)
    while scope.pending:
        _define(scope, handlers, scope.pending.pop(0))


def _routines(scope: Scope, must: NodeType) -> list[Routine]:
    """Grow a function or macro where the target asks for one, or by chance."""
    kind: Kind = "macro" if must.name == CALLS["macro"] or scope.names.chance(0.2) else "function"
    wanted = is_structural(must)
    if not wanted and (not scope.names.chance(scope.level.functions) or not has_routines()):
        return []
    if must.name == CALLS["function"]:
        kind = "function"
    low, high = scope.level.statements
    return [grow_routine(scope, kind, scope.names.whole(1, max(1, low)), must if wanted else None)]


def _read(call: Call) -> list[str]:
    return [str(call.properties[p.name]) for p in call.type.properties if p.role == "variable"]


@by_name
def owner(event: NodeType) -> str:
    """Return the class that can have an engine event, or an empty text where any actor can."""
    component = any(entry.role == "component" for entry in event.properties)
    if component and vocabulary().types.is_subclass(
        vocabulary().types.name_of(event.unreal.owner) or "", "Widget"
    ):
        return "UserWidget"
    if component:
        return ""
    return vocabulary().types.name_of(event.unreal.owner) or ""


def _parent(names: Names, event: NodeType | None) -> str:
    types = vocabulary().types
    needed = owner(event) if event else ""
    if not needed or types.is_subclass("Actor", needed):
        return names.pick(PARENTS)
    if needed in types.parents:
        return needed
    below = [name for name in types.parents if types.is_subclass(name, needed)]
    return names.pick(below) if below else needed


def _event(scope: Scope, taken: list[NodeType]) -> NodeType:
    types = scope.vocabulary.types
    on_actor = types.is_subclass(scope.parent, "Actor")
    free = [
        event
        for event in scope.vocabulary.events
        if event not in taken
        and (
            types.is_subclass(scope.parent, owner(event))
            if owner(event)
            else on_actor or event.name == CUSTOM
        )
    ]
    if not free:
        raise Impossible("no event fits")
    return scope.names.rng.choices(free, [scope.rarity.get(event.name, 1.0) for event in free])[0]


def _handler(scope: Scope, handlers: list[Call], event: NodeType, count: int, must: NodeType | None) -> None:
    if event.name == CUSTOM:
        name = scope.pending.pop(0) if scope.pending else scope.names.event()
        _define(scope, handlers, name, count, must)
        return
    call = Call(event)
    fill_call(scope, call, 0)
    _grow_bodies(scope, call, count, must)
    handlers.append(call)


def _define(
    scope: Scope, handlers: list[Call], name: str, count: int = 1, must: NodeType | None = None
) -> None:
    """Add the handler of a custom event; its steps never call the event itself."""
    scope.events.setdefault(name, ())
    scope.own_event = name
    call = Call(scope.vocabulary.nodes[CUSTOM], {"EventName": name}, outs=scope.events[name])
    _grow_bodies(scope, call, count, must)
    scope.own_event = ""
    handlers.append(call)


def _grow_bodies(scope: Scope, call: Call, count: int, must: NodeType | None) -> None:
    outs = [pin.name for pin in call.type.outputs if pin.is_exec]
    chosen = [outs[0]] if len(outs) == 1 or scope.names.chance(0.6) else []
    if not chosen:
        chosen = outs[:2] if scope.names.chance(0.5) else [scope.names.pick(outs)]
    for number, name in enumerate(chosen):
        scope.outputs = {}
        publish_outputs(scope, call)
        call.bodies[name] = grow_steps(scope, count if number == 0 else 1, must if number == 0 else None)
    scope.outputs = {}


def _jumps(scope: Scope, handlers: list[Call]) -> None:
    """Let a second handler run into another exec input of the first's gate or counter."""
    doors = [
        call
        for handler in handlers
        for call in handler.walk()
        if len([name for name in entries(call.type) if name != "Break"]) > 1
    ]
    if len(doors) != 1 or not scope.names.chance(JUMP_ODDS):
        return
    door = doors[0]
    others = [handler for handler in handlers if all(call is not door for call in handler.walk())]
    if not others and len(handlers) == 1:
        event = _event(scope, [handler.type for handler in handlers])
        if event.name == CUSTOM:
            return
        _handler(scope, handlers, event, 1, None)
        others = handlers[-1:]
        while scope.pending:
            _define(scope, handlers, scope.pending.pop(0))
    for handler in others[:1]:
        steps = next(iter(handler.bodies.values()))
        last = steps[-1]
        entry = scope.names.pick([name for name in entries(door.type) if name not in (door.entry, "Break")])
        if isinstance(last, Call) and last.then:
            steps.append(Jump(door, entry))
