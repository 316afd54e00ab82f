"""What a run wrote, read back as types: adapter, training log, exam, evaluation; errors name file and field.

A record counts only if it is younger than the adapter it is about: version numbers can be used again after a
folder was deleted by hand, and an old exam must not grade a new adapter.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from nightforge.core import versions
from nightforge.core.atomic import read_json, read_jsonl
from nightforge.core.clock import parse_time
from nightforge.core.errors import InputError
from nightforge.core.paths import Project

EXPOSURES = ("unseen", "near", "seen")
_EXAM = "python scripts/12_run_exam.py"
T = TypeVar("T")


class Estimate(Struct, frozen=True):
    """A share 0..1 with its 95 % interval."""

    value: float
    ci95: tuple[float, float] | None = None


class Scores(Struct, frozen=True):
    """Measures over n prompts; absent ones were not taken."""

    n: int
    valid: Estimate | None = None
    exact: Estimate | None = None
    node_f1: Estimate | None = None
    wire_f1: Estimate | None = None
    property_acc: Estimate | None = None
    score: Estimate | None = None


class FreeScores(Struct, frozen=True):
    """Scores of free decoding: all prompts, and by exposure and lesson."""

    all: Scores
    by_exposure: dict[str, Scores] = {}
    by_lesson: dict[str, Scores] = {}


class ExamSummary(Struct, frozen=True):
    """results/exams/<version>/summary.json."""

    version: str
    created_at: str
    n_prompts: int
    free: FreeScores
    run_id: str | None = None
    profile: str | None = None
    base_model: str | None = None
    base_hash: str | None = None
    tokens_per_s: float | None = None
    seconds: float | None = None

    def exposure(self, name: str) -> Scores | None:
        """Scores of one exposure, or None when no such prompt was asked."""
        found = self.free.by_exposure.get(name)
        return found if found is not None and found.n > 0 else None


class TypeCounts(Struct, frozen=True):
    """Nodes of one type in one answer: expected, of these matched, and actually written."""

    expected: int
    matched: int
    actual: int


class ExamRecord(Struct, frozen=True):
    """One line of results/exams/<version>/<lesson>.jsonl."""

    prompt_id: str
    lesson_id: str
    exposure: str
    instruction: str
    valid: bool
    score: float
    node_types: dict[str, TypeCounts]
    exact: bool = False
    missing_nodes: list[str] = []
    reasons: list[str] = []  # where each point was lost, in words
    finished: bool = True


class EvaluationSummary(Struct, frozen=True):
    """Totals of the evaluation suite. seconds of wall time."""

    total: int
    passed: int
    mean_score: float
    seconds: float | None = None


class FailedTest(Struct, frozen=True):
    """One evaluated test; only what the report names."""

    test_id: str
    passed: bool
    tier: str | int | None = None


class Evaluation(Struct, frozen=True):
    """results/evaluations/vN.json."""

    version: str
    created_at: str
    summary: EvaluationSummary
    results: list[FailedTest] = []


Point = tuple[float, float]  # (optimizer step, value)


class TrainingLog(Struct, frozen=True):
    """models/blueprint-lora-vN/training_log.json. Curves: (optimizer step, value); seconds of wall time."""

    train: list[Point] = []
    eval: list[Point] = []
    lr: list[Point] = []
    seconds: float | None = None
    steps: int | None = None
    rows: int | None = None
    tokens: int | None = None

    @property
    def final_loss(self) -> float | None:
        """Mean of the last tenth of the train curve (at least 3 points): one batch alone is noise."""
        if not self.train:
            return None
        tail = [value for _, value in self.train[-max(3, len(self.train) // 10) :]]
        return _finite(sum(tail) / len(tail))

    @property
    def final_eval(self) -> float | None:
        return _finite(self.eval[-1][1]) if self.eval else None


class Adapter(Struct, frozen=True):
    """models/blueprint-lora-vN/manifest.json."""

    created_at: str
    version: int | str | None = None
    run_id: str | None = None
    profile: str | None = None
    base_model: str | None = None
    base_hash: str | None = None
    data_hash: str | None = None


@dataclass(frozen=True)
class VersionRecords:
    """Everything known about one adapter. notes: sentences on what is missing or left out, and why."""

    version: int
    adapter: Adapter
    training: TrainingLog | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    exam: ExamSummary | None = None
    answers: tuple[ExamRecord, ...] = ()
    evaluation: Evaluation | None = None
    notes: tuple[str, ...] = ()

    @property
    def unseen(self) -> Scores | None:
        return self.exam.exposure("unseen") if self.exam else None


def convert(value: Any, kind: type[T], path: Path) -> T:
    """Check a JSON value against a type; InputError names the file and the field."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}") from error


