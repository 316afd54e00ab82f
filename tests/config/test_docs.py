"""docs/config.md lists every setting with its default and meaning, as the program has them."""

from __future__ import annotations

from pathlib import Path

import msgspec

from nightforge.config import Config
from nightforge.config.docs import render

PAGE = Path(__file__).resolve().parents[2] / "docs" / "config.md"


def test_the_page_is_what_the_schema_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "docs/config.md is old; its head says how to make it"


def test_every_setting_has_a_meaning() -> None:
    rows = [line for line in render().splitlines() if line.startswith("| `")]
    keys = sum(
        1
        for section in msgspec.structs.fields(Config)
        if hasattr(section.type, "__struct_fields__")
        for _ in section.type.__struct_fields__
    )
    assert len(rows) >= keys - 1  # model.tiny is a table of its own
    assert all(row.split("|")[4].strip() for row in rows)
