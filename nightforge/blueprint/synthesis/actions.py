"""Steps that act on the world: messages, actors, components, sounds, widgets, timers, lists."""

from __future__ import annotations

from nightforge.blueprint.synthesis import pools
from nightforge.blueprint.synthesis.draw import Draw, Impossible, Pattern, say, seconds, turn, xyz
from nightforge.blueprint.synthesis.parts import Part, block, call, feed, get, publish, pure, put, ref
from nightforge.blueprint.synthesis.sums import SUMS, keep_event_value
from nightforge.blueprint.synthesis.values import actor, delta_seconds, place

PRINT_WORDS = ("print {s}", "print {s}", "show the message {s}", "display {s}", "write {s}")


def print_text(d: Draw) -> Part:
    text = d.text()
    return call("PrintString", InString=text).said(d.word(PRINT_WORDS).format(s=say(text)))


def print_value(d: Draw) -> Part:
    name = d.variable(d.pick(("Float", "Int", "Int", "String", "Bool", "Vector", "Actor")))
    words = (f"print {name}", f"print the value of {name}", f"show the value of {name}")
    return call("PrintString", inputs={"InString": get(name)}).said(d.word(words))


def print_joined(d: Draw) -> Part:
    start, name = d.pick(pools.TEXT_SUBJECTS) + ": ", d.variable(d.pick(("Int", "Float", "String")))
    joined = pure("Concatenate", inputs={"B": get(name)}, A=start)
    words = (f"print {say(start)} followed by {name}", f"print {say(start)} joined with {name}")
    return call("PrintString", inputs={"InString": joined}).said(d.word(words))


def print_measured(d: Draw) -> Part:
    """Print something read from the world or handed over by the event."""
    sources = [
        pure("GetGameTimeInSeconds").said("the game time"),
        pure("GetActorLocation").said("the actor location"),
        pure("GetActorRotation").said("the actor rotation"),
        pure("GetVelocity").said("the actor velocity"),
    ]
    for label, type_ in d.labels.items():
        said = label if label == "delta seconds" else f"the {label}"
        if type_ == "Actor":
            sources.append(pure("GetDisplayName", inputs={"Object": ref(label)}).said(f"the name of {said}"))
        sources.append(ref(label).said(said))
    source = d.pick(sources)
    return call("PrintString", inputs={"InString": source}).said(
        d.word(("print {s}", "show {s}", "display {s}")).format(s=source.phrase)
    )


def print_reached(d: Draw) -> Part:
    """Print what the event or loop hands over: the damage, the index, the element, the name of an actor."""
    label, type_ = d.reached()
    source, said = ref(label), f"the {label}"
    if type_ == "Actor" and d.chance(0.7):
        source, said = pure("GetDisplayName", inputs={"Object": ref(label)}), f"the name of {said}"
    step = call("PrintString", inputs={"InString": source})
    return step.said(d.word(("print {s}", "show {s}", "display {s}")).format(s=said))


def act_on_reached(d: Draw) -> Part:
    """Do something to the actor the event or loop hands over."""
    label = "element" if d.labels.get("element") == "Actor" else d.label("Actor")
    target, said = ref(label), f"the {label}"
    kind = d.rng.random()
    if kind < 0.35:
        return call("DestroyActor", inputs={"Target": target}).said(f"destroy {said}")
    if kind < 0.6:
        amount = d.pick(pools.AMOUNTS)
        step = call("ApplyDamage", inputs={"DamagedActor": target}, BaseDamage=amount)
        return step.said(f"apply {say(amount)} damage to {said}")
    if kind < 0.75:
        hidden = d.chance(0.6)
        step = call("SetActorHiddenInGame", inputs={"Target": target}, bNewHidden=hidden)
        return step.said(f"{'hide' if hidden else 'unhide'} {said}")
    type_, words = d.pick((("ArrayAdd", "add {a} to {v}"), ("ArrayRemove", "remove {a} from {v}")))
    items = d.variable("Array<Actor>")
    step = call(type_, inputs={"Array": get(items), "Item": target})
    return step.said(words.format(a=said, v=items))


