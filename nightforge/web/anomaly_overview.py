"""`GET /api/anomaly`: what the anomaly page shows first, in one object. Reads only. # ops W1

One unreadable file never takes the rest down: its place is null, and a sentence in `problems` says why.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nightforge.core.clock import format_time
from nightforge.core.paths import Project
from nightforge.web.anomaly_data import LISTED, AnomalyData
from nightforge.web.changes import Changes
from nightforge.web.import_files import SUFFIXES
from nightforge.web.import_place import FOLDERS, PARTS, listing
from nightforge.web.imports import Imports
from nightforge.web.messages import Refusal, Response, encode, etag_of
from nightforge.web.project_data import JsonFiles, ProjectData

TITLES = {"patchtst": "Sensor tables", "swinmae": "Vibration"}
MODELS = {"patchtst": "patchtst-v", "swinmae": "swin-mim-v"}
EMPTY_PART: dict[str, Any] = {"files": 0, "bytes": 0, "kind": None, "list": [], "other": 0}


class Overview:
    """Gathers the object anew for each request; the page asks every few seconds and mostly gets 304."""

    def __init__(self, project: Project, data: ProjectData, anomaly: AnomalyData, imports: Imports) -> None:
        self._project = project
        self._data = data
        self._anomaly = anomaly
        self._imports = imports
        self._files = JsonFiles(project)

    def answer(self, changes: Changes) -> Response:
        """Return the object as a conditional answer."""
        data = encode(self.gather(changes))
        return Response(200, data, etag=etag_of(data))

    def gather(self, changes: Changes) -> dict[str, Any]:
        """Return the object; see docs/api_anomaly.md."""
        problems: list[str] = []
        results = self._project.anomaly_results
        state = self._value(results / "dashboard-state.json", problems) or {}
        index = self._value(results / "history" / "index.json", problems) or {}
        latest = self._value(results / "latest.json", problems)
        return {
            "schema_version": 1,
            "streams": {stream: self._stream(stream, problems) for stream in SUFFIXES},
            "limits": self._imports.limits(),
            "imports": self._imports.status(),
            "readiness": _inner(state, "artifacts", "readiness"),
            "nodes": state.get("nodes") or {},
            "checklist": self._checklist(latest, state, problems),
            "latest": latest,
            "results": self._labels(problems),
            "history": index.get("runs") or [],
            **self._run(changes, problems),
            "problems": problems,
        }

    def _stream(self, stream: str, problems: list[str]) -> dict[str, Any]:
        models = self._project.models
        prepared = self._project.anomaly_data / FOLDERS[stream]
        return {
            "title": TITLES[stream],
            "folder": FOLDERS[stream],
            "suffixes": list(SUFFIXES[stream]),
            "data": {part: self._part(stream, part) for part in PARTS},
            "quality": self._quality(stream, problems),
            "prepared": {
                part: short(self._value(prepared / part / "dataset.json", problems))
                for part in ("train", "score")
            },
            "model": self._version(models, MODELS[stream], problems),
            "thresholds": self._version(models, f"anomaly-{stream}-v", problems),
        }

    def _part(self, stream: str, part: str) -> dict[str, Any]:
        try:
            return listing(self._project, stream, part)
        except OSError as error:
            path = f"data/local/{part}/{FOLDERS[stream]}"
            words = f"{path} cannot be read: {error.strerror or error}"
            return {**EMPTY_PART, "path": path, "problem": words}

    def _quality(self, stream: str, problems: list[str]) -> dict[str, Any] | None:
        path = self._project.anomaly_results / "quality" / f"{FOLDERS[stream]}.json"
        value = self._value(path, problems)
        if value is None:
            return None
        files, counts = value.get("files"), value.get("summary")
        return {
            "summary": {**(short(value) or {}), **(counts if isinstance(counts, dict) else {})},
            "files": len(files) if isinstance(files, list | dict) else files,
            "report": path.with_suffix(".html").is_file(),
            "at": _changed_at(path),
        }

    def _version(self, models: Path, prefix: str, problems: list[str]) -> dict[str, Any] | None:
        """Return the newest complete version of a model: the highest number with a manifest."""
        pattern = re.compile(re.escape(prefix) + r"(\d{1,9})")
        try:
            found = [
                (int(match[1]), name) for name in os.listdir(models) if (match := pattern.fullmatch(name))
            ]
        except FileNotFoundError:
            return None
        for _, name in sorted(found, reverse=True):
            path = models / name / "manifest.json"
            if path.is_file():
                manifest = short(self._value(path, problems))
                return {"version": name, "at": _changed_at(path), "manifest": manifest}
        return None

    def _checklist(self, latest: Any, state: dict[str, Any], problems: list[str]) -> list[Any]:
        """Return the checklist of the newest results, else the one exported last."""
        label = latest.get("label") if latest else None
        if isinstance(label, str) and label in self._anomaly.labels():
            path = self._project.anomaly_results / "runs" / label / "checklist.json"
            value = self._value(path, problems) or {}
            if isinstance(value.get("items"), list):
                return list(value["items"])
        exported = state.get("checklist")
        return exported if isinstance(exported, list) else []

    def _labels(self, problems: list[str]) -> list[str]:
        try:
            return self._anomaly.labels()[:LISTED]
        except OSError as error:
            problems.append(f"results/anomaly/runs cannot be read: {error.strerror or error}")
            return []

    def _run(self, changes: Changes, problems: list[str]) -> dict[str, Any]:
        try:
            run = self._data.live_summary()
            blocked = changes.data_in_use()
            can = changes.can(run)
        except Refusal as refusal:
            problems.append(refusal.message)
            run, blocked, can = None, refusal.message, {"train": False, "stop": False}
        return {"run": run, "can": {**can, "import": blocked is None}, "blocked": blocked}

    def _value(self, path: Path, problems: list[str]) -> dict[str, Any] | None:
        try:
            return self._files.value(path)
        except Refusal as refusal:
            problems.append(refusal.message)
            return None


def short(value: dict[str, Any] | None) -> dict[str, Any] | None:
    """Keep the texts, numbers and flags at the top of an object."""
    if value is None:
        return None
    return {key: entry for key, entry in value.items() if not isinstance(entry, dict | list)}


def _inner(value: dict[str, Any], *keys: str) -> Any:
    found: Any = value
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _changed_at(path: Path) -> str | None:
    try:
        return format_time(datetime.fromtimestamp(path.stat().st_mtime, UTC))
    except OSError:
        return None
