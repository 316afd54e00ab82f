"""Stage 02: programs with descriptions become rows of data/blueprint/manual.jsonl, all of them or none.

The file is only ever appended to. A row that the merge would refuse is refused here, where the person who
wrote it can still change it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.blueprint.canonical import content_key
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.check import validate
from nightforge.blueprint.evaluation_tests import load_tests
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.leak import Holdout
from nightforge.blueprint.lessons import load_lessons
from nightforge.blueprint.merging import MIN_WORDS, REASONS, check_quality
from nightforge.blueprint.parser import parse
from nightforge.blueprint.rows import Row, make_row, normalize_instruction, read_rows
from nightforge.blueprint.sources import TRANSLATED, read_program, without_notes
from nightforge.core.atomic import append_whole, read_bytes
from nightforge.core.errors import EncodingError, InputError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

HELP = "python scripts/02_dsl_to_training_entry.py --help"


@dataclass(frozen=True, slots=True)
class Entry:
    """A program from a file and one description of it."""

    path: Path
    kind: str  # manual, or translated where the file is an output of stage 05
    blueprint: Blueprint
    text: str


def add_manual(
    project: Project, files: Sequence[Path], texts: Sequence[str], report: Report
) -> dict[str, Any]:
    """Append one row per program and description to data/blueprint/manual.jsonl; returns how many were new.

    Raises InputError naming file and place for a program that is not valid, holds opaque nodes or is held
    out, for a description that says too little or belongs to another program; then nothing is written.
    """
    if not texts:
        raise InputError(
            "no description given: say what the programs do with --describe or --descriptions",
            next_command=HELP,
        )
    target = project.blueprint_data / "manual.jsonl"
    known = read_rows(target, "") if target.exists() else []
    hashes = {row.hash for row in known}
    answers = {normalize_instruction(row.instruction): _content(row) for row in known}
    holdout = Holdout.of(load_lessons(project.lessons), load_tests())
    fresh: list[Row] = []
    for entry in _entries(project, files, texts):
        row = make_row(entry.kind, project.relative(entry.path), entry.text, entry.blueprint)
        if row.hash in hashes:
            continue
        _refuse(entry, row, answers, holdout)
        hashes.add(row.hash)
        fresh.append(row)
    if fresh:
        _append(target, fresh)
    report.metric(added=len(fresh), known=len(files) * len(texts) - len(fresh), rows=len(hashes))
    return {"added": len(fresh), "rows": len(hashes)}


def read_descriptions(path: Path | None) -> list[str]:
    """The lines of a description file without comments and blank lines."""
    if path is None:
        return []
    if not path.is_file():
        raise InputError(f"{path} is missing", next_command=HELP)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise EncodingError(f"{path} is not UTF-8 text (byte {error.start})") from error
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def _entries(project: Project, files: Sequence[Path], texts: Sequence[str]) -> Iterator[Entry]:
    """Every file is checked before its first description."""
    translated = (project.blueprint_data / TRANSLATED).resolve()
    for path in files:
        kind = "translated" if path.resolve().is_relative_to(translated) else "manual"
        blueprint = _read(path)
        blueprint = without_notes(blueprint) if kind == "translated" else blueprint
        for text in texts:
            yield Entry(path, kind, blueprint, text)


def _read(path: Path) -> Blueprint:
    result = validate(read_program(path))
    if not result.valid or result.blueprint is None:
        first = result.errors[0]
        raise InputError(
            f"{path}, line {first.line}, column {first.column}: {first.message}",
            next_command=f"python scripts/06_validate_dsl.py {path}",
        )
    catalog = load_catalog()
    unknown = sorted({n.type for n in result.blueprint.nodes() if catalog.lookup(n.type) is None})
    if unknown:
        raise InputError(f"{path} holds opaque nodes, which no model can learn: {', '.join(unknown)}")
    return result.blueprint


def _refuse(entry: Entry, row: Row, answers: dict[str, str], holdout: Holdout) -> None:
    """Raise InputError where a row would not be trained on; note what its words stand for."""
    where = f"{entry.path}, description {entry.text!r}"
    reason, blueprint = check_quality(row)
    if reason or blueprint is None:
        least = f" (at least {MIN_WORDS} words)" if reason == "no_instruction" else ""
        raise InputError(f"{where}: {REASONS[reason]}{least}", next_command=HELP)
    leak = holdout.find(row, row.structure, blueprint)
    if leak:
        raise InputError(
            f"{where}: {leak.sentence()}. What an exam asks is never trained on; change the program",
            next_command=HELP,
        )
    words, content = normalize_instruction(row.instruction), content_key(blueprint)
    if answers.setdefault(words, content) != content:
        raise InputError(
            f"{where}: another program in manual.jsonl or in this call has the same description; "
            "say what tells them apart",
            next_command=HELP,
        )


def _append(target: Path, rows: Sequence[Row]) -> None:
    """Append all rows in one write, behind a line end where an editor has left the last line without one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    lines = b"".join(json.dumps(row.to_dict(), ensure_ascii=False).encode() + b"\n" for row in rows)
    before = read_bytes(target) if target.exists() else b""
    if before and not before.endswith(b"\n"):
        lines = b"\n" + lines
    with target.open("ab", buffering=0) as file:
        append_whole(file, lines, sync=True)


def _content(row: Row) -> str:
    blueprint = parse(row.output).blueprint
    return content_key(blueprint) if blueprint else row.output