def print_name(d: Draw) -> Part:
    kind = d.rng.random()
    if kind < 0.3:
        target = pure("Self").said("this actor")
    elif kind < 0.55:
        target = pure("GetPlayerController").said("the player controller")
    else:
        target = actor(d)
    name = pure("GetDisplayName", inputs={"Object": target})
    said = d.word((f"print the name of {target.phrase}", f"show the display name of {target.phrase}"))
    return call("PrintString", inputs={"InString": name}).said(said)


def destroy(d: Draw) -> Part:
    if d.chance(0.65):
        return call("DestroyActor").said(
            d.word(("destroy the actor", "destroy this actor", "remove this actor"))
        )
    target = actor(d)
    return call("DestroyActor", inputs={"Target": target}).said(f"destroy {target.phrase}")


def hide(d: Draw) -> Part:
    hidden = d.chance(0.6)
    words = ("hide the actor", "hide this actor") if hidden else ("show the actor", "unhide the actor")
    step = call("SetActorHiddenInGame", bNewHidden=hidden)
    if d.chance(0.75):
        return step.said(d.word(words))
    target = actor(d)
    return feed(step, Target=target).said(f"{'hide' if hidden else 'unhide'} {target.phrase}")


def collision(d: Draw) -> Part:
    on = d.chance(0.4)
    word = "on" if on else "off"
    words = (f"turn collision {word}", f"turn {word} the collision of the actor")
    return call("SetActorEnableCollision", bNewActorEnableCollision=on).said(d.word(words))


def move_to(d: Draw) -> Part:
    verb = d.pick(("move", "teleport"))
    kind = d.rng.random()
    if kind < 0.45:
        goal = d.vector()
        return call("SetActorLocation", NewLocation=goal).said(f"{verb} the actor to {say(goal)}")
    if kind < 0.8:
        name = d.variable("Vector")
        return call("SetActorLocation", inputs={"NewLocation": get(name)}).said(f"{verb} the actor to {name}")
    target, goal_name = actor(d), d.variable("Vector")
    step = call("SetActorLocation", inputs={"Target": target, "NewLocation": get(goal_name)})
    return step.said(f"{verb} {target.phrase} to {goal_name}")


def move_made(d: Draw) -> Part:
    """Move to a vector whose height comes from a variable."""
    name, pin = d.variable("Float"), d.pick(("X", "Y", "Z", "Z"))
    made = pure("MakeVector", inputs={pin: get(name)})
    step = call("SetActorLocation", inputs={"NewLocation": made})
    return step.said(f"move the actor to a vector with {pin} from {name}")


def move_relative(d: Draw) -> Part:
    """Move to the own location plus, minus or times something."""
    here = pure("GetActorLocation")
    kind = d.rng.random()
    if kind < 0.4:
        shift = d.vector()
        source = pure("AddVector", inputs={"A": here}, B=shift)
        said = f"move the actor to its location plus {say(shift)}"
    elif kind < 0.7:
        name = d.variable("Vector")
        word, type_ = d.pick((("plus", "AddVector"), ("minus", "SubtractVector")))
        source = pure(type_, inputs={"A": here, "B": get(name)})
        said = f"move the actor to its location {word} {name}"
    else:
        length = d.pick(pools.LENGTHS)
        ahead = pure("MultiplyVectorFloat", inputs={"A": pure("GetActorForwardVector")}, B=length)
        source = pure("AddVector", inputs={"A": here, "B": ahead})
        said = f"move the actor to its location plus its forward vector times {say(length)}"
    return call("SetActorLocation", inputs={"NewLocation": source}).said(said)


