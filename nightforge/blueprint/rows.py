"""Training rows: one schema for every origin, no key missing.

{id, instruction, output, source: {kind, ref}, hash, structure, split}

Kinds: synthetic (03), lesson (13), manual (02: written by hand), translated (05: from the editor),
reinforcement (20: a deliberate further copy of a lesson row).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nightforge.blueprint.canonical import canonical_structure_key, canonicalize
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.printer import to_text
from nightforge.core.atomic import read_jsonl, sha256_text
from nightforge.core.errors import InputError

KINDS = ("synthetic", "lesson", "manual", "translated", "reinforcement")
_BREAKS, _STOPS = set(".!?:;,"), set(".!?:")
_TOKEN = re.compile(r'"[^"]*"|[\w.\-]*\w|[<>=]|[.!?:;,]')
_LITERAL = re.compile(r"-?\d[\d.]*|true|false", re.IGNORECASE)
_INNER = re.compile(r"[A-Z_0-9]")
_KEYS = ("id", "instruction", "output", "source", "hash", "structure", "split")


@dataclass(frozen=True, slots=True)
class Row:
    """One instruction with its program in canonical text.

    `hash` is 16 hex digits over both; `structure` the key of the program's shape; `split` is train, val, or
    empty while the row is not yet placed.
    """

    id: str
    instruction: str
    output: str
    kind: str
    ref: str
    hash: str
    structure: str
    split: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON."""
        return {
            "id": self.id,
            "instruction": self.instruction,
            "output": self.output,
            "source": {"kind": self.kind, "ref": self.ref},
            "hash": self.hash,
            "structure": self.structure,
            "split": self.split,
        }

    @property
    def source(self) -> str:
        """The origin in words: `lesson lesson_01:L01-03`."""
        return f"{self.kind} {self.ref}".rstrip()

    def placed(self, split: str) -> Row:
        """The row in a split."""
        return replace(self, split=split)


def make_row(kind: str, ref: str, instruction: str, blueprint: Blueprint) -> Row:
    """Make a row; the id is the kind and the hash, so equal rows have equal ids."""
    return canonical_row(kind, ref, instruction, canonicalize(blueprint))


def canonical_row(kind: str, ref: str, instruction: str, program: Blueprint) -> Row:
    """Make a row of a program that is in canonical form already, as generated ones are."""
    output = to_text(program)
    digest = row_hash(instruction, output)
    return Row(f"{kind}-{digest}", instruction, output, kind, ref, digest, canonical_structure_key(program))


def row_hash(instruction: str, output: str) -> str:
    """16 hex digits over the instruction and the canonical program."""
    return sha256_text(instruction + output)[:16]


def rows_hash(rows: Iterable[Row]) -> str:
    """16 hex digits over placed rows in order."""
    return sha256_text("".join(f"{row.split}{row.hash}" for row in rows))[:16]


def read_rows(path: Path, next_command: str) -> list[Row]:
    """Read rows of any origin; raises InputError naming file, line and what is missing."""
    if not path.is_file():
        raise InputError(f"{path} is missing", next_command=next_command)
    return [_row(value, path, number) for number, value in enumerate(read_jsonl(path), 1)]


def normalize_instruction(text: str) -> str:
    """An instruction reduced to its words: lower case, no punctuation but that of numbers and names."""
    return " ".join(re.findall(r"[\w.\-]*\w|[<>=]", text.casefold()))


def mask_instruction(text: str) -> str:
    """An instruction with texts, numbers, true and false, and names masked: what is left is the question.

    A name is a word with a capital, an underscore or a digit inside, or a capitalised word within a sentence.
    """
    masked = []
    before = "."
    for word in _TOKEN.findall(text):
        if word in _BREAKS:
            before = word
            continue
        if word.startswith('"'):
            masked.append('"')
        elif _LITERAL.fullmatch(word):
            masked.append("#")
        elif _INNER.search(word[1:]) or (word[0].isupper() and before not in _STOPS):
            masked.append("@")
        else:
            masked.append(word.casefold())
        before = word
    return " ".join(masked)


def _row(value: dict[str, Any], path: Path, number: int) -> Row:
    missing = [key for key in _KEYS if key not in value]
    if missing:
        raise InputError(f"{path}, row {number}: {', '.join(missing)} missing")
    source = value["source"]
    if not isinstance(source, dict) or source.get("kind") not in KINDS:
        raise InputError(f"{path}, row {number}: source.kind must be one of {', '.join(KINDS)}")
    texts = [value[key] for key in ("id", "instruction", "output", "hash", "structure", "split")]
    if not all(isinstance(text, str) for text in texts):
        raise InputError(f"{path}, row {number}: every field but source must be text")
    row_id, instruction, output, digest, structure, split = texts
    ref = str(source.get("ref", ""))
    return Row(row_id, instruction, output, source["kind"], ref, digest, structure, split)
