"""Steps that decide, repeat or wait, and how a body of steps is drawn and said.

One rule keeps the English unambiguous: only the body said last may itself end in a deciding step, so that a
trailing "otherwise" always belongs to the innermost one.
"""

from __future__ import annotations

from collections.abc import Callable

from nightforge.blueprint.synthesis import pools
from nightforge.blueprint.synthesis.actions import action
from nightforge.blueprint.synthesis.draw import Draw, Impossible, Pattern, say, seconds
from nightforge.blueprint.synthesis.parts import Part, feed, flow, get, publish, pure
from nightforge.blueprint.synthesis.values import actor, condition

Steps = tuple[Part, ...]
MAX_DEPTH = 2
ORDINALS = ("first", "second", "third", "fourth")
CASE_WORDS = ("red", "blue", "green", "easy", "hard", "walk", "run", "open", "closed")


def wait(d: Draw) -> Part:
    """A delay; the next step continues when it is over."""
    time, kind = d.pick(pools.SECONDS), d.rng.random()
    if kind < 0.75:
        words = (
            f"wait {seconds(time)}",
            f"wait for {seconds(time)}",
            f"pause for {seconds(time)}",
        )
        return Part("Delay", props=(("Duration", time),), then="Completed").said(d.word(words))
    if kind < 0.87:
        step = Part("RetriggerableDelay", props=(("Duration", time),), then="Completed")
        return step.said(f"wait {seconds(time)} with a retriggerable delay")
    if kind < 0.94:
        name = d.variable("Float")
        return Part("Delay", inputs=(("Duration", get(name)),), then="Completed").said(f"wait {name} seconds")
    low, high = d.pick(((1.0, 3.0), (1.0, 5.0), (2.0, 4.0), (0.5, 2.0)))
    source = pure("RandomFloat", Min=low, Max=high)
    step = Part("Delay", inputs=(("Duration", source),), then="Completed")
    return step.said(f"wait a random time between {say(low)} and {say(high)} seconds")


def body(d: Draw, *, last: bool, most: int = 2) -> Steps:
    """Draw the steps behind one exec pin; only a body said last may end in a deciding step."""
    labels = dict(d.labels)
    count = 1 if d.chance(0.5) else d.rng.randint(1, most)
    steps = [d.choose(MOVES) for _ in range(count)]
    if last and d.depth < MAX_DEPTH and d.chance(0.1):
        steps[-1] = deciding(d)
    while steps[-1].type in ("Delay", "RetriggerableDelay"):
        steps.append(action(d))
    d.labels = labels
    return tuple(steps)


def deciding(d: Draw) -> Part:
    """Draw a step that nothing follows."""
    d.depth += 1
    try:
        return d.choose(FLOWS)
    finally:
        d.depth -= 1


def join(d: Draw, steps: Steps) -> str:
    """Say steps in a row."""
    said = [step.phrase for step in steps]
    if len(said) == 1:
        return said[0]
    if len(said) == 2:
        return d.pick((", then ", ", then ", " and then ", " and ")).join(said)
    middle, end = d.pick(((", then ", ", then "), (", ", ", and then "), (", then ", ", and finally ")))
    return middle.join(said[:-1]) + end + said[-1]


def branch(d: Draw) -> Part:
    test = condition(d)
    kind = d.rng.random()
    if kind < 0.42:
        yes = body(d, last=True)
        said = d.word(("if {c}, {a}", "if {c}, {a}", "if {c} then {a}", "check if {c} and if so {a}"))
        part = flow("Branch", {"True": yes}).said(said.format(c=test.phrase, a=join(d, yes)))
    elif kind < 0.52:
        no = body(d, last=True)
        part = flow("Branch", {"False": no}).said(f"unless {test.phrase}, {join(d, no)}")
    else:
        yes = body(d, last=False)
        no = body(d, last=True)
        said = d.word(("if {c}, {a}; otherwise {b}", "if {c}, {a}; otherwise {b}", "if {c}, {a}; else {b}",
                       "check if {c}: if so {a}; if not {b}"))  # fmt: skip
        words = said.format(c=test.phrase, a=join(d, yes), b=join(d, no))
        part = flow("Branch", {"True": yes, "False": no}).said(words)
    return feed(part, Condition=test)