def nudge(d: Draw) -> Part:
    length = d.pick(pools.LENGTHS)
    type_, word, shift = d.pick(
        (
            ("AddActorLocalOffset", "forward", xyz(length, 0.0, 0.0)),
            ("AddActorLocalOffset", "sideways", xyz(0.0, length, 0.0)),
            ("AddActorWorldOffset", "up", xyz(0.0, 0.0, length)),
            ("AddActorWorldOffset", "down", xyz(0.0, 0.0, -length)),
        )
    )
    return call(type_, DeltaLocation=shift).said(f"move the actor {word} by {say(length)}")


def rotate(d: Draw) -> Part:
    angle = d.pick(pools.ANGLES)
    word, delta = d.pick(
        (
            ("", turn(0.0, 0.0, angle)),
            ("", turn(0.0, 0.0, angle)),
            (" in pitch", turn(0.0, angle, 0.0)),
            (" in roll", turn(angle, 0.0, 0.0)),
        )
    )
    verb = d.pick(("rotate", "turn", "spin"))
    return call("AddActorLocalRotation", DeltaRotation=delta).said(
        f"{verb} the actor by {say(angle)} degrees{word}"
    )


def rotate_by_source(d: Draw) -> Part:
    """Rotate by a variable, or by a speed times the frame time."""
    pin = d.pick(("Yaw", "Yaw", "Pitch", "Roll"))
    if d.chance(0.4):
        name = d.variable("Float")
        source, said = get(name), name
    else:
        name = d.variable("Float")
        seconds = delta_seconds(d)
        source = pure("MultiplyFloat", inputs={"A": get(name), "B": seconds})
        said = f"{name} times {seconds.phrase}"
    made = pure("MakeRotator", inputs={pin: source})
    step = call("AddActorLocalRotation", inputs={"DeltaRotation": made})
    return step.said(f"rotate the actor in {pin.lower()} by {said}")


def set_rotation(d: Draw) -> Part:
    if d.chance(0.5):
        angle = d.pick(pools.ANGLES)
        step = call("SetActorRotation", NewRotation=turn(0.0, 0.0, angle))
        return step.said(f"set the actor rotation to yaw {say(angle)}")
    name = d.variable("Rotator")
    return call("SetActorRotation", inputs={"NewRotation": get(name)}).said(
        f"set the actor rotation to {name}"
    )


def resize(d: Draw) -> Part:
    size = d.pick((0.5, 1.5, 2.0, 3.0, 4.0, 5.0, 10.0))
    step = call("SetActorScale3D", NewScale3D=xyz(size, size, size))
    return step.said(d.word((f"scale the actor to {say(size)}", f"set the actor scale to {say(size)}")))


def spawn(d: Draw) -> Part:
    name = d.pick(pools.CLASS_NAMES)
    step = call("SpawnActorFromClass", ActorClass=name)
    kind = d.rng.random()
    if kind < 0.45:
        return step.said(d.word((f"spawn a {name}", f"spawn an actor of class {name}")))
    if kind < 0.7:
        here = pure("GetActorTransform")
        return feed(step, SpawnTransform=here).said(f"spawn a {name} at the actor transform")
    where = place(d)
    made = pure("MakeTransform", inputs={"Location": where})
    return feed(step, SpawnTransform=made).said(f"spawn a {name} at {where.phrase}")


def spawn_and_keep(d: Draw) -> Part:
    name, type_ = d.variable("Actor"), d.pick(pools.CLASS_NAMES)
    made = publish(call("SpawnActorFromClass", ActorClass=type_), spawned="ReturnValue")
    return block(made, put(name, ref("spawned"))).said(f"spawn a {type_} and store it in {name}")


def hurt(d: Draw) -> Part:
    target, amount = actor(d), d.pick(pools.AMOUNTS)
    step = call("ApplyDamage", inputs={"DamagedActor": target}, BaseDamage=amount)
    return step.said(f"apply {say(amount)} damage to {target.phrase}")


