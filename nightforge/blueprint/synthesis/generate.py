"""Draws examples: an instruction in plain English and the canonical program it asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from random import Random

from nightforge.blueprint.check import check
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.synthesis.draw import Draw, Impossible
from nightforge.blueprint.synthesis.emit import to_blueprint
from nightforge.blueprint.synthesis.handlers import Drawn, draw_program
from nightforge.blueprint.synthesis.wording import instruct

MIN_NODES = 2
COMFORTABLE_NODES = 5  # larger programs are kept less and less often
FURTHER_VARIABLE = 0.5  # odds to keep a program for each variable beyond the first


@dataclass(frozen=True, slots=True)
class Example:
    """An instruction, the program it determines, and the patterns the program was drawn from."""

    instruction: str
    blueprint: Blueprint
    patterns: tuple[str, ...]

    @property
    def text(self) -> str:
        """The program in its one spelling."""
        return to_text(self.blueprint)


def generate(
    rng: Random, count: int, *, focus: Mapping[str, float] | None = None, max_nodes: int = 12
) -> list[Example]:
    """Draw `count` valid examples of 2 to `max_nodes` nodes; `focus` maps node types to odds to add.

    The same random state gives the same examples. A program that does not pass the checker is a defect of the
    generator and raises AssertionError.
    """
    stream = examples(rng, focus=focus, max_nodes=max_nodes)
    return [next(stream) for _ in range(count)]


def examples(
    rng: Random, *, focus: Mapping[str, float] | None = None, max_nodes: int = 12
) -> Iterator[Example]:
    """Draw examples without end; raises ValueError where no program can be as small as `max_nodes`."""
    if max_nodes < MIN_NODES:
        raise ValueError(f"a program needs at least {MIN_NODES} nodes, but max_nodes is {max_nodes}")
    while True:
        _, example = drawn_example(rng, focus or {}, max_nodes)
        yield example


def drawn_example(rng: Random, focus: Mapping[str, float], max_nodes: int) -> tuple[Drawn, Example]:
    """Draw one example together with the parts it was composed of."""
    while True:
        d = Draw(rng, focus)
        try:
            drawn = draw_program(d, large=d.chance(0.12))
        except Impossible:
            continue
        size, variables = drawn.program.size, len(drawn.program.variables)
        usual = min(1.0, COMFORTABLE_NODES / size) ** 2 * FURTHER_VARIABLE ** max(0, variables - 1)
        if not MIN_NODES <= size <= max_nodes or not d.chance(usual):
            continue
        if variables > 1:  # asked for in the order in which the program declares them
            in_order = replace(drawn.program, variables=to_blueprint(drawn.program).variables)
            drawn = replace(drawn, program=in_order)
        program, instruction = instruct(d, drawn)
        blueprint = to_blueprint(program)
        problems = [found for found in check(blueprint) if found.severity == "error"]
        if problems:
            raise AssertionError(f"generated an invalid program: {problems[0].message}\n{to_text(blueprint)}")
        return drawn, Example(instruction, blueprint, drawn.patterns)
