"""Mutated programs get diagnostics: no crash, no hang; what parses can be printed and read again.

Default 300 cases; the slow one 4,000. `NIGHTFORGE_FUZZ=100000` sets another number for it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from random import Random

import pytest
from language_cases import LANTERN, TWO_GRAPHS

from nightforge.blueprint.check import validate
from nightforge.blueprint.diagnostics import CODES
from nightforge.blueprint.docs import LARGER
from nightforge.blueprint.fixing import fix
from nightforge.blueprint.parser import KEYWORDS, parse
from nightforge.blueprint.printer import to_text

SEEDS = (LANTERN, TWO_GRAPHS, LARGER)
PIECES = [
    *KEYWORDS,
    *':=[]()<>,."#@\\',
    "->",
    "\n",
    "\r\n",
    "\t",
    "\ufeff",
    "\x00",
    "§",
    "名",
    "n1",
    "in",
    "out",
]
PIECES += [
    "exec",
    "Array<",
    "Class<Actor>",
    "true",
    "-5",
    "1e999",
    '"\\u12',
    "(X=1",
    "@Key=",
    "K2Node_X",
    "T",
    "Self",
]
SLOWEST_S = 2.0  # processor time of one small text; a hang is minutes


def mutated(rng: Random) -> str:
    """Damage a program in one to eight places: letters, pieces, lines, halves of two programs."""
    text = rng.choice(SEEDS)
    for _ in range(rng.randint(1, 8)):
        text = rng.choice(DAMAGES)(rng, text, rng.randrange(len(text) + 1))
    return text


def shuffle(rng: Random, text: str, place: int) -> str:
    lines = text.split("\n")
    return "\n".join(rng.sample(lines, len(lines)))


DAMAGES: tuple[Callable[[Random, str, int], str], ...] = (
    lambda rng, text, place: text[:place] + text[place + rng.choice([1, 1, 2, 5, 30]) :],
    lambda rng, text, place: text[:place] + rng.choice(PIECES) * rng.choice([1, 1, 1, 2, 40]) + text[place:],
    lambda rng, text, place: text[:place] + chr(rng.randrange(0x300)) + text[place + 1 :],
    lambda rng, text, place: text + rng.choice(text.split("\n")) + "\n",
    lambda rng, text, place: text[:place] + rng.choice(SEEDS)[place:],
    lambda rng, text, place: text.replace(rng.choice(text.split() or ["n1"]), rng.choice(PIECES), 2),
    shuffle,
)


def survives(text: str) -> None:
    """Hold a text to what is promised of any text."""
    started = time.process_time()
    validation = validate(text)
    lines = text.count("\n") + text.count("\r") + 1
    for found in validation.diagnostics:
        assert (
            found.code in CODES
            and found.message
            and found.expected
            and 1 <= found.line <= lines
            and found.column >= 1
        )
    if validation.blueprint is not None:
        assert parse(to_text(validation.blueprint)).blueprint == validation.blueprint
    fixed = fix(text)
    assert fixed.text == text if fixed.errors else validate(fixed.text).valid
    assert time.process_time() - started < SLOWEST_S


def run(cases: int, seed: int) -> None:
    rng = Random(seed)
    for _ in range(cases):
        text = mutated(rng)
        try:
            survives(text)
        except Exception as error:
            raise AssertionError(f"{type(error).__name__}: {error}\n{text!r}") from error


def test_mutated_programs_only_get_diagnostics() -> None:
    run(300, seed=4)


@pytest.mark.slow
def test_many_mutated_programs_only_get_diagnostics() -> None:
    run(int(os.environ.get("NIGHTFORGE_FUZZ", "4000")), seed=5)
