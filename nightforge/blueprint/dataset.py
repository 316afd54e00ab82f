"""Merges rows of all origins into a training set that can be trusted, or refuses.

Order: quality gate per row, duplicates, exam structures, cap per structure, split by structure, leak gate.
What is removed is counted by reason; nothing is dropped silently.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nightforge.blueprint.canonical import content_key
from nightforge.blueprint.check import validate
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.leak import Finding, Holdout, leak_gate
from nightforge.blueprint.lessons import load_lessons
from nightforge.blueprint.rows import Row, make_row, normalize_instruction, read_rows
from nightforge.config import Config
from nightforge.core.atomic import sha256_text, write_json, write_jsonl
from nightforge.core.clock import utc_now
from nightforge.core.errors import GateError, InputError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

SCHEMA_VERSION = 1
MIN_WORDS = 3
SOURCES = (
    ("manual.jsonl", "python scripts/02_dsl_to_training_entry.py --help", False),
    ("lessons.jsonl", "python scripts/13_lesson_to_training.py", True),
    ("synthetic.jsonl", "python scripts/03_generate_synthetic_data.py", True),
)


@dataclass(slots=True)
class Merged:
    """Rows that passed, the node types of each, and why the others did not."""

    rows: list[Row] = field(default_factory=list)
    types: dict[str, tuple[str, ...]] = field(default_factory=dict)  # row hash -> node types
    removed: Counter[str] = field(default_factory=Counter)


def build_dataset(config: Config, project: Project, report: Report) -> dict[str, Any]:
    """Write train.jsonl, val.jsonl and dataset.json below data/blueprint; returns the summary.

    Raises InputError for a missing source and GateError for an exam prompt in the result; then nothing is
    written.
    """
    settings = config.synthetic
    lessons = load_lessons(project.lessons)
    report.phase("1.3", "merge and quality gate")
    rows = _read_sources(project)
    merged = merge(rows, Holdout.of(lessons), settings.structure_cap)
    if not merged.rows:
        raise GateError(
            "no row passed the quality gate", next_command="python scripts/06_validate_dsl.py --help"
        )
    report.phase("1.4", "split by structure")
    train, val = split(merged.rows, settings.val_fraction, settings.seed)
    report.phase("1.5", "leak gate")
    findings = leak_gate((*train, *val), lessons)
    if findings:
        raise GateError(_leak_text(findings), next_command="python scripts/20_deduplicate_dataset.py")
    summary = _summary(merged, train, val)
    write_jsonl(project.blueprint_data / "train.jsonl", [row.to_dict() for row in train])
    write_jsonl(project.blueprint_data / "val.jsonl", [row.to_dict() for row in val])
    write_json(project.blueprint_data / "dataset.json", summary)
    report.metric(train=len(train), val=len(val), structures=summary["structures"], flagged=0)
    return summary


def merge(rows: Iterable[Row], holdout: Holdout, cap: int) -> Merged:
    """Keep rows that are sound, new and not held out; hand-made rows come first and are never capped."""
    merged = Merged()
    seen: set[tuple[str, str]] = set()
    answers: dict[str, str] = {}  # normalised instruction -> content it stands for
    per_structure: Counter[str] = Counter()
    for row in rows:
        result = validate(row.output)
        reason = quality_problem(row, result.blueprint if result.valid else None)
        if reason or result.blueprint is None:
            merged.removed[reason or "invalid"] += 1
            continue
        fresh = make_row(row.kind, row.ref, row.instruction, result.blueprint)
        words, content = normalize_instruction(row.instruction), content_key(result.blueprint)
        if (words, content) in seen:
            reason = "duplicate"
        elif answers.get(words, content) != content:
            reason = "same_instruction_other_answer"
        elif holdout.by_structure(fresh.structure):
            reason = "holdout_structure"
        elif holdout.by_instruction(row.instruction):
            reason = "holdout_instruction"
        elif row.kind == "synthetic" and per_structure[fresh.structure] >= cap:
            reason = "structure_cap"
        if reason:
            merged.removed[reason] += 1
            continue
        seen.add((words, content))
        answers[words] = content
        per_structure[fresh.structure] += 1
        merged.types[fresh.hash] = tuple(node.type for node in result.blueprint.nodes())
        merged.rows.append(fresh)
    return merged


def quality_problem(row: Row, blueprint: Blueprint | None) -> str:
    """Why a row must not be trained on, or empty: valid, wired, and with an instruction of a few words."""
    if blueprint is None:
        return "invalid"
    if len(normalize_instruction(row.instruction).split()) < MIN_WORDS:
        return "no_instruction"
    if not any(wire.kind == "exec" for wire in blueprint.wires()):
        return "no_wires"
    return ""


def split(rows: list[Row], val_fraction: float, seed: int) -> tuple[list[Row], list[Row]]:
    """Split by structure: all rows of one shape go to the same side; lessons and manual rows are trained on.

    Structures are drawn by hash of seed and key, so adding rows does not move the others.
    """
    fixed = {row.structure for row in rows if row.kind != "synthetic"}
    sizes = Counter(row.structure for row in rows if row.structure not in fixed)
    wanted = round(val_fraction * len(rows))
    chosen: set[str] = set()
    for structure in sorted(sizes, key=lambda key: sha256_text(f"{seed}:{key}")):
        if wanted <= 0:
            break
        chosen.add(structure)
        wanted -= sizes[structure]
    train = [row.placed("train") for row in rows if row.structure not in chosen]
    val = [row.placed("val") for row in rows if row.structure in chosen]
    return train, val


def _read_sources(project: Project) -> list[Row]:
    rows: list[Row] = []
    for name, command, required in SOURCES:
        path = project.blueprint_data / name
        if not required and not path.exists():
            continue
        found = read_rows(path, command)
        if required and not found:
            raise InputError(f"{project.relative(path)} is empty", next_command=command)
        rows.extend(found)
    return rows


def _summary(merged: Merged, train: list[Row], val: list[Row]) -> dict[str, Any]:
    types: Counter[str] = Counter()
    for row in train:
        types.update(merged.types[row.hash])
    identity = "".join(f"{row.split}{row.hash}" for row in (*train, *val))
    return {
        "schema_version": SCHEMA_VERSION,
        "created_at": utc_now(),
        "rows": len(merged.rows),
        "train": len(train),
        "val": len(val),
        "by_source": dict(Counter(row.kind for row in merged.rows)),
        "node_types": dict(sorted(types.items())),
        "structures": len({row.structure for row in merged.rows}),
        "removed": dict(sorted(merged.removed.items())),
        "hash": sha256_text(identity)[:16],
        "leak_gate": {"checked": len(train) + len(val), "flagged": 0},
    }


def _leak_text(findings: list[Finding]) -> str:
    shown = ", ".join(
        f"{found.row_id} gives away the {found.reason} of {found.prompt_id}" for found in findings[:5]
    )
    more = f" and {len(findings) - 5} more" if len(findings) > 5 else ""
    return f"{len(findings)} training rows leak exam prompts: {shown}{more}"