def valid_branch(d: Draw) -> Part:
    target = actor(d) if d.chance(0.7) else get(d.variable("UserWidget"))
    yes = body(d, last=False)
    no = body(d, last=True) if d.chance(0.5) else ()
    said = f"validate {target.phrase}: if valid {join(d, yes)}"
    if no:
        said += f"; if not valid {join(d, no)}"
    return feed(flow("IsValidBranch", {"Valid": yes, "NotValid": no}), Object=target).said(said)


def cast(d: Draw) -> Part:
    source = actor(d)
    kind, label = d.pick((("Character", "character"), ("Pawn", "pawn"), ("PlayerController", "controller")))
    before = dict(d.labels)
    d.labels[label] = kind
    failed = d.chance(0.4)
    yes = body(d, last=not failed)
    d.labels = before
    no = body(d, last=True) if failed else ()
    said = f"cast {source.phrase} to {kind} and on success {join(d, yes)}"
    if no:
        said += f"; if the cast fails {join(d, no)}"
    part = feed(flow(f"CastTo{kind}", {"CastSucceeded": yes, "CastFailed": no}), Object=source)
    return publish(part, **{label: f"As{kind}"}).said(said)


def do_once(d: Draw) -> Part:
    if d.chance(0.65):
        steps = body(d, last=True)
        said = d.word(("only once, {a}", "do once: {a}", "only the first time, {a}"))
        return flow("DoOnce", {"Completed": steps}).said(said.format(a=join(d, steps)))
    steps, times = body(d, last=True), d.pick((2, 3, 4, 5, 10))
    said = d.word(("up to {n} times, {a}", "at most {n} times, {a}", "do {n} times only: {a}"))
    return flow("DoN", {"Exit": steps}, N=times).said(said.format(n=times, a=join(d, steps)))


def flip_flop(d: Draw) -> Part:
    first = body(d, last=False)
    second = body(d, last=True)
    if len(first) == len(second) == 1 and d.chance(0.5):
        said = f"alternate between {first[0].phrase} and {second[0].phrase}"
    else:
        said = f"flip flop: first time {join(d, first)}; second time {join(d, second)}"
    return flow("FlipFlop", {"A": first, "B": second}).said(said)


def sequence(d: Draw) -> Part:
    count = 2 if d.chance(0.6) else 3
    bodies = [body(d, last=index == count - 1) for index in range(count)]
    said = "; ".join(f"{ORDINALS[index]} {join(d, steps)}" for index, steps in enumerate(bodies))
    start = d.word(("in a sequence", "run a sequence", "use a sequence"))
    return flow("Sequence", {f"Then_{i}": steps for i, steps in enumerate(bodies)}).said(f"{start}: {said}")


def multi_gate(d: Draw) -> Part:
    count, loops = d.pick((2, 3, 3)), d.chance(0.4)
    bodies = [body(d, last=index == count - 1, most=1) for index in range(count)]
    said = "; ".join(f"{ORDINALS[index]} {join(d, steps)}" for index, steps in enumerate(bodies))
    outs = {f"Out_{i}": steps for i, steps in enumerate(bodies)}
    part = flow("MultiGate", outs, bLoop=True) if loops else flow("MultiGate", outs)
    return part.said(f"go through a {'looping ' if loops else ''}multi gate: {said}")


def _repeat(d: Draw, labels: dict[str, str]) -> tuple[dict[str, Steps], str, str]:
    """Draw a loop body with the labels it hands over, and what runs afterwards; returns both as said."""
    before = dict(d.labels)
    d.labels.update(labels)
    after = d.chance(0.35)
    each = body(d, last=not after)
    d.labels = before
    done = body(d, last=True) if after else ()
    tail = f"; when the loop is done {join(d, done)}" if done else ""
    return {"LoopBody": each, "Completed": done}, join(d, each), tail


