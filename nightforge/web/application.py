"""One request in, one response out: the routes of the dashboard. No sockets, so tests call it directly."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nightforge.core.paths import Project
from nightforge.web.anomaly_data import AnomalyData
from nightforge.web.anomaly_overview import Overview
from nightforge.web.changes import ACTIONS, Changes, allow, read_fields
from nightforge.web.guards import Gate
from nightforge.web.imports import Imports
from nightforge.web.messages import READ_METHODS, Body, Refusal, Request, Response, json_response
from nightforge.web.project_data import ProjectData
from nightforge.web.settings import check_answer, form_answer
from nightforge.web.starting import MODES

_RUN = re.compile(r"/api/runs/([0-9a-z-]{1,40})(/config|/report)?")
_LOG = re.compile(r"/api/runs/([0-9a-z-]{1,40})/log/([0-9a-z-]{1,40})(/file)?")
_SETTINGS = "/api/settings/anomaly"
_CHECK = "/api/settings/check"
_CHANGES = {f"/api/{action}": action for action in ACTIONS}
_PROFILE = re.compile(r"profile=([A-Za-z0-9_-]{1,40})")
_OFFSET = re.compile(r"offset=(\d{1,15})")


@dataclass(frozen=True)
class ServerFacts:
    """What the server says of itself; `root_hash` tells whether it is this project's."""

    pid: int
    host: str
    port: int
    version: str
    root_hash: str
    assets: str
    started_at: str


@dataclass(frozen=True)
class Parts:
    """What an application is made of."""

    facts: ServerFacts
    gate: Gate
    assets: dict[str, Response]
    data: ProjectData
    changes: Changes
    project: Project
    anomaly: AnomalyData
    overview: Overview
    imports: Imports


class Application:
    """Answers requests that the wire parser has accepted."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        data = parts.data
        self._fixed: dict[str, Callable[[], Response]] = {
            "/logs/pipeline_live_state.json": data.live_state,
            "/results/dashboard.json": data.hub,
            "/api/identity": self._identity,
            "/api/status": self._status,
            "/api/runs": lambda: json_response({"runs": data.runs()}),
            "/api/anomaly": lambda: parts.overview.answer(parts.changes),
        }

    def upload(self, request: Request, length: int, body: Body) -> Response:
        """Take one file of an import; only the head has been read so far. Raises Refusal."""
        self._parts.gate.check(request)
        try:
            return json_response(self._parts.imports.receive(request.query, length, body))
        except OSError as error:
            raise Refusal(503, f"the project cannot be read: {error.strerror or error}") from error

    def respond(self, request: Request) -> Response:
        """Answer one request; every refusal is JSON with words."""
        try:
            self._parts.gate.check(request)
            if request.method in READ_METHODS:
                return self._read(request)
            return self._change(request)
        except Refusal as refusal:
            return refusal.response()
        except OSError as error:
            # A disk that fails while a file is read is the project's trouble: say so, go on.
            return Refusal(503, f"the project cannot be read: {error.strerror or error}").response()

    def _read(self, request: Request) -> Response:
        path, query = request.path, request.query
        log = _LOG.fullmatch(path)
        if log is not None:
            run_id, stage_key, whole = log.groups()
            if whole:
                return self._without_query(query, lambda: self._parts.data.log_file(run_id, stage_key))
            return self._parts.data.log(run_id, stage_key, _offset(query))
        if path == _SETTINGS:
            return self._settings(query)
        return self._without_query(query, lambda: self._plain(path))

    def _settings(self, query: str) -> Response:
        profiles = self._parts.changes.profiles()
        match = _PROFILE.fullmatch(query)
        if query and (match is None or match[1] not in profiles):
            raise Refusal(400, f"the only query here is profile=NAME; there are {', '.join(profiles)}")
        return form_answer(self._parts.project, match[1] if match else None, profiles)

    def _plain(self, path: str) -> Response:
        if path in ("/", "/dashboard", "/dashboard/"):
            return Response(302, b"", location="/dashboard/index.html")
        asset = self._parts.assets.get(path)
        if asset is not None:
            return asset
        fixed = self._fixed.get(path)
        if fixed is not None:
            return fixed()
        found = self._parts.anomaly.answer(path)
        if found is not None:
            return found
        run = _RUN.fullmatch(path)
        if run is None:
            raise Refusal(
                404,
                "there is nothing here; the pages are index, live and flowchart.html in /dashboard/",
            )
        run_id, part = run.groups()
        data = self._parts.data
        return {None: data.run_state, "/config": data.run_config, "/report": data.run_report}[part](run_id)

    def _change(self, request: Request) -> Response:
        if request.query:
            raise Refusal(400, "a change takes no query; send the fields in the body")
        if request.path == _CHECK:
            return self._check(request.body)
        action = _CHANGES.get(request.path)
        if action is None:
            known = request.path in self._fixed or request.path == _SETTINGS
            raise Refusal(405 if known else 404, "nothing can be changed at this address")
        return self._parts.changes.apply(action, request.body)

    def _check(self, body: bytes) -> Response:
        fields = read_fields(body)
        allow(fields, {"request_id", "profile", "values"})
        profile, profiles = fields.get("profile"), self._parts.changes.profiles()
        if profile is not None and profile not in profiles:
            raise Refusal(400, f"there is no such profile; choose one of {', '.join(profiles)}")
        return check_answer(self._parts.project, fields)

    def _identity(self) -> Response:
        facts = self._parts.facts
        return json_response(
            {
                "app": "nightforge",
                "pid": facts.pid,
                "root_hash": facts.root_hash,
                "version": facts.version,
                "assets": facts.assets,
            }
        )

    def _status(self) -> Response:
        facts = self._parts.facts
        summary: dict[str, Any]
        try:
            summary = self._parts.data.live_summary()
        except Refusal as refusal:
            summary = {"run_id": None, "status": "unreadable", "message": refusal.message}
        return json_response(
            {
                "server": {
                    "pid": facts.pid,
                    "version": facts.version,
                    "assets": facts.assets,
                    "started_at": facts.started_at,
                    "port": facts.port,
                    "project": self._parts.project.root.name,
                },
                "token": self._parts.gate.token,
                "state_summary": summary,
                "can": self._parts.changes.can(summary),
                "profiles": self._parts.changes.profiles(),
                "default_profile": self._parts.changes.default_profile(),
                "modes": list(MODES),
                "last_train": self._parts.changes.last_train(),
            }
        )

    @staticmethod
    def _without_query(query: str, answer: Callable[[], Response]) -> Response:
        if query:
            raise Refusal(400, "this address takes no query")
        return answer()


def _offset(query: str) -> int | None:
    if not query:
        return None
    match = _OFFSET.fullmatch(query)
    if match is None:
        raise Refusal(400, "the only query of a log is offset=BYTES")
    return int(match.group(1))
