"""Steps that store something in a variable: literals, arithmetic, measurements."""

from __future__ import annotations

from collections.abc import Callable

from nightforge.blueprint.graph import Value
from nightforge.blueprint.synthesis import pools
from nightforge.blueprint.synthesis.draw import Draw, Impossible, Pattern, say
from nightforge.blueprint.synthesis.parts import Part, call, get, pure, put, ref
from nightforge.blueprint.synthesis.values import actor, condition, delta_seconds, float_source, place


def set_literal(d: Draw) -> Part:
    type_ = d.pick(("Float", "Float", "Int", "Int", "Bool", "Bool", "Bool", "String"))
    name = d.variable(type_)
    value: Value = d.default(type_) or 0
    if type_ == "Bool":
        value = d.chance(0.6)
    elif type_ == "Float":
        value = float(d.pick((0.0, *pools.AMOUNTS)))
    words = (
        f"set {name} to {say(value)}",
        f"set the variable {name} to {say(value)}",
        f"make {name} {say(value)}",
    )
    return put(name, value).said(d.word(words))


def set_place(d: Draw) -> Part:
    name = d.variable("Vector")
    if d.chance(0.35):
        value = d.vector()
        return put(name, value).said(f"set {name} to {say(value)}")
    source = place(d)
    if source.phrase == name:
        raise Impossible("a variable into itself")
    return put(name, source).said(
        d.word((f"set {name} to {source.phrase}", f"store {source.phrase} in {name}"))
    )


def set_actor(d: Draw) -> Part:
    source = actor(d)
    name = d.variable("Actor", apart_from=source.phrase)
    return put(name, source).said(
        d.word((f"set {name} to {source.phrase}", f"store {source.phrase} in {name}"))
    )


def set_facing(d: Draw) -> Part:
    name = d.variable("Rotator")
    source = pure("GetActorRotation")
    return put(name, source).said(
        d.word((f"set {name} to the actor rotation", f"store the actor rotation in {name}"))
    )


def look_at(d: Draw) -> Part:
    target = actor(d)
    goal = pure("GetActorLocation", inputs={"Target": target})
    source = pure("FindLookAtRotation", inputs={"Start": pure("GetActorLocation"), "Target": goal})
    step = call("SetActorRotation", inputs={"NewRotation": source})
    return step.said(
        d.word((f"turn the actor to look at {target.phrase}", f"make the actor face {target.phrase}"))
    )


def toggle_bool(d: Draw) -> Part:
    name = d.variable("Bool")
    source = pure("Not", inputs={"A": get(name)})
    return put(name, source).said(d.word((f"toggle {name}", f"invert {name}", f"flip the value of {name}")))


def set_condition(d: Draw) -> Part:
    name = d.variable("Bool")
    source = condition(d)
    if source.type == "GetVar":
        raise Impossible("plain copy")
    return put(name, source).said(f"set {name} to whether {source.phrase}")


def _change(words: tuple[str, ...], type_: str, amounts: tuple[float, ...]) -> Callable[[Draw], Part]:
    """A step `variable = variable op literal`; words hold {v} for the variable and {n} for the number."""

    def build(d: Draw) -> Part:
        is_int = type_ in ("AddInt", "SubtractInt", "MultiplyInt")
        name = d.variable("Int" if is_int else "Float")
        amount: Value = int(d.pick(amounts)) if is_int else float(d.pick(amounts))
        source = pure(type_, inputs={"A": get(name)}, B=amount)
        return put(name, source).said(d.word(words).format(v=name, n=say(amount)))

    build.__name__ = f"change_{type_}"
    return build


ADD = ("add {n} to {v}", "increase {v} by {n}", "raise {v} by {n}")
SUBTRACT = ("subtract {n} from {v}", "decrease {v} by {n}", "lower {v} by {n}")
MULTIPLY = ("multiply {v} by {n}",)
DIVIDE = ("divide {v} by {n}",)
INTS = tuple(float(n) for n in (*pools.SMALL_INTS, 20, 25, 50, 100))


def change_by_source(d: Draw) -> Part:
    """`variable = variable op something measured`."""
    name = d.variable("Float")
    kind, words = d.pick(
        (
            ("AddFloat", "add {s} to {v}"),
            ("SubtractFloat", "subtract {s} from {v}"),
            ("MultiplyFloat", "multiply {v} by {s}"),
        )
    )
    source = float_source(d)
    if source.phrase == name:
        raise Impossible("a variable with itself")
    total = pure(kind, inputs={"A": get(name), "B": source})
    return put(name, total).said(words.format(v=name, s=source.phrase))


