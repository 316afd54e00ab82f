"""What the anomaly page may read of results, reports and history. Never a path from outside. # ops W6

A label must look like one and be in the folder of results, a run id likewise in the history; the files in
there have fixed names.
"""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nightforge.core.paths import Project
from nightforge.web.import_files import SUFFIXES
from nightforge.web.import_place import FOLDERS
from nightforge.web.messages import Refusal, Response, encode, etag_of
from nightforge.web.project_data import FILE_LIMIT, read_plain

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")  # of a results folder, of a run in the history
LISTED = 50  # newest labels
ROWS = 1000  # of a table shown as JSON
HTML_TYPE = "text/html; charset=utf-8"

# artifact id -> file in the folder of a label; those of the streams follow
ARTIFACTS = {
    "summary": "summary.json",
    "checklist": "checklist.json",
    "report": "report.html",
    "bundle": "bundle.zip",
    **{f"{stream}-events-json": f"{stream}_events.json" for stream in SUFFIXES},
    **{f"{stream}-events-csv": f"{stream}_events.csv" for stream in SUFFIXES},
    **{f"{stream}-alarms-csv": f"{stream}_alarms.csv" for stream in SUFFIXES},
    **{f"{stream}-chart": f"chart_{stream}.json" for stream in SUFFIXES},
}

_NAME = r"([A-Za-z0-9][A-Za-z0-9._-]{0,79})"
_STREAM = f"({'|'.join(SUFFIXES)})"
_QUALITY = re.compile(rf"/api/anomaly/quality/{_STREAM}(/report)?")
_RESULT = re.compile(rf"/api/anomaly/results/{_NAME}(?:/(checklist|report))?")
_STREAM_RESULT = re.compile(rf"/api/anomaly/results/{_NAME}/{_STREAM}/(events|alarms|chart)")
_DOWNLOAD = re.compile(rf"/api/anomaly/results/{_NAME}/download/([a-z-]{{1,30}})")
_SNAPSHOT = re.compile(rf"/api/anomaly/history/{_NAME}")

RUN_IT = "python launch_pipeline.py --pipeline anomaly"


class AnomalyData:
    """Everything the anomaly page may read from files that stages wrote."""

    def __init__(self, project: Project) -> None:
        self._results = project.anomaly_results
        self._routes: list[tuple[re.Pattern[str], Callable[..., Response]]] = [
            (_QUALITY, self._quality),
            (_RESULT, self._result),
            (_STREAM_RESULT, self._stream_result),
            (_DOWNLOAD, self._download),
            (_SNAPSHOT, self._snapshot),
        ]

    def answer(self, path: str) -> Response | None:
        """Answer an address below /api/anomaly/; None when it is none of them."""
        if path == "/api/anomaly/state":
            return self._json(self._results / "dashboard-state.json", "stage 27 has not exported a state yet")
        if path == "/api/anomaly/history":
            return self._json(self._results / "history" / "index.json", "no run is in the history yet")
        for pattern, handler in self._routes:
            match = pattern.fullmatch(path)
            if match is not None:
                return handler(*match.groups())
        return None

    def labels(self) -> list[str]:
        """List the folders of results, newest first: real folders with a name that can be asked for."""
        found = []
        try:
            with os.scandir(self._results / "runs") as entries:
                for entry in entries:
                    if NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                        found.append((entry.stat(follow_symlinks=False).st_mtime_ns, entry.name))
        except FileNotFoundError:
            return []
        return [name for _, name in sorted(found, reverse=True)]

    # ---- one address each ----------------------------------------------------------------------------------

    def _quality(self, stream: str, report: str | None) -> Response:
        missing = "the data of this stream have not been checked yet"
        folder = self._results / "quality"
        if report:
            return self._page(folder / f"{FOLDERS[stream]}.html", missing)
        return self._json(folder / f"{FOLDERS[stream]}.json", missing)

    def _result(self, label: str, what: str | None) -> Response:
        folder = self._folder(label)
        if what == "report":
            return self._page(folder / "report.html", "this run has no report yet")
        if what == "checklist":
            return self._json(folder / "checklist.json", "stage 26 has not checked this run yet")
        return self._json(folder / "summary.json", "this run has no summary yet")

    def _stream_result(self, label: str, stream: str, what: str) -> Response:
        folder = self._folder(label)
        missing = "this run has not judged this stream"
        if what == "alarms":
            return self._table(folder / f"{stream}_alarms.csv", missing)
        name = f"{stream}_events.json" if what == "events" else f"chart_{stream}.json"
        return self._json(folder / name, missing)

    def _download(self, label: str, artifact: str) -> Response:
        folder = self._folder(label)
        if artifact not in ARTIFACTS:
            raise Refusal(404, f"there is no such file; known are {', '.join(ARTIFACTS)}")
        path = folder / ARTIFACTS[artifact]
        if path.is_symlink() or not path.is_file():
            raise Refusal(404, f"this run has no {path.name}", RUN_IT)
        name = f"{label}-{path.name}"
        return Response(200, b"", "application/octet-stream", download=name, file=path)

    def _snapshot(self, run_id: str) -> Response:
        folder = self._results / "history"
        try:
            known = set(os.listdir(folder))
        except FileNotFoundError:
            known = set()
        if f"{run_id}.json" not in known or run_id == "index":
            raise Refusal(404, "there is no such run in the history")
        return self._json(folder / f"{run_id}.json", "there is no such run in the history")

    # ---- shared --------------------------------------------------------------------------------------------

    def _folder(self, label: str) -> Path:
        if label not in self.labels():
            raise Refusal(404, "there are no such results here")
        return self._results / "runs" / label

    def _json(self, path: Path, missing: str) -> Response:
        if _size(path) > FILE_LIMIT:
            raise Refusal(413, f"{path.name} is larger than {FILE_LIMIT // 2**20} MiB; download it instead")
        data = _read(path, missing)
        return Response(200, data, etag=etag_of(data))

    def _page(self, path: Path, missing: str) -> Response:
        return Response(200, _read(path, missing), HTML_TYPE, report=True)

    def _table(self, path: Path, missing: str) -> Response:
        """Return a small CSV table as JSON: at most ROWS rows, values as text."""
        text = _read(path, missing).decode("utf-8-sig", "replace")
        reader = csv.DictReader(io.StringIO(text, newline=""))
        rows: list[dict[str, Any]] = []
        total = 0
        for total, row in enumerate(reader, 1):  # noqa: B007  counts on beyond what is listed
            if len(rows) < ROWS:
                rows.append({name: value for name, value in row.items() if name is not None})
        return Response(200, encode({"fields": reader.fieldnames or [], "rows": rows, "total": total}))


def _read(path: Path, missing: str) -> bytes:
    try:
        return read_plain(path, FILE_LIMIT)
    except FileNotFoundError:
        raise Refusal(404, missing, RUN_IT) from None
    except OSError as error:
        raise Refusal(503, f"{path.name} cannot be read: {error.strerror or error}") from error


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0
