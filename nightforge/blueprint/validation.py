"""Validates program files and training rows, and counts what a training set must be good for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from nightforge.blueprint.check import Validation, validate
from nightforge.blueprint.diagnostics import Diagnostic
from nightforge.blueprint.fixing import Change, fix
from nightforge.core.atomic import write_text
from nightforge.core.errors import InputError

MAX_BYTES = 16 * 2**20  # of one program; the largest export known, 1 MB, makes a hundredth of that
SUFFIXES = (".dsl", ".jsonl")
NEXT = "python scripts/06_validate_dsl.py FILE_OR_FOLDER..."
COUNTS = ("programs", "parses", "valid", "has_wires", "has_instruction", "good")


@dataclass(slots=True)
class FileReport:
    """What one file holds: counts of programs, and every error.

    An error is `row, line, column, message, expected, code, fix`; what is wrong with the file or its rows
    rather than with a program has no code.
    """

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

    def add(self, found: Diagnostic, row: int | None = None) -> None:
        """Add an error of a program text; `fix` is a line as `column, length, text, safe`, or None."""
        place = {"row": row, "line": found.line, "column": found.column}
        fix = None if found.fix is None else asdict(found.fix)
        words = {"message": found.message, "expected": found.expected, "code": found.code, "fix": fix}
        self.errors.append(place | words)

    def say(self, message: str, row: int | None = None, line: int = 1) -> None:
        """Add an error that is not about the program text itself."""
        place = {"row": row, "line": line, "column": 1}
        self.errors.append(place | {"message": message, "expected": "", "code": None, "fix": None})


@dataclass(slots=True)
class FixReport:
    """What fixing did to one file: `rewritten`, `as it was` or, because of errors, `refused`."""

    file: str
    outcome: Literal["rewritten", "as it was", "refused"]
    changes: list[Change] = field(default_factory=list)
    errors: list[Diagnostic] = field(default_factory=list)


def find_files(paths: list[Path]) -> list[Path]:
    """Return the files to look at: those given, and every `.dsl` and `.jsonl` file below the folders given.

    Raises InputError where a path is missing or a folder holds no such file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix in SUFFIXES and p.is_file())
            if not inside:
                raise InputError(f"{path} holds no .dsl or .jsonl file", next_command=NEXT)
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise InputError(f"{path} is missing or is no file or folder", next_command=NEXT)
    return list(dict.fromkeys(found))


def validate_files(paths: list[Path]) -> list[FileReport]:
    """Validate `.jsonl` training rows (field `output`) and other files as one program each, also in folders.

    Raises InputError where a path is missing; everything else that is wrong is in the reports.
    """
    files = find_files(paths)
    return [_validate_rows(path) if path.suffix == ".jsonl" else _validate_program(path) for path in files]


def fix_files(paths: list[Path], write: bool) -> list[FixReport]:
    """Rewrite program files in their one spelling, each whole or not at all; `.jsonl` files are left alone.

    A file with an error that no safe correction mends stays as it is. With `write` false nothing is written.
    """
    return [_fix_file(path, write) for path in find_files(paths) if path.suffix != ".jsonl"]


def _fix_file(path: Path, write: bool) -> FixReport:
    text = read_program(path)
    if isinstance(text, Diagnostic):
        return FixReport(str(path), "refused", errors=[text])
    fixed = fix(text)
    if fixed.errors:
        return FixReport(str(path), "refused", errors=list(fixed.errors))
    if fixed.text == text:
        return FixReport(str(path), "as it was")
    if write:
        write_text(path.resolve(), fixed.text)  # the file itself, not a link to it
    return FixReport(str(path), "rewritten", changes=list(fixed.changes))


def read_program(path: Path) -> str | Diagnostic:
    """Read a program file, or return why it cannot be read; the size is looked at first."""
    try:
        size = path.stat().st_size
        data = path.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        return Diagnostic("DSL004", 1, 1, message, "a file that may be read")
    if size > MAX_BYTES:
        message = f"the file has {size / 2**20:.0f} MiB; a program may have at most {MAX_BYTES // 2**20} MiB"
        return Diagnostic("DSL002", 1, 1, message, "a smaller file, or one graph per file")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        what = "it is UTF-16" if utf16 else f"{error.reason} at byte {error.start}"
        return Diagnostic("DSL001", line, column, f"no UTF-8 text: {what}", "a file saved as UTF-8")


def summary(reports: list[FileReport]) -> dict[str, Any]:
    """Return `{ok, files: [...], totals: {...}}`, ready for JSON; counts are numbers of programs."""
    totals = {name: sum(getattr(report, name) for report in reports) for name in COUNTS}
    files = [{"ok": report.ok, **asdict(report)} for report in reports]
    return {"ok": all(report.ok for report in reports), "files": files, "totals": totals}


def _validate_program(path: Path) -> FileReport:
    report = FileReport(str(path))
    text = read_program(path)
    if isinstance(text, Diagnostic):
        report.programs += 1
        report.add(text)
        return report
    validation = validate(text)
    _count(report, validation, row=None)
    report.has_instruction += 1  # a program file needs none
    report.good += validation.valid
    return report


def _validate_rows(path: Path) -> FileReport:
    report = FileReport(str(path))
    for number, row in _rows(path, report):
        output, instruction = row.get("output"), row.get("instruction")
        if not isinstance(output, str):
            report.programs += 1
            report.say("field `output` is missing or no text", number)
            continue
        validation = validate(output, opaque="error")  # nobody can learn to write what only the editor knows
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


def _rows(path: Path, report: FileReport) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the rows of a file one by one, however large the file is; a row is limited like a program."""
    try:
        with path.open("rb") as lines:
            number = 0
            while line := lines.readline(MAX_BYTES + 1):
                number += 1
                if len(line) > MAX_BYTES:
                    report.programs += 1
                    limit = f"at most {MAX_BYTES // 2**20} MiB"
                    report.say(f"a row may have {limit}; the rest of the file is not read", number)
                    return
                row = _row(line, number, report)
                if row is not None:
                    yield number, row
    except OSError as error:
        report.programs += 1
        report.say(f"the file cannot be read: {error.strerror}")


def _row(line: bytes, number: int, report: FileReport) -> dict[str, Any] | None:
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
        row = json.loads(text) if text.strip() else None
    except UnicodeDecodeError as error:
        report.programs += 1
        report.say(f"no UTF-8 text: {error.reason} at byte {error.start} of the row", number)
        return None
    except (ValueError, RecursionError) as error:
        report.programs += 1
        report.say(f"no JSON: {error}", number)
        return None
    if row is not None and not isinstance(row, dict):
        report.programs += 1
        report.say("a row must be a JSON object", number)
        return None
    return row


def _count(report: FileReport, validation: Validation, row: int | None) -> bool:
    bp = validation.blueprint
    wired = bp is not None and any(True for _ in bp.wires())
    report.programs += 1
    report.parses += bp is not None
    report.valid += validation.valid
    report.has_wires += wired
    report.warnings += sum(d.severity == "warning" for d in validation.diagnostics)
    for found in validation.errors:
        report.add(found, row)
    return wired
