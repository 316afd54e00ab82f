"""Resolves links by (node name, PinId), checks both ends, and carries wires through knots.

PinIds repeat across nodes (copied nodes keep them) and names across graphs, so a link is looked up inside its
own graph, and the end that points back decides where several fit.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from nightforge.blueprint.clipboard.errors import ClipboardError
from nightforge.blueprint.clipboard.kinds import is_routing
from nightforge.blueprint.clipboard.objects import Link, RawObject, RawPin

MAX_WIRES = 1_000_000  # of one graph
End = tuple[int, int]  # index of the node in its graph, index of the pin in its node


@dataclass(frozen=True, slots=True)
class RawWire:
    """A wire from an output pin to an input pin, both by index."""

    source: End
    target: End


@dataclass(slots=True)
class Wiring:
    """The wires of one graph: as stated, and with the knots taken out.

    stated: every wire of the text with both ends in it. wires: those between nodes that are no knots.
    outside: pins whose link leads to a node that was not copied. notes: what was unusual, in words.
    """

    stated: list[RawWire] = field(default_factory=list)
    wires: list[RawWire] = field(default_factory=list)
    outside: list[tuple[End, Link]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def resolve(nodes: list[RawObject]) -> Wiring:
    """Resolve the links of one graph; raises ClipboardError where an end can't be what it says."""
    found = Wiring()
    by_name: dict[str, list[int]] = defaultdict(list)
    for index, node in enumerate(nodes):
        by_name[node.name].append(index)
    pins: dict[tuple[int, str], list[int]] = defaultdict(list)
    for index, node in enumerate(nodes):
        for place, pin in enumerate(node.pins):
            pins[index, pin.id].append(place)
    stated: dict[RawWire, int] = {}
    for index, node in enumerate(nodes):
        for place, pin in enumerate(node.pins):
            for link in pin.links:
                here = (index, place)
                other = _other_end(nodes, by_name, pins, here, link, found)
                if other is not None:
                    wire = RawWire(here, other) if pin.is_output else RawWire(other, here)
                    stated[wire] = stated.get(wire, 0) | (1 if pin.is_output else 2)
    for wire, ends in stated.items():
        if ends != 3:
            found.notes.append(f"the wire {_wire_text(nodes, wire)} is stated on one end only; it is kept")
    found.stated = list(stated)
    found.wires = _through_knots(nodes, found.stated, found.notes)
    return found


def _other_end(
    nodes: list[RawObject],
    by_name: dict[str, list[int]],
    pins: dict[tuple[int, str], list[int]],
    here: End,
    link: Link,
    found: Wiring,
) -> End | None:
    """Find the pin a link means; None where its node was not copied."""
    candidates = by_name.get(link.node)
    if not candidates:
        found.outside.append((here, link))
        return None
    node, pin = nodes[here[0]], nodes[here[0]].pins[here[1]]
    ends = [(index, place) for index in candidates for place in pins.get((index, link.pin_id), ())]
    if not ends:
        message = f"{node.name}.{pin.name} is linked to {link.node}, which has no pin {link.pin_id}"
        raise ClipboardError("CLIP107", message, pin.line)
    fitting = [end for end in ends if _pin(nodes, end).is_output != pin.is_output]
    if not fitting:
        other = _pin(nodes, ends[0])
        side = "outputs" if pin.is_output else "inputs"
        message = f"{node.name}.{pin.name} is linked to {link.node}.{other.name}, but both are {side}"
        raise ClipboardError("CLIP107", message, pin.line)
    if len(fitting) > 1:
        back = Link(node.name, pin.id)
        fitting = [end for end in fitting if back in _pin(nodes, end).links] or fitting
    twins = by_name[node.name]
    if len(fitting) > 1 and len(twins) == len(candidates):  # the same copy pasted twice: each has its own
        copy = candidates[bisect_left(twins, here[0])]
        fitting = [end for end in fitting if end[0] == copy] or fitting
    if len(fitting) > 1:
        message = f"the link of {node.name}.{pin.name} fits {len(fitting)} pins of objects named {link.node}"
        raise ClipboardError("CLIP107", message, pin.line)
    return fitting[0]


def _through_knots(nodes: list[RawObject], stated: list[RawWire], notes: list[str]) -> list[RawWire]:
    """Return the wires between real nodes: each knot passes on all that enters it, any number in a row."""
    knots = {index for index, node in enumerate(nodes) if is_routing(node)}
    if not knots:
        return stated
    onward: dict[int, list[End]] = defaultdict(list)  # knot -> what its output feeds
    for wire in (wire for wire in stated if wire.source[0] in knots):
        onward[wire.source[0]].append(wire.target)
    wires: dict[RawWire, None] = {}
    behind: dict[int, tuple[list[End], set[int]]] = {}  # first knot -> real pins and knots behind it
    for wire in (wire for wire in stated if wire.source[0] not in knots):
        first = wire.target[0]
        if first not in knots:
            wires[wire] = None
            continue
        if first not in behind:
            behind[first] = _reach(first, knots, onward)
        wires.update((RawWire(wire.source, end), None) for end in behind[first][0])
        if len(wires) > MAX_WIRES:
            raise ClipboardError("CLIP107", f"the knots join more than {MAX_WIRES} pairs of pins")
        if not behind[first][0]:
            name = f"{nodes[wire.source[0]].name}.{_pin(nodes, wire.source).name}"
            notes.append(f"{name} leads to knots that end nowhere")
    unfed = knots.difference(*(passed for _, passed in behind.values()))
    lost = [index for index in sorted(unfed) if any(end[0] not in knots for end in onward[index])]
    notes += [f"knot {nodes[index].name} feeds a node, but nothing feeds the knot" for index in lost]
    return list(wires)


def _reach(first: int, knots: set[int], onward: dict[int, list[End]]) -> tuple[list[End], set[int]]:
    """Return the real pins behind a knot and the knots on the way; a ring of knots is walked once."""
    ends: dict[End, None] = {}
    passed = {first}
    todo = [first]
    while todo:
        for end in onward[todo.pop()]:
            if end[0] not in knots:
                ends[end] = None
            elif end[0] not in passed:
                passed.add(end[0])
                todo.append(end[0])
    return list(ends), passed


def wired_pins(wires: Iterable[RawWire]) -> set[End]:
    """Return every pin that has a wire."""
    return {end for wire in wires for end in (wire.source, wire.target)}


def _pin(nodes: list[RawObject], end: End) -> RawPin:
    return nodes[end[0]].pins[end[1]]


def _wire_text(nodes: list[RawObject], wire: RawWire) -> str:
    source, target = nodes[wire.source[0]], nodes[wire.target[0]]
    return f"{source.name}.{_pin(nodes, wire.source).name} -> {target.name}.{_pin(nodes, wire.target).name}"
