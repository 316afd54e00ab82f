"""Numbers, places and conditions: the pure nodes a step is fed with, each with the words that ask for it."""

from __future__ import annotations

from nightforge.blueprint.synthesis import pools
from nightforge.blueprint.synthesis.draw import Draw, Impossible, Pattern, say
from nightforge.blueprint.synthesis.parts import Part, get, pure, ref

COMPARISONS = (
    ("GreaterThan", ("is greater than", "is above", "is more than")),
    ("LessThan", ("is less than", "is below", "is under")),
    ("GreaterEqual", ("is at least", "is greater than or equal to")),
    ("LessEqual", ("is at most", "is less than or equal to")),
)


def actor(d: Draw) -> Part:
    """An actor a person can point at: one from the event, a variable, or the player."""
    kind = d.rng.random()
    labels = [label for label, type_ in d.labels.items() if type_ == "Actor"]
    if labels and kind < 0.75:
        label = d.pick(labels)
        return ref(label).said(f"the {label}")
    if kind < 0.88:
        return get(d.variable("Actor"))
    return pure("GetPlayerPawn").said("the player pawn")


def place(d: Draw) -> Part:
    """A location: of this actor, of another one, or kept in a variable."""
    kind = d.rng.random()
    if kind < 0.4:
        return pure("GetActorLocation").said("the actor location")
    if kind < 0.65:
        return get(d.variable("Vector"))
    target = actor(d)
    return pure("GetActorLocation", inputs={"Target": target}).said(f"the location of {target.phrase}")


def float_source(d: Draw) -> Part:
    """A number that comes from somewhere: a variable, the event, or a measurement."""
    kind = d.rng.random()
    if "damage" in d.labels and kind < 0.6:
        return ref("damage").said("the damage")
    if kind < 0.6:
        return get(d.variable("Float"))
    if "delta seconds" in d.labels and kind < 0.85:
        return ref("delta seconds").said("delta seconds")
    return d.pick((game_time, axis_value))(d)


def game_time(_: Draw) -> Part:
    return pure("GetGameTimeInSeconds").said("the game time")


def axis_value(d: Draw) -> Part:
    axis = d.pick(pools.AXIS_NAMES)
    return pure("GetInputAxisValue", AxisName=axis).said(f"the axis value {axis}")


def delta_seconds(d: Draw) -> Part:
    """Seconds since the last frame: from the tick event where it is in reach, otherwise from the world."""
    if "delta seconds" in d.labels:
        return ref("delta seconds").said("delta seconds")
    return pure("GetWorldDeltaSeconds").said("the world delta seconds")


def bool_is(d: Draw) -> Part:
    name = d.variable("Bool")
    if d.chance(0.65):
        return get(name).said(d.word((f"{name} is true", f"{name} is set")))
    return pure("Not", inputs={"A": get(name)}).said(d.word((f"{name} is false", f"{name} is not set")))


def number_is(d: Draw) -> Part:
    """A Float or Int variable, or a measured number, against a literal or another variable."""
    kind, words = d.pick(COMPARISONS)
    counted = [label for label, type_ in d.labels.items() if type_ == "Int"]
    if counted and d.chance(0.6):
        left, limit = ref(counted[0]).said(f"the {counted[0]}"), float(d.pick(pools.SMALL_INTS))
    elif d.chance(0.4):
        left = get(d.variable("Int"))
        limit = float(d.pick((0, *pools.SMALL_INTS, *pools.LARGE_INTS)))
    else:
        left, limit = float_source(d), d.pick((0.0, *pools.AMOUNTS))
    if left.type == "GetVar" and d.chance(0.12):
        right = get(d.variable("Float", apart_from=left.phrase))
        return pure(kind, inputs={"A": left, "B": right}).said(
            f"{left.phrase} {d.word(words)} {right.phrase}"
        )
    return pure(kind, inputs={"A": left}, B=limit).said(f"{left.phrase} {d.word(words)} {say(limit)}")


def int_is(d: Draw) -> Part:
    name, value = d.variable("Int"), d.pick((0, *pools.SMALL_INTS))
    if d.chance(0.65):
        words = d.pick((f"{name} equals {value}", f"{name} is exactly {value}"))
        return pure("EqualInt", inputs={"A": get(name)}, B=value).said(words)
    words = d.pick((f"{name} is not {value}", f"{name} differs from {value}"))
    return pure("NotEqualInt", inputs={"A": get(name)}, B=value).said(words)


def multiple_of(d: Draw) -> Part:
    name, step = d.variable("Int"), d.pick((2, 3, 4, 5, 10))
    rest = pure("Modulo", inputs={"A": get(name)}, B=step)
    return pure("EqualInt", inputs={"A": rest}, B=0).said(f"{name} modulo {step} equals 0")


def text_is(d: Draw) -> Part:
    name, value = d.variable("String"), d.text()
    return pure("EqualString", inputs={"A": get(name)}, B=value).said(f"{name} equals {say(value)}")


