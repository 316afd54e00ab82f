"""What the health rules look at and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from msgspec import Struct

from nightforge.blueprint.history import HistoryEntry
from nightforge.blueprint.mastery import NodeMastery
from nightforge.blueprint.results import ExamSummary, TrainingLog

LEVELS = ("INFO", "SUGGESTION", "WARNING", "CRITICAL")


class Alert(Struct, frozen=True, kw_only=True):
    """One finding: what was measured, against which threshold, and what to do about it."""

    level: str
    dimension: str
    title: str
    detail: str
    metric: str
    value: float | None = None
    threshold: float | None = None
    action: str = ""
    next_command: str | None = None


@dataclass(frozen=True)
class DatasetFacts:
    """The training rows. repeated: instruction and program occurred before; types: node type -> count."""

    rows: int
    lesson_rows: int = 0
    repeated: int = 0
    types: dict[str, int] | None = None


@dataclass(frozen=True)
class Facts:
    """All that the rules may look at, of one version. earlier: entries of the same profile, oldest first."""

    entry: HistoryEntry
    training: TrainingLog | None = None
    dataset: DatasetFacts | None = None
    exam: ExamSummary | None = None
    base: ExamSummary | None = None
    unfinished: int = 0
    answers: int = 0
    mastery: Sequence[NodeMastery] = ()
    earlier: Sequence[HistoryEntry] = field(default_factory=tuple)


def exposure_gap(facts: Facts) -> float | None:
    """Score of seen prompts above that of unseen ones; None if one was not asked."""
    seen, unseen = facts.entry.scores.get("seen"), facts.entry.scores.get("unseen")
    return None if seen is None or unseen is None else seen - unseen


def seconds_per_step(entry: HistoryEntry) -> float | None:
    """Training seconds per optimizer step, None if unknown."""
    return entry.seconds / entry.steps if entry.seconds and entry.steps else None


def number(value: float | None) -> str:
    """Three decimals, or that it was not measured."""
    return "not measured" if value is None else f"{value:.3f}"


def some(names: Sequence[str]) -> str:
    """The first six names and how many more."""
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
