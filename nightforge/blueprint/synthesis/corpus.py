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
from nightforge.blueprint.synthesis.parts import BLOCK, LINK, Part
from nightforge.blueprint.synthesis.wording import type_words

NEVER: frozenset[str] = frozenset()


def corpus(
    rng: Random, characters: int, *, exclude: Collection[str] = NEVER, max_nodes: int = 12
) -> Iterator[str]:
    """Yield documents of `characters` characters in all; programs of an excluded structure never appear.

    `exclude` holds structure keys, those of the held-out exams (`leak.holdout_structures`).
    """
    notes = [note(node) for node in load_catalog().nodes.values()]
    written = 0
    while written < characters:
        kind = rng.random()
        if kind < 0.04:
            text = notes[int(rng.random() * len(notes))]
        else:
            drawn, example = drawn_example(rng, {}, max_nodes)
            if structure_key(example.blueprint) in exclude:
                continue
            text = _document(kind, drawn, example)
        written += len(text)
        yield text


def _document(kind: float, drawn: Drawn, example: Example) -> str:
    if kind < 0.12:
        return example.instruction + "\n"
    if kind < 0.24 or not _said(drawn, example.blueprint):
        return example.text
    if kind < 0.5:
        return "".join(pieces(drawn, example.blueprint))
    return annotated(drawn, example.blueprint)


def note(node: NodeType) -> str:
    """A reference note: what a node is called, its kind and its pins."""
    inputs = ", ".join(f"{pin.name} {pin.type}" for pin in node.inputs) or "none"
    outputs = ", ".join(f"{pin.name} {pin.type}" for pin in node.outputs) or "none"
    return f"{node.name} is a {node.kind} node. {node.summary} Inputs: {inputs}. Outputs: {outputs}.\n"


def annotated(drawn: Drawn, blueprint: Blueprint) -> str:
    """The program with a comment in front of the nodes each part became."""
    said = _said(drawn, blueprint)
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


def pieces(drawn: Drawn, blueprint: Blueprint) -> Iterator[str]:
    """Each part alone: its words, its nodes, the wires among them."""
    said = _said(drawn, blueprint)
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
    for _, steps in part.bodies:
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
