"""Lessons and held-out exams: JSON files written by people, accepted only when every answer is valid."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from nightforge.blueprint.canonical import canonicalize, structure_key
from nightforge.blueprint.catalog import Level, load_catalog
from nightforge.blueprint.check import validate
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.rows import Row, make_row, normalize_instruction, row_hash
from nightforge.core.atomic import read_json
from nightforge.core.errors import InputError

Scope = Literal["core", "catalog"]  # which prompts are taught and asked
SCHEMA_VERSION = 1
_LESSON_KEYS = {"schema_version", "lesson_id", "lesson_name", "description", "holdout", "prompts"}
_PROMPT_KEYS = {"id", "category", "instruction", "expected_dsl"}
_OPTIONAL_LESSON_KEYS = {"scope"}
_OPTIONAL_PROMPT_KEYS = {"tier"}
TIERS = ("trivial", "basic", "intermediate", "advanced")  # how hard a prompt is, easiest first
_QUOTED = re.compile(r'("[^"]*")')
CASUAL = (
    (r"\b[Pp]lease ", ""),
    (r"\bis greater than\b", "is over"),
    (r"\bis less than\b", "is under"),
    (r"\botherwise\b", "else"),
    (r"\bevery frame\b", "each frame"),
    (r"\bseconds\b", "secs"),
    (r"\bvariable\b", "var"),
)
TECHNICAL = (
    (r"\b[Ww]hen the game starts\b", "on BeginPlay"),
    (r"\b[Ee]very frame\b", "on Tick"),
    (r"\bis greater than\b", "is >"),
    (r"\bis less than\b", "is <"),
    (r"\bseconds\b", "s"),
    (r"\botherwise\b", "on False"),
)


@dataclass(frozen=True)
class Prompt:
    """One task with its reference answer in canonical text."""

    id: str
    lesson_id: str
    category: str
    instruction: str
    expected_dsl: str
    blueprint: Blueprint
    tier: str | None = None  # one of TIERS; None where the file does not say it

    @cached_property
    def hash(self) -> str:
        """Content hash over instruction and answer, the same as a training row's."""
        return row_hash(self.instruction, self.expected_dsl)

    @cached_property
    def level(self) -> Level:
        """`core` when the answer keeps to the core of the catalog, otherwise `more`.

        Core are its node types in event graphs, without pins of their own and comment boxes.
        """
        catalog = load_catalog()
        for graph in self.blueprint.graphs:
            types = [catalog.lookup(node.type) for node in graph.nodes]
            if graph.kind != "graph" or graph.comments or any(node.pins for node in graph.nodes):
                return "more"
            if any(node_type is None or node_type.level != "core" for node_type in types):
                return "more"
        return "core"

    @cached_property
    def structure(self) -> str:
        """Structure key of the answer."""
        return structure_key(self.blueprint)


@dataclass(frozen=True)
class Lesson:
    """A lesson file; `holdout` prompts are examined and never trained on. Scope `catalog`: it is written for
    models that learn the whole catalog, with free names and long programs.
    """

    lesson_id: str
    lesson_name: str
    description: str
    holdout: bool
    prompts: tuple[Prompt, ...]
    path: Path
    scope: Scope = "core"


def load_lesson(path: Path) -> Lesson:
    """Read and check one lesson file.

    Raises InputError naming the file, the prompt with its line, and the line within a bad answer.
    """
    data = read_json(path)
    if not isinstance(data, dict):
        raise InputError(f"{path}: a lesson is a JSON object, not {type(data).__name__}")
    _check_keys(data, _LESSON_KEYS, str(path), _OPTIONAL_LESSON_KEYS)
    scope = data.get("scope", "core")
    if scope not in ("core", "catalog"):
        raise InputError(f"{path}: scope must be core or catalog, not {scope!r}")
    if data["schema_version"] != SCHEMA_VERSION:
        raise InputError(f"{path}: schema_version must be {SCHEMA_VERSION}, not {data['schema_version']!r}")
    if not isinstance(data["holdout"], bool):
        raise InputError(f"{path}: holdout must be true or false, not {data['holdout']!r}")
    lesson_id = _text(data, "lesson_id", str(path))
    if not isinstance(data["prompts"], list) or not data["prompts"]:
        raise InputError(f"{path}: prompts must be a list that is not empty")
    lines = path.read_text(encoding="utf-8").splitlines()
    prompts = [
        _prompt(entry, lesson_id, path, lines, place) for place, entry in enumerate(data["prompts"], 1)
    ]
    ids = [prompt.id for prompt in prompts]
    for prompt_id in ids:
        if ids.count(prompt_id) > 1:
            raise InputError(f"{path}: prompt id {prompt_id!r} is used twice")
    name, description = (_text(data, key, str(path)) for key in ("lesson_name", "description"))
    return Lesson(lesson_id, name, description, data["holdout"], tuple(prompts), path, scope)


