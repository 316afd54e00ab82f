"""results/dashboard.json: what the hub page shows, from the same records the run wrote."""

from __future__ import annotations

from typing import Any

import msgspec

from nightforge.blueprint.champion import read_champion
from nightforge.blueprint.mastery import read_mastery
from nightforge.blueprint.results import (
    EXPOSURES,
    ExamSummary,
    Scores,
    VersionRecords,
    base_exam_dir,
    convert,
    read_exam,
)
from nightforge.core.atomic import read_json
from nightforge.core.clock import utc_now
from nightforge.core.paths import Project

_MAX_PLANNED = 6
_CARD_KEYS = (
    "created_at",
    "hash",
    "rows",
    "sources",
    "removed",
    "lengths",
    "duplicates",
    "cap",
    "reinforcement",
)


def hub_data(
    project: Project, records: list[VersionRecords], backup: dict[str, Any] | None
) -> dict[str, Any]:
    """Everything on the hub. `records` are all complete versions, ascending; `backup` is the backup card."""
    champion = _champion(project, records)
    newest = records[-1] if records else None
    shown = champion or newest
    base = base_exam_dir(project, shown.adapter) if shown else None
    return {
        "schema_version": 1,
        "generated_at": utc_now(),
        "champion": _headline(champion) if champion else None,
        "previous": _headline(before) if (before := version_before(records, shown)) else None,
        "base": _exam_headline("base", None, read_exam(base)) if base else None,
        "versions": [_version(record) for record in records],
        "mastery": msgspec.to_builtins(read_mastery(project, newest.version)) if newest else [],
        "dataset": _dataset(project),
        "card": _card(project),
        "backup": backup,
        "health": _health(project, newest.version) if newest else None,
        "next_lessons": _planned(project),
    }


def version_before(records: list[VersionRecords], shown: VersionRecords | None) -> VersionRecords | None:
    """The newest examined version before this one on the same profile, or None."""
    if shown is None:
        return None
    same = [r for r in records if r.version < shown.version and r.adapter.profile == shown.adapter.profile]
    return next((record for record in reversed(same) if record.unseen is not None), None)


def _champion(project: Project, records: list[VersionRecords]) -> VersionRecords | None:
    standing = read_champion(project)
    return next((r for r in records if standing and r.version == standing.version), None)


def _headline(record: VersionRecords) -> dict[str, Any] | None:
    return _exam_headline(f"v{record.version}", record.adapter.run_id, record.exam)


def _exam_headline(version: str, run_id: str | None, exam: ExamSummary | None) -> dict[str, Any] | None:
    if exam is None:
        return None
    unseen = exam.exposure("unseen")
    asked = unseen or exam.free.all  # score and validity of the same prompts
    return {
        "version": version,
        "run_id": run_id,
        "unseen": msgspec.to_builtins(unseen.score) if unseen else None,
        "valid": msgspec.to_builtins(asked.valid),
        "all": msgspec.to_builtins(exam.free.all.score),
    }


def _version(record: VersionRecords) -> dict[str, Any]:
    log, exam, evaluation = record.training, record.exam, record.evaluation
    return {
        "version": f"v{record.version}",
        "created_at": record.adapter.created_at,
        "run_id": record.adapter.run_id,
        "profile": record.adapter.profile,
        "train_rows": log.rows if log else None,
        "loss": log.final_loss if log else None,
        "eval_loss": log.final_eval if log else None,
        "seconds": log.seconds if log else None,
        "exam": {"all": _scores(exam.free.all)}
        | {name: _scores(found) for name in EXPOSURES if (found := exam.exposure(name))}
        if exam
        else None,
        "evaluation": {
            "passed": evaluation.summary.passed,
            "total": evaluation.summary.total,
            "mean_score": evaluation.summary.mean_score,
        }
        if evaluation
        else None,
    }


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "n": scores.n,
        "score": msgspec.to_builtins(scores.score),
        "valid": msgspec.to_builtins(scores.valid),
    }


def _dataset(project: Project) -> dict[str, Any] | None:
    path = project.blueprint_data / "dataset.json"
    if not path.exists():
        return None
    value = convert(read_json(path), dict[str, Any], path)
    types = value.get("node_types")
    return {**value, "node_types": len(types) if isinstance(types, dict) else types}


def _card(project: Project) -> dict[str, Any] | None:
    """The dataset card without its long lists; None where there is none of the data set that is there."""
    path = project.blueprint_data / "card.json"
    dataset = _dataset(project)
    if dataset is None or not path.exists():
        return None
    card = convert(read_json(path), dict[str, Any], path)
    if card.get("hash") != dataset.get("hash"):
        return None  # a card of other rows would lie about these
    coverage, leaks = (convert(card.get(key), dict[str, Any], path) for key in ("coverage", "leaks"))
    short = {key: card.get(key) for key in _CARD_KEYS}
    short["coverage"] = {key: value for key, value in coverage.items() if key != "types"}
    short["leaks"] = {key: value for key, value in leaks.items() if key != "kept_out"}
    return short


def _health(project: Project, version: int) -> dict[str, Any] | None:
    path = project.results / "health" / f"v{version}.json"
    if not path.exists():
        return None
    value = convert(read_json(path), dict[str, Any], path)
    summary = convert(value.get("summary"), dict[str, Any], path)
    alerts = convert(value.get("alerts"), list[dict[str, Any]], path)
    return {"version": value.get("version"), "overall": summary.get("overall_health"), "alerts": alerts}


def _planned(project: Project) -> list[dict[str, Any]]:
    path = project.results / "next_lessons.json"
    if not path.exists():
        return []
    plan = convert(read_json(path), dict[str, Any], path)
    focus = convert(plan.get("focus") or {}, dict[str, float], path)
    prompts = convert(plan.get("prompts") or [], list[dict[str, Any]], path)
    heaviest = sorted(focus.items(), key=lambda pair: (-pair[1], pair[0]))[:_MAX_PLANNED]
    types = [{"node_type": name, "reason": f"more rows, weight {weight:.1f}"} for name, weight in heaviest]
    weak = [
        {
            "lesson_id": prompt.get("lesson_id"),
            "title": prompt.get("instruction"),
            "reason": "; ".join(map(str, prompt.get("reasons") or [])),
        }
        for prompt in prompts[:_MAX_PLANNED]
    ]
    return types + weak