def for_loop(d: Draw) -> Part:
    low, high = d.pick((0, 0, 1, 1)), d.pick((2, 3, 4, 5, 8, 9, 10, 20))
    bodies, said, tail = _repeat(d, {"index": "Int"})
    words = d.word(("loop from {l} to {h} and each time {a}", "count from {l} to {h} and every time {a}",
                    "for every index from {l} to {h}, {a}"))  # fmt: skip
    part = publish(flow("ForLoop", bodies, FirstIndex=low, LastIndex=high), index="Index")
    return part.said(words.format(l=low, h=high, a=said) + tail)


def for_each(d: Draw) -> Part:
    type_ = d.pick(("Actor", "Actor", "String", "Int"))
    items = d.variable(f"Array<{type_}>")
    given = {"element": type_, "index": "Int"} if d.chance(0.25) else {"element": type_}
    bodies, said, tail = _repeat(d, given)
    part = publish(flow("ForEachLoop", bodies), element="ArrayElement", index="ArrayIndex")
    words = d.word(
        ("for each element of {v}, {a}", "loop over {v} and each time {a}", "go through {v} and for each {a}")
    )
    return feed(part, Array=get(items)).said(words.format(v=items, a=said) + tail)


def while_loop(d: Draw) -> Part:
    test = condition(d)
    bodies, said, tail = _repeat(d, {})
    part = flow("WhileLoop", bodies)
    return feed(part, Condition=test).said(f"while {test.phrase}, {said}{tail}")


def switch_int(d: Draw) -> Part:
    name, start = d.variable("Int"), d.pick((0, 0, 1))
    count, default = d.pick((2, 2, 3)), d.chance(0.4)
    cases = {f"Case_{start + i}": body(d, last=not default and i == count - 1, most=1) for i in range(count)}
    said = "; ".join(f"for {pin[5:]} {join(d, steps)}" for pin, steps in cases.items())
    return _switch(d, flow_type="SwitchOnInt", name=name, cases=cases, said=said, default=default)


def switch_text(d: Draw) -> Part:
    name = d.variable("String")
    default = d.chance(0.4)
    words = d.rng.sample(CASE_WORDS, 2)
    cases = {f"Case_{word}": body(d, last=not default and word == words[-1], most=1) for word in words}
    said = "; ".join(f"for {say(pin[5:])} {join(d, steps)}" for pin, steps in cases.items())
    return _switch(d, flow_type="SwitchOnString", name=name, cases=cases, said=said, default=default)


def _switch(d: Draw, *, flow_type: str, name: str, cases: dict[str, Steps], said: str, default: bool) -> Part:
    bodies = dict(cases)
    if default:
        bodies["Default"] = body(d, last=True, most=1)
        said += f"; by default {join(d, bodies['Default'])}"
    return feed(flow(flow_type, bodies), Selection=get(name)).said(f"switch on {name}: {said}")


def needs_depth(build: Callable[[Draw], Part]) -> Callable[[Draw], Part]:
    """Keep wide steps out of other deciding steps."""

    def outermost(d: Draw) -> Part:
        if d.depth > 1:
            raise Impossible("too deep")
        return build(d)

    outermost.__name__ = build.__name__
    return outermost


MOVES = (Pattern(action, 8.0, ()), Pattern(wait, 0.6, ("Delay", "RetriggerableDelay")))
FLOWS = (
    Pattern(branch, 110.0, ("Branch",)),
    Pattern(valid_branch, 4.0, ("IsValidBranch",)),
    Pattern(cast, 6.0, ("CastToCharacter", "CastToPawn", "CastToPlayerController")),
    Pattern(do_once, 3.4, ("DoOnce", "DoN")),
    Pattern(flip_flop, 5.0, ("FlipFlop",)),
    Pattern(for_loop, 4.5, ("ForLoop",)),
    Pattern(for_each, 8.0, ("ForEachLoop",)),
    Pattern(while_loop, 6.0, ("WhileLoop",)),
    Pattern(needs_depth(sequence), 9.0, ("Sequence",)),
    Pattern(needs_depth(multi_gate), 4.0, ("MultiGate",)),
    Pattern(needs_depth(switch_int), 9.0, ("SwitchOnInt",)),
    Pattern(needs_depth(switch_text), 8.0, ("SwitchOnString",)),
)
