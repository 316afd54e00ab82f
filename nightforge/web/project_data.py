"""What the pages may read of a project: live state, hub data, runs, logs. Never a path from outside.

A run id must look like one and be in the runs folder; a stage key must look like one and be in that run's
state.
"""

from __future__ import annotations

import json
import os
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.core.paths import Project
from nightforge.core.processes import ProcessIdentity, is_alive
from nightforge.web.messages import TEXT_TYPE, Refusal, Response, encode, etag_of

FILE_LIMIT = 8 * 1024 * 1024  # bytes of one state, report or configuration
LOG_TAIL = 32 * 1024  # bytes sent when no offset is asked
LOG_CHUNK = 64 * 1024  # bytes of one log answer
LOG_FILE_LIMIT = 8 * 1024 * 1024  # bytes of a saved log: its end
RUN_LIMIT = 200  # newest runs listed

RUN_ID = re.compile(r"\d{8}-\d{6}-[0-9a-z]{2,16}")
STAGE_KEY = re.compile(r"\d{2}(-[a-z0-9]{1,16})?")
ORCHESTRATOR_LOG = "orchestrator"

ACTIVE = ("starting", "running", "retrying", "stopping")
_SUMMARY_TEXT = (
    "run_id",
    "status",
    "pipeline",
    "profile",
    "mode",
    "command",
    "started_at",
    "ended_at",
    "updated_at",
)

IDLE_STATE: dict[str, Any] = {
    "schema_version": 1,
    "run_id": None,
    "status": "idle",
    "phases": [],
    "stages": [],
}
EMPTY_HUB: dict[str, Any] = {"schema_version": 1, "generated_at": None, "versions": []}


@dataclass(frozen=True)
class LogPart:
    """A piece of a log: bytes `offset` to `next_offset` of `size`, as text."""

    offset: int
    next_offset: int
    size: int
    text: str


class JsonFiles:
    """JSON files as ready answers, read again only after a change. Safe to share between threads."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._lock = threading.Lock()
        self._known: dict[Path, tuple[tuple[int, int, int], Response, dict[str, Any]]] = {}

    def answer(self, path: Path) -> Response | None:
        """Return the file as a conditional answer, None when not there; raises Refusal when unreadable."""
        entry = self._load(path)
        return None if entry is None else entry[0]

    def value(self, path: Path) -> dict[str, Any] | None:
        """Return the file's object, None when not there; raises Refusal when unreadable."""
        entry = self._load(path)
        return None if entry is None else entry[1]

    def _load(self, path: Path) -> tuple[Response, dict[str, Any]] | None:
        name = self._project.relative(path.parent) + "/" + path.name
        try:
            facts = path.lstat()
            signature = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
            with self._lock:
                known = self._known.get(path)
            if known is not None and known[0] == signature:
                return known[1], known[2]
            data = read_plain(path, FILE_LIMIT)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Refusal(503, f"{name} cannot be read: {error.strerror or error}") from error
        value = parse_object(data, name)
        response = Response(200, data, etag=etag_of(data))
        with self._lock:
            if len(self._known) > 2 * RUN_LIMIT:
                self._known.clear()
            self._known[path] = (signature, response, value)
        return response, value


def read_plain(path: Path, limit: int) -> bytes:
    """Read a regular file of at most `limit` bytes; refuses a link (OSError) or a larger one (Refusal)."""
    descriptor = open_plain(path)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Refusal(503, f"{path.name} is larger than {limit // 1024 // 1024} MiB and is not shown")
    return data


def open_plain(path: Path) -> int:
    """Open a file for reading without following a link; returns the descriptor."""
    if path.is_symlink():
        raise OSError(f"{path.name} is a link")
    return os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """Read a JSON object; raises Refusal (503) that names file, line and column, and what to do."""
    again = "python launch_pipeline.py --status"
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=lambda _: None)  # NaN: no number
    except json.JSONDecodeError as error:
        place = f"{name}, line {error.lineno}, column {error.colno}"
        raise Refusal(503, f"{place}: not valid JSON ({error.msg})", again) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise Refusal(503, f"{name} is not valid JSON ({type(error).__name__})", again) from error
    if not isinstance(value, dict):
        raise Refusal(503, f"{name} should be a JSON object, found {type(value).__name__}", again)
    return value


