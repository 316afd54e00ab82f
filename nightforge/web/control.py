"""Starting, finding and ending this project's dashboard server. Never touches a stranger. # ops P1, P7

A server is ours if `/api/identity` answers with this project's root hash; it is ended only if its process
identity (boot, pid, start time) is the recorded one. The record, logs/dashboard_server.pid, is written by
the server itself.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nightforge.core.atomic import read_json
from nightforge.core.errors import InputError, TemporaryError
from nightforge.core.paths import Project
from nightforge.core.processes import ProcessIdentity, identity_of, is_alive, spawn_detached
from nightforge.web.assets import fingerprint, load_assets
from nightforge.web.server import root_hash

DEFAULT_PORT = 8080
PORTS_TRIED = 11  # the wished port and the ten after it
PROGRAM = Path(__file__).resolve().parents[2] / "serve_dashboard.py"
_ASK_TIMEOUT_S = 1.0
_PATIENT_S = 8.0  # for a server that is known to live: a busy computer answers late
_START_TIMEOUT_S = 30.0  # a computer under full load; normally 0.3 s
_STOP_TIMEOUT_S = 5.0
_LOOK_S = 0.03


@dataclass(frozen=True)
class ServerInfo:
    """A running server of this project; `started` tells whether this call started it."""

    url: str
    pid: int
    port: int
    started: bool = False
    assets: str = ""


def live_url(port: int) -> str:
    """Return the address of the live page."""
    return f"http://localhost:{port}/dashboard/live.html"


def server_log(project: Project) -> Path:
    """Return where a server in the background writes what it has to say."""
    return project.logs / "dashboard_server.log"


def ask_identity(port: int, timeout_s: float = _ASK_TIMEOUT_S) -> dict[str, Any] | None:
    """Ask a port who it is: None when nothing listens, an empty dict when it is no Nightforge server."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
    try:
        connection.request("GET", "/api/identity", headers={"Connection": "close"})
        value = json.loads(connection.getresponse().read(4096))
    except ConnectionRefusedError:
        return None
    except (OSError, ValueError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return value if isinstance(value, dict) and value.get("app") == "nightforge" else {}


def read_record(project: Project) -> dict[str, Any] | None:
    """Return the server's record; a missing, cut or foreign file reads as None."""
    try:
        value = read_json(project.server_pid)
    except (InputError, OSError):
        return None
    return value if isinstance(value, dict) else None


def server_status(project: Project, port: int = DEFAULT_PORT) -> ServerInfo | None:
    """Find this project's server: at the recorded port, else at `port`; None when none answers."""
    record = read_record(project) or {}
    recorded = record.get("port")
    ports = [recorded, port] if isinstance(recorded, int) and 0 < recorded < 65536 else [port]
    identity = ProcessIdentity.from_dict(record.get("identity"))
    lives = identity is not None and is_alive(identity)
    for candidate in dict.fromkeys(ports):
        patience_s = _PATIENT_S if lives and candidate == recorded else _ASK_TIMEOUT_S
        info = _ours(project, candidate, patience_s)
        if info is not None:
            return info
    return None


def ensure_server(project: Project, host: str = "127.0.0.1", port: int = DEFAULT_PORT) -> ServerInfo:
    """Return this project's server, started if needed at `port` or, if that is taken, one of the next ten.

    A server that still serves older pages (after an update) is replaced. Raises TemporaryError
    when no port is free.
    """
    running = server_status(project, port)
    if running is not None:
        if running.assets == fingerprint(load_assets()):
            return running
        stop_server(project, port)
    for candidate in range(port, min(port + PORTS_TRIED, 65536)):
        if ask_identity(candidate) is None:
            started = _start(project, host, candidate)
            if started is not None:
                return started
    raise TemporaryError(
        f"the dashboard could not be started: ports {port} to {port + PORTS_TRIED - 1} are taken or the "
        f"server ends at once (see {project.relative(server_log(project))})",
        next_command="python serve_dashboard.py --port NUMBER",
    )


def stop_server(project: Project, port: int = DEFAULT_PORT) -> str:
    """End this project's server; returns words for the user. A reused pid or a stranger is left alone."""
    identity = _stoppable(project, port)
    if identity is None:
        project.server_pid.unlink(missing_ok=True)
        return "no dashboard server of this project is running"
    if not end_process(identity):
        return f"the dashboard server (pid {identity.pid}) does not end; look at it with your task manager"
    project.server_pid.unlink(missing_ok=True)
    return f"the dashboard server (pid {identity.pid}) has been stopped"


def end_process(identity: ProcessIdentity) -> bool:
    """Ask exactly this process to end, insist after 5 s; returns whether it is gone."""
    force = getattr(signal, "SIGKILL", signal.SIGTERM)
    for number in (signal.SIGTERM, force):
        if not is_alive(identity):
            return True
        with contextlib.suppress(ProcessLookupError):
            os.kill(identity.pid, number)
        deadline = time.monotonic() + _STOP_TIMEOUT_S
        while is_alive(identity) and time.monotonic() < deadline:
            time.sleep(_LOOK_S)
    return not is_alive(identity)


def port_holder(port: int) -> str:
    """Say who listens on a port, as far as the system tells us."""
    import psutil

    try:
        for entry in psutil.net_connections("tcp"):
            if entry.status == psutil.CONN_LISTEN and entry.laddr.port == port and entry.pid:
                return f"{psutil.Process(entry.pid).name()} (pid {entry.pid})"
    except (psutil.Error, OSError):
        return "another program"
    return "another program"


def _ours(project: Project, port: int, timeout_s: float = _ASK_TIMEOUT_S) -> ServerInfo | None:
    identity = ask_identity(port, timeout_s)
    if (
        not identity
        or identity.get("root_hash") != root_hash(project)
        or not isinstance(identity.get("pid"), int)
    ):
        return None
    return ServerInfo(live_url(port), identity["pid"], port, assets=str(identity.get("assets", "")))


def _stoppable(project: Project, port: int) -> ProcessIdentity | None:
    record = read_record(project) or {}
    recorded = ProcessIdentity.from_dict(record.get("identity"))
    if recorded is not None and is_alive(recorded):
        return recorded
    found = server_status(project, port)  # the record is lost or cut, but our server answers
    if found is None or not _is_server_program(found.pid):
        return None
    return identity_of(found.pid)


def _is_server_program(pid: int) -> bool:
    """Check that a pid told by an answer really is a serve_dashboard process, before it is ended."""
    import psutil

    try:
        return any(PROGRAM.name in part for part in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


def _start(project: Project, host: str, port: int) -> ServerInfo | None:
    """Start a server at a free port and wait until it answers; None when it ended or lost the port."""
    argv = [sys.executable, str(PROGRAM), "--host", host, "--port", str(port)]
    environment = {**os.environ, "NIGHTFORGE_ROOT": str(project.root)}
    child = spawn_detached(argv, project.root, server_log(project), environment)
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        info = _ours(project, port)
        if info is not None:
            while info.pid != child.pid and identity_of(child.pid) and time.monotonic() < deadline:
                time.sleep(_LOOK_S)  # ours was slower and leaves; it must not find the port free later
            return replace(info, started=info.pid == child.pid)
        if identity_of(child.pid) is None:
            return server_status(project, port)  # it ended: perhaps because one of ours was faster
        time.sleep(_LOOK_S)
    late = identity_of(child.pid)
    if late is not None:
        end_process(late)  # or it would appear after we have told that there is none
    raise TemporaryError(
        f"the dashboard server did not answer at port {port} within {_START_TIMEOUT_S:.0f} s",
        next_command="python serve_dashboard.py --background",
    )
