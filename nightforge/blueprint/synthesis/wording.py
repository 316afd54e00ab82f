"""How a drawn program is asked for: the order of sentences, the manner, and how variables are introduced."""

from __future__ import annotations

from dataclasses import replace

from nightforge.blueprint.graph import Variable, split_type
from nightforge.blueprint.synthesis import pools
from nightforge.blueprint.synthesis.draw import Draw, say
from nightforge.blueprint.synthesis.flow import Steps, join
from nightforge.blueprint.synthesis.handlers import Clause, Drawn
from nightforge.blueprint.synthesis.parts import Program

POLITE = ("Please make this: ", "I need this: ", "Can you build this: ", "Make a graph: ", "I want this: ")


def instruct(d: Draw, drawn: Drawn) -> tuple[Program, str]:
    """Name the program and write the whole instruction; everything the program contains is said."""
    program, intro = _named(d, drawn.program)
    polite = d.chance(0.06)
    behaviour = _behaviour(d, drawn.clauses, colons=not polite)
    declared = _variables(d, program.variables)
    if polite:
        behaviour = d.pick(POLITE) + behaviour[0].lower() + behaviour[1:]
    sentences = [declared, behaviour] if d.chance(0.6) else [behaviour, declared]
    return program, " ".join(text for text in (intro, *sentences) if text)


def _named(d: Draw, program: Program) -> tuple[Program, str]:
    """Most programs keep the plain name; one in twelve is named, some of those with another parent."""
    if not d.chance(0.08):
        return program, ""
    name = f"BP_{d.pick(pools.BLUEPRINT_WORDS)}"
    if d.chance(0.3):
        parent = d.pick(("Pawn", "Character"))
        text = d.pick((f"Create {name}, a {parent}.", f"{name} is a {parent}."))
        return replace(program, name=name, parent=parent), text
    text = d.pick((f"Create {name}.", f"Blueprint {name}.", f"This is for {name}.", f"Make {name}."))
    return replace(program, name=name), text


def _behaviour(d: Draw, clauses: tuple[Clause, ...], *, colons: bool) -> str:
    style = d.rng.random()
    if style < 0.18 and len(clauses) == 1 and _plain(clauses[0].steps):
        return _sentence(f"{join(d, clauses[0].steps)} {clauses[0].when}")
    mark = ": " if colons and style > 0.8 else ", "
    return " ".join(_sentence(f"{clause.when}{mark}{join(d, clause.steps)}") for clause in clauses)


def _plain(steps: Steps) -> bool:
    """Whether the event can be said after the steps: at most two, none with a body, no wait in front."""
    return len(steps) <= 2 and all(not step.bodies and step.then == "Then" for step in steps)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."


def _variables(d: Draw, variables: tuple[Variable, ...]) -> str:
    """Introduce every variable with its type and its start value."""
    if not variables:
        return ""
    style = d.rng.random()
    if style < 0.25:
        return "Variables: " + ", ".join(_short(variable) for variable in variables) + "."
    if style < 0.4:
        said = " and ".join(_long(variable, " starting at ") for variable in variables)
        return d.pick(("There is ", "Use ", "It has ")) + said + "."
    return " ".join(_sentence(_own_sentence(variable)) for variable in variables)


def type_words(type_: str) -> str:
    """`Float`, or `Actor array` for `Array<Actor>`."""
    head, arguments = split_type(type_)
    return f"{arguments[0]} array" if head == "Array" else type_


def _short(variable: Variable) -> str:
    words = f"{variable.name} ({type_words(variable.type)}"
    return words + (")" if variable.default is None else f", {say(variable.default)})")


def _long(variable: Variable, middle: str) -> str:
    words = type_words(variable.type)
    article = "an" if words[0] in "AI" else "a"
    start = "" if variable.default is None else f"{middle}{say(variable.default)}"
    return f"{article} {words} variable {variable.name}{start}"


def _own_sentence(variable: Variable) -> str:
    if variable.default is None:
        return f"{variable.name} is {_long(variable, '').rsplit(' ', 1)[0]}"
    return f"the {type_words(variable.type)} variable {variable.name} starts at {say(variable.default)}"
