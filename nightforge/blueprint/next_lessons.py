"""Decides what to teach next, from this project's own lesson answers; held-out exams never steer the data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from nightforge.blueprint.lessons import Lesson, load_lessons
from nightforge.blueprint.mastery import MAX_REASONS
from nightforge.core.atomic import read_json, read_jsonl
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError, NothingNewError
from nightforge.core.generations import read_kept, write_kept
from nightforge.core.paths import Project

SCHEMA_VERSION = 1
WEAK = 0.85  # a node type below this F1 gets more examples
MAX_PROMPTS = 20
UNTESTED_WEIGHT = 0.5


def plan_next(project: Project) -> dict[str, Any]:
    """Write results/next_lessons.json from the newest version's lesson answers; returns the plan.

    Raises NothingNewError (exit 3) while no lesson has been examined.
    """
    lessons = {lesson.lesson_id: lesson for lesson in load_lessons(project.lessons, holdout=False)}
    folder = newest_exam(project.results / "exams", set(lessons))
    records = _records(folder, lessons)
    scores = _type_scores(records)
    plan = {
        "schema_version": SCHEMA_VERSION,
        "created_at": utc_now(),
        "version": folder.name,
        "focus": focus(scores, _untested(project)),
        "prompts": weakest(records),
    }
    write_kept(project.results / "next_lessons.json", plan)
    return plan


def read_focus(project: Project, weight: float) -> dict[str, float]:
    """The node types to favour, scaled by `synthetic.focus_weight`; empty before the first exam."""
    if weight == 0:
        return {}
    found = read_kept(project.results / "next_lessons.json", _load_focus) or {}
    return {name: value * weight for name, value in found.items()}


def _load_focus(path: Path) -> dict[str, float]:
    plan = read_json(path)
    found = plan.get("focus") if isinstance(plan, dict) else None
    if not isinstance(found, dict) or not all(isinstance(value, int | float) for value in found.values()):
        raise InputError(
            f"{path}: focus must map node types to numbers",
            next_command="python scripts/13_lesson_to_training.py --plan-next",
        )
    return {str(name): float(value) for name, value in found.items()}


def newest_exam(folder: Path, lesson_ids: set[str]) -> Path:
    """The result folder of the highest version that examined at least one lesson; v10 comes after v9."""
    versions = [path for path in folder.glob("v*") if path.name[1:].isdecimal()] if folder.is_dir() else []
    for path in sorted(versions, key=lambda item: int(item.name[1:]), reverse=True):
        if any((path / f"{lesson_id}.jsonl").is_file() for lesson_id in lesson_ids):
            return path
    raise NothingNewError(
        "no lesson has been examined yet, so there is nothing to plan from",
        next_command="python scripts/12_run_exam.py",
    )


def focus(scores: dict[str, float], untested: list[str]) -> dict[str, float]:
    """Odds to add per node type: the worse its F1, the more; types never examined get a little."""
    weights = {name: round(2.0 * (1.0 - score), 3) for name, score in scores.items() if score < WEAK}
    for name in untested:
        weights.setdefault(name, UNTESTED_WEIGHT)
    return dict(sorted(weights.items()))


def weakest(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lesson prompts answered worst, with the reasons."""
    found = sorted((r for r in records if r["score"] < 1.0), key=lambda r: (r["score"], r["prompt_id"]))
    keys = ("prompt_id", "lesson_id", "category", "instruction", "score")
    return [
        {**{key: record[key] for key in keys}, "reasons": _reasons(record)} for record in found[:MAX_PROMPTS]
    ]


def _records(folder: Path, lessons: dict[str, Lesson]) -> list[dict[str, Any]]:
    """Answers to lesson prompts only; a record that names a prompt outside its lesson is left out."""
    records: list[dict[str, Any]] = []
    for lesson_id, lesson in sorted(lessons.items()):
        path = folder / f"{lesson_id}.jsonl"
        known = {prompt.id for prompt in lesson.prompts}
        rows = read_jsonl(path) if path.is_file() else []
        records.extend(row for row in rows if row.get("prompt_id") in known)
    return records


def _type_scores(records: list[dict[str, Any]]) -> dict[str, float]:
    """F1 per node type over all records: 2 matched / (expected + actual)."""
    matched: Counter[str] = Counter()
    either: Counter[str] = Counter()
    for record in records:
        for name, counts in record["node_types"].items():
            matched[name] += counts["matched"]
            either[name] += counts["expected"] + counts["actual"]
    return {name: 2 * matched[name] / total for name, total in either.items() if total}


def _untested(project: Project) -> list[str]:
    """Node types the mastery record marks untested."""
    found = read_kept(project.results / "mastery.json", read_json) or {}
    nodes = found.get("nodes", [])
    return sorted(node["node_type"] for node in nodes if node.get("status") == "untested")


def _reasons(record: dict[str, Any]) -> list[str]:
    if record.get("reasons"):
        return [str(reason) for reason in record["reasons"][:MAX_REASONS]]
    # An answer that was graded before reasons were kept.
    if not record["valid"]:
        return [f"not valid: {error}" for error in record["errors"][:3]] or ["not valid"]
    reasons = []
    for key, words in (
        ("missing_nodes", "missing nodes"),
        ("extra_nodes", "extra nodes"),
        ("missing_wires", "missing wires"),
        ("extra_wires", "extra wires"),
    ):
        if record[key]:
            reasons.append(f"{words}: {', '.join(str(item) for item in record[key][:4])}")
    return reasons or ["wrong values or names"]
