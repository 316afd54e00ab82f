"""What stage 20 merges, most trusted first: row files, and the programs that stage 05 translated.

A translated program is described by its comment boxes, or by a person through stage 02. What only the editor
needs (comment boxes and raw `@` keys) is no part of the answer that is learned.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nightforge.blueprint.catalog import CATALOG_FILE
from nightforge.blueprint.evaluation_tests import TESTS_FILE
from nightforge.blueprint.graph import Blueprint, Node
from nightforge.blueprint.parser import parse
from nightforge.blueprint.rows import Row, make_row, read_rows
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


TRANSLATED_BEFORE = "lessons.jsonl"
ROW_FILES = (
    RowFile("manual.jsonl", "python scripts/02_dsl_to_training_entry.py --help"),
    RowFile("lessons.jsonl", "python scripts/13_lesson_to_training.py", required=True),
    RowFile("synthetic.jsonl", "python scripts/03_generate_synthetic_data.py", required=True),
)


def read_sources(project: Project) -> list[Row]:
    """Read all rows; raises InputError for a required file that is missing or empty, and for a broken row."""
    rows: list[Row] = []
    for file in ROW_FILES:
        if file.name == TRANSLATED_BEFORE:
            rows.extend(translated_rows(project, rows))
        path = project.blueprint_data / file.name
        if not file.required and not path.exists():
            continue
        found = read_rows(path, file.command)
        if file.required and not found:
            raise InputError(f"{project.relative(path)} is empty", next_command=file.command)
        rows.extend(found)
    return rows


def translated_rows(project: Project, described: Iterable[Row]) -> list[Row]:
    """One row per program in data/blueprint/translated; what people have `described` by stage 02 is left out.

    A program without a comment has no instruction and one that cannot be read no output; the merge counts
    both.
    """
    known = {row.ref for row in described if row.kind == "translated"}
    rows = []
    for path in sorted((project.blueprint_data / TRANSLATED).rglob("*.dsl")):
        ref = project.relative(path)
        if ref not in known:
            rows.append(_translated(path, ref))
    return rows


def _translated(path: Path, ref: str) -> Row:
    try:
        text = read_program(path)
    except EncodingError:
        text = ""
    blueprint = parse(text).blueprint
    if blueprint is None:
        return Row(f"translated-{ref}", "", text, "translated", ref, "", "")
    return make_row("translated", ref, description(blueprint), without_notes(blueprint))


def description(blueprint: Blueprint) -> str:
    """The comment boxes of a program as sentences, in order; empty without any."""
    texts = (" ".join(comment.text.split()) for graph in blueprint.graphs for comment in graph.comments)
    return " ".join(text if text[-1] in ".!?" else f"{text}." for text in texts if text)


def without_notes(blueprint: Blueprint) -> Blueprint:
    """The program without comment boxes and without raw keys of the editor."""
    graphs = tuple(
        replace(graph, nodes=tuple(_plain(node) for node in graph.nodes), comments=())
        for graph in blueprint.graphs
    )
    return replace(blueprint, graphs=graphs)


def _plain(node: Node) -> Node:
    return replace(node, properties=tuple((k, v) for k, v in node.properties if not k.startswith("@")))


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
    translated = sorted((project.blueprint_data / TRANSLATED).rglob("*.dsl"))
    return [
        {
            "file": f"{path.parent.name}/{path.name}" if path in (*lessons, *translated) else path.name,
            "rows": path.read_bytes().count(b"\n") if path in data else None,
            "sha256": sha256_file(path),
        }
        for path in (*data, *translated, *lessons, CATALOG_FILE, TESTS_FILE)
        if path.exists()
    ]
