"""logs/training_history.json: one entry per trained version, the memory of the health rules and the hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from nightforge.blueprint.mastery import NodeMastery
from nightforge.blueprint.results import VersionRecords, convert
from nightforge.core.atomic import read_json
from nightforge.core.generations import read_kept, write_kept
from nightforge.core.paths import Project


class HistoryEntry(Struct, frozen=True):
    """One version. seconds of training; losses are of the answers; scores and node_scores 0..1."""

    version: int
    date: str  # when the adapter was written: tells a retrained version from the same one
    run_id: str | None = None
    profile: str | None = None
    rows: int | None = None
    lesson_rows: int | None = None
    epochs: float | None = None
    learning_rate: float | None = None
    seconds: float | None = None
    steps: int | None = None
    tokens: int | None = None
    train_loss: float | None = None
    eval_loss: float | None = None
    scores: dict[str, float] = {}  # all, unseen, near, seen, valid
    node_scores: dict[str, float] = {}
    evaluation: dict[str, float] = {}  # passed, total, mean_score


def read_history(project: Project) -> list[HistoryEntry]:
    """All entries, by version; empty before the first. For a broken file its last readable generation is
    used; without one it is an InputError, never overwritten.
    """
    entries = read_kept(project.logs / "training_history.json", _load)
    return sorted(entries or [], key=lambda entry: entry.version)


def _load(path: Path) -> list[HistoryEntry]:
    return convert(read_json(path), list[HistoryEntry], path)


def write_history(project: Project, entries: Sequence[HistoryEntry]) -> None:
    """Replace the file with these entries."""
    write_kept(project.logs / "training_history.json", msgspec.to_builtins(list(entries)))


def updated(entries: Sequence[HistoryEntry], entry: HistoryEntry) -> list[HistoryEntry]:
    """Entries with this one put in: the same version is replaced, another appended, order by version.

    For the same adapter a value that is not known now keeps what was known: a health check after a run
    without an exam must not blank the scores of an earlier one.
    """
    standing = next((old for old in entries if old.version == entry.version), None)
    if standing is not None and standing.date == entry.date:
        known = {
            name: value for name, value in msgspec.structs.asdict(entry).items() if value not in (None, {})
        }
        entry = msgspec.structs.replace(standing, **known)
    others = [old for old in entries if old.version != entry.version]
    return sorted([*others, entry], key=lambda old: old.version)


def entry_for(
    records: VersionRecords, lesson_rows: int | None, mastery: Sequence[NodeMastery]
) -> HistoryEntry:
    """The history entry of a version, from its own records."""
    log, evaluation = records.training, records.evaluation
    return HistoryEntry(
        version=records.version,
        date=records.adapter.created_at,
        run_id=records.adapter.run_id,
        profile=records.adapter.profile,
        rows=log.rows if log else None,
        lesson_rows=lesson_rows,
        epochs=setting(records.settings, "epochs"),
        learning_rate=setting(records.settings, "learning_rate"),
        seconds=log.seconds if log else None,
        steps=log.steps if log else None,
        tokens=log.tokens if log else None,
        train_loss=log.final_loss if log else None,
        eval_loss=log.final_eval if log else None,
        scores=exam_scores(records),
        node_scores={node.node_type: node.f1 for node in mastery if node.f1 is not None},
        evaluation={
            "passed": evaluation.summary.passed,
            "total": evaluation.summary.total,
            "mean_score": evaluation.summary.mean_score,
        }
        if evaluation
        else {},
    )


def exam_scores(records: VersionRecords) -> dict[str, float]:
    """Mean score of all, unseen, near and seen prompts, and the share of valid answers, as far as asked."""
    if records.exam is None:
        return {}
    free = records.exam.free
    found = {"all": free.all.score, "valid": free.all.valid}
    found |= {name: scores.score for name, scores in free.by_exposure.items() if scores.n > 0}
    return {name: estimate.value for name, estimate in found.items() if estimate is not None}


def setting(settings: dict[str, Any], name: str) -> float | None:
    """A number from training_config.json, at the top or in its section `training` (also inside `config`)."""
    for place in (settings, settings.get("training"), (settings.get("config") or {}).get("training")):
        value = place.get(name) if isinstance(place, dict) else None
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return None
