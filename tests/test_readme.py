"""The README is true: its stage table is the registry's, its commands and files exist, it stays short."""

from __future__ import annotations

import re
from pathlib import Path

from nightforge.pipeline.registry import BLUEPRINT
from nightforge.pipeline.stage_table import insert

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_stage_table_is_the_registry() -> None:
    assert PAGE == insert(PAGE), "README.md has an old stage table; see nightforge/pipeline/stage_table.py"
    assert all(spec.title in PAGE for spec in BLUEPRINT)


def test_it_stays_under_200_lines() -> None:
    assert PAGE.count("\n") < 200


def test_every_linked_file_exists() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", PAGE)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_every_script_it_names_exists_and_every_script_is_named() -> None:
    named = set(re.findall(r"(\d\d_\w+\.py)", PAGE))
    present = {path.name for path in (ROOT / "scripts").glob("[0-9][0-9]_*.py")}
    assert named == present