def change_over_time(d: Draw) -> Part:
    name, rate = d.variable("Float"), d.pick(pools.AMOUNTS)
    share = pure("MultiplyFloat", inputs={"A": delta_seconds(d)}, B=rate)
    kind, words = d.pick((("AddFloat", "add {s} to {v}"), ("SubtractFloat", "subtract {s} from {v}")))
    total = pure(kind, inputs={"A": get(name), "B": share})
    said = f"{dict(share.inputs)['A'].phrase} times {say(rate)}"
    return put(name, total).said(words.format(s=said, v=name))


def change_clamped(d: Draw) -> Part:
    name, amount = d.variable("Float"), d.pick(pools.AMOUNTS)
    low, high = d.pick(((0.0, 100.0), (0.0, 50.0), (0.0, 1.0), (1.0, 10.0), (0.0, 10.0)))
    kind, words = d.pick((("AddFloat", ADD), ("SubtractFloat", SUBTRACT)))
    total = pure(kind, inputs={"A": get(name)}, B=amount)
    kept = pure("ClampFloat", inputs={"Value": total}, Min=low, Max=high)
    said = d.word(words).format(v=name, n=say(amount))
    return put(name, kept).said(f"{said} and clamp it between {say(low)} and {say(high)}")


def clamp(d: Draw) -> Part:
    name = d.variable("Float")
    low, high = d.pick(((0.0, 100.0), (0.0, 50.0), (0.0, 1.0), (1.0, 10.0), (0.0, 10.0)))
    kept = pure("ClampFloat", inputs={"Value": get(name)}, Min=low, Max=high)
    return put(name, kept).said(
        d.word(
            (
                f"clamp {name} between {say(low)} and {say(high)}",
                f"keep {name} between {say(low)} and {say(high)}",
            )
        )
    )


def bound(d: Draw) -> Part:
    name, limit = d.variable("Float"), d.pick(pools.AMOUNTS)
    kind, word = d.pick((("Min", "smaller"), ("Max", "larger")))
    kept = pure(kind, inputs={"A": get(name)}, B=limit)
    return put(name, kept).said(f"set {name} to the {word} of {name} and {say(limit)}")


def function_of(d: Draw) -> Part:
    kind, words = d.pick(
        (("Abs", "the absolute value of"), ("Sin", "the sine of"), ("Round", "the rounded value of"))
    )
    source = float_source(d)
    name = d.variable("Int" if kind == "Round" else "Float")
    return put(name, pure(kind, inputs={"A": source})).said(f"set {name} to {words} {source.phrase}")


def randomize(d: Draw) -> Part:
    if d.chance(0.15):
        name = d.variable("Bool")
        return put(name, pure("RandomBool")).said(f"set {name} to a random bool")
    low, high = d.pick((0, 1, 2, 5)), d.pick((6, 10, 20, 50, 100))
    if d.chance(0.5):
        name = d.variable("Int")
        source = pure("RandomInteger", Min=low, Max=high)
        return put(name, source).said(f"set {name} to a random integer between {low} and {high}")
    name = d.variable("Float")
    source = pure("RandomFloat", Min=float(low), Max=float(high))
    return put(name, source).said(f"set {name} to a random float between {low} and {high}")


def blend(d: Draw) -> Part:
    alpha = d.pick((0.1, 0.25, 0.5, 0.75))
    if d.chance(0.5):
        name, goal = d.variable("Float"), d.pick(pools.AMOUNTS)
        source = pure("Lerp", inputs={"A": get(name)}, B=goal, Alpha=alpha)
        return put(name, source).said(f"lerp {name} towards {say(goal)} with alpha {say(alpha)}")
    goal_name = d.variable("Vector")
    source = pure("LerpVector", inputs={"A": pure("GetActorLocation"), "B": get(goal_name)}, Alpha=alpha)
    step = call("SetActorLocation", inputs={"NewLocation": source})
    return step.said(f"lerp the actor location towards {goal_name} with alpha {say(alpha)}")


def part_of_vector(d: Draw) -> Part:
    pin, word = d.pick((("X", "x"), ("Y", "y"), ("Z", "z"), ("Z", "z")))
    source = place(d)
    name = d.variable("Float")
    value = pure("BreakVector", inputs={"InVec": source}, out=pin)
    return put(name, value).said(f"set {name} to the {word} part of {source.phrase}")


def measure_distance(d: Draw) -> Part:
    target = actor(d)
    name = d.variable("Float")
    source = pure("GetDistanceTo", inputs={"OtherActor": target})
    words = (
        f"set {name} to the distance to {target.phrase}",
        f"store the distance to {target.phrase} in {name}",
    )
    return put(name, source).said(d.word(words))


