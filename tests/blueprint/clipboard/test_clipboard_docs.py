"""docs/clipboard.md names every error code with its meaning."""

from __future__ import annotations

from pathlib import Path

from nightforge.blueprint.clipboard.errors import CODES

PAGE = Path(__file__).resolve().parents[3] / "docs" / "clipboard.md"


def test_every_code_stands_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"| {code} | " in page for code in CODES)
    assert page.count("| CLIP") == len(CODES)