def launch(d: Draw) -> Part:
    speed = d.pick(pools.LENGTHS)
    if "character" in d.labels and d.chance(0.7):
        target = ref("character").said("the character")
    else:
        target = pure("GetPlayerCharacter").said("the player character")
    step = call("LaunchCharacter", inputs={"Target": target}, LaunchVelocity=xyz(0.0, 0.0, speed))
    return step.said(f"launch {target.phrase} up with {say(speed)}")


def live_for(d: Draw) -> Part:
    time = d.pick(pools.SECONDS)
    words = (f"set the life span to {say(time)}", f"give the actor a life span of {say(time)}")
    return call("SetLifeSpan", InLifespan=time).said(d.word(words))


def attach(d: Draw) -> Part:
    target = actor(d)
    return call("AttachActorToActor", inputs={"ParentActor": target}).said(
        f"attach the actor to {target.phrase}"
    )


def start_timer(d: Draw) -> Part:
    event, time, loops = _event(d), d.pick(pools.SECONDS), d.chance(0.6)
    step = call("SetTimerByFunctionName", FunctionName=event, Time=time, bLooping=loops)
    if loops:
        words = (f"start a timer that calls {event} every {seconds(time)}",
                 f"set a looping timer for {event} with {seconds(time)}")  # fmt: skip
    else:
        words = (f"start a timer that calls {event} once after {seconds(time)}",
                 f"set a timer for {event} with {seconds(time)} that does not loop")  # fmt: skip
    return step.said(d.word(words))


def stop_timer(d: Draw) -> Part:
    event = _event(d)
    words = (f"clear the timer {event}", f"stop the timer {event}")
    return call("ClearTimerByFunctionName", FunctionName=event).said(d.word(words))


def call_event(d: Draw) -> Part:
    event = _event(d)
    return call("CallEvent", EventName=event).said(d.word((f"call {event}", f"call the event {event}")))


def _event(d: Draw) -> str:
    """A custom event to call: one that exists already, or a new one that the program must then define."""
    known = [name for name in d.calls if name != d.own_event]
    if known and (d.chance(0.7) or len(d.calls) >= 2):
        return d.pick(known)
    if len(d.calls) >= 2:
        raise Impossible("no event to call")
    name = d.pick([name for name in pools.EVENT_NAMES if name not in d.calls])
    d.calls.append(name)
    return name


def play(d: Draw) -> Part:
    sound = d.pick(pools.SOUND_NAMES)
    if d.chance(0.85):
        return call("PlaySound", Sound=sound).said(d.word((f"play the sound {sound}", f"play {sound}")))
    where = place(d)
    step = call("PlaySoundAtLocation", inputs={"Location": where}, Sound=sound)
    return step.said(f"play the sound {sound} at {where.phrase}")


def open_level(d: Draw) -> Part:
    level = d.pick(pools.LEVEL_NAMES)
    return call("OpenLevel", LevelName=level).said(
        d.word((f"open the level {level}", f"load the level {level}"))
    )


def component_look(d: Draw) -> Part:
    name = d.variable(d.pick(("PointLightComponent", "StaticMeshComponent")))
    kind = d.rng.random()
    target = get(name)
    if kind < 0.35:
        return call("ToggleVisibility", inputs={"Target": target}).said(f"toggle the visibility of {name}")
    shown = kind < 0.7
    step = call("SetVisibility", inputs={"Target": target}, bNewVisibility=shown)
    return step.said(f"make {name} {'visible' if shown else 'invisible'}")


def brightness(d: Draw) -> Part:
    name = d.variable("PointLightComponent")
    step = call("SetIntensity", inputs={"Target": get(name)})
    if d.chance(0.6):
        level = d.pick((0.0, *pools.LENGTHS))
        step = call("SetIntensity", inputs={"Target": get(name)}, NewIntensity=level)
        return step.said(f"set the intensity of {name} to {say(level)}")
    source = d.variable("Float")
    return feed(step, NewIntensity=get(source)).said(f"set the intensity of {name} to {source}")


