"""Grows statements: calls in a row, and flow nodes with the steps behind each of their exec outputs."""

from __future__ import annotations

from collections.abc import Callable

from nightforge.blueprint.catalog import SELF, NodeType
from nightforge.blueprint.synthesis.grown.labels import output_label, own_label
from nightforge.blueprint.synthesis.grown.naming import WORDS
from nightforge.blueprint.synthesis.grown.scope import Impossible, Scope
from nightforge.blueprint.synthesis.grown.sources import ELEMENTS, fill_call, sample
from nightforge.blueprint.synthesis.grown.tree import GET, SET, Call, Jump, Kind, Routine, Source, Steps
from nightforge.blueprint.synthesis.grown.vocabulary import (
    data_inputs,
    data_outputs,
    entries,
    is_flow,
    substitute,
    wildcards_of,
)

TRIES = 30
CONTINUES = ("Completed", "Then", "then")
FLOW_ODDS = 0.3
CALLS: dict[Kind, str] = {"function": "CallFunction", "macro": "CallMacro"}
NAMED = {"CallFunction": "FunctionName", "CallMacro": "MacroName"}
ROUTINE = 0.35  # odds that a statement calls a routine where there is one
SETTING = 0.16  # odds that a statement writes a variable


def grow_steps(scope: Scope, count: int, must: NodeType | None = None, open_end: bool = False) -> Steps:
    """Grow `count` statements, one of which holds a node of type `must` where that is asked for.

    A flow node that nothing can follow ends the row, so fewer may come out, unless an `open_end` is asked
    for.
    """
    steps: Steps = []
    place = int(scope.names.rng.random() * count) if must else -1
    for number in range(count):
        last = number == count - 1
        wanted = must if number == place else None
        if steps and scope.room < 3 and number > place:
            break
        if wanted is not None and is_flow(wanted) and not _continues(wanted):
            if open_end:
                raise Impossible("nothing could follow")
            steps.append(statement(scope, True, wanted))
            return steps
        may_end = not open_end and (last or number > place and scope.names.chance(0.3))
        steps.append(statement(scope, may_end, wanted))
        step = steps[-1]
        assert isinstance(step, Call)
        if not step.then and place <= number and not open_end:
            break
        if not step.then:  # what must still come would be lost
            steps.pop()
            steps.append(statement(scope, False, None, flows=False))
    while isinstance(steps[-1], Call) and steps[-1].then and waits(steps[-1].type):
        steps.append(statement(scope, False, None, flows=False))
    return steps


def statement(scope: Scope, last: bool, must: NodeType | None = None, flows: bool = True) -> Call:
    """Grow one statement; `last` ones may end the row. Raises Impossible where `must` cannot be placed."""
    if must is not None:
        return _attempts(scope, lambda: _with(scope, must, last))
    if scope.routines and scope.names.chance(ROUTINE):
        routine = scope.names.pick(scope.routines)
        return _attempts(scope, lambda: call_routine(scope, routine))
    may_flow = flows and scope.nesting < scope.level.nesting and scope.room > 5
    if may_flow and scope.names.chance(FLOW_ODDS if not last else 0.45):
        nodes = [
            n for n in scope.vocabulary.flows if (last or _continues(n)) and (scope.waits or not waits(n))
        ]
        return _attempts(scope, lambda: _flow(scope, _choose(scope, nodes), {}, last))
    if scope.names.chance(SETTING):
        return _attempts(scope, lambda: _straight(scope, scope.vocabulary.nodes[SET], {}))
    nodes = [n for n in scope.vocabulary.straight if n.name != SET and (scope.waits or not waits(n))]
    return _attempts(scope, lambda: _straight(scope, _choose(scope, nodes), {}))


def waits(node: NodeType) -> bool:
    """Say whether a node takes time, so that it cannot stand in a function."""
    later = any(pin.name in ("OnSuccess", "OnFail", "Update", "Finished") for pin in node.outputs)
    return later or any(pin.name == "LatentInfo" for pin in node.unreal.hidden)


