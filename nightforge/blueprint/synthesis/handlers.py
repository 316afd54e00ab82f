"""Whole programs: events with their bodies, the custom events they call, and what links handlers together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from nightforge.blueprint.synthesis import pools
from nightforge.blueprint.synthesis.draw import Draw
from nightforge.blueprint.synthesis.flow import MOVES, Steps, body, deciding
from nightforge.blueprint.synthesis.parts import Part, Program, link, publish


@dataclass(frozen=True, slots=True)
class EventKind:
    """An event: how it is said, what it hands over (label -> pin, type), and its odds."""

    type: str
    words: tuple[str, ...]
    weight: float
    gives: tuple[tuple[str, str, str], ...] = ()


OTHER = ("other actor", "OtherActor", "Actor")
EVENTS = (
    EventKind(
        "Event_BeginPlay", ("when the game starts", "on begin play", "when play begins", "at the start"), 5.5
    ),
    EventKind(
        "Event_Tick",
        ("every frame", "on every tick", "on tick"),
        3,
        (("delta seconds", "DeltaSeconds", "Float"),),
    ),
    EventKind("Event_EndPlay", ("when play ends", "on end play"), 1.2),
    EventKind(
        "Event_ActorBeginOverlap",
        ("when something overlaps the actor", "on begin overlap", "when an actor begins to overlap"),
        4,
        (OTHER,),
    ),
    EventKind(
        "Event_ActorEndOverlap",
        ("when the overlap ends", "on end overlap", "when an actor stops overlapping"),
        1.8,
        (OTHER,),
    ),
    EventKind(
        "Event_AnyDamage",
        ("when the actor takes damage", "on any damage"),
        2.2,
        (("damage", "Damage", "Float"), ("damage causer", "DamageCauser", "Actor")),
    ),
    EventKind(
        "Event_Hit",
        ("when the actor hits something", "on hit"),
        1.5,
        (("other actor", "Other", "Actor"), ("hit normal", "HitNormal", "Vector")),
    ),
    EventKind("Event_InputAction", ("when the {n} action is {p}", "on the {n} action {p}"), 5),
    EventKind("Event_InputKey", ("when the {n} key is {p}", "on key {n} {p}"), 4.5),
    EventKind(
        "Event_CustomEvent",
        ("when the event {n} is called", "on the custom event {n}", "in the event {n}"),
        1.5,
    ),
)
BY_TYPE = {event.type: event for event in EVENTS}
ORDER = {event.type: place for place, event in enumerate(EVENTS)}  # also the order of the catalog


@dataclass(frozen=True, slots=True)
class Clause:
    """One sentence of an instruction: when it happens, and the steps that follow."""

    when: str
    steps: Steps


Scene = tuple[Part, list[Clause]]  # a handler and the sentences that ask for it


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawn program with the clauses that ask for it."""

    program: Program
    clauses: tuple[Clause, ...]
    patterns: tuple[str, ...]


def draw_program(d: Draw, *, large: bool) -> Drawn:
    """Draw the handlers, then define every custom event they call; handlers stand in catalog order."""
    scenes: list[Scene] = []
    used: set[str] = set()
    if d.chance(0.03 + 0.3 * d.focus.get("Gate", 0.0)):
        _gated(d, scenes, used)
    else:
        count = 1 if d.chance(0.5 if large else 0.88) else 2
        for _ in range(count):
            _handler(d, scenes, used, most=4 if large and count == 1 else 3)
    while missing := [name for name in d.calls if name not in d.defined]:
        _define(d, scenes, missing[0], body)
    scenes.sort(key=lambda scene: (ORDER[scene[0].type], str(scene[0].props)))
    handlers = tuple(part for part, _ in scenes)
    names = {
        str(dict(p.props)["VarName"]) for h in handlers for p in h.walk() if p.type in ("GetVar", "SetVar")
    }
    kept = tuple(d.variables[name] for name in sorted(names))
    clauses = tuple(clause for _, said in scenes for clause in said)
    return Drawn(Program(handlers, kept), clauses, tuple(d.patterns))


