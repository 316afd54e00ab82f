"""What is wrong with a file, channel by channel, and what was done about it (facts: data-quality validation).

A finding is a sentence with the measured value and the limit. Actions: drop the file, drop a channel, mask
rows, warn. Letters: T rows, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.holes import runs

SCHEMA_VERSION = "0.2"
FEW_VALUES = 10  # a channel with so few different values is a switch or a set point, not a clipped signal
CLIPPED_RUN = 3  # rows in a row at an extreme


@dataclass
class FileQuality:
    """The record of one file. `part`: train or score; `state`: how it was divided, or why it was not."""

    file_id: str
    part: str
    digest: str = ""
    hard_fails: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    channels: list[dict[str, Any]] = field(default_factory=list)
    state: str = ""

    @property
    def decision(self) -> str:
        return "drop" if self.hard_fails else "keep"

    def record(self, run_id: str) -> dict[str, Any]:
        """As JSON; the fields of the original's report are a subset."""
        return {
            "schema_version": SCHEMA_VERSION,
            "run_id": run_id,
            "file_id": self.file_id,
            "part": self.part,
            "digest": self.digest,
            "decision": self.decision,
            "state": self.state,
            "hard_fails": self.hard_fails,
            "warnings": self.warnings,
            "actions": self.actions,
            "metrics": self.metrics,
            "channels": self.channels,
        }


def counted(count: int, noun: str) -> str:
    """Write `1 file`, `2 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def measure_channels(
    names: Sequence[str], values: NDArray[np.float32], text: Sequence[int]
) -> list[dict[str, Any]]:
    """One record per channel of (T, C): kind, missing, longest hole, range, deviation, stuck, clipped."""
    return [_channel(name, values[:, i], int(text[i])) for i, name in enumerate(names)]


def _channel(name: str, column: NDArray[np.float32], text: int) -> dict[str, Any]:
    known = np.isfinite(column)
    count = int(known.sum())
    kind = "number" if count and count >= text else "text" if text else "empty"
    record: dict[str, Any] = {
        "name": name,
        "kind": kind,
        "text_cells": text,
        "missing": len(column) - count,
        "missing_ratio": _ratio(len(column) - count, len(column)),
        "longest_hole_rows": max((b - a for a, b in runs(~known)), default=0),
    }
    if not count:
        return record
    values = column[known].astype(np.float64)
    record |= {
        "minimum": float(values.min()),
        "median": float(np.median(values)),
        "maximum": float(values.max()),
        "std": float(values.std()),
        "switch": len(np.unique(values[:10_000])) <= FEW_VALUES,
        "longest_stuck_rows": _longest_stuck(values),
    }
    record["clipped_ratio"] = 0.0 if record["switch"] else clipped_ratio(values)
    return record


def _ratio(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0


def _longest_stuck(values: NDArray[np.float64]) -> int:
    still = runs(np.diff(values) == 0)
    return max((b - a + 1 for a, b in still), default=1)


def clipped_ratio(values: NDArray[np.float64]) -> float:
    """Share of values at the own extremes, in runs of at least three rows."""
    low, high = values.min(), values.max()
    at_end = sum(b - a for end in (low, high) for a, b in runs(values == end) if b - a >= CLIPPED_RUN)
    return _ratio(at_end, len(values))