def call_routine(scope: Scope, routine: Routine) -> Call:
    """Grow the call of a function or macro, with something for each of its inputs."""
    entry, then = ("Execute", "Then") if routine.kind == "function" else ("Exec", "Then")
    named = "FunctionName" if routine.kind == "function" else "MacroName"
    node = scope.vocabulary.nodes[CALLS[routine.kind]]
    call = Call(node, {named: routine.name}, then=then, entry=entry, ins=routine.ins, outs=routine.outs)
    fill_call(scope, call, scope.level.depth)
    publish_outputs(scope, call)
    return call


def _attempts(scope: Scope, grow: Callable[[], Call]) -> Call:
    for _ in range(TRIES):
        kept = dict(scope.variables), dict(scope.outputs), dict(scope.events), list(scope.pending)
        nesting, room = scope.nesting, scope.room
        try:
            return grow()
        except Impossible:
            scope.variables, scope.outputs, scope.events, scope.pending = kept
            scope.nesting, scope.room = nesting, room
    raise Impossible("no statement fits")


def _choose(scope: Scope, nodes: list[NodeType]) -> NodeType:
    return scope.names.rng.choices(nodes, [scope.rarity.get(node.name, 1.0) for node in nodes])[0]


def _continues(node: NodeType) -> bool:
    outs = [pin.name for pin in node.outputs if pin.is_exec]
    return len(outs) > 1 and any(name in CONTINUES for name in outs)


def _with(scope: Scope, must: NodeType, last: bool) -> Call:
    """Grow a statement that holds a node of a type: itself, or among what feeds it."""
    if must.name in CALLS.values():
        return call_routine(scope, scope.routines[-1])
    if must.kind != "pure":
        return _flow(scope, must, {}, last) if is_flow(must) else _straight(scope, must, {})
    source = scope.variable(scope.names.pick(ELEMENTS)) if must.name == GET else sample(scope, must)
    node, pin = _consumer(scope, source)
    forced = {pin: source}
    return _flow(scope, node, forced, last) if is_flow(node) else _straight(scope, node, forced)


def _consumer(scope: Scope, source: Source) -> tuple[NodeType, str]:
    """Choose a step and an input for a value; one of three is printed or kept in a variable."""
    nodes = scope.vocabulary.nodes
    fitting = [
        (node, pin.name)
        for node, pin in scope.vocabulary.consumers(source.type)
        if not (source.call is not None and source.call.type.name == "Self" and pin.name == "Target")
        and (scope.nesting < scope.level.nesting or not is_flow(node))
    ]
    printable = scope.vocabulary.types.accepts("String", source.type)
    if printable and (not fitting or scope.names.chance(0.25)):
        return nodes["PrintString"], "InString"
    if not fitting and source.type == "Delegate":
        raise Impossible("nothing takes an event")
    if not fitting or source.type != "Delegate" and scope.names.chance(0.25):
        return nodes[SET], "Value"
    odds = [scope.rarity.get(node.name, 1.0) for node, _ in fitting]
    return scope.names.rng.choices(fitting, odds)[0]


def _straight(scope: Scope, node: NodeType, forced: dict[str, Source]) -> Call:
    outs = [pin.name for pin in node.outputs if pin.is_exec]
    call = Call(node, then=outs[0] if outs else "", entry=(*entries(node), "Execute")[0])
    if node.name == SET:
        _choose_variable(scope, call, forced)
    fill_call(scope, call, scope.level.depth, forced)
    publish_outputs(scope, call)
    return call


def _choose_variable(scope: Scope, call: Call, forced: dict[str, Source]) -> None:
    given = forced.get("Value")
    type_ = (
        given.type
        if given
        else scope.names.pick((*ELEMENTS, "Int", "Float", "Float", "Bool", "Bool", "Rotator"))
    )
    if not given and scope.variables and scope.names.chance(0.6):
        type_ = scope.names.pick([v.type for v in scope.variables.values() if "<" not in v.type] or [type_])
    target = scope.variable(type_, apart_from=given.variable if given else "", exact=True)
    call.properties["VarName"] = target.variable


