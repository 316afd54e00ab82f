"""Composes instructions: sentences where they stay clear, an indented outline for nested steps."""

from __future__ import annotations

from nightforge.blueprint.catalog import NodeType
from nightforge.blueprint.graph import Variable, split_type
from nightforge.blueprint.synthesis.grown.derive import event_templates, flow_wordings
from nightforge.blueprint.synthesis.grown.naming import Names, say
from nightforge.blueprint.synthesis.grown.phrases_flow import JUMPS, ORDINALS, Flow
from nightforge.blueprint.synthesis.grown.render import Speaker, name_words
from nightforge.blueprint.synthesis.grown.tree import Call, Jump, Params, Routine, Steps, Tree
from nightforge.blueprint.synthesis.grown.vocabulary import is_flow, spaced

POLITE = ("Please make this: ", "I need this: ", "Can you build this: ", "Make a graph: ", "I want this: ")
OUTLINE = 0.12  # odds of an outline where sentences would do


def instruct(tree: Tree, names: Names) -> str:
    """Write the instruction of a tree: everything the program contains is said."""
    speaker = Speaker(names, tree.parent)
    outline = names.chance(OUTLINE) or not all(
        clear(steps)
        for entry in (*tree.handlers, *(routine.entry for routine in tree.routines))
        for steps in entry.bodies.values()
    )
    intro = _intro(tree, names)
    declared = _variables(names, tree.variables)
    if outline:
        said = [_routine_outline(speaker, routine) for routine in tree.routines]
        behaviour = "\n".join([*said, *(_outlined(speaker, handler) for handler in tree.handlers)])
        parts = [text for text in (intro, declared) if text]
        return (" ".join(parts) + "\n" if parts else "") + behaviour
    behaviour = _sentences(speaker, tree)
    parts = [declared, behaviour] if names.chance(0.6) else [behaviour, declared]
    return " ".join(text for text in (intro, *parts) if text)


def clear(steps: Steps, depth: int = 0) -> bool:
    """Say whether steps can be said in sentences: flow nodes stand last, and only the last body nests."""
    for number, step in enumerate(steps):
        if isinstance(step, Jump) or not step.bodies:
            continue
        if number != len(steps) - 1 or depth > 1:
            return False
        bodies = list(step.bodies.values())
        if not all(_flat(body) for body in bodies[:-1]) or not clear(bodies[-1], depth + 1):
            return False
    return True


def _flat(steps: Steps) -> bool:
    return all(isinstance(step, Jump) or not step.bodies for step in steps)


def _intro(tree: Tree, names: Names) -> str:
    name, parent = name_words(tree.name), tree.parent
    article = "an" if parent[0] in "AEIO" else "a"
    if parent == "Actor" and not tree.named:
        return ""
    if not tree.named:
        return names.pick((f"This is {article} {parent} blueprint.", f"The parent class is {parent}."))
    if parent == "Actor" and names.chance(0.8):
        return names.pick((f"Create {name}.", f"Blueprint {name}.", f"This is for {name}.", f"Make {name}."))
    return names.pick((f"Create {name}, {article} {parent}.", f"{name} is {article} {parent}.",
                       f"Make {name} with the parent {parent}."))  # fmt: skip


# Sentences


def _sentences(speaker: Speaker, tree: Tree) -> str:
    names = speaker.names
    polite = names.chance(0.05)
    said = [_routine_sentence(speaker, routine) for routine in tree.routines]
    for handler in tree.handlers:
        for pin, steps in handler.bodies.items():
            when = _when(speaker, handler, pin)
            mark = ": " if not polite and names.chance(0.2) else ", "
            if names.chance(0.15) and _flat(steps) and len(steps) <= 2 and "," not in when:
                said.append(_sentence(f"{join(speaker, steps)} {when}"))
            else:
                said.append(_sentence(f"{when}{mark}{join(speaker, steps)}"))
    text = " ".join(said)
    return names.pick(POLITE) + text[0].lower() + text[1:] if polite and text[1].islower() else text