def load_lessons(folder: Path, *, holdout: bool | None = None) -> list[Lesson]:
    """Read every lesson of a folder, sorted by file name; `holdout` keeps only exams or only lessons."""
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise InputError(f"no lesson files in {folder}", next_command="git checkout -- lessons")
    lessons = [load_lesson(path) for path in paths]
    seen: dict[str, Path] = {}
    for lesson in lessons:
        if lesson.lesson_id in seen:
            raise InputError(
                f"{lesson.path} and {seen[lesson.lesson_id]} both call themselves {lesson.lesson_id!r}"
            )
        seen[lesson.lesson_id] = lesson.path
    return [lesson for lesson in lessons if holdout is None or lesson.holdout == holdout]


def within_scope(lessons: Sequence[Lesson], scope: Scope) -> list[Lesson]:
    """Keep the prompts of a scope: all for `catalog`; for `core` those that keep to the core of the catalog,
    in files written for it.

    Raises InputError when no prompt is left.
    """
    if scope == "catalog":
        return list(lessons)
    kept = [
        replace(lesson, prompts=tuple(prompt for prompt in lesson.prompts if prompt.level == "core"))
        for lesson in lessons
        if lesson.scope == "core"
    ]
    kept = [lesson for lesson in kept if lesson.prompts]
    if not kept:
        raise InputError(
            f"no prompt of the {len(lessons)} lesson files keeps to the core of the catalog",
            next_command="python scripts/12_run_exam.py --set exam.scope=catalog",
        )
    return kept


def lesson_rows(lessons: Iterable[Lesson]) -> list[Row]:
    """Turn lessons into training rows, each prompt with its variations; held-out ones are left out."""
    rows = []
    for lesson in lessons:
        if lesson.holdout:
            continue
        for prompt in lesson.prompts:
            for number, instruction in enumerate((prompt.instruction, *variations(prompt.instruction))):
                ref = f"{lesson.lesson_id}:{prompt.id}" + (f":{number}" if number else "")
                rows.append(make_row("lesson", ref, instruction, prompt.blueprint))
    return rows


def variations(instruction: str) -> list[str]:
    """The same task in a casual and in a technical voice; quoted text and names stay as they are."""
    found: dict[str, str] = {normalize_instruction(instruction): instruction}
    for voice in (_casual, _technical):
        said = voice(instruction)
        found.setdefault(normalize_instruction(said), said)
    return list(found.values())[1:]


def _casual(instruction: str) -> str:
    said = _outside_quotes(instruction, lambda text: _replace_all(text, CASUAL))
    return said[0].lower() + said[1:].rstrip(".") if said[:1] != '"' else said


def _technical(instruction: str) -> str:
    said = _outside_quotes(instruction, lambda text: _replace_all(text, TECHNICAL))
    return said[0].upper() + said[1:]


def _replace_all(text: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, words in rules:
        text = re.sub(pattern, words, text)
    return text


def _outside_quotes(text: str, change: Callable[[str], str]) -> str:
    """Change only what stands outside double quotes."""
    parts = _QUOTED.split(text)
    return "".join(part if part.startswith('"') else change(part) for part in parts)


def _prompt(entry: Any, lesson_id: str, path: Path, lines: list[str], place: int) -> Prompt:
    where = f"{path}, prompt {place}"
    if not isinstance(entry, dict):
        raise InputError(f"{where}: a prompt is a JSON object, not {type(entry).__name__}")
    _check_keys(entry, _PROMPT_KEYS, where, _OPTIONAL_PROMPT_KEYS)
    prompt_id = _text(entry, "id", where)
    line = next((n for n, text in enumerate(lines, 1) if f'"{prompt_id}"' in text), 0)
    where = f"{path}, line {line}, prompt {prompt_id}"
    category, instruction, answer = (
        _text(entry, key, where) for key in ("category", "instruction", "expected_dsl")
    )
    tier = entry.get("tier")
    if tier is not None and tier not in TIERS:
        raise InputError(f"{where}: tier must be one of {', '.join(TIERS)}, not {tier!r}")
    result = validate(answer)
    if not result.valid or result.blueprint is None:
        first = result.errors[0]
        raise InputError(f"{where}: expected_dsl line {first.line}, column {first.column}: {first.message}")
    blueprint = canonicalize(result.blueprint)
    return Prompt(prompt_id, lesson_id, category, instruction, to_text(blueprint), blueprint, tier)


def _check_keys(
    data: dict[str, Any], wanted: set[str], where: str, optional: AbstractSet[str] = frozenset()
) -> None:
    known = wanted | optional
    missing, unknown = sorted(wanted - data.keys()), sorted(data.keys() - known)
    if missing:
        raise InputError(f"{where}: {', '.join(missing)} missing")
    if unknown:
        raise InputError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(sorted(known))}")


def _text(data: dict[str, Any], key: str, where: str) -> str:
    value = data[key]
    if not isinstance(value, str) or not value.strip():
        raise InputError(f"{where}: {key} must be a text that is not empty")
    return value
