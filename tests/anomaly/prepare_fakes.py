"""What tests of stage 21 share: a report that remembers, and one call from settings to result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nightforge.anomaly.prepare import prepare
from nightforge.config import load_config
from nightforge.core.atomic import read_json
from nightforge.core.paths import Project


class Remembering:
    """A report that keeps nodes, alerts and messages."""

    def __init__(self) -> None:
        self.nodes: list[tuple[str, str]] = []
        self.alerts: list[str] = []
        self.messages: list[str] = []

    def node(self, node_id: str, status: str, message: str = "") -> None:
        self.nodes.append((node_id, status))

    def alert(self, level: str, title: str, detail: str = "", next_command: str | None = None) -> None:
        self.alerts.append(f"{title}: {detail}")

    def message(self, text: str) -> None:
        self.messages.append(text)

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


def run(project: Project, *settings: str, stream: str = "patchtst", report: Any = None) -> dict[str, Any]:
    """Prepare one stream alone, with windows of 32 rows and gaps of 42 wherever the defaults may go."""
    other = "swinmae" if stream == "patchtst" else "patchtst"
    fixed = [f"{other}.enabled=false", "patchtst.data.seq_len=32", "anomaly.lags=10"]
    config = load_config(project, None, [*fixed, *settings], None)
    return prepare(config, project, report or Remembering(), lambda: False)[stream]


def quality(project: Project, name: str = "fdc") -> dict[str, Any]:
    found: dict[str, Any] = read_json(project.anomaly_results / "quality" / f"{name}.json")
    return found


def of_file(project: Project, file_id: str, name: str = "fdc") -> dict[str, Any]:
    return next(entry for entry in quality(project, name)["files"] if entry["file_id"] == file_id)


def sensors(rows: int = 800, seed: int = 0, start: str = "2026-01-01") -> pd.DataFrame:
    """A small process: three channels at 1 Hz."""
    rng = np.random.default_rng(seed)
    slow = np.cumsum(rng.normal(size=rows)) * 0.1
    stamps = pd.date_range(start, periods=rows, freq="1s").strftime("%Y-%m-%d %H:%M:%S")
    return pd.DataFrame(
        {
            "timestamp": stamps,
            "flow": 5 + slow + rng.normal(size=rows) * 0.2,
            "temp": 80 + 2 * slow + rng.normal(size=rows),
            "speed": 1500 + rng.normal(size=rows) * 10,
        }
    )


def waveform(rows: int = 1000, fs: float = 2000.0, seed: int = 0) -> pd.DataFrame:
    """A shaft of 50 Hz on three axes, with a clock."""
    rng = np.random.default_rng(seed)
    clock = np.arange(rows) / fs
    data = {axis: np.sin(2 * np.pi * 50 * clock + i) for i, axis in enumerate("xyz")}
    noisy = {axis: wave + rng.normal(size=rows) * 0.1 for axis, wave in data.items()}
    return pd.DataFrame({"timestamp": clock, **noisy})


def write(folder: Path, **frames: pd.DataFrame) -> Path:
    """Write each table as NAME.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        frame.to_csv(folder / f"{name}.csv", index=False)
    return folder