def _when(speaker: Speaker, handler: Call, pin: str) -> str:
    template = speaker.choose(event_templates(handler.type), handler)
    words = speaker.fill(handler, template, {"pin": spaced(pin)})
    if not handler.outs:
        return words
    given = " and ".join(f"{name_words(name)} ({type_words(type_)})" for name, type_ in handler.outs)
    return f"{words} with {given}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def join(speaker: Speaker, steps: Steps) -> str:
    """Say steps in a row."""
    said = [_step(speaker, step) for step in steps]
    pick = speaker.names.pick
    if len(said) == 1:
        return said[0]
    if len(said) == 2:
        return pick((", then ", ", then ", " and then ", " and ", ", and after that ")).join(said)
    middle, end = pick(((", then ", ", then "), (", ", ", and then "), (", then ", ", and finally ")))
    return middle.join(said[:-1]) + end + said[-1]


def _step(speaker: Speaker, step: Call | Jump) -> str:
    if isinstance(step, Jump):
        return speaker.names.pick(jump_words(step.target.type, step.entry))
    if step.type.name == "FunctionResult":
        return _returned(speaker, step)
    if not is_flow(step.type):
        return speaker.step(step)
    lead, parts = _flow(speaker, step)
    said = [f"{words}{'' if words.endswith((' and', ' time', ' success')) else ','} {join(speaker, steps)}"
            for words, steps in parts]  # fmt: skip
    return (f"{lead}: " if lead else "") + "; ".join(said)


def jump_words(node: NodeType, entry: str) -> tuple[str, ...]:
    """Return the words for a wire into another exec input: open the gate."""
    return JUMPS.get((node.name, entry)) or (f"{spaced(entry)} the {spaced(node.name)}".lower(),)


def _flow(speaker: Speaker, call: Call) -> tuple[str, list[tuple[str, Steps]]]:
    """Return the lead of a flow node, and the words in front of the steps behind each output."""
    wordings = flow_wordings(call.type)
    fitting = [wording for wording in wordings if _suits(speaker, call, wording)] or [wordings[-1]]
    wording = speaker.names.pick(fitting)
    found = []
    for number, (pin, steps) in enumerate(call.bodies.items()):
        words = wording.alone.get(pin, "") if len(call.bodies) == 1 else ""
        found.append(
            (words or wording.pins.get(pin) or _family(wording, pin), _extra(call, pin, number), steps)
        )
    said = " ".join([wording.lead, *(words for words, _, _ in found)])
    tail = speaker.tail(call, speaker.mentioned(call, said))
    lead = speaker.slots(call, wording.lead, _extra(call, "", 0)) + tail if wording.lead else ""
    parts = [(speaker.slots(call, words, extra), steps) for words, extra, steps in found]
    if tail and not lead:
        parts[0] = (parts[0][0] + tail, parts[0][1])
    return lead, parts


def _suits(speaker: Speaker, call: Call, wording: Flow) -> bool:
    texts = [wording.lead, *(wording.pins.get(pin, "") for pin in call.bodies)]
    return all(speaker.suits(call, text) for text in texts)


def _family(wording: Flow, pin: str) -> str:
    return next(
        words for name, words in wording.pins.items() if name[-1] in "#*" and pin.startswith(name[:-1])
    )


def _extra(call: Call, pin: str, number: int) -> dict[str, str]:
    case = pin.partition("_")[2]
    text = case if case.isdecimal() else f'"{case}"'
    kind = call.type.name.removeprefix("CastTo")
    tracks = _listed([f"a {type_} track {name}" for name, type_ in call.outs]) if call.outs else ""
    return {"tracks": tracks, "nth": ORDINALS[min(number, len(ORDINALS) - 1)], "case": text, "class": kind}


# Functions and macros


def _header(names: Names, routine: Routine) -> str:
    takes, gives = _params(routine.ins), _params(routine.outs)
    pins = f" with {takes} as input" if takes else ""
    pins += f"{' and' if takes else ' with'} {gives} as output" if gives else ""
    verb = names.pick(("Write", "Define", "Add", "Create"))
    return f"{verb} the {routine.kind} {routine.name}{pins}"


