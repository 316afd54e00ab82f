"""Draws examples over the whole catalog: programs grown from types, each with its instruction."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from nightforge.blueprint.check import check
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.synthesis.generate import Example
from nightforge.blueprint.synthesis.grown.build import to_blueprint
from nightforge.blueprint.synthesis.grown.facts import problems
from nightforge.blueprint.synthesis.grown.naming import Names
from nightforge.blueprint.synthesis.grown.programs import grow_tree
from nightforge.blueprint.synthesis.grown.prose import instruct
from nightforge.blueprint.synthesis.grown.scope import LEVELS, Impossible, Level
from nightforge.blueprint.synthesis.grown.tree import Tree
from nightforge.blueprint.synthesis.grown.vocabulary import vocabulary
from nightforge.core.errors import InputError

MIN_NODES = 2
MIXED = {"easy": 0.4, "medium": 0.4, "hard": 0.2}
PATIENCE = 12  # programs drawn at the level asked for before an easier one will do
_LOG = logging.getLogger(__name__)
ATTEMPTS = 200  # programs drawn for one node type before it counts as impossible at this size


class Defect(Exception):
    """A pair that must not be taught from."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of the generator.

    `difficulty` is easy, medium, hard or mixed; `targets` are node types of which every program holds one,
    empty for the whole catalog in turn; `focus` maps node types to odds to add; `invented` is the share of
    names, texts and numbers that stand in no list, 0 to 1.
    """

    difficulty: str = "mixed"
    max_nodes: int = 12
    targets: Sequence[str] = ()
    focus: Mapping[str, float] = field(default_factory=dict)
    invented: float = 0.4


def grow(rng: Random, request: Request) -> Iterator[Example]:
    """Draw examples without end; the same random state gives the same examples on every platform.

    Raises InputError for a target that is not in the catalog, and where a target fits no program of
    `max_nodes` nodes.
    """
    targets = _targets(request)
    while True:
        for target in _round(rng, targets, request.focus):
            yield _example(rng, request, target)


def _round(rng: Random, targets: Sequence[str], focus: Mapping[str, float]) -> list[str]:
    """Return every target at least once in random order, and once more for each whole odd to add."""
    found: list[str] = []
    for name in targets:
        odds = 1.0 + focus.get(name, 0.0)
        found += [name] * (int(odds) + (rng.random() < odds % 1.0))
    for last in range(len(found) - 1, 0, -1):
        other = int(rng.random() * (last + 1))
        found[last], found[other] = found[other], found[last]
    return found


def _targets(request: Request) -> list[str]:
    nodes = vocabulary().nodes
    for name in request.targets:
        if name not in nodes:
            raise InputError(
                f"synthetic.targets names {name!r}, which is no node type of the catalog",
                next_command="python scripts/06_validate_dsl.py --help",
            )
    return list(request.targets or nodes)


def _example(rng: Random, request: Request, target: str) -> Example:
    node = vocabulary().nodes[target]
    level = _level(rng, request.difficulty)
    for attempt in range(ATTEMPTS):
        if attempt >= PATIENCE:  # the easiest, so that every node type finds a program
            level = LEVELS["easy"]
        invented = 1.0 if rng.random() < request.invented else 0.0
        try:
            tree = grow_tree(Names(rng, invented), level, node, request.max_nodes, request.focus)
        except Impossible:
            continue
        if not MIN_NODES <= sum(1 for _ in tree.walk()) <= request.max_nodes:
            continue
        try:
            return finish(rng, tree, (level.name, target))
        except Defect as defect:  # one pair less must not end a night
            _LOG.warning("a generated pair was left out: %s", defect)
    raise InputError(
        f"no program of {request.max_nodes} nodes could be grown around {target}",
        next_command="python scripts/03_generate_synthetic_data.py --set synthetic.max_nodes=12",
    )


def _level(rng: Random, difficulty: str) -> Level:
    if difficulty != "mixed":
        return LEVELS[difficulty]
    return LEVELS[rng.choices(list(MIXED), list(MIXED.values()))[0]]


def finish(rng: Random, tree: Tree, patterns: tuple[str, ...]) -> Example:
    """Build and say a tree.

    Raises Defect, a mistake of this package, where a program fails a check or its text does not state it.
    """
    blueprint = to_blueprint(tree)
    instruction = instruct(tree, Names(rng, 0.0))
    errors = [found for found in check(blueprint) if found.severity == "error"]
    if errors:
        raise Defect(f"generated an invalid program: {errors[0].message}\n{to_text(blueprint)}")
    lies = problems(instruction, blueprint)
    if lies:
        raise Defect(f"{lies} in the instruction\n{instruction}\n{to_text(blueprint)}")
    return Example(instruction, blueprint, patterns)
