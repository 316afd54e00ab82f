"""Merges rows of all sources: quality gate, duplicates, held-out prompts, cap per structure, reinforcement.

What is removed is counted by source and reason; nothing is dropped silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from nightforge.blueprint.canonical import content_key
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.check import validate
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.leak import Finding, Holdout
from nightforge.blueprint.parser import parse
from nightforge.blueprint.rows import Row, make_row, normalize_instruction
from nightforge.core.errors import InputError

MIN_WORDS = 3
CAPPED_KINDS = (
    "synthetic",
    "translated",
)  # rows that people wrote are all kept
REASONS = {
    "unreadable": "does not parse",
    "invalid": "a check reports an error",
    "opaque_nodes": "holds nodes the catalog does not know",
    "no_wires": "nothing runs",
    "no_instruction": f"an instruction of fewer than {MIN_WORDS} words",
    "exact_duplicate": "the same instruction and answer, letter by letter",
    "normalised_duplicate": "the same words and the same program, but for case, spacing, ids or order",
    "same_instruction_other_answer": "contradicts a row that came first",
    "holdout_answer": "the program of a held-out prompt, or its shape",
    "holdout_instruction": "the words of a held-out prompt",
    "structure_cap": "enough rows of this structure",
}


@dataclass(slots=True)
class Merged:
    """Rows that passed, the node types of each, and why the others did not.

    `removed` counts (kind, reason); `twins` counts rows whose structure a row before them has, kept or not;
    `capped` counts rows over the cap by structure; `leaks` are the rows that held-out prompts kept out;
    `structures` are the keys of the texts that were parsed and kept as they were.
    """

    rows: list[Row] = field(default_factory=list)
    types: dict[str, tuple[str, ...]] = field(default_factory=dict)  # row hash -> node types
    read: Counter[str] = field(default_factory=Counter)  # rows looked at, by kind
    removed: Counter[tuple[str, str]] = field(default_factory=Counter)
    twins: int = 0
    capped: Counter[str] = field(default_factory=Counter)
    leaks: list[Finding] = field(default_factory=list)
    structures: dict[str, str] = field(default_factory=dict)  # program text -> structure key

    @property
    def reasons(self) -> dict[str, int]:
        """Rows removed by reason, over all sources, most first."""
        counted: Counter[str] = Counter()
        for (_, reason), count in self.removed.items():
            counted[reason] += count
        return dict(counted.most_common())


def merge(rows: Iterable[Row], holdout: Holdout, cap: int) -> Merged:
    """Keep rows that are sound, new and not held out; the cap holds for rows that no person wrote as rows.

    The first of several rows wins, so the order of `rows` is the order of trust.
    """
    merged = Merged()
    seen = _Seen()
    per_structure: Counter[str] = Counter()
    for row in rows:
        merged.read[row.kind] += 1
        reason, blueprint = check_quality(row)
        if reason or blueprint is None:
            merged.removed[row.kind, reason] += 1
            continue
        fresh = make_row(row.kind, row.ref, row.instruction, blueprint)
        reason = seen.repeats(fresh, blueprint)
        leak = None if reason else holdout.find(fresh, fresh.structure, blueprint)
        if leak:
            merged.leaks.append(leak)
            reason = "holdout_answer" if leak.reason in ("answer", "structure") else "holdout_instruction"
        elif not reason:
            merged.twins += fresh.structure in per_structure
            if row.kind in CAPPED_KINDS and per_structure[fresh.structure] >= cap:
                merged.capped[fresh.structure] += 1
                reason = "structure_cap"
        if reason:
            merged.removed[row.kind, reason] += 1
            continue
        seen.add(fresh)
        if fresh.output == row.output:
            merged.structures[fresh.output] = fresh.structure
        per_structure[fresh.structure] += 1
        merged.types[fresh.hash] = tuple(node.type for node in blueprint.nodes())
        merged.rows.append(fresh)
    return merged


@dataclass(slots=True)
class _Seen:
    """What the rows so far say: whole rows, and for each question in words the program that answers it."""

    hashes: set[str] = field(default_factory=set)
    answers: dict[str, str] = field(default_factory=dict)  # normalised instruction -> canonical program

    def repeats(self, row: Row, blueprint: Blueprint) -> str:
        if row.hash in self.hashes:
            return "exact_duplicate"
        known = self.answers.get(normalize_instruction(row.instruction))
        if known is None:
            return ""
        same = known == row.output or _content(known) == content_key(blueprint)
        return "normalised_duplicate" if same else "same_instruction_other_answer"

    def add(self, row: Row) -> None:
        self.hashes.add(row.hash)
        self.answers[normalize_instruction(row.instruction)] = row.output


def _content(program: str) -> str:
    """Return the key of a kept program; few are ever asked for, so none is made in advance."""
    blueprint = parse(program).blueprint
    return content_key(blueprint) if blueprint else ""


def check_quality(row: Row) -> tuple[str, Blueprint | None]:
    """Say why a row must not be trained on, or return its program: valid, known, wired, and asked for."""
    result = validate(row.output)
    blueprint = result.blueprint
    if blueprint is None:
        return "unreadable", None
    catalog = load_catalog()
    if any(catalog.lookup(node.type) is None for node in blueprint.nodes()):
        return "opaque_nodes", None
    if not result.valid:
        return "invalid", None
    if len(normalize_instruction(row.instruction).split()) < MIN_WORDS:
        return "no_instruction", None
    if not any(wire.kind == "exec" for wire in blueprint.wires()):
        return "no_wires", None
    return "", blueprint


def reinforce(rows: Sequence[Row], lessons: Sequence[str], copies: int) -> list[Row]:
    """Further copies of one row per answer of the named lessons, marked as such; they outlive the merge.

    Raises InputError for a lesson without rows.
    """
    chosen: dict[tuple[str, str], Row] = {}
    for row in rows:
        lesson_id = row.ref.partition(":")[0]
        if row.kind == "lesson" and lesson_id in lessons:
            chosen.setdefault((lesson_id, row.output), row)
    missing = [name for name in lessons if name not in {lesson_id for lesson_id, _ in chosen}]
    if missing:
        raise InputError(
            f"synthetic.reinforce_lessons names {', '.join(missing)}, of which no row is in the training set",
            next_command="python scripts/13_lesson_to_training.py",
        )
    return [
        replace(row, id=f"reinforcement-{row.hash}-{number}", kind="reinforcement")
        for number in range(1, copies + 1)
        for row in chosen.values()
    ]
