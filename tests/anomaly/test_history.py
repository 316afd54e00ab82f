"""The history keeps the newest runs, each once, and what is over the limit goes with its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightforge.anomaly import history


def state(run_id: str, at: str, loss: float | None = 0.5) -> dict[str, Any]:
    return {
        "meta": {"run_id": run_id, "timestamp": at, "label": run_id},
        "checklist": [{"index": 1, "passed": True}, {"index": 2, "passed": False}],
        "metrics": {"patchtst": {"final_val_loss": loss}},
        "scores": {"patchtst": {"summary": {"window_count": 3}}},
    }


def runs(folder: Path) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads((folder / history.INDEX).read_text())["runs"]
    return listed


def test_newest_first_equal_ids_replaced_the_oldest_dropped(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        history.keep(tmp_path, f"run-{number}", state(f"run-{number}", f"2026-11-2{number}"), limit=3)
    history.keep(tmp_path, "run-1", state("run-1", "2026-11-29", loss=0.25), limit=3)
    assert [run["run_id"] for run in runs(tmp_path)] == ["run-1", "run-3", "run-2"]
    assert runs(tmp_path)[0]["final_val_loss"] == {"patchtst": 0.25}
    assert runs(tmp_path)[0]["checklist"] == {"passed": 1, "total": 2}
    history.keep(tmp_path, "run-4", state("run-4", "2026-11-30"), limit=2)
    assert [run["file"] for run in runs(tmp_path)] == ["run-4.json", "run-1.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.json", "run-1.json", "run-4.json"]


def test_a_damaged_snapshot_is_left_alone_and_a_damaged_index_made_anew(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / history.INDEX).write_text("{")
    history.keep(tmp_path, "run-1", state("run-1", "2026-11-21"), limit=1)
    assert [run["run_id"] for run in runs(tmp_path)] == ["run-1"]
    assert (tmp_path / "broken.json").read_text() == "{"


def test_an_id_never_leaves_the_folder_nor_hides_the_index(tmp_path: Path) -> None:
    for run_id in ("../../x", "index", "a b/ü", "..", ""):
        path = history.snapshot_path(tmp_path, run_id)
        assert path.parent == tmp_path
        assert path.name != history.INDEX
        assert path.resolve().parent == tmp_path.resolve()