def combine_text(d: Draw) -> Part:
    name, start = d.variable("String"), d.pick(pools.TEXT_SUBJECTS)
    source = pure("Concatenate", inputs={"B": get(name)}, A=f"{start} ")
    return put(name, source).said(f"put {say(start + ' ')} in front of {name}")


def count_list(d: Draw) -> Part:
    items = d.variable(d.pick(("Array<Actor>", "Array<String>", "Array<Int>")))
    name = d.variable("Int")
    return put(name, pure("ArrayLength", inputs={"Array": get(items)})).said(
        f"set {name} to the length of {items}"
    )


def take_from_list(d: Draw) -> Part:
    type_ = d.pick(("Int", "String", "Actor"))
    items, index = d.variable(f"Array<{type_}>"), d.pick((0, 1, 2, 3))
    name = d.variable(type_)
    source = pure("ArrayGet", inputs={"Array": get(items)}, Index=index)
    return put(name, source).said(f"set {name} to item {index} of {items}")


def keep_event_value(d: Draw) -> Part:
    """Store what the event or loop hands over: the damage, the index, the element."""
    options = [
        (label, type_) for label, type_ in d.labels.items() if type_ in ("Float", "Int", "String", "Actor")
    ]
    if not options:
        raise Impossible("nothing handed over")
    label, type_ = d.pick(options)
    name = d.variable(type_)
    said = label if label == "delta seconds" else f"the {label}"
    return put(name, ref(label)).said(d.word((f"set {name} to {said}", f"store {said} in {name}")))


def step_by_one(d: Draw) -> Part:
    name = d.variable("Int")
    kind, words = d.pick((("IncrementInt", ("increment {v}",)), ("DecrementInt", ("decrement {v}",))))
    return call(kind, inputs={"Value": get(name)}).said(d.word(words).format(v=name))


SUMS = (
    Pattern(set_literal, 6.0, ("SetVar",)),
    Pattern(_change(ADD, "AddInt", INTS), 6.0, ("AddInt", "GetVar")),
    Pattern(_change(SUBTRACT, "SubtractInt", INTS), 3.0, ("SubtractInt",)),
    Pattern(_change(MULTIPLY, "MultiplyInt", (2, 3, 4, 5, 10)), 1.0, ("MultiplyInt",)),
    Pattern(_change(ADD, "AddFloat", pools.AMOUNTS), 7.0, ("AddFloat",)),
    Pattern(_change(SUBTRACT, "SubtractFloat", pools.AMOUNTS), 7.0, ("SubtractFloat",)),
    Pattern(_change(MULTIPLY, "MultiplyFloat", (0.5, 1.5, 2, 3, 4, 10)), 1.5, ("MultiplyFloat",)),
    Pattern(_change(DIVIDE, "DivideFloat", (2, 3, 4, 5, 10)), 1.2, ("DivideFloat",)),
    Pattern(step_by_one, 2.5, ("IncrementInt", "DecrementInt")),
    Pattern(toggle_bool, 2.0, ("Not",)),
    Pattern(change_by_source, 3.0, ("AddFloat", "SubtractFloat", "MultiplyFloat")),
    Pattern(change_over_time, 1.0, ("GetWorldDeltaSeconds", "MultiplyFloat")),
    Pattern(change_clamped, 1.2, ("ClampFloat",)),
    Pattern(clamp, 1.0, ("ClampFloat",)),
    Pattern(bound, 3.0, ("Min", "Max")),
    Pattern(function_of, 2.4, ("Abs", "Sin", "Round")),
    Pattern(randomize, 4.0, ("RandomInteger", "RandomFloat", "RandomBool")),
    Pattern(blend, 1.6, ("Lerp", "LerpVector")),
    Pattern(part_of_vector, 0.7, ("BreakVector",)),
    Pattern(measure_distance, 1.6, ("GetDistanceTo",)),
    Pattern(set_place, 1.8, ("GetActorLocation",)),
    Pattern(set_actor, 3.0, ("GetPlayerPawn",)),
    Pattern(set_facing, 0.6, ("GetActorRotation",)),
    Pattern(look_at, 4.0, ("FindLookAtRotation", "SetActorRotation")),
    Pattern(set_condition, 0.7, ("SetVar",)),
    Pattern(combine_text, 0.6, ("Concatenate",)),
    Pattern(count_list, 1.5, ("ArrayLength",)),
    Pattern(take_from_list, 2.0, ("ArrayGet",)),
    Pattern(keep_event_value, 1.5, ("Event_AnyDamage",)),
)