def component_pose(d: Draw) -> Part:
    name = d.variable(d.pick(("PointLightComponent", "StaticMeshComponent")))
    if d.chance(0.5):
        goal = d.vector()
        step = call("SetRelativeLocation", inputs={"Target": get(name)}, NewLocation=goal)
        return step.said(f"set the relative location of {name} to {say(goal)}")
    angle = d.pick(pools.ANGLES)
    step = call("SetRelativeRotation", inputs={"Target": get(name)}, NewRotation=turn(0.0, 0.0, angle))
    return step.said(f"set the relative rotation of {name} to yaw {say(angle)}")


def physics(d: Draw) -> Part:
    name, on = d.variable("StaticMeshComponent"), d.chance(0.6)
    step = call("SetSimulatePhysics", inputs={"Target": get(name)}, bSimulate=on)
    return step.said(f"turn {'on' if on else 'off'} physics for {name}")


def push(d: Draw) -> Part:
    name = d.variable("StaticMeshComponent")
    type_, pin, words = d.pick((("AddImpulse", "Impulse", "an impulse"), ("AddForce", "Force", "a force")))
    if d.chance(0.65):
        vector = xyz(0.0, 0.0, d.pick(pools.LENGTHS)) if d.chance(0.6) else d.vector()
        step = Part(type_, props=((pin, vector),), inputs=(("Target", get(name)),))
        return step.said(f"add {words} of {say(vector)} to {name}")
    source = d.variable("Vector")
    return call(type_, inputs={"Target": get(name), pin: get(source)}).said(
        f"add {words} of {source} to {name}"
    )


def show_widget(d: Draw) -> Part:
    kind = d.pick(pools.WIDGET_CLASSES)
    made = publish(call("CreateWidget", WidgetClass=kind), widget="ReturnValue")
    if d.chance(0.6):
        shown = call("AddToViewport", inputs={"Target": ref("widget")})
        words = (
            f"create the widget {kind} and add it to the viewport",
            f"create {kind} and show it on the screen",
        )
        return block(made, shown).said(d.word(words))
    name = d.variable("UserWidget")
    return block(made, put(name, ref("widget"))).said(f"create the widget {kind} and store it in {name}")


def use_widget(d: Draw) -> Part:
    name = d.variable("UserWidget")
    if d.chance(0.5):
        return call("AddToViewport", inputs={"Target": get(name)}).said(f"add {name} to the viewport")
    words = (f"remove {name} from its parent", f"take {name} off the screen")
    return call("RemoveFromParent", inputs={"Target": get(name)}).said(d.word(words))


def list_add(d: Draw) -> Part:
    kind = d.rng.random()
    if kind < 0.45:
        target, items = actor(d), d.variable("Array<Actor>")
        return call("ArrayAdd", inputs={"Array": get(items), "Item": target}).said(
            f"add {target.phrase} to {items}"
        )
    if kind < 0.7:
        items, text = d.variable("Array<String>"), d.text()
        return call("ArrayAdd", inputs={"Array": get(items)}, Item=text).said(f"add {say(text)} to {items}")
    items, number = d.variable("Array<Int>"), d.pick(pools.SMALL_INTS)
    return call("ArrayAdd", inputs={"Array": get(items)}, Item=number).said(
        f"add {number} to the list {items}"
    )


def list_remove(d: Draw) -> Part:
    kind = d.rng.random()
    if kind < 0.4:
        target, items = actor(d), d.variable("Array<Actor>")
        step = call("ArrayRemove", inputs={"Array": get(items), "Item": target})
        return step.said(f"remove {target.phrase} from {items}")
    items = d.variable(d.pick(("Array<Actor>", "Array<String>", "Array<Int>")))
    if kind < 0.7:
        index = d.pick((0, 1, 2, 3))
        step = call("ArrayRemoveIndex", inputs={"Array": get(items)}, Index=index)
        return step.said(f"remove item {index} from {items}")
    return call("ArrayClear", inputs={"Array": get(items)}).said(d.word((f"clear {items}", f"empty {items}")))


