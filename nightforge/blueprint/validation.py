"""Validates program files and training rows, and counts what a training set must be good for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nightforge.blueprint.check import Validation, validate
from nightforge.core.errors import InputError

COUNTS = ("programs", "parses", "valid", "has_wires", "has_instruction", "good")


@dataclass(slots=True)
class FileReport:
    """What one file holds: counts of programs, and every error as `row, line, column, message, expected`."""

    file: str
    programs: int = 0
    parses: int = 0
    valid: int = 0
    has_wires: int = 0
    has_instruction: int = 0
    good: int = 0
    warnings: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Say whether the file holds programs and every one of them is good."""
        return self.programs > 0 and self.good == self.programs and not self.errors

    def say(self, message: str, row: int | None = None, line: int = 1) -> None:
        """Add an error that is not about the program text itself."""
        self.errors.append({"row": row, "line": line, "column": 1, "message": message, "expected": ""})


def validate_files(paths: list[Path]) -> list[FileReport]:
    """Validate `.jsonl` training rows (field `output`) and other files as one program each.

    Raises InputError where a file is missing; everything else that is wrong is in the reports.
    """
    for path in paths:
        if not path.is_file():
            raise InputError(
                f"{path} is missing or is no file; name .dsl or .jsonl files",
                next_command="python scripts/06_validate_dsl.py FILE...",
            )
    return [_validate_rows(path) if path.suffix == ".jsonl" else _validate_program(path) for path in paths]


def summary(reports: list[FileReport]) -> dict[str, Any]:
    """Return `{ok, files: [...], totals: {...}}`, ready for JSON; counts are numbers of programs."""
    totals = {name: sum(getattr(report, name) for report in reports) for name in COUNTS}
    files = [{"ok": report.ok, **asdict(report)} for report in reports]
    return {"ok": all(report.ok for report in reports), "files": files, "totals": totals}


def _validate_program(path: Path) -> FileReport:
    report = FileReport(str(path))
    text = _read(path, report)
    if text is not None:
        validation = validate(text)
        _count(report, validation, row=None)
        report.has_instruction += 1  # a program file needs none
        report.good += validation.valid
    return report


def _validate_rows(path: Path) -> FileReport:
    report = FileReport(str(path))
    for number, row in _rows(_read(path, report) or "", report):
        output, instruction = row.get("output"), row.get("instruction")
        if not isinstance(output, str):
            report.programs += 1
            report.say("field `output` is missing or no text", number)
            continue
        validation = validate(output)
        wired = _count(report, validation, number)
        asked = isinstance(instruction, str) and bool(instruction.strip())
        report.has_instruction += asked
        report.good += validation.valid and wired and asked
        if not wired:
            report.say("the program has no wire", number)
        if not asked:
            report.say("field `instruction` is empty", number)
    if not report.programs and not report.errors:
        report.say("the file holds no rows")
    return report


def _rows(text: str, report: FileReport) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            report.programs += 1
            report.say(f"no JSON: {error}", number)
            continue
        if isinstance(row, dict):
            yield number, row
        else:
            report.programs += 1
            report.say("a row must be a JSON object", number)


def _count(report: FileReport, validation: Validation, row: int | None) -> bool:
    bp = validation.blueprint
    wired = bp is not None and any(True for _ in bp.wires())
    report.programs += 1
    report.parses += bp is not None
    report.valid += validation.valid
    report.has_wires += wired
    report.warnings += sum(d.severity == "warning" for d in validation.diagnostics)
    for d in validation.errors:
        found = {"row": row, "line": d.line, "column": d.column, "message": d.message, "expected": d.expected}
        report.errors.append(found)
    return wired


def _read(path: Path, report: FileReport) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        report.programs += 1
        report.say(f"no UTF-8 text: {error.reason} at byte {error.start}")
        return None