def publish_outputs(scope: Scope, call: Call) -> None:
    """Put what a call hands over in reach of the steps behind it."""
    if call.type.name == SET:
        return
    for pin in data_outputs(call.type):
        type_ = scope.parent if pin.type == SELF else substitute(pin.type, call.binding)
        if not wildcards_of(type_):
            scope.publish(
                output_label(call.type, pin.name), Source(type_, call=call, pin=pin.name, shared=True)
            )
    for name, type_ in call.outs:
        scope.publish(own_label(call, name), Source(type_, call=call, pin=name, shared=True))


def _flow(scope: Scope, node: NodeType, forced: dict[str, Source], last: bool) -> Call:
    call = Call(node, entry=entries(node)[0])
    fill_call(scope, call, scope.level.depth, forced)
    outs = _exec_outputs(scope, call)
    following = next((name for name in outs if name in CONTINUES), "") if len(outs) > 1 else ""
    bodies = [name for name in outs if name != following]
    chosen = [name for name in bodies if scope.names.chance(0.7)] or [scope.names.pick(bodies)]
    if any(pin.dynamic for pin in node.outputs if pin.is_exec):
        chosen = [name for name in bodies if name != "Default" or scope.names.chance(0.4)]
    elif len(bodies) > 3:
        chosen = chosen[:3]
    elif _hands_over(node) and bodies[0] not in chosen:
        chosen.insert(0, bodies[0])
    scope.nesting += 1
    for name in chosen:
        call.bodies[name] = _body(scope, call, hands_over=name == outs[0])
        if "Break" in entries(node) and name == outs[0]:
            _break_off(scope, call)
    scope.nesting -= 1
    call.then = "" if last and not following else following
    return call


def _break_off(scope: Scope, loop: Call) -> None:
    """End the body of a loop with a condition under which the loop breaks off."""
    body = loop.bodies["LoopBody"]
    if not isinstance(body[-1], Call) or not body[-1].then:
        return
    branch = Call(scope.vocabulary.nodes["Branch"])
    fill_call(scope, branch, 1)
    branch.bodies["True"] = [Jump(loop, "Break")]
    body.append(branch)


def _hands_over(node: NodeType) -> bool:
    return bool(data_outputs(node)) and bool(data_inputs(node))


def _body(scope: Scope, call: Call, hands_over: bool) -> Steps:
    outputs = dict(scope.outputs)
    if hands_over:
        publish_outputs(scope, call)
    most = 1 if scope.level.name == "easy" else 2
    steps = grow_steps(scope, 1 if scope.room < 6 or scope.names.chance(0.65) else most)
    scope.outputs = outputs
    return steps


def _cases(scope: Scope, call: Call, count: int) -> list[str]:
    """Return the names of cases: entries of the enum that is switched on, or words."""
    entries_ = scope.vocabulary.types.enums.get(call.binding.get("T", ""))
    if entries_:
        start = int(scope.names.rng.random() * len(entries_))
        return list(dict.fromkeys(entries_[(start + step) % len(entries_)] for step in range(count)))
    return list(dict.fromkeys(scope.names.one_of(WORDS) for _ in range(count)))


def _exec_outputs(scope: Scope, call: Call) -> list[str]:
    """Return the exec outputs of a call by name; families such as `Case_#` become two or three pins."""
    names: list[str] = []
    for pin in call.type.outputs:
        if not pin.is_exec:
            continue
        if not pin.dynamic:
            names.append(pin.name)
            continue
        stem, count = pin.name[:-1], 2 if scope.names.chance(0.6) else 3
        if pin.dynamic == "text":
            words = _cases(scope, call, count)
            names += [stem + word for word in words]
        else:
            start = scope.names.pick((0, 0, 1)) if stem == "Case_" else 0
            names += [f"{stem}{start + number}" for number in range(count)]
    return names
