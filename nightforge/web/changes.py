"""The changes a page may ask for: start a run, stop a run, import files. The server owns no process.

Train starts the same detached launcher as the command line; stop writes the same stop request. Each change
carries a request id (same id, same answer) and is written to logs/dashboard_changes.jsonl with its source.
# ops W10
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nightforge.core.atomic import append_jsonl, read_json
from nightforge.core.clock import utc_now
from nightforge.core.control import write_stop_request
from nightforge.core.errors import InputError, from_os_error
from nightforge.core.paths import Project
from nightforge.core.processes import ProcessIdentity, identity_of, is_alive, spawn_detached
from nightforge.core.records import current_state, running_record
from nightforge.web.imports import Imports
from nightforge.web.messages import Refusal, Response, json_response
from nightforge.web.project_data import ProjectData, read_log
from nightforge.web.starting import launcher_arguments

LAUNCHER = Path(__file__).resolve().parents[2] / "launch_pipeline.py"
TRAIN_FIELDS = {
    "request_id",
    "pipeline",
    "profile",
    "mode",
    "force",
    "resume",
    "streams",
    "overrides",
}
IMPORT_FIELDS = {
    "import/begin": {"request_id", "stream", "part", "mode", "files", "bytes"},
    "import/finish": {"request_id", "import", "without_refused"},
    "import/cancel": {"request_id", "import"},
}
ACTIONS = ("stop", "train", *IMPORT_FIELDS)
REMEMBERED = 256  # answers kept for repeated request ids

_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{8,64}")
_PROFILE = re.compile(r"[A-Za-z0-9_-]{1,40}")

Spawn = Callable[[list[str], Path, Path, dict[str, str]], int]


def spawn_launcher(argv: list[str], cwd: Path, log: Path, env: dict[str, str]) -> int:
    """Start the launcher detached from this server; returns its pid."""
    return spawn_detached(argv, cwd, log, env).pid


class Changes:
    """Carries out changes one at a time and remembers what was answered."""

    def __init__(
        self, project: Project, data: ProjectData, imports: Imports, spawn: Spawn | None = None
    ) -> None:
        self._project = project
        self._data = data
        self._imports = imports
        self._spawn = spawn or spawn_launcher
        self._lock = threading.Lock()
        self._launcher: ProcessIdentity | None = None  # of the last start; it ends when the run is up
        self._answers: OrderedDict[str, Response] = OrderedDict()
        self._last_train: dict[str, Any] | None = None

    @property
    def launch_log(self) -> Path:
        """What the last launcher started from a page has printed."""
        return self._project.logs / "launch_from_page.log"

    def apply(self, action: str, body: bytes) -> Response:
        """Carry out one of ACTIONS; a repeated request id gets the first answer again."""
        fields = read_fields(body)
        key = f"{action} {request_id_of(fields)}"
        with self._lock:
            if key in self._answers:
                return self._answers[key]
            try:
                answer = self._carry_out(action, fields)
            except OSError as error:
                cause = from_os_error(error)
                raise Refusal(503, cause.message, cause.next_command) from error
            self._answers[key] = answer
            while len(self._answers) > REMEMBERED:
                self._answers.popitem(last=False)
        return answer

    def _carry_out(self, action: str, fields: dict[str, Any]) -> Response:
        if action == "stop":
            return self._stop(fields)
        if action == "train":
            return self._train(fields)
        return self._import(action, fields)

    def starting(self) -> bool:
        """Tell whether a start asked from a page is still under way: its launcher has not ended yet."""
        return self._launcher is not None and is_alive(self._launcher)

    def can(self, run: dict[str, Any]) -> dict[str, bool]:
        """Tell which buttons mean something while this is the current or last run."""
        active = self._data.active(run)
        readable = run["status"] != "unreadable"
        return {
            "train": not active and readable and not self.starting(),
            "stop": active and not run.get("stop_requested"),
        }

    def data_in_use(self) -> str | None:
        """Say who uses the sensor data, or None while files may be put in place."""
        if self.starting():
            return "a run is being started; wait a moment"
        run = self._data.live_summary()
        going = running_record(self._project)
        if going is not None and going.get("run_id") != run["run_id"]:
            return "a run is being started; wait a moment"  # from the command line: it has no state yet
        if run["pipeline"] != "anomaly":
            return None
        # A stage lives on under its guard when the orchestrator was killed.
        if self._data.active(run) or current_state(self._project).get("guarded"):
            return f"run {run['run_id']} uses the data; wait until it ends, or stop it"
        return None

    def profiles(self) -> list[str]:
        """Name the profiles that a run can be started with."""
        names = (path.stem for path in self._project.profiles.glob("*.json"))
        return sorted(name for name in names if _PROFILE.fullmatch(name))

    def default_profile(self) -> str | None:
        """Name the profile of the configuration; None where it cannot be told (the launcher will say why)."""
        try:
            value = read_json(self._project.config_file)
        except (InputError, OSError):
            return None
        profile = value.get("profile") if isinstance(value, dict) else None
        return profile if isinstance(profile, str) else None

    def last_train(self) -> dict[str, Any] | None:
        """Return the last start asked from a page with what the launcher answered so far."""
        if self._last_train is None:
            return None
        try:
            said = read_log(self.launch_log, None).text[-2000:]
        except OSError:
            said = ""  # nothing printed yet
        return {**self._last_train, "said": said}

    def _stop(self, fields: dict[str, Any]) -> Response:
        allow(fields, {"request_id", "run_id"})
        run = self._data.live_summary()
        if not self._data.active(run) or not run["run_id"]:
            if self.starting():
                raise Refusal(409, "the run is only just being started; press Stop again in a moment")
            raise Refusal(409, "no run is going, so there is nothing to stop")
        if fields.get("run_id", run["run_id"]) != run["run_id"]:
            raise Refusal(409, f"the run you saw is over; now going is {run['run_id']}. Reload the page")
        request = write_stop_request(self._project, run["run_id"], "page", fields["request_id"])
        self._record("stop", fields, request)
        return json_response({"action": "stop", "run_id": run["run_id"], "request": request})

    def _train(self, fields: dict[str, Any]) -> Response:
        allow(fields, TRAIN_FIELDS)
        arguments = launcher_arguments(self._project, fields, self.profiles())
        run = self._data.live_summary()
        other = running_record(self._project)
        if self._data.active(run) or other is not None:
            name = run["run_id"] if other is None else other.get("run_id")
            raise Refusal(409, f"run {name} is already going", "python launch_pipeline.py --status")
        if self.starting():
            raise Refusal(409, "a run is already being started, perhaps from another tab; wait a moment")
        started = {
            "at": utc_now(),
            "by": "page",
            "command": " ".join(["python launch_pipeline.py", *arguments]),
        }
        self.launch_log.unlink(missing_ok=True)
        environment = {**os.environ, "NIGHTFORGE_ROOT": str(self._project.root)}
        argv = [sys.executable, str(LAUNCHER), *arguments]
        pid = self._spawn(argv, self._project.root, self.launch_log, environment)
        self._launcher = identity_of(pid)
        started["pid"] = str(pid)
        self._last_train = started
        self._record("train", fields, started)
        return json_response({"action": "train", **started}, 202)

    def _import(self, action: str, fields: dict[str, Any]) -> Response:
        allow(fields, IMPORT_FIELDS[action])
        reason = None if action == "import/cancel" else self.data_in_use()
        if reason is not None:
            raise Refusal(409, reason, "python launch_pipeline.py --status")
        step = {
            "import/begin": self._imports.begin,
            "import/finish": self._imports.finish,
            "import/cancel": self._imports.cancel,
        }[action]
        told = step(fields)
        self._record(action, fields, {name: told.get(name) for name in ("id", "outcome", "message")})
        return json_response({"import": told}, 201 if action == "import/begin" else 200)

    def _record(self, action: str, fields: dict[str, Any], answer: dict[str, Any]) -> None:
        line = {"at": utc_now(), "by": "page", "action": action, "request": fields, "answer": answer}
        append_jsonl(self._project.logs / "dashboard_changes.jsonl", line)


def read_fields(body: bytes) -> dict[str, Any]:
    """Read the JSON object of a change; raises Refusal (400)."""
    try:
        value = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"the body is not valid JSON ({type(error).__name__})") from error
    if not isinstance(value, dict):
        raise Refusal(400, "the body must be a JSON object")
    return value


def request_id_of(fields: dict[str, Any]) -> str:
    """Return the id that makes a repeated change harmless; raises Refusal (400)."""
    value = fields.get("request_id")
    if not isinstance(value, str) or not _REQUEST_ID.fullmatch(value):
        raise Refusal(400, "request_id is missing: 8 to 64 letters, digits or dashes, new for each change")
    return value


def allow(fields: dict[str, Any], known: set[str]) -> None:
    """Refuse a field that this change does not know."""
    for name in fields:
        if name not in known:
            raise Refusal(400, f"unknown field {name[:40]!r}; known are {', '.join(sorted(known))}")
