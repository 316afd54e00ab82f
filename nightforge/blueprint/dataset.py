"""Merges rows of all origins into a training set that can be trusted, or refuses.

Order: quality gate per row, duplicates, held-out prompts, cap per structure, split by structure,
reinforcement, leak gate. What is removed is counted by source and reason; nothing is dropped silently.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from nightforge.blueprint.card import Card, make_card, write_card
from nightforge.blueprint.card_text import card_text
from nightforge.blueprint.evaluation_tests import load_tests
from nightforge.blueprint.leak import Finding, Holdout, gate
from nightforge.blueprint.lessons import load_lessons
from nightforge.blueprint.merging import Merged, merge, reinforce
from nightforge.blueprint.rows import Row
from nightforge.blueprint.sources import read_sources
from nightforge.config import Config
from nightforge.core.atomic import sha256_text, write_json, write_jsonl
from nightforge.core.clock import utc_now
from nightforge.core.errors import GateError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

SCHEMA_VERSION = 1
DRY_RUN = "python scripts/20_deduplicate_dataset.py --dry-run"
SHOWN = 5  # leaks named in a message; the card names all


@dataclass(frozen=True, slots=True)
class Dataset:
    """A training set before it is written: both splits, how they came about, and their card."""

    train: list[Row]
    val: list[Row]
    merged: Merged
    card: Card


def build_dataset(config: Config, project: Project, report: Report, *, write: bool = True) -> dict[str, Any]:
    """Write train.jsonl, val.jsonl, dataset.json and the card below data/blueprint; returns the summary.

    Without `write` the card is shown and nothing is written. Raises InputError for a missing source and
    GateError for a held-out prompt in the result; then nothing is written either.
    """
    dataset = make_dataset(config, project, report)
    summary = _summary(dataset)
    leaks = dataset.merged.leaks
    by_hand = [leak for leak in leaks if leak.row.kind != "synthetic"]
    if by_hand:
        report.alert(
            "info",
            "Rows were left out because they give held-out prompts away",
            _leak_text(by_hand),
            DRY_RUN,
        )
    if not write:
        report.message(card_text(dataset.card).rstrip() + "\n\nNothing was written.")
    else:
        folder = project.blueprint_data
        write_jsonl(folder / "train.jsonl", [row.to_dict() for row in dataset.train])
        write_jsonl(folder / "val.jsonl", [row.to_dict() for row in dataset.val])
        write_json(folder / "dataset.json", summary)
        write_card(folder, dataset.card)
    report.metric(
        train=len(dataset.train),
        val=len(dataset.val),
        structures=summary["structures"],
        removed=sum(summary["removed"].values()),
        flagged=0,
    )
    return summary


def make_dataset(config: Config, project: Project, report: Report) -> Dataset:
    """Merge, split and check; writes nothing. Raises as build_dataset does."""
    settings = config.synthetic
    lessons = load_lessons(project.lessons)
    holdout = Holdout.of(lessons, load_tests())
    report.phase("1.3", "merge and quality gate")
    rows = read_sources(project)
    merged = merge(rows, holdout, settings.structure_cap)
    if not merged.rows:
        raise GateError(
            "no row passed the quality gate", next_command="python scripts/06_validate_dsl.py --help"
        )
    report.phase("1.4", "split by structure")
    train, val = split(merged.rows, settings.val_fraction, settings.seed)
    copies = reinforce(merged.rows, settings.reinforce_lessons, settings.reinforce_copies)
    train += [row.placed("train") for row in copies]
    report.phase("1.5", "leak gate")
    findings, crossing = gate(train, val, holdout, merged.structures)
    if findings:
        raise GateError(_leak_text(findings), next_command=DRY_RUN)
    if crossing:
        raise GateError(
            f"{len(crossing)} held-out rows have the structure of a training row, the first being "
            f"{crossing[0][0].id} with {crossing[0][1].id}",
            next_command=DRY_RUN,
        )
    report.phase("1.6", "dataset card")
    card = make_card(config, project, (train, val), merged, holdout, lessons)
    return Dataset(train, val, merged, card)


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


def _summary(dataset: Dataset) -> dict[str, Any]:
    merged, train, val = dataset.merged, dataset.train, dataset.val
    types: Counter[str] = Counter()
    for row in train:
        types.update(merged.types[row.hash])
    return {
        "schema_version": SCHEMA_VERSION,
        "created_at": utc_now(),
        "rows": len(train) + len(val),
        "train": len(train),
        "val": len(val),
        "by_source": dict(Counter(row.kind for row in (*train, *val))),
        "node_types": dict(sorted(types.items())),
        "structures": len({row.structure for row in merged.rows}),
        "removed": dict(sorted(merged.reasons.items())),
        "hash": dataset.card["hash"],
        "leak_gate": {"checked": len(train) + len(val), "flagged": 0},
    }


def _leak_text(findings: list[Finding]) -> str:
    shown = "; ".join(found.sentence() for found in findings[:SHOWN])
    more = f"; and {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
    rows = "1 row leaks" if len(findings) == 1 else f"{len(findings)} rows leak"
    return f"{rows} held-out prompts: {shown}{more}"
