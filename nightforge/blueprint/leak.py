"""Keeps exams out of training: what is held out, the gate that refuses a leak, how exposed a prompt is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from nightforge.blueprint.canonical import canonicalize, content_key, structure_key
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.lessons import Lesson, Prompt, load_lessons
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.rows import Row, normalize_instruction, read_rows

Exposure = Literal["seen", "near", "unseen"]
NEAR_DUPLICATE = 0.8  # Jaccard similarity of word triples above which two instructions ask for the same


@dataclass(frozen=True, slots=True)
class Finding:
    """A training row that gives an exam prompt away."""

    row_id: str
    prompt_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Holdout:
    """What must not be trained on: the structures, contents and instructions of held-out prompts."""

    structures: dict[str, str] = field(default_factory=dict)  # structure key -> prompt id
    instructions: dict[str, str] = field(default_factory=dict)  # normalised instruction -> prompt id
    triples: dict[str, frozenset[str]] = field(default_factory=dict)  # prompt id -> word triples

    @classmethod
    def of(cls, lessons: Iterable[Lesson]) -> Holdout:
        """Gather the prompts of the held-out lessons among `lessons`."""
        found = cls()
        for lesson in lessons:
            for prompt in lesson.prompts if lesson.holdout else ():
                found.structures[prompt.structure] = prompt.id
                words = normalize_instruction(prompt.instruction)
                found.instructions[words] = prompt.id
                found.triples[prompt.id] = word_triples(words)
        return found

    def by_structure(self, structure: str) -> str | None:
        """The prompt whose answer has this shape; renamed, reordered and renumbered copies have the same."""
        return self.structures.get(structure)

    def by_instruction(self, instruction: str) -> str | None:
        """The prompt that asks for the same in the same or nearly the same words."""
        words = normalize_instruction(instruction)
        if words in self.instructions:
            return self.instructions[words]
        mine = word_triples(words)
        return next(
            (name for name, theirs in self.triples.items() if similarity(mine, theirs) >= NEAR_DUPLICATE),
            None,
        )


def holdout_structures(lessons_folder: Path) -> frozenset[str]:
    """Structure keys of every held-out answer; pretraining text leaves them out too."""
    return frozenset(Holdout.of(load_lessons(lessons_folder, holdout=True)).structures)


def leak_gate(rows: Iterable[Row], lessons: Iterable[Lesson]) -> list[Finding]:
    """Check finished rows against the exams again, from the text alone; returns every row that leaks.

    Nothing stored in a row is trusted: programs are parsed and keyed anew.
    """
    holdout = Holdout.of(lessons)
    findings = []
    for row in rows:
        prompt = holdout.by_instruction(row.instruction)
        if prompt:
            findings.append(Finding(row.id, prompt, "instruction"))
        blueprint = parse(row.output).blueprint
        prompt = holdout.by_structure(structure_key(blueprint)) if blueprint else None
        if prompt:
            findings.append(Finding(row.id, prompt, "answer"))
    return findings


@dataclass(frozen=True, slots=True)
class TrainingIndex:
    """What a model was trained on: program contents by structure."""

    outputs: dict[str, tuple[str, ...]]  # structure key -> canonical programs

    @classmethod
    def of(cls, rows: Iterable[Row]) -> TrainingIndex:
        """Index rows by the structure they were stored with."""
        outputs: dict[str, list[str]] = {}
        for row in rows:
            outputs.setdefault(row.structure, []).append(row.output)
        return cls({structure: tuple(found) for structure, found in outputs.items()})

    @classmethod
    def load(cls, path: Path) -> TrainingIndex:
        """Index train.jsonl; raises InputError where it is missing or broken."""
        return cls.of(read_rows(path, "python scripts/20_deduplicate_dataset.py"))


def exposure(prompt: Prompt, index: TrainingIndex) -> Exposure:
    """How training prepared a prompt: seen = its very program, near = the same shape, unseen = neither."""
    outputs = index.outputs.get(prompt.structure)
    if not outputs:
        return "unseen"
    own = content_key(prompt.blueprint)
    text = _nameless(prompt.blueprint)
    for output in outputs:
        if output.partition("\n")[2] == text:
            return "seen"
        other = parse(output).blueprint
        if other is not None and content_key(other) == own:
            return "seen"
    return "near"


def _nameless(blueprint: Blueprint) -> str:
    """Canonical text without the line that names the program."""
    return to_text(canonicalize(blueprint)).partition("\n")[2]


def word_triples(words: str) -> frozenset[str]:
    """The runs of three words in a normalised instruction; fewer than three words make one run."""
    split = words.split()
    return frozenset(" ".join(split[i : i + 3]) for i in range(max(1, len(split) - 2)))


def similarity(first: frozenset[str], second: frozenset[str]) -> float:
    """Jaccard similarity, 0 to 1."""
    smaller, larger = sorted((len(first), len(second)))
    if smaller < NEAR_DUPLICATE * larger:  # the overlap cannot reach the limit, so it is not counted
        return 0.0
    return len(first & second) / len(first | second)