class ProjectData:
    """Everything the pages may read, by fixed functions."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._files = JsonFiles(project)

    def live_state(self) -> Response:
        """Return the current or last run; before the first run an idle state."""
        return self._files.answer(self._project.live_state) or _constant(IDLE_STATE)

    def live_summary(self) -> dict[str, Any]:
        """Return run id, status and times of the current or last run, without the rest."""
        return summarize(self._files.value(self._project.live_state) or IDLE_STATE)

    def active(self, summary: dict[str, Any]) -> bool:
        """Tell whether the run of this summary goes on: its state says so, its orchestrator is not dead."""
        return summary["status"] in ACTIVE and not self._orchestrator_gone(summary["run_id"])

    def _orchestrator_gone(self, run_id: str | None) -> bool:
        try:
            record = self._files.value(self._project.logs / "pipeline.json") or {}
        except Refusal:
            return False  # unreadable: not known, so the state's word stands
        identity = ProcessIdentity.from_dict(record.get("identity"))
        return identity is not None and record.get("run_id") == run_id and not is_alive(identity)

    def hub(self) -> Response:
        """Return the hub data written by stage 14; before the first report an empty one."""
        return self._files.answer(self._project.hub_data) or _constant(EMPTY_HUB)

    def run_ids(self) -> list[str]:
        """List the runs, newest first: folders with a run's name, no links."""
        try:
            with os.scandir(self._project.runs) as entries:
                names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        return sorted((name for name in names if RUN_ID.fullmatch(name)), reverse=True)[:RUN_LIMIT]

    def runs(self) -> list[dict[str, Any]]:
        """List run summaries; a run whose state cannot be read is listed with the reason."""
        rows = []
        for run_id in self.run_ids():
            try:
                state = self._files.value(self._project.run_dir(run_id) / "state.json")
                row = {"status": "unknown"} if state is None else summarize(state)
            except Refusal as refusal:
                row = {"status": "unreadable", "message": refusal.message}
            rows.append({**row, "run_id": run_id})
        return rows

    def run_state(self, run_id: str) -> Response:
        """Return one run's state."""
        return self._run_file(run_id, "state.json")

    def run_config(self, run_id: str) -> Response:
        """Return one run's resolved configuration."""
        return self._run_file(run_id, "config.json")

    def run_report(self, run_id: str) -> Response:
        """Return one run's report as plain text."""
        path = self._run_folder(run_id) / "report.md"
        try:
            data = read_plain(path, FILE_LIMIT)
        except FileNotFoundError:
            raise Refusal(404, f"run {run_id} has no report yet; stage 14 writes it at the end") from None
        except OSError as error:
            raise Refusal(503, f"the report of {run_id} cannot be read: {error.strerror or error}") from error
        return Response(200, data, TEXT_TYPE, etag=etag_of(data))

    def log(self, run_id: str, stage_key: str, offset: int | None) -> Response:
        """Return a piece of a stage's log: from `offset`, or the end when no offset is given."""
        path = self._log_path(run_id, stage_key)
        try:
            part = read_log(path, offset)
        except FileNotFoundError:
            part = LogPart(0, 0, 0, "")
        except OSError as error:
            raise Refusal(503, f"{path.name} cannot be read: {error.strerror or error}") from error
        return Response(200, encode(vars(part)))

    def log_file(self, run_id: str, stage_key: str) -> Response:
        """Return a stage's log to save; of a long one its last 8 MiB."""
        path = self._log_path(run_id, stage_key)
        try:
            with os.fdopen(open_plain(path), "rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - LOG_FILE_LIMIT))
                data = file.read(LOG_FILE_LIMIT)
        except OSError as error:
            raise Refusal(404, f"{path.name} cannot be read: {error.strerror or error}") from error
        return Response(200, data, TEXT_TYPE, download=f"{run_id}-{stage_key}.log")

    def _run_folder(self, run_id: str) -> Path:
        if not RUN_ID.fullmatch(run_id) or run_id not in self.run_ids():
            raise Refusal(404, "there is no such run here")
        return self._project.run_dir(run_id)

    def _run_file(self, run_id: str, name: str) -> Response:
        answer = self._files.answer(self._run_folder(run_id) / name)
        if answer is None:
            raise Refusal(404, f"run {run_id} has no {name}")
        return answer

    def _log_path(self, run_id: str, stage_key: str) -> Path:
        if stage_key == ORCHESTRATOR_LOG:
            return self._project.live_log
        folder = self._run_folder(run_id)
        state = self._files.value(folder / "state.json") or self._live_state_of(run_id)
        if not STAGE_KEY.fullmatch(stage_key) or stage_key not in stage_keys(state):
            raise Refusal(404, "this run has no such stage")
        return folder / f"{stage_key}.log"

    def _live_state_of(self, run_id: str) -> dict[str, Any]:
        state = self._files.value(self._project.live_state) or {}
        return state if state.get("run_id") == run_id else {}


def read_log(path: Path, offset: int | None) -> LogPart:
    """Read a piece of a log at byte `offset`, never cutting a character; a log cut short starts again."""
    with os.fdopen(open_plain(path), "rb") as file:
        size = file.seek(0, os.SEEK_END)
        tail = offset is None or offset > size
        start = max(0, size - LOG_TAIL) if offset is None or offset > size else offset
        file.seek(start)
        data = file.read(LOG_CHUNK)
    if tail and start > 0:  # begin on a whole line
        cut = data.find(b"\n") + 1
        start, data = start + cut, data[cut:]
    data = data[: len(data) - _unfinished(data)]
    return LogPart(start, start + len(data), size, data.decode("utf-8", "replace"))


def _unfinished(data: bytes) -> int:
    """Return how many bytes at the end begin a UTF-8 character that is not complete (0 to 3)."""
    for back in range(1, min(3, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:  # a lead byte: 2, 3 or 4 bytes long
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return back if back < length else 0
        if byte < 0x80:
            return 0
    return 0


def summarize(state: dict[str, Any]) -> dict[str, Any]:
    """Pick the texts that identify a run; a field of the wrong kind reads as None."""
    row: dict[str, Any] = {}
    for name in _SUMMARY_TEXT:
        value = state.get(name)
        row[name] = value if isinstance(value, str) else None
    result = state.get("result")
    result = result if isinstance(result, dict) else {}
    row["version"] = result.get("version")
    row["report"] = isinstance(result.get("report"), str)
    row["resumable"] = state.get("resumable") is True
    row["stop_requested"] = isinstance(state.get("stop"), dict)
    return row


def stage_keys(state: dict[str, Any]) -> set[str]:
    """Return the keys of the stages in a state; entries of the wrong shape are left out."""
    stages = state.get("stages")
    if not isinstance(stages, list):
        return set()
    return {stage["id"] for stage in stages if isinstance(stage, dict) and isinstance(stage.get("id"), str)}


def _constant(value: dict[str, Any]) -> Response:
    data = encode(value)
    return Response(200, data, etag=etag_of(data))