def main_body(d: Draw, most: int) -> Steps:
    """The steps of a handler: some in a row, often ending in a deciding step."""
    decides = d.chance(0.72)
    odds = (80, 16, 4, 0) if decides else (38, 42, 15, 5)  # few steps stand before a deciding one
    count = d.rng.choices((1, 2, 3, 4)[:most], odds[:most])[0]
    steps = [d.choose(MOVES) for _ in range(count - decides)]
    if decides:
        steps.append(deciding(d))
    while steps[-1].type in ("Delay", "RetriggerableDelay"):
        steps.append(d.choose(MOVES))
    return tuple(steps)


def _handler(d: Draw, scenes: list[Scene], used: set[str], most: int) -> None:
    free = [event for event in EVENTS if event.type not in used]
    odds = [event.weight * (1.0 + d.focus.get(event.type, 0.0)) for event in free]
    event = d.rng.choices(free, odds)[0]
    used.add(event.type)
    d.labels = {label: type_ for label, _, type_ in event.gives}
    if event.type == "Event_CustomEvent":
        missing = [name for name in d.calls if name not in d.defined]
        name = missing[0] if missing else d.pick(pools.EVENT_NAMES)
        _define(d, scenes, name, lambda draw, last: main_body(draw, most))
        return
    if event.type not in ("Event_InputAction", "Event_InputKey"):
        _add(d, scenes, event, {"": main_body(d, most)}, name="")
        return
    name = d.pick(pools.ACTION_NAMES if event.type == "Event_InputAction" else pools.KEY_NAMES)
    kind = d.rng.random()
    if kind < 0.7:
        bodies = {"pressed": main_body(d, most)}
    elif kind < 0.85:
        bodies = {"released": main_body(d, most)}
    else:
        bodies = {"pressed": body(d, last=True), "released": body(d, last=True)}
    _add(d, scenes, event, bodies, name=name)


def _define(d: Draw, scenes: list[Scene], name: str, steps: Callable[..., Steps]) -> None:
    """Add the handler of a custom event; its body may not call the event itself."""
    d.defined.add(name)
    if name not in d.calls:
        d.calls.append(name)
    d.own_event, d.labels = name, {}
    _add(d, scenes, BY_TYPE["Event_CustomEvent"], {"": steps(d, last=True)}, name=name)
    d.own_event = ""


def _add(d: Draw, scenes: list[Scene], event: EventKind, bodies: dict[str, Steps], *, name: str) -> None:
    """Append a handler and a clause per body; body "" runs behind Then, others behind Pressed or Released."""
    prop = {"Event_InputAction": "ActionName", "Event_InputKey": "Key", "Event_CustomEvent": "EventName"}
    props = ((prop[event.type], name),) if name else ()
    outs = tuple((pin.capitalize() or "Then", steps) for pin, steps in bodies.items())
    part = Part(event.type, props=props, bodies=outs)
    part = publish(part, **{label.replace(" ", "_"): pin for label, pin, _ in event.gives})
    said = [Clause(d.word(event.words).format(n=name, p=pin), steps) for pin, steps in bodies.items()]
    scenes.append((part, said))


def _gated(d: Draw, scenes: list[Scene], used: set[str]) -> None:
    """A gate or a do-once in one handler that other handlers open, close or reset."""
    chosen = d.rng.sample([e for e in EVENTS[:7]], 3)
    reset = d.chance(0.35)
    d.labels = {label: type_ for label, _, type_ in chosen[0].gives}
    after = body(d, last=False)
    if reset:
        door = Part("DoOnce", then="Completed", label="door").said("go through a do once")
        others = [("Reset", "reset the do once")]
    else:
        closed = d.chance(0.4)
        props = (("bStartClosed", True),) if closed else ()
        door = Part("Gate", props=props, entry="Enter", then="Exit", label="door")
        door = door.said(f"go through a gate{' that starts closed' if closed else ''}")
        others = d.pick(
            (
                [("Open", "open the gate"), ("Close", "close the gate")],
                [("Open", "open the gate")],
                [("Toggle", "toggle the gate")],
                [("Close", "close the gate")],
            )
        )
    _add(d, scenes, chosen[0], {"": (door, *after)}, name="")
    for event, (entry, words) in zip(chosen[1:], others, strict=False):
        d.labels = {label: type_ for label, _, type_ in event.gives}
        before = (d.choose(MOVES[:1]),) if d.chance(0.35) else ()
        steps = (*before, link("door", entry).said(words))
        _add(d, scenes, event, {"": steps}, name="")
    used.update(event.type for event in chosen)
