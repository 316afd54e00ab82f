"""The row files that stage 20 merges, most trusted first, and which of them must be there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.blueprint.catalog import CATALOG_FILE
from nightforge.blueprint.evaluation_tests import TESTS_FILE
from nightforge.blueprint.rows import Row, read_rows
from nightforge.core.atomic import read_bytes, sha256_file
from nightforge.core.errors import EncodingError, InputError
from nightforge.core.paths import Project

TRANSLATED = "translated"  # below data/blueprint: the programs that stage 05 made from editor texts


@dataclass(frozen=True)
class RowFile:
    """A file of rows below data/blueprint, the command that makes it, and whether a merge needs it."""

    name: str
    command: str
    required: bool = False


ROW_FILES = (
    RowFile("manual.jsonl", "python scripts/02_dsl_to_training_entry.py --help"),
    RowFile("lessons.jsonl", "python scripts/13_lesson_to_training.py", required=True),
    RowFile("synthetic.jsonl", "python scripts/03_generate_synthetic_data.py", required=True),
)


def read_sources(project: Project) -> list[Row]:
    """Read all rows; raises InputError for a required file that is missing or empty, and for a broken row."""
    rows: list[Row] = []
    for file in ROW_FILES:
        path = project.blueprint_data / file.name
        if not file.required and not path.exists():
            continue
        found = read_rows(path, file.command)
        if file.required and not found:
            raise InputError(f"{project.relative(path)} is empty", next_command=file.command)
        rows.extend(found)
    return rows


def read_program(path: Path) -> str:
    """Read a program file; raises InputError where it is missing and EncodingError where it is no UTF-8."""
    if not path.is_file():
        raise InputError(f"{path} is missing")
    try:
        return read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise EncodingError(f"{path} is not UTF-8 text (byte {error.start})") from error


def input_files(project: Project) -> list[dict[str, Any]]:
    """Every file the training set depends on: `file`, `rows` (None for files that hold none) and `sha256`."""
    data = [project.blueprint_data / file.name for file in ROW_FILES]
    lessons = sorted(project.lessons.glob("*.json"))
    return [
        {
            "file": f"lessons/{path.name}" if path in lessons else path.name,
            "rows": path.read_bytes().count(b"\n") if path in data else None,
            "sha256": sha256_file(path),
        }
        for path in (*data, *lessons, CATALOG_FILE, TESTS_FILE)
        if path.exists()
    ]
