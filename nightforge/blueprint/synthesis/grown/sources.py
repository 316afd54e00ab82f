"""Typed search: fills an input by a literal, a variable, a value in reach or a pure expression that fits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from nightforge.blueprint.catalog import SELF, NodeType, Pin
from nightforge.blueprint.graph import Value, split_type
from nightforge.blueprint.synthesis.grown import naming
from nightforge.blueprint.synthesis.grown.naming import MEASURES
from nightforge.blueprint.synthesis.grown.own_pins import family_pins, give_pins
from nightforge.blueprint.synthesis.grown.scope import Impossible, Scope
from nightforge.blueprint.synthesis.grown.tree import Call, Source
from nightforge.blueprint.synthesis.grown.vocabulary import (
    SCALAR,
    data_inputs,
    data_outputs,
    extra_inputs,
    is_decided,
    is_flow,
    is_switch,
    spaced,
    substitute,
    unify,
    wildcards_of,
)

TRIES = 6
PREFIXES = {"component": "", "dispatcher": "On", "timeline": "TL_", "asset": "DA_"}  # of names by role
TEXTS = ("String", "Text")
ELEMENTS = ("Int", "Float", "String", "Actor", "Actor", "Name", "Vector")
BOUNDS = (("Min", "Max"), ("FirstIndex", "LastIndex"), ("InRangeA", "InRangeB"))
KEYS = ("String", "Name", "Int")


def fill_call(scope: Scope, call: Call, depth: int, forced: Mapping[str, Source] | None = None) -> Call:
    """Fill the properties and inputs of a call; `forced` ones are given. Raises Impossible where none
    fits.
    """
    forced = forced or {}
    scope.room -= 1
    _bind(scope, call, forced)
    for entry in call.type.properties:
        if entry.name not in call.properties and (entry.required or scope.names.chance(0.5)):
            call.properties[entry.name] = _property(scope, call, entry.role, entry.type, entry.name)
    give_pins(scope, call)
    pins = [pin for pin in data_inputs(call.type) if not pin.dynamic] + family_pins(scope, call)
    for pin in _wildcards_first(pins):
        if pin.name in forced:
            call.inputs[pin.name] = forced[pin.name]
        elif pin.name not in call.properties:
            _fill_pin(scope, call, pin, depth, first=pin is pins[0])
    own = [Pin(name, type_) for name, type_ in call.ins]
    for pin in own:
        _put(call, pin.name, find(scope, Want(call, pin, pin.type), depth))
    _fill_extras(scope, call)
    call.inputs = {pin.name: call.inputs[pin.name] for pin in (*pins, *own) if pin.name in call.inputs}
    for low, high in BOUNDS:
        first, second = call.properties.get(low), call.properties.get(high)
        if isinstance(first, int | float) and isinstance(second, int | float) and first > second:
            call.properties[low], call.properties[high] = second, first
    return call


def _fill_extras(scope: Scope, call: Call) -> None:
    """Set, now and then, an input that programs seldom set."""
    for pin in extra_inputs(call.type):
        if wildcards_of(pin.type) or pin.name in call.inputs or not scope.names.chance(scope.level.extras):
            continue
        value = scope.literal(pin.type, spaced(pin.name))
        if value is not None and value != pin.default and value is not False:
            call.properties[pin.name] = value


def _wildcards_first(pins: list[Pin]) -> list[Pin]:
    return sorted(pins, key=lambda pin: not wildcards_of(pin.type))


def _fill_pin(scope: Scope, call: Call, pin: Pin, depth: int, first: bool) -> None:
    if pin.role == "event":
        call.properties[pin.name] = custom_event(scope)
        return
    type_ = substitute(scope.parent if pin.type == SELF else pin.type, call.binding)
    if not pin.required and scope.names.chance(_left_open(scope, call, pin, type_)):
        return
    must_wire = first and _needs_a_source(call.type, pin) or _decides_binding(call, pin)
    must_wire = must_wire or type_ == "Bool" and (call.type.kind == "pure" or pin.name == "Condition")
    if is_switch(call.type, pin):
        call.properties[pin.name] = True
        return
    source = find(scope, Want(call, pin, type_, must_wire), depth)
    _put(call, pin.name, source)


def _put(call: Call, name: str, source: Source) -> None:
    if source.is_literal and source.literal is not None:
        call.properties[name] = source.literal
    else:
        call.inputs[name] = source


def _left_open(scope: Scope, call: Call, pin: Pin, type_: str) -> float:
    """Return the odds that an input keeps its default."""
    if pin.name == "Target" and any(out.type == "Delegate" for out in call.type.outputs):
        return 1.0
    if pin.name == "Target" and scope.is_class(type_):
        return 0.5 if scope.suits_self(type_) else 0.0
    if pin.name in ("PlayerIndex", "Player"):
        return 0.85
    places = [p.name for p in data_inputs(call.type)]
    if type_ == "Bool" and call.type.kind != "pure":
        return 0.0 if pin.name == "Condition" or len(_choices(call)) == 1 and not is_flow(call.type) else 0.6
    return 0.0 if pin.name not in places[4:] else 0.7


def _choices(call: Call) -> list[str]:
    """Return the data inputs of a call beside its target."""
    return [pin.name for pin in data_inputs(call.type) if pin.name != "Target"]


def _needs_a_source(node: NodeType, pin: Pin) -> bool:
    """Say whether a literal would make a pure node pointless, as the sum of 2 and 3 is."""
    if pin.name in ("Format",):
        return False
    if is_flow(node) and any(out.dynamic for out in node.outputs):
        return pin.type != "Bool"
    if node.kind != "pure" or pin.type in ("Name",):
        return False
    return not node.name.startswith(("Random", "Make", "Literal")) and not pin.name.endswith("Index")


def _decides_binding(call: Call, pin: Pin) -> bool:
    """Say whether a wire must tell what the wildcards of a node stand for."""
    names = [entry.role for entry in call.type.properties]
    if "variable" in names or not wildcards_of(pin.type):
        return False
    containers = [p for p in data_inputs(call.type) if "<" in p.type and wildcards_of(p.type)]
    return (
        pin in containers
        or not containers
        and pin == next(p for p in data_inputs(call.type) if wildcards_of(p.type))
    )


def _bind(scope: Scope, call: Call, forced: Mapping[str, Source]) -> None:
    """Choose what the wildcards of a call stand for, from what is forced, known variables, or freely."""
    for entry in call.type.properties:
        if entry.role == "variable" and entry.name in call.properties:
            call.binding.setdefault("T", scope.variables[str(call.properties[entry.name])].type)
    pins = [pin for pin in (*call.type.inputs, *call.type.outputs) if wildcards_of(pin.type)]
    for pin in pins:
        if pin.name in forced:
            call.binding.update(unify(pin.type, forced[pin.name].type) or {})
    if any(entry.role in ("enum", "struct") for entry in call.type.properties):
        call.binding.setdefault("T", _named_type(scope, call))
    inputs = [pin for pin in call.type.inputs if wildcards_of(pin.type)]
    for pin in sorted(inputs, key=lambda p: "<" not in p.type):
        open_ = [name for name in wildcards_of(pin.type) if name not in call.binding]
        if not open_:
            continue
        found = [
            bound
            for v in scope.variables.values()
            if "<" in pin.type and (bound := unify(pin.type, v.type)) is not None
            if all(call.binding.get(name, value) == value for name, value in bound.items())
        ]
        if found and scope.names.chance(0.6):
            call.binding.update(scope.names.pick(found))
        for name in open_:
            keyed = name == "K" or pin.type.startswith("Map<") and pin.type[4] == name
            free = list(scope.vocabulary.types.enums) if "Enum" in call.type.name else ELEMENTS
            call.binding.setdefault(name, scope.names.pick(KEYS if keyed else free))


def _named_type(scope: Scope, call: Call) -> str:
    """Choose the enum or struct that a call names."""
    types = scope.vocabulary.types
    if any(entry.role == "enum" for entry in call.type.properties):
        return scope.names.pick(list(types.enums))
    return scope.names.pick(scope.vocabulary.plain_structs)


def _property(scope: Scope, call: Call, role: str, type_: str, name: str) -> Value:
    names = scope.names
    if role == "variable":
        raise Impossible("variables are chosen by the statement")
    if role == "event":
        event = custom_event(scope, with_pins="in" in call.type.user_pins)
        call.ins = scope.events[event]
        return event
    if role in ("enum", "struct"):
        return call.binding["T"]
    if role in PREFIXES:
        return names.prefixed("IA_" if "Action" in name else PREFIXES[role])
    if role == "class":
        return _class_name(scope, call, name)
    if role == "action":
        return _action(scope, call, name)
    value = scope.literal(type_, spaced(name))
    if value is None:
        raise Impossible(f"no literal for {name}")
    return value


def _class_name(scope: Scope, call: Call, name: str) -> str:
    if "Subsystem" in name:
        types = scope.vocabulary.types
        return scope.names.pick(
            [c for c in types.classes if c != "Subsystem" and types.is_subclass(c, "Subsystem")]
        )
    if "Interface" in name:
        return scope.names.prefixed("BPI_")
    widget = any("Widget" in pin.type for pin in call.type.outputs) or "Widget" in name
    return scope.names.prefixed("WBP_" if widget else "BP_")


def _action(scope: Scope, call: Call, name: str) -> str:
    names = scope.names
    if name == "Key":
        return names.pick(
            naming.KEYS if not call.type.name.count("Axis") else ("MouseX", "MouseY", "MouseWheelAxis")
        )
    if name == "FunctionName":
        bound = any(pin.type == "Delegate" for pin in call.type.outputs)
        return custom_event(scope) if bound else names.event()
    if name == "MemberName":
        type_ = call.binding.get("T", "Float")
        return names.variable(type_, MEASURES.get(type_, MEASURES["Float"])).replace(" ", "")
    return names.one_of(naming.AXES if "Axis" in name else naming.ACTIONS)


def custom_event(scope: Scope, with_pins: bool = False) -> str:
    """Return the name of a custom event other than the one that grows now; it will be defined.

    Only calls may name events `with_pins`; a timer has nothing to give them.
    """
    known = [
        name for name, pins in scope.events.items() if name != scope.own_event and (with_pins or not pins)
    ]
    if known and (scope.names.chance(0.6) or len(scope.events) >= 3):
        return scope.names.pick(known)
    if len(scope.events) >= 3:
        raise Impossible("enough custom events")
    name = scope.names.event()
    scope.events[name] = scope.parameters(1, 2) if with_pins and scope.names.chance(0.4) else ()
    scope.pending.append(name)
    return name


@dataclass(frozen=True, slots=True)
class Want:
    """An input to fill: its call, its pin, the type with wildcards filled in, and whether a literal will
    do.
    """

    call: Call
    pin: Pin
    type: str
    must_wire: bool = False


def find(scope: Scope, want: Want, depth: int) -> Source:
    """Return a source for an input, unlike the other inputs of the call; raises Impossible after some
    tries.
    """
    taken = [source_key(source) for source in want.call.inputs.values()]
    taken += [repr(value) for value in want.call.properties.values()]
    if "VarName" in want.call.properties:
        taken.append(f"variable {want.call.properties['VarName']}")
    for _ in range(TRIES):
        source = _draw(scope, want, depth)
        if want.pin.name == "Target" and source.call is not None and source.call.type.name == "Self":
            continue  # an open Target says the same
        if _is_wild(want.pin) and not source.is_literal and source.type != want.type:
            continue  # a subclass would bind the wildcard to itself
        if source_key(source) not in taken or want.type == "Bool" and source.is_literal:
            return source
    raise Impossible(f"no further {want.type}")


def source_key(source: Source) -> str:
    """Return a text that is equal for sources that mean the same value."""
    if source.call is None:
        return repr(source.literal)
    if source.variable:
        return f"variable {source.variable}"
    if source.shared:
        return f"{id(source.call)}.{source.pin}"
    inner = [f"{name}={source_key(value)}" for name, value in source.call.inputs.items()]
    return f"{source.call.type.name}.{source.pin}({inner}{source.call.properties})"


def _meaning(node: NodeType, pin: Pin) -> str:
    """Return what a literal measures, in words; the parts of a colour are shares."""
    return "alpha" if node.input("G") is not None else spaced(pin.name)


def _is_wild(pin: Pin) -> bool:
    return bool(wildcards_of(pin.type)) and "<" not in pin.type


def _draw(scope: Scope, want: Want, depth: int) -> Source:
    type_, pin, node = want.type, want.pin, want.call.type
    exact = _is_wild(pin)
    if _by_reference(node, pin):
        return scope.variable(type_, exact=True)
    loose = type_ in TEXTS and node.kind != "pure" and scope.names.chance(0.4)
    reached = [s for s in scope.reached(type_, loose) if not exact or s.type == type_]
    options: list[tuple[float, Callable[[], Source]]] = []
    if reached:
        options.append((1.3, lambda: scope.names.pick(reached[-3:])))
    literal = None if want.must_wire else scope.literal(type_, _meaning(node, pin))
    if literal is not None:
        counted = type_ == "Int" and node.kind == "macro"
        options.append((6.0 if counted else 1.6, lambda: Source(type_, literal)))
    named = literal is None and scope.is_class(type_)
    options.append((2.0 if named else 0.9, lambda: scope.variable(type_, loose=loose, exact=exact)))
    if depth > 0 and (literal is None or scope.room > 3):
        options.append((0.5 if named else 0.8, lambda: expression(scope, type_, depth)))
    while options:
        place = scope.names.rng.choices(range(len(options)), [odds for odds, _ in options])[0]
        try:
            return options.pop(place)[1]()
        except Impossible:
            continue
    raise Impossible(f"nothing gives a {type_}")


def _by_reference(node: NodeType, pin: Pin) -> bool:
    """Say whether a node changes what stands behind the input, so that only a variable makes sense."""
    if node.kind == "macro" and pin.required and pin.type in SCALAR and len(data_inputs(node)) == 1:
        return True
    return node.kind == "exec" and split_type(pin.type)[0] in ("Array", "Set", "Map") and pin.required


def expression(scope: Scope, type_: str, depth: int) -> Source:
    """Return a pure node that yields a type, with inputs grown up to a depth; raises Impossible."""
    found = scope.vocabulary.producers(type_, scope.parent)
    if depth <= 1:
        found = tuple(item for item in found if len(data_inputs(item[0])) <= 2)
    if not found:
        raise Impossible(f"no node gives a {type_}")
    odds = [scope.rarity.get(item[0].name, 1.0) * (1.0 if item[1].type == type_ else 0.5) for item in found]
    chosen, out = scope.names.rng.choices(found, odds)[0]
    call = Call(chosen)
    if wildcards_of(out.type):
        call.binding.update(unify(out.type, type_) or {})
    fill_call(scope, call, depth - 1)
    return _yielded(scope, call, out)


def sample(scope: Scope, node: NodeType) -> Source:
    """Return one of the values of a pure node, of whatever type; raises Impossible."""
    call = Call(node)
    outs = data_outputs(node)
    out = scope.names.pick(outs) if outs else None
    if out and not is_decided(node, out.type):
        call.binding.update(dict.fromkeys(wildcards_of(out.type), scope.names.pick(ELEMENTS)))
    fill_call(scope, call, max(scope.level.depth, 1))
    if out is None:
        name, type_ = call.outs[0]
        return Source(type_, call=call, pin=name)
    return _yielded(scope, call, out)


def _yielded(scope: Scope, call: Call, out: Pin) -> Source:
    """Return the source of an output with the type it really has."""
    found = next((str(call.properties[e.name]) for e in call.type.properties if "Subsystem" in e.name), "")
    type_ = scope.parent if out.type == SELF else found or substitute(out.type, call.binding)
    return Source(type_, call=call, pin=out.name)
