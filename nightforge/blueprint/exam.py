"""Stage 12: ask every prompt, grade the answers as graphs, write one line per answer as it comes.

One model load serves the adapter and the bare base. Answers already on disk for the same weights and the same
prompt are not asked again, so a stopped exam goes on where it ended; the base's answers stay valid for all
later versions.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from nightforge.blueprint.answers import Author, extract_program, newest_adapter, open_author
from nightforge.blueprint.exam_scores import Record, summarize
from nightforge.blueprint.grading import grade
from nightforge.blueprint.leak import TrainingIndex, exposure
from nightforge.blueprint.lessons import Lesson, Prompt, load_lesson, load_lessons, within_scope
from nightforge.blueprint.mastery import MAX_REASONS
from nightforge.config import Config
from nightforge.config.rungs import generation_batch
from nightforge.core.atomic import append_jsonl, read_json, read_jsonl, sha256_text, write_json
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError
from nightforge.core.inject import fire
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.core.versions import read_manifest
from nightforge.ml.generation import Answer
from nightforge.ml.loading import base_only


@dataclass(frozen=True)
class Request:
    """What the command line asks for: lesson files (none: all of the configuration), adapter, limit, base
    only.
    """

    lessons: tuple[Path, ...] = ()
    adapter: Path | None = None
    limit: int = 0
    base: bool = False
    run_id: str | None = None


@dataclass(frozen=True)
class Sitting:
    """One version sitting the exam: where its answers go and what identifies its weights."""

    author: Author
    version: str
    folder: Path
    identity: str
    exposures: Mapping[str, str]  # prompt hash -> seen, near, unseen
    before: int = 0  # prompts asked by the sittings before this one


def run_exam(
    config: Config, project: Project, report: Report, should_stop: Callable[[], bool], request: Request
) -> dict[str, Any]:
    """Examine an adapter (and the base, when the configuration asks for it); returns the headline scores.

    Raises StoppedError between two tokens; answers given before that are on disk.
    """
    report.phase("6.1", "lessons and exams")
    prompts = choose_prompts(config, project, request)
    index = _training_index(project, request)
    exposures = {prompt.hash: exposure(prompt, index) for prompt in prompts}
    report.phase("6.2", "load the model")
    folder = None if request.base else request.adapter or newest_adapter(project)
    author = open_author(config, project, folder, base=request.base, report=report)
    report.message(author.loaded.info.sentence())
    sittings = []
    if folder is not None:
        identity = sha256_text(repr(sorted(read_manifest(folder)["files"].items())))[:16]
        where = project.results / "exams" / author.version
        sittings.append(Sitting(author, author.version, where, identity, exposures))
    if folder is None or config.exam.include_base:
        sittings.append(_base_sitting(author, project, exposures))
    results: dict[str, Any] = {}
    before = 0
    for number, sitting in enumerate(sittings):
        asked = prompts if sitting.version != "base" else prompts_for_base(prompts, exposures)
        report.phase(f"6.{3 + number}", f"{len(asked)} prompts, {sitting.version}")
        sitting, before = replace(sitting, before=before), before + len(asked)
        if sitting.version == "base":
            with base_only(author.loaded.model):
                summary = sit(sitting, asked, report, should_stop, (config, request))
        else:
            summary = sit(sitting, asked, report, should_stop, (config, request))
        results[sitting.version] = headline(summary)
        report.metric(
            **{f"{sitting.version}_{name}": value for name, value in results[sitting.version].items()}
        )
    return results


def sit(
    sitting: Sitting,
    prompts: Sequence[Prompt],
    report: Report,
    should_stop: Callable[[], bool],
    context: tuple[Config, Request],
) -> dict[str, Any]:
    """Let one version answer what it has not answered yet, write and return its summary."""
    report.watch("generate")
    _open_folder(sitting)
    known = _answered(sitting, prompts)
    open_prompts = [prompt for prompt in prompts if prompt.hash not in known]
    if known:
        report.message(f"{len(known)} of {len(prompts)} answers are already there")
    report.mark(sitting.before + len(known), "answers", resumed=not sitting.before)
    started = time.monotonic()

    def on_answer(answer: Answer) -> None:
        prompt = open_prompts[answer.index]
        record = make_record(prompt, sitting.exposures[prompt.hash], answer)
        append_jsonl(sitting.folder / f"{prompt.lesson_id}.jsonl", record)
        known[prompt.hash] = record
        report.mark(sitting.before + len(known), "answers")
        report.progress(len(known), len(prompts), "prompts")
        shown = ("prompt_id", "lesson_id", "instruction", "valid", "score")
        fields = {name: record[name] for name in shown}
        lost = {"missing": record["missing_nodes"], "reasons": record.get("reasons", [])[:MAX_REASONS]}
        report.answer(**fields, **lost, program=record["actual_dsl"])
        fire("item", sitting.before + len(known), torch.OutOfMemoryError)

    tally = sitting.author.write([p.instruction for p in open_prompts], should_stop, on_answer)
    config, request = context
    info = sitting.author.loaded.info
    summary = {
        "schema_version": 1,
        "version": sitting.version,
        "model": info.adapter if sitting.version != "base" else info.base_model,
        "base_model": info.base_model,
        "base_hash": info.base_hash,
        "identity": sitting.identity,
        "profile": config.profile,
        "run_id": request.run_id,
        "created_at": utc_now(),
        "batch": generation_batch(config),
        "dtype": info.dtype,
        "quantization": info.quantization,
        "tokens_per_s": round(tally.tokens_per_s, 1) if open_prompts else None,
        "seconds": round(time.monotonic() - started, 2),
        "n_prompts": len(prompts),
        "n_new": len(open_prompts),
        "free": summarize([known[prompt.hash] for prompt in prompts]),
    }
    write_json(sitting.folder / "summary.json", summary)
    return summary


def make_record(prompt: Prompt, exposed: str, answer: Answer) -> Record:
    """Grade one answer and return its line for <lesson_id>.jsonl."""
    program = extract_program(answer.text)
    graded = asdict(grade(prompt.blueprint, program))
    return {
        "prompt_id": prompt.id,
        "prompt_hash": prompt.hash,
        "lesson_id": prompt.lesson_id,
        "category": prompt.category,
        **_prompt_facts(prompt),
        "exposure": exposed,
        "instruction": prompt.instruction,
        "expected_dsl": prompt.expected_dsl,
        "actual_dsl": program,
        "raw_output": answer.text,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in graded.items()},
        "tokens": answer.tokens,
        "finished": answer.finished,
    }


def choose_prompts(config: Config, project: Project, request: Request) -> list[Prompt]:
    """Return the prompts to ask; a limit takes them in turn from all files, evenly spread within each."""
    lessons = [load_lesson(path) for path in request.lessons] or _configured(config, project)
    lessons = within_scope(lessons, config.exam.scope)
    limit = request.limit or config.exam.limit
    total = sum(len(lesson.prompts) for lesson in lessons)
    if not limit or limit >= total:
        return [prompt for lesson in lessons for prompt in lesson.prompts]
    quota = [limit // len(lessons) + (place < limit % len(lessons)) for place in range(len(lessons))]
    chosen: list[Prompt] = []
    for lesson, count in zip(lessons, quota, strict=True):
        count = min(count, len(lesson.prompts))
        chosen += [lesson.prompts[at * len(lesson.prompts) // count] for at in range(count)]
    return chosen


def prompts_for_base(prompts: Sequence[Prompt], exposures: Mapping[str, str]) -> list[Prompt]:
    """Return what the bare base is asked: the unseen prompts, which it is compared on; all where none is
    unseen.

    A model that was never taught to answer runs to the length limit each time, so every prompt costs its
    maximum.
    """
    unseen = [prompt for prompt in prompts if exposures[prompt.hash] == "unseen"]
    return unseen or list(prompts)


def headline(summary: dict[str, Any]) -> dict[str, float | None]:
    """Return the few numbers a person asks for first."""
    everything, unseen = summary["free"]["all"], summary["free"]["by_exposure"]["unseen"]
    return {
        "valid": everything.get("valid", {}).get("value"),
        "score": everything.get("score", {}).get("value"),
        "unseen_valid": unseen.get("valid", {}).get("value"),
        "unseen_score": unseen.get("score", {}).get("value"),
        "tokens_per_s": summary["tokens_per_s"],
    }


def _configured(config: Config, project: Project) -> list[Lesson]:
    # Held-out exams first: a limited or stopped exam has then asked what matters most.
    lessons = load_lessons(project.lessons, holdout=True) if config.exam.holdout else []
    return lessons + (load_lessons(project.lessons, holdout=False) if config.exam.lessons else [])


def _prompt_facts(prompt: Prompt) -> dict[str, str | None]:
    """What the scores are grouped by and the lesson files may change without a new answer."""
    return {"level": prompt.level, "tier": prompt.tier}


def _training_index(project: Project, request: Request) -> TrainingIndex:
    path = project.blueprint_data / "train.jsonl"
    if request.base and not path.exists():
        return TrainingIndex({})  # nothing was trained, so nothing was seen
    return TrainingIndex.load(path)


def _base_sitting(author: Author, project: Project, exposures: Mapping[str, str]) -> Sitting:
    info, limits = author.loaded.info, author.settings
    identity = sha256_text(
        repr((info.base_hash, info.quantization, info.dtype, author.system, limits.max_new_tokens))
    )[:16]
    return Sitting(author, "base", project.results / "exams" / f"base-{identity[:8]}", identity, exposures)


def _open_folder(sitting: Sitting) -> None:
    """Make the folder; answers of other weights under the same name are removed, never mixed in."""
    label = sitting.folder / "exam.json"
    if sitting.folder.exists():
        try:
            same = read_json(label).get("identity") == sitting.identity
        except InputError:
            same = False
        if not same:
            shutil.rmtree(sitting.folder)
    write_json(label, {"schema_version": 1, "version": sitting.version, "identity": sitting.identity})


def _answered(sitting: Sitting, prompts: Sequence[Prompt]) -> dict[str, Record]:
    """Read the answers on disk to these prompts by prompt hash, with today's exposure; a cut last line is
    dropped.
    """
    found: dict[str, Record] = {}
    wanted = {prompt.hash: prompt for prompt in prompts}
    for lesson_id in sorted({prompt.lesson_id for prompt in prompts}):
        path = sitting.folder / f"{lesson_id}.jsonl"
        for record in read_jsonl(path, repair=True) if path.is_file() else []:
            key = record.get("prompt_hash")
            if key in wanted:
                facts = _prompt_facts(wanted[key])
                found[key] = {**record, **facts, "exposure": sitting.exposures[key]}
    return found
