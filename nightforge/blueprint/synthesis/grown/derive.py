"""Templates for node types that have none: from the names of node and pins, and the summary."""

from __future__ import annotations

import re

from nightforge.blueprint.catalog import NodeType
from nightforge.blueprint.synthesis.grown.phrases_events import EVENTS
from nightforge.blueprint.synthesis.grown.phrases_flow import CAST, FLOWS, Flow
from nightforge.blueprint.synthesis.grown.phrases_steps import STEPS
from nightforge.blueprint.synthesis.grown.phrases_values import VALUES
from nightforge.blueprint.synthesis.grown.vocabulary import by_name, data_inputs, data_outputs, spaced

_STATES = re.compile(r"(is|has|can|does|was|are|contains) (.+)")


@by_name
def step_templates(node: NodeType) -> tuple[str, ...]:
    """Return the templates of a step."""
    return STEPS.get(node.name) or _derived_step(node)


@by_name
def value_templates(node: NodeType, pin: str) -> tuple[str, ...]:
    """Return the templates of what a pure node yields at an output."""
    found = VALUES.get(node.name) or VALUES.get(f"{node.name}.{pin}")
    return found or _derived_value(node, pin)


@by_name
def event_templates(node: NodeType) -> tuple[str, ...]:
    """Return the templates of an event, `{pin}` standing for the exec output that runs."""
    if node.name in EVENTS:
        return EVENTS[node.name]
    several = sum(pin.is_exec for pin in node.outputs) > 1
    names = [f"{spaced(entry.name)} {{{entry.name}}}" for entry in node.properties]
    tail = f" ({', '.join(names)})" if names else ""
    said = re.match(r"Runs (?:once |again )?(when|every|while|whenever) (.+)\.", node.summary)
    title = spaced(node.name.removeprefix("Event_"))
    pin = ", {pin}" if several else ""
    found = [f"on {title}{tail}{pin}"]
    if said and not several:
        found.insert(0, f"{said[1]} {said[2]}{tail}")
    return tuple(found)


@by_name
def flow_wordings(node: NodeType) -> tuple[Flow, ...]:
    """Return the wordings of a flow node."""
    if node.name in FLOWS:
        return FLOWS[node.name]
    if node.name.startswith("CastTo"):
        return CAST
    lead = step_templates(node)[0] + (" with {tracks}" if "out" in node.user_pins else "")
    pins = {pin.name: _pin_words(pin.name) for pin in node.outputs if pin.is_exec}
    return (Flow(pins, lead=lead),)


def _pin_words(name: str) -> str:
    if name.startswith("Case_"):
        return "for {case}"
    if name.endswith(("#", "*")):
        return "{nth}"
    words = spaced(name).removeprefix("on ")
    return {"then": "right away", "completed": "when that is completed"}.get(words, f"on {words}")


def _derived_step(node: NodeType) -> tuple[str, ...]:
    words = spaced(node.name)
    pins = [pin.name for pin in data_inputs(node)]
    target = pins[0] if pins and pins[0] == "Target" else ""
    rest = [name for name in pins if name != target]
    of = " of {Target}" if target else ""
    on = " on {Target}" if target else ""
    if words.startswith("set ") and len(rest) == 1:
        what = words[4:]
        found = [f"set the {what}{of} to {{{rest[0]}}}"]
        if target:
            found.append(f"set {{Target's}} {what} to {{{rest[0]}}}")
        return tuple(found)
    return f"{words}{on}", f"run {words}{on}"


def _derived_value(node: NodeType, pin: str) -> tuple[str, ...]:
    words = spaced(node.name)
    pins = [entry.name for entry in data_inputs(node)]
    of = f" of {{{pins[0]}}}" if pins else ""
    if pins and pins[0].endswith("#"):
        of = " of {list}"
    elif any(name.endswith("#") for name in pins):
        of += " among {list}"
    if not data_outputs(node):  # what it yields depends on its use
        return (f"the {{out}}{of}",)
    several = len(data_outputs(node)) > 1
    if several:
        return (f"the {spaced(pin)}{of}",)
    if any(out.type == "Bool" for out in data_outputs(node)):
        state = _STATES.fullmatch(words)
        if state and pins:
            return (f"{{{pins[0]}}} {state[1]} {state[2]}",)
        return (f"{words}{of} holds",)
    return (f"the {words.removeprefix('get ')}{of}",)