def text_long(d: Draw) -> Part:
    name, limit = d.variable("String"), float(d.pick((2, 3, 5, 10, 20)))
    length = pure("StringLength", inputs={"SourceString": get(name)})
    return pure("GreaterThan", inputs={"A": length}, B=limit).said(
        f"the length of {name} {d.pick(COMPARISONS[0][1])} {say(limit)}"
    )


def distance_is(d: Draw) -> Part:
    target, limit = actor(d), d.pick(pools.LENGTHS)
    gap = pure("GetDistanceTo", inputs={"OtherActor": target})
    kind, words = COMPARISONS[0] if d.chance(0.3) else COMPARISONS[1]
    return pure(kind, inputs={"A": gap}, B=limit).said(
        f"the distance to {target.phrase} {d.word(words)} {say(limit)}"
    )


def speed_is(d: Draw) -> Part:
    limit = d.pick(pools.LENGTHS)
    speed = pure("VectorLength", inputs={"A": pure("GetVelocity")})
    kind, words = COMPARISONS[0] if d.chance(0.5) else COMPARISONS[1]
    return pure(kind, inputs={"A": speed}, B=limit).said(
        f"the speed of the actor {d.word(words)} {say(limit)}"
    )


def tagged(d: Draw) -> Part:
    tag = d.pick(pools.TAGS)
    if d.chance(0.25):
        return pure("ActorHasTag", Tag=tag).said(f"this actor has the tag {say(tag)}")
    target = actor(d)
    return pure("ActorHasTag", inputs={"Target": target}, Tag=tag).said(
        f"{target.phrase} has the tag {say(tag)}"
    )


def valid(d: Draw) -> Part:
    name = d.variable(d.pick(("Actor", "Actor", "UserWidget")))
    return pure("IsValid", inputs={"Object": get(name)}).said(f"{name} is valid")


def same_actor(d: Draw) -> Part:
    left = actor(d)
    right = pure("GetPlayerPawn").said("the player pawn") if d.chance(0.6) else get(d.variable("Actor"))
    if left.phrase == right.phrase:
        raise Impossible("an actor against itself")
    return pure("EqualObject", inputs={"A": left, "B": right}).said(
        f"{left.phrase} is the same as {right.phrase}"
    )


def coin_flip(d: Draw) -> Part:
    return pure("RandomBool").said(d.word(("a random bool is true", "a coin flip is true")))


def in_list(d: Draw) -> Part:
    if d.chance(0.6):
        target, items = actor(d), d.variable("Array<Actor>")
        return pure("ArrayContains", inputs={"Array": get(items), "Item": target}).said(
            f"{items} contains {target.phrase}"
        )
    items, value = d.variable("Array<Int>"), d.pick(pools.SMALL_INTS)
    return pure("ArrayContains", inputs={"Array": get(items)}, Item=value).said(f"{items} contains {value}")


def list_long(d: Draw) -> Part:
    items = d.variable(d.pick(("Array<Actor>", "Array<String>", "Array<Int>")))
    kind, words = d.pick(COMPARISONS[:2])
    limit = float(d.pick(pools.SMALL_INTS))
    length = pure("ArrayLength", inputs={"Array": get(items)})
    return pure(kind, inputs={"A": length}, B=limit).said(
        f"the length of {items} {d.word(words)} {say(limit)}"
    )


def both(d: Draw) -> Part:
    kind, word = d.pick((("And", "and"), ("Or", "or")))
    left, right = d.choose(PLAIN_CONDITIONS), d.choose(PLAIN_CONDITIONS)
    if left.phrase == right.phrase:
        raise Impossible("the same condition twice")
    return pure(kind, inputs={"A": left, "B": right}).said(f"{left.phrase} {word} {right.phrase}")


PLAIN_CONDITIONS = (
    Pattern(bool_is, 20.0, ("GetVar", "Not")),
    Pattern(number_is, 46.0, ("GreaterThan", "LessThan", "GreaterEqual", "LessEqual")),
    Pattern(int_is, 3.0, ("EqualInt", "NotEqualInt")),
    Pattern(tagged, 4.0, ("ActorHasTag",)),
    Pattern(valid, 5.0, ("IsValid",)),
    Pattern(distance_is, 7.5, ("GetDistanceTo",)),
)
CONDITIONS = (
    *PLAIN_CONDITIONS,
    Pattern(both, 60.0, ("And", "Or")),
    Pattern(multiple_of, 2.5, ("Modulo", "EqualInt")),
    Pattern(text_is, 2.5, ("EqualString",)),
    Pattern(text_long, 2.5, ("StringLength",)),
    Pattern(speed_is, 2.5, ("VectorLength", "GetVelocity")),
    Pattern(same_actor, 2.5, ("EqualObject",)),
    Pattern(coin_flip, 2.0, ("RandomBool",)),
    Pattern(in_list, 2.5, ("ArrayContains",)),
    Pattern(list_long, 3.0, ("ArrayLength",)),
)


def condition(d: Draw) -> Part:
    """Draw a Bool source with its words."""
    return d.choose(CONDITIONS)
