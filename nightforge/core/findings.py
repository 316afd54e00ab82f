"""What a scheduled look has found. Standard library only."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One thing in order (`ok`) or not; `next_command` is what a person would type."""

    level: Literal["ok", "warning", "critical"]
    title: str
    detail: str
    next_command: str | None = None