def _params(params: Params) -> str:
    return (
        _listed([f"{'an' if type_[0] in 'AEI' else 'a'} {type_} {name}" for name, type_ in params])
        if params
        else ""
    )


def _returned(speaker: Speaker, result: Call) -> str:
    values = [f"{speaker.slot(result, name)} as {name}" for name, _ in result.ins]
    return "return " + _listed(values) if values else "leave the macro"


def _routine_sentence(speaker: Speaker, routine: Routine) -> str:
    steps = next(iter(routine.entry.bodies.values()))
    start = speaker.names.pick((": ", ". It should ", " that does this: "))
    return _sentence(f"{_header(speaker.names, routine)}{start}{join(speaker, steps)}")


def _routine_outline(speaker: Speaker, routine: Routine) -> str:
    lines = [_header(speaker.names, routine) + ":"]
    _bullets(speaker, next(iter(routine.entry.bodies.values())), 0, lines)
    return "\n".join(lines)


# Outline


def _outlined(speaker: Speaker, handler: Call) -> str:
    lines: list[str] = []
    for pin, steps in handler.bodies.items():
        lines.append(_upper(_when(speaker, handler, pin)) + ":")
        _bullets(speaker, steps, 0, lines)
    return "\n".join(lines)


def _bullets(speaker: Speaker, steps: Steps, depth: int, lines: list[str]) -> None:
    indent = "  " * depth
    for step in steps:
        if isinstance(step, Jump) or not is_flow(step.type):
            lines.append(f"{indent}- {_step(speaker, step)}")
            continue
        lead, parts = _flow(speaker, step)
        inner = depth
        if lead:
            lines.append(f"{indent}- {lead}:")
            inner += 1
        for words, body in parts:
            lines.append(f"{'  ' * inner}- {words}:")
            _bullets(speaker, body, inner + 1, lines)


def _upper(text: str) -> str:
    return text[0].upper() + text[1:]


# Variables


def _variables(names: Names, variables: tuple[Variable, ...]) -> str:
    """Introduce every variable with its type and its start value."""
    if not variables:
        return ""
    style = names.rng.random()
    if style < 0.35:
        return "Variables: " + ", ".join(_short(variable) for variable in variables) + "."
    if style < 0.6:
        said = _listed([_long(variable) for variable in variables])
        return names.pick(("There is ", "Use ", "It has ", "Add ")) + said + "."
    return " ".join(_own_sentence(names, variable) for variable in variables)


def type_words(type_: str) -> str:
    """Return `Float`, `Actor array`, `Int set`, or `map from String to Int`."""
    head, arguments = split_type(type_)
    if head == "Map":
        return f"map from {arguments[0]} to {arguments[1]}"
    if arguments:
        return f"{arguments[0]} {head.lower()}"
    return type_


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]


def _short(variable: Variable) -> str:
    words = f"{name_words(variable.name)} ({type_words(variable.type)}"
    return words + (")" if variable.default is None else f", {say(variable.default)})")


def _long(variable: Variable) -> str:
    words = type_words(variable.type)
    start = "" if variable.default is None else f" starting at {say(variable.default)}"
    article = "an" if words[0] in "AEIO" else "a"
    if words.startswith("map "):
        return f"a variable {name_words(variable.name)}, a {words}{start}"
    return f"{article} {words} variable {name_words(variable.name)}{start}"


def _own_sentence(names: Names, variable: Variable) -> str:
    words = type_words(variable.type)
    name = name_words(variable.name)
    if words.startswith("map "):
        return f"The variable {name} is a {words}."
    if variable.default is None:
        article = "an" if words[0] in "AEIO" else "a"
        return names.pick(
            (f"The variable {name} is {article} {words}.", f"There is {article} {words} variable {name}.")
        )
    return names.pick(
        (
            f"The {words} variable {name} starts at {say(variable.default)}.",
            f"The variable {name} is of type {words} and starts at {say(variable.default)}.",
        )
    )
    # fmt: skip
