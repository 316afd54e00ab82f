"""The fixed tests of stage 09; here without torch, since the leak gate reads them too."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.core.atomic import read_json

TESTS_FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True)
class Test:
    """One test: a prompt and what the graph must contain."""

    __test__ = False  # not a pytest class

    id: str
    tier: int
    prompt: str
    checks: tuple[dict[str, Any], ...]


def load_tests(path: Path = TESTS_FILE) -> list[Test]:
    """Read the tests that come with the package."""
    entries = read_json(path)["tests"]
    return [Test(e["id"], e["tier"], e["prompt"], tuple(e["checks"])) for e in entries]