def read_version(project: Project, version: int) -> VersionRecords:
    """Read all records of one adapter; absent parts are None with a note, wrong ones raise InputError."""
    folder = versions.adapter_dir(project.models, version)
    manifest_path = folder / versions.MANIFEST
    adapter = convert(read_json(manifest_path), Adapter, manifest_path)
    notes: list[str] = []
    exam = _fresh_exam(project, version, adapter, notes)
    return VersionRecords(
        version=version,
        adapter=adapter,
        training=_optional(folder / "training_log.json", TrainingLog, notes),
        settings=_settings(folder / "training_config.json"),
        exam=exam,
        answers=tuple(read_answers(exam_dir(project, f"v{version}"))) if exam else (),
        evaluation=_fresh_evaluation(project, version, adapter, notes),
        notes=tuple(notes),
    )


def exam_dir(project: Project, name: str) -> Path:
    """Folder of one exam: `vN` or `base-<hash8>`."""
    return project.results / "exams" / name


def read_exam(folder: Path) -> ExamSummary | None:
    """The summary of an exam folder, or None before the exam."""
    path = folder / "summary.json"
    return convert(read_json(path), ExamSummary, path) if path.exists() else None


def read_answers(folder: Path) -> list[ExamRecord]:
    """Every answered prompt of an exam, lesson by lesson; the last record of a prompt counts."""
    found: dict[tuple[str, str], ExamRecord] = {}
    for path in sorted(folder.glob("*.jsonl")):
        for row in read_jsonl(path):
            record = convert(row, ExamRecord, path)
            found[record.lesson_id, record.prompt_id] = record
    return list(found.values())


def base_exam_dir(project: Project, adapter: Adapter) -> Path | None:
    """The newest exam of the very base model this adapter was trained on; None if it was never examined."""
    found: list[tuple[str, Path]] = []
    for folder in (project.results / "exams").glob("base-*"):
        exam = read_exam(folder)
        if exam is not None and _same_base(exam, adapter):
            found.append((exam.created_at, folder))
    return max(found)[1] if found else None


def _same_base(exam: ExamSummary, adapter: Adapter) -> bool:
    if exam.base_hash and adapter.base_hash:
        return exam.base_hash == adapter.base_hash
    return exam.base_model is not None and exam.base_model == adapter.base_model


def _finite(value: float) -> float | None:
    # NaN is no JSON: one of it in a file would take the whole page down. Health looks at the curve itself.
    return value if math.isfinite(value) else None


def _fresh_exam(project: Project, version: int, adapter: Adapter, notes: list[str]) -> ExamSummary | None:
    exam = read_exam(exam_dir(project, f"v{version}"))
    if exam is None:
        notes.append(f"v{version} has no finished exam; run {_EXAM}")
    elif _older(exam.created_at, adapter.created_at):
        notes.append(f"the exam in results/exams/v{version} is older than the adapter; run {_EXAM}")
        return None
    return exam


def _fresh_evaluation(
    project: Project, version: int, adapter: Adapter, notes: list[str]
) -> Evaluation | None:
    path = project.results / "evaluations" / f"v{version}.json"
    if not path.exists():
        notes.append(f"v{version} was not evaluated; run python scripts/09_evaluate_model.py")
        return None
    evaluation = convert(read_json(path), Evaluation, path)
    if _older(evaluation.created_at, adapter.created_at):
        notes.append(f"{path.name} is older than the adapter; run python scripts/09_evaluate_model.py")
        return None
    return evaluation


def _older(created_at: str, than: str) -> bool:
    try:
        return parse_time(created_at) < parse_time(than)
    except ValueError as error:
        raise InputError(f"a record holds a time that cannot be read: {error}") from error


def _optional(path: Path, kind: type[T], notes: list[str]) -> T | None:
    if not path.exists():
        notes.append(f"{path.parent.name}/{path.name} is missing")
        return None
    return convert(read_json(path), kind, path)


def _settings(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    return convert(read_json(path), dict[str, Any], path)
