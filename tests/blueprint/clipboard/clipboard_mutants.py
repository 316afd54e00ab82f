"""Damages clipboard texts in the ways files, editors and people do, and in ways nobody would."""

from __future__ import annotations

import random

_PIECES = (
    '"',
    "'",
    "(",
    ")",
    ",",
    "=",
    "\\",
    "\n",
    "\r\n",
    "\ufeff",
    "\0",
    "\t",
    " ",
    "((((((((",
    "))))",
    '\\"',
    "LinkedTo=(",
    "Begin Object",
    "End Object",
    "CustomProperties Pin (",
    "PinName=",
    'Direction="EGPD_Output",',
    "Class=",
    "None",
    "K2Node_Knot",
    "\u4f60",
    "\U0001f4a1",
    "9" * 400,
    "-1e999",
    "nan",
    "Name=",
    "PinType.ContainerType=Map",
)


def mutant(text: str, rng: random.Random) -> str:
    """Return a damaged copy of a text, the same for the same generator."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        text = rng.choice(_WAYS)(text, rng)
    return text


def _cut(text: str, rng: random.Random) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _behead(text: str, rng: random.Random) -> str:
    return text[rng.randrange(len(text) + 1) :]


def _insert(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice(_PIECES) + text[place:]


def _replace(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice(_PIECES) + text[place + rng.randrange(12) :]


def _remove(text: str, rng: random.Random) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + text[place + rng.randrange(60) :]


def _shuffle_lines(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    for _ in range(rng.randrange(1, 5)):
        a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[a], lines[b] = lines[b], lines[a]
    return "\n".join(lines)


def _repeat_lines(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    start = rng.randrange(len(lines))
    part = lines[start : start + rng.randrange(1, 30)]
    place = rng.randrange(len(lines) + 1)
    return "\n".join([*lines[:place], *part, *lines[place:]])


def _swap_words(text: str, rng: random.Random) -> str:
    words = text.split(",")
    a, b = rng.randrange(len(words)), rng.randrange(len(words))
    words[a], words[b] = words[b], words[a]
    return ",".join(words)


def _twice(text: str, rng: random.Random) -> str:
    return text + text if len(text) < 60_000 else text


_WAYS = (
    _cut,
    _behead,
    _insert,
    _insert,
    _replace,
    _replace,
    _remove,
    _shuffle_lines,
    _repeat_lines,
    _swap_words,
    _twice,
)