ACTIONS = (
    Pattern(print_text, 36.0, ("PrintString",)),
    Pattern(print_value, 6.0, ("PrintString", "GetVar")),
    Pattern(print_joined, 3.0, ("Concatenate",)),
    Pattern(print_measured, 4.0, ("GetGameTimeInSeconds", "GetVelocity", "GetActorRotation")),
    Pattern(print_name, 2.0, ("GetDisplayName", "Self", "GetPlayerController")),
    Pattern(destroy, 6.0, ("DestroyActor",)),
    Pattern(hide, 5.0, ("SetActorHiddenInGame",)),
    Pattern(collision, 2.5, ("SetActorEnableCollision",)),
    Pattern(move_to, 4.0, ("SetActorLocation",)),
    Pattern(move_made, 1.2, ("MakeVector",)),
    Pattern(
        move_relative, 3.0, ("AddVector", "SubtractVector", "MultiplyVectorFloat", "GetActorForwardVector")
    ),
    Pattern(nudge, 3.0, ("AddActorLocalOffset", "AddActorWorldOffset")),
    Pattern(rotate, 4.5, ("AddActorLocalRotation",)),
    Pattern(rotate_by_source, 2.5, ("MakeRotator",)),
    Pattern(set_rotation, 1.8, ("SetActorRotation",)),
    Pattern(resize, 2.2, ("SetActorScale3D",)),
    Pattern(spawn, 8.0, ("SpawnActorFromClass", "GetActorTransform", "MakeTransform")),
    Pattern(spawn_and_keep, 2.0, ("SpawnActorFromClass",)),
    Pattern(hurt, 2.0, ("ApplyDamage",)),
    Pattern(launch, 1.8, ("LaunchCharacter", "GetPlayerCharacter")),
    Pattern(live_for, 1.8, ("SetLifeSpan",)),
    Pattern(attach, 1.4, ("AttachActorToActor",)),
    Pattern(start_timer, 16.0, ("SetTimerByFunctionName",)),
    Pattern(stop_timer, 4.0, ("ClearTimerByFunctionName",)),
    Pattern(call_event, 6.0, ("CallEvent",)),
    Pattern(play, 16.0, ("PlaySound", "PlaySoundAtLocation")),
    Pattern(open_level, 2.0, ("OpenLevel",)),
    Pattern(component_look, 4.0, ("SetVisibility", "ToggleVisibility")),
    Pattern(brightness, 1.8, ("SetIntensity",)),
    Pattern(component_pose, 1.5, ("SetRelativeLocation", "SetRelativeRotation")),
    Pattern(physics, 1.8, ("SetSimulatePhysics",)),
    Pattern(push, 3.5, ("AddImpulse", "AddForce")),
    Pattern(show_widget, 2.5, ("CreateWidget", "AddToViewport")),
    Pattern(use_widget, 2.0, ("RemoveFromParent", "AddToViewport")),
    Pattern(list_add, 2.2, ("ArrayAdd",)),
    Pattern(list_remove, 2.8, ("ArrayRemove", "ArrayRemoveIndex", "ArrayClear")),
    *SUMS,
)


REACHED = (
    Pattern(print_reached, 5.0, ("PrintString",)),
    Pattern(act_on_reached, 5.0, ("DestroyActor", "ApplyDamage", "ArrayAdd", "ArrayRemove")),
    Pattern(keep_event_value, 2.0, ("SetVar",)),
)
REACHING, IN_LOOP = 0.22, 0.6  # odds that a step uses what its event, or its loop, hands over


def action(d: Draw) -> Part:
    """Draw one step that continues into the next."""
    looping = "element" in d.labels or "index" in d.labels
    if d.labels and d.chance(IN_LOOP if looping else REACHING):
        try:
            return d.choose(REACHED)
        except Impossible:
            return d.choose(ACTIONS)
    return d.choose(ACTIONS)
