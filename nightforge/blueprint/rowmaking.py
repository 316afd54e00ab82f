"""Writes the row files that stage 20 merges: generated rows and lesson rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from nightforge.blueprint.lessons import Scope, lesson_rows, load_lessons, within_scope
from nightforge.blueprint.next_lessons import plan_next, read_focus
from nightforge.blueprint.rows import Row, canonical_row
from nightforge.blueprint.synthesis import Example, examples
from nightforge.blueprint.synthesis.generate import MIN_NODES
from nightforge.blueprint.synthesis.grown import Request, grow
from nightforge.config.schema import Synthetic
from nightforge.core.atomic import write_jsonl
from nightforge.core.errors import InputError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

REPORT_EVERY = 250  # rows


def write_synthetic(
    settings: Synthetic, project: Project, report: Report, should_stop: Callable[[], bool]
) -> dict[str, Any]:
    """Write data/blueprint/synthetic.jsonl: `settings.count` rows, no instruction twice; returns counts."""
    if settings.max_nodes < MIN_NODES:
        raise InputError(
            f"synthetic.max_nodes is {settings.max_nodes}, but a program needs at least {MIN_NODES} nodes",
            next_command="python scripts/03_generate_synthetic_data.py --set synthetic.max_nodes=12",
        )
    focus = read_focus(project, settings.focus_weight)
    report.phase("1.1", "generate programs" + (f", favouring {len(focus)} node types" if focus else ""))
    stream = _stream(settings, focus)
    rows: dict[str, Row] = {}
    while len(rows) < settings.count:
        example = next(stream)
        if example.instruction in rows:
            continue
        rows[example.instruction] = canonical_row(
            "synthetic", "+".join(example.patterns), example.instruction, example.blueprint
        )
        if len(rows) % REPORT_EVERY == 0 or len(rows) == settings.count:
            report.progress(len(rows), settings.count, "rows")
            if should_stop():
                raise StoppedError("stopped while generating; nothing was written")
    write_jsonl(project.blueprint_data / "synthetic.jsonl", [row.to_dict() for row in rows.values()])
    structures = len({row.structure for row in rows.values()})
    report.metric(rows=len(rows), structures=structures)
    return {"rows": len(rows), "structures": structures, "focus": focus}


def _stream(settings: Synthetic, focus: dict[str, float]) -> Iterator[Example]:
    """Draw examples from the generator of the scope."""
    rng = Random(settings.seed)
    if settings.scope == "core":
        if settings.targets:
            raise InputError(
                "synthetic.targets needs the scope catalog; core programs cannot be aimed at a node type",
                next_command="python scripts/03_generate_synthetic_data.py --set synthetic.scope=catalog",
            )
        return examples(rng, focus=focus, max_nodes=settings.max_nodes)
    request = Request(settings.difficulty, settings.max_nodes, settings.targets, focus, settings.invented)
    return grow(rng, request)


def write_lessons(project: Project, report: Report, scope: Scope) -> dict[str, Any]:
    """Write data/blueprint/lessons.jsonl from the lessons of a scope, no held-out ones; returns counts."""
    report.phase("1.2", "lessons to rows")
    lessons = within_scope(load_lessons(project.lessons, holdout=False), scope)
    rows = lesson_rows(lessons)
    write_jsonl(project.blueprint_data / "lessons.jsonl", [row.to_dict() for row in rows])
    prompts = sum(len(lesson.prompts) for lesson in lessons)
    report.metric(lessons=len(lessons), prompts=prompts, rows=len(rows))
    return {"prompts": prompts, "rows": len(rows)}


def write_plan(project: Project, report: Report) -> dict[str, Any]:
    """Write results/next_lessons.json; returns counts."""
    report.phase("8.1", "plan the next lessons")
    plan = plan_next(project)
    report.metric(version=plan["version"], focus=len(plan["focus"]), prompts=len(plan["prompts"]))
    return {"version": plan["version"], "focus": len(plan["focus"]), "prompts": len(plan["prompts"])}
