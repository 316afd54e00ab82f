"""The history of the page: one snapshot per run, and an index made from them.

results/anomaly/history/<run_id>.json     the dashboard state as it was then
results/anomaly/history/index.json        newest first; what is over the limit goes with its file
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nightforge.core.atomic import write_json
from nightforge.core.clock import utc_now
from nightforge.core.records import read_object

INDEX = "index.json"


def snapshot_path(folder: Path, run_id: str) -> Path:
    """Return where a run's snapshot lies; the id is reduced to letters that every file system takes."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", run_id).lstrip(".") or "run"
    return folder / (f"{name}.json" if name != Path(INDEX).stem else f"{name}_.json")


def keep(folder: Path, run_id: str, state: dict[str, Any], limit: int) -> Path:
    """Write a run's snapshot (an equal id is replaced), drop those over the limit, and write the index anew.

    A snapshot that cannot be read is left alone and not listed. Returns the index.
    """
    folder.mkdir(parents=True, exist_ok=True)
    own = snapshot_path(folder, run_id)
    write_json(own, state)
    listed = []
    for path in folder.glob("*.json"):
        snapshot = read_object(path) if path.name != INDEX else None
        if snapshot is not None and isinstance(snapshot.get("meta"), dict):
            listed.append((str(snapshot["meta"].get("timestamp")), path == own, path, snapshot))
    listed.sort(key=lambda entry: entry[:2], reverse=True)
    for _, _, path, _ in listed[limit:]:
        path.unlink()
    runs = [index_entry(path.name, snapshot) for _, _, path, snapshot in listed[:limit]]
    index = folder / INDEX
    write_json(index, {"schema_version": 1, "generated_at": utc_now(), "runs": runs})
    return index


def index_entry(file: str, snapshot: dict[str, Any]) -> dict[str, Any]:
    """Return what the index says of a snapshot."""
    meta, checklist = snapshot["meta"], snapshot.get("checklist") or []
    metrics: dict[str, Any] = snapshot.get("metrics") or {}
    return {
        "run_id": meta.get("run_id"),
        "file": file,
        "timestamp": meta.get("timestamp"),
        "label": meta.get("label"),
        "streams": list(metrics),
        "checklist": {
            "passed": sum(bool(item.get("passed")) for item in checklist),
            "total": len(checklist),
        },
        "final_val_loss": {stream: value.get("final_val_loss") for stream, value in metrics.items()},
        "scores": {stream: _score(value) for stream, value in (snapshot.get("scores") or {}).items()},
    }


def _score(value: dict[str, Any]) -> dict[str, Any]:
    summary = value.get("summary") or {}
    told = {name: summary.get(name) for name in ("window_count", "decision_counts", "events")}
    return {"detector": value.get("detector"), **told}
