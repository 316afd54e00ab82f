"""Translates files, folders and standard input: each on its own, into a folder that is never the input's.

Output names carry the hash of the input's bytes, so a rerun writes the same files again and appends nothing.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nightforge.blueprint.check import validate
from nightforge.blueprint.clipboard.errors import ClipboardError
from nightforge.blueprint.clipboard.ledger import Ledger
from nightforge.blueprint.clipboard.reading import decode, file_bytes, stream_bytes
from nightforge.blueprint.clipboard.translate import Document, translate
from nightforge.blueprint.graph import Blueprint
from nightforge.core.atomic import write_text
from nightforge.core.errors import InputError, NightforgeError

STDIN = "-"
EXPORTS = (".txt", ".t3d", ".copy")  # what is read from a folder
PROGRAMS = (".dsl",)
HASH_DIGITS = 8


@dataclass(slots=True)
class FileReport:
    """What became of one input: its ledger, the files written, whether the round trip held, or the error."""

    file: str
    ledger: Ledger = field(default_factory=Ledger)
    outputs: list[str] = field(default_factory=list)
    round_trip: bool | None = None  # None: nothing was translated
    warnings: list[str] = field(default_factory=list)
    error: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "file": self.file,
            **self.ledger.to_dict(),
            "round_trip": self.round_trip,
            "outputs": self.outputs,
            "warnings": self.warnings,
            "error": self.error,
        }


def find_inputs(sources: Sequence[str], endings: tuple[str, ...], output: Path) -> list[str]:
    """Return every input file in order, `-` as it is; raises InputError for a missing or a forbidden place.

    Folders are read with their subfolders; hidden files and other endings are passed over.
    """
    found: list[str] = []
    for source in sources:
        if source == STDIN:
            found.append(source)
            continue
        path = Path(source)
        if not path.exists():
            raise InputError(
                f"{path} is missing; name texts copied from the editor, or folders of them",
                next_command="python scripts/05_auto_translate_export.py TEXT_OR_FOLDER... --output out",
            )
        folder = path if path.is_dir() else path.parent
        _refuse_output(output, folder, path.is_dir())
        found += [str(path)] if path.is_file() else [str(item) for item in _files(path, endings)]
    return list(dict.fromkeys(found))


def translate_all(
    inputs: Sequence[str],
    output: Path,
    parent: str | None = None,
    svg: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[FileReport]:
    """Translate every input to `.dsl` files (and pictures) in `output`; a bad one never stops the others."""
    work = _Translator(output, parent, svg)
    reports = []
    for index, source in enumerate(inputs, 1):
        reports.append(each(source, work))
        progress(index, len(inputs))
    return reports


def write_all(inputs: Sequence[str], output: Path) -> list[FileReport]:
    """Turn every program into text for the editor's clipboard, one `.txt` each in `output`."""
    work = _Writer(output)
    return [each(source, work) for source in inputs]


def totals(reports: Sequence[FileReport]) -> dict[str, Any]:
    """Return the sums over all files, and how many could not be translated."""
    ledger = Ledger()
    for report in reports:
        ledger.add(report.ledger)
    failed = [report for report in reports if report.error is not None]
    kept = sum(report.round_trip is True for report in reports)
    return {"files": len(reports), "failed": len(failed), "round_trips": kept, **ledger.to_dict()}


def _files(folder: Path, endings: tuple[str, ...]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and path.suffix.lower() in endings and not hidden:
            yield path


def _refuse_output(output: Path, folder: Path, recursive: bool) -> None:
    where, place = output.resolve(), folder.resolve()
    if where == place or (recursive and where.is_relative_to(place)):
        raise InputError(
            f"the output folder {output} lies in the input folder {folder}; inputs are never written to",
            next_command="name another folder with --output",
        )


def each(source: str, work: Callable[[bytes, str, str], FileReport]) -> FileReport:
    """Read one input and work on (bytes, stem, source); an error becomes part of the report."""
    stem = "clipboard" if source == STDIN else Path(source).stem
    try:
        data = stream_bytes(sys.stdin.buffer) if source == STDIN else file_bytes(Path(source))
        return work(data, stem, source)
    except (NightforgeError, OSError) as error:
        return FileReport(source, error=str(error))


def named(stem: str, data: bytes) -> str:
    """Return the name of an input's outputs: its stem and the first digits of its SHA-256."""
    return f"{stem}-{hashlib.sha256(data).hexdigest()[:HASH_DIGITS]}"


@dataclass(frozen=True, slots=True)
class _Translator:
    """The translation of one input, with what holds for all of them."""

    output: Path
    parent: str | None
    svg: bool

    def __call__(self, data: bytes, stem: str, source: str) -> FileReport:
        if self.svg and source.lower().endswith(PROGRAMS):
            return self._draw(data, stem, source)
        found = translate(decode(data), stem, self.parent)
        report = FileReport(source, found.ledger, warnings=found.notes, round_trip=True)
        for index, document in enumerate(found.documents):
            name = named(stem, data) + (f"-{index + 1}" if index else "")
            path = self.output / f"{name}.dsl"
            write_text(path, document.text, durable=False)
            report.outputs.append(str(path))
            if self.svg:
                report.outputs.append(self._picture(name, document.blueprint))
            if not round_trip(document):
                report.round_trip = False
                report.warnings.append(
                    f"{document.blueprint.name}: through the clipboard and back it is another program"
                )
        return report

    def _draw(self, data: bytes, stem: str, source: str) -> FileReport:
        blueprint, warnings = read_program(data)
        return FileReport(source, outputs=[self._picture(named(stem, data), blueprint)], warnings=warnings)

    def _picture(self, name: str, blueprint: Blueprint) -> str:
        from nightforge.blueprint.drawing import to_svg

        path = self.output / f"{name}.svg"
        write_text(path, to_svg(blueprint), durable=False)
        return str(path)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes one program as text for the clipboard."""

    output: Path

    def __call__(self, data: bytes, stem: str, source: str) -> FileReport:
        from nightforge.blueprint.clipboard.writer import create_first, to_clipboard

        blueprint, warnings = read_program(data)
        warnings += [f"create first: {line}" for line in create_first(blueprint)]
        path = self.output / f"{named(stem, data)}.txt"
        write_text(path, to_clipboard(blueprint), durable=False)
        return FileReport(source, outputs=[str(path)], warnings=warnings)


def read_program(data: bytes) -> tuple[Blueprint, list[str]]:
    """Read a program from bytes; returns it with every finding, raises InputError if it can't be read."""
    result = validate(decode(data))
    if result.blueprint is None:
        first = result.errors[0]
        raise InputError(f"line {first.line}, column {first.column}: {first.message}")
    return result.blueprint, [str(finding) for finding in result.diagnostics]


def round_trip(document: Document) -> bool:
    """Say whether writing a program for the clipboard and reading it back gives the same text."""
    from nightforge.blueprint.clipboard.writer import to_clipboard

    program = document.blueprint
    try:
        back = translate(to_clipboard(program), program.name, program.parent)
    except ClipboardError:
        return False
    return [other.text for other in back.documents] == [document.text]
