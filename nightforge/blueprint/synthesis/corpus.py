"""Text for pretraining the tiny base model: the language and words for its parts, no instruction with answer.

The base learns how programs look, which words belong to which node, and to copy names and numbers. Turning a
whole instruction into a whole program is left to the adapter, so that the exam measures what training added.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from random import Random

from nightforge.blueprint.canonical import structure_key
from nightforge.blueprint.catalog import NodeType, load_catalog
from nightforge.blueprint.graph import Blueprint, Variable
from nightforge.blueprint.printer import node_line, to_text, variable_line, wire_line
from nightforge.blueprint.synthesis.draw import say
from nightforge.blueprint.synthesis.generate import Example, drawn_example
from nightforge.blueprint.synthesis.handlers import Drawn
from nightforge.blueprint.synthesis.parts import BLOCK, DEFAULT_NAME, LINK, Part
from nightforge.blueprint.synthesis.wording import type_words

NEVER: frozenset[str] = frozenset()
MIXTURE = {  # kind of document -> share
    "outlined": 0.45,  # every part in words, one to a comment, then the program
    "annotated": 0.2,  # the program, each part's words in front of its nodes
    "pieces": 0.15,  # single parts with their words
    "program": 0.1,
    "instruction": 0.08,  # without its program
    "note": 0.02,  # what a node type is
}


def corpus(
    rng: Random, characters: int, *, exclude: Collection[str] = NEVER, max_nodes: int = 12
) -> Iterator[str]:
    """Yield documents of `characters` characters in all; programs of an excluded structure never appear.

    `exclude` holds structure keys, those of the held-out exams (`leak.holdout_structures`).
    """
    written = 0
    for text in documents(rng, exclude=exclude, max_nodes=max_nodes):
        if written >= characters:
            return
        written += len(text)
        yield text


def documents(rng: Random, *, exclude: Collection[str] = NEVER, max_nodes: int = 12) -> Iterator[str]:
    """Yield documents without end, in the mixture of `MIXTURE`."""
    notes = [note(node) for node in load_catalog().core().values()]
    kinds, odds = zip(*MIXTURE.items(), strict=True)
    while True:
        kind = rng.choices(kinds, odds)[0]
        if kind == "note":
            yield notes[int(rng.random() * len(notes))]
            continue
        drawn, example = drawn_example(rng, {}, max_nodes)
        if structure_key(example.blueprint) not in exclude:
            yield _document(kind, drawn, example)


def _document(kind: str, drawn: Drawn, example: Example) -> str:
    if kind == "instruction":
        return example.instruction + "\n"
    said = _said(drawn, example.blueprint)
    if kind == "program" or not said:
        return example.text
    if kind == "pieces":
        return "".join(pieces(said, example.blueprint))
    return annotated(said, example.blueprint) if kind == "annotated" else outlined(said, example.blueprint)


def note(node: NodeType) -> str:
    """A reference note: what a node is called, its kind and its pins."""
    inputs = ", ".join(f"{pin.name} {pin.type}" for pin in node.inputs) or "none"
    outputs = ", ".join(f"{pin.name} {pin.type}" for pin in node.outputs) or "none"
    return f"{node.name} is a {node.kind} node. {node.summary} Inputs: {inputs}. Outputs: {outputs}.\n"


def outlined(said: dict[int, str], blueprint: Blueprint) -> str:
    """The program behind a list of comments: its variables, then its parts in the order of their nodes."""
    named = [] if blueprint.name == DEFAULT_NAME else [f"{blueprint.name}, {blueprint.parent}"]
    variables = [_declared(variable) for variable in blueprint.variables]
    words = [*named, *variables, *(said[place] for place in sorted(said))]
    return "".join(f"# {text}\n" for text in words) + to_text(blueprint)


def annotated(said: dict[int, str], blueprint: Blueprint) -> str:
    """The program with a comment in front of the nodes each part became."""
    lines = to_text(blueprint).splitlines()
    out: list[str] = []
    position = 0
    for line in lines:
        if line.startswith("VAR "):
            variable = blueprint.variables[sum(1 for kept in out if kept.startswith("VAR "))]
            out.append(f"# {_declared(variable)}")
        if line.startswith("NODE "):
            if position in said:
                out.append(f"# {said[position]}")
            position += 1
        out.append(line)
    return "\n".join(out) + "\n"


def pieces(said: dict[int, str], blueprint: Blueprint) -> Iterator[str]:
    """Each part alone: its words, its nodes, the wires among them."""
    nodes, wires = blueprint.graphs[0].nodes, blueprint.graphs[0].wires
    starts = sorted(said)
    for start, end in zip(starts, [*starts[1:], len(nodes)], strict=True):
        inside = {node.id for node in nodes[start:end]}
        yield f"# {said[start]}\n"
        yield from (node_line(node) + "\n" for node in nodes[start:end])
        yield from (
            wire_line(wire) + "\n" for wire in wires if wire.source in inside and wire.target in inside
        )
    yield from (f"# {_declared(variable)}\n{variable_line(variable)}\n" for variable in blueprint.variables)


def _declared(variable: Variable) -> str:
    start = "" if variable.default is None else f" starting at {say(variable.default)}"
    return f"{type_words(variable.type)} variable {variable.name}{start}"


def _said(drawn: Drawn, blueprint: Blueprint) -> dict[int, str]:
    """Words by the place of the first node they ask for; empty where canonical order moved a node."""
    types: list[str] = []
    said: dict[int, str] = {}
    clauses = iter(drawn.clauses)
    for handler in drawn.program.handlers:
        first = next(clauses)
        said[len(types)] = first.when
        types.append(handler.type)
        for index, (_, steps) in enumerate(handler.bodies):
            if index:
                said[len(types)] = next(clauses).when + ", "
            for step in steps:
                _walk(step, types, said)
    return said if types == [node.type for node in blueprint.nodes()] else {}


def _walk(part: Part, types: list[str], said: dict[int, str]) -> None:
    start = len(types)
    words = part.phrase
    if part.bodies and not part.type.startswith("@"):
        literals = [say(value) for _, value in part.props]
        words = " ".join([_spaced(part.type), *(source.phrase for _, source in part.inputs), *literals])
    if words and part.type != LINK:
        said[start] = said.get(start, "") + words
    for _, source in part.inputs:
        _feed(source, types)
    if not part.type.startswith("@"):
        types.append(part.type)
    for pin, steps in part.bodies:
        if part.type != BLOCK:  # the exec pin a body runs behind
            said[len(types)] = f"{pin}: "
        for step in steps:
            if part.type == BLOCK:
                _feed(step, types)
            else:
                _walk(step, types, said)


def _feed(part: Part, types: list[str]) -> None:
    for _, source in part.inputs:
        _feed(source, types)
    if not part.type.startswith("@"):
        types.append(part.type)


def _spaced(name: str) -> str:
    """`ForEachLoop` as words: for each loop."""
    return "".join(f" {char.lower()}" if char.isupper() else char for char in name).strip()
