"""What `serve_dashboard.py` does: serve in the foreground, in the background, stop, status."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import TextIO

from nightforge.core.atomic import write_json
from nightforge.core.clock import utc_now
from nightforge.core.errors import ExitCode, InputError, NightforgeError, TemporaryError, from_os_error
from nightforge.core.paths import Project
from nightforge.core.processes import ProjectLock, identity_of, ignore_hangup, on_stop_signals
from nightforge.web import control
from nightforge.web.guards import LOOPBACK_HOSTS
from nightforge.web.server import DashboardServer, open_servers

OTHER_START_S = 15.0  # how long another server of this project may take to answer
BUSY_CODES = {13, 48, 98, 10013, 10048}  # EACCES and EADDRINUSE on Linux, macOS, Windows


def main(doc: str, argv: Sequence[str] | None = None) -> int:
    """Carry out the command line; returns the exit code."""
    arguments = _parser(doc).parse_args(argv)
    project = Project.find()
    try:
        check_host(arguments.host, arguments.port)
        port = arguments.port or configured_port(project)
        if arguments.stop:
            say(control.stop_server(project, port))
            return ExitCode.DONE
        if arguments.status:
            return _status(project, port)
        if arguments.background:
            return _background(project, arguments.host, port, explicit=arguments.port is not None)
        return _foreground(project, arguments.host, port, explicit=arguments.port is not None)
    except NightforgeError as error:
        say(str(error), sys.stderr)
        return error.exit_code
    except OSError as error:
        cause = from_os_error(error)
        say(str(cause), sys.stderr)
        return cause.exit_code


def _parser(doc: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--background", action="store_true", help="serve detached from this terminal, then return"
    )
    what.add_argument("--stop", action="store_true", help="end this project's server")
    what.add_argument(
        "--status", action="store_true", help="say whether this project's server runs, and where"
    )
    parser.add_argument(
        "--port", type=_port, help="port to listen on (default: dashboard.port of the configuration)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="loopback address to listen on (default: 127.0.0.1)"
    )
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return number


def check_host(host: str, port: int | None) -> None:
    """Refuse an address that other computers can reach; remote use goes through SSH."""
    if host in LOOPBACK_HOSTS:
        return
    number = port or control.DEFAULT_PORT
    raise InputError(
        f"--host {host} would show this dashboard to other computers, and it has no log-in; it listens "
        f"on this computer only. To watch from elsewhere, forward the port on that computer",
        next_command=f"ssh -L {number}:127.0.0.1:{number} USER@THIS-COMPUTER",
    )


def configured_port(project: Project) -> int:
    """Return dashboard.port of the configuration; without a configuration file the default."""
    if not project.config_file.exists():
        return control.DEFAULT_PORT
    from nightforge.config.load import load_config

    return int(load_config(project).dashboard.port)


def _status(project: Project, port: int) -> int:
    info = control.server_status(project, port)
    if info is None:
        say("no dashboard server of this project is running\n  next: python serve_dashboard.py --background")
        return ExitCode.FAILED
    say(f"the dashboard server runs (pid {info.pid})\n  {info.url}")
    return ExitCode.DONE


def _background(project: Project, host: str, port: int, explicit: bool) -> int:
    if explicit:
        _refuse_stranger(project, port)
    info = control.ensure_server(project, host, port)
    verb = "started" if info.started else "already running"
    say(
        f"the dashboard server is {verb} (pid {info.pid})\n  {info.url}\n"
        "  stop it: python serve_dashboard.py --stop"
    )
    return ExitCode.DONE


def _foreground(project: Project, host: str, port: int, explicit: bool) -> int:
    running = control.server_status(project, port)
    # The lock, held while the server lives, makes it one per project even when two start at once. # ops P2
    lock = ProjectLock(project.logs / "dashboard_server.lock")
    if running is None and not lock.acquire():
        running = _wait_for_other(project, port)
    if running is not None:
        say(f"this project's dashboard server runs already (pid {running.pid})\n  {running.url}")
        return ExitCode.DONE
    try:
        return _listen(project, host, port, explicit)
    finally:
        lock.release()


def _wait_for_other(project: Project, port: int) -> control.ServerInfo:
    """Wait for the server that holds the lock to answer; it may be just starting."""
    deadline = time.monotonic() + OTHER_START_S
    while time.monotonic() < deadline:
        found = control.server_status(project, port)
        if found is not None:
            return found
        time.sleep(0.05)
    raise TemporaryError(
        "another dashboard server of this project has been started but does not answer",
        next_command="python serve_dashboard.py --stop",
    )


def _listen(project: Project, host: str, port: int, explicit: bool) -> int:
    """Take the wished port or, unless it was typed, one of the next ten, and serve."""
    ports = [port] if explicit else list(range(port, min(port + control.PORTS_TRIED, 65536)))
    for candidate in ports:
        try:
            servers = open_servers(project, host, candidate)
        except OSError as error:
            if error.errno not in BUSY_CODES:
                raise
            continue
        return _serve(project, servers)
    _refuse_stranger(project, port)
    raise busy(port)


def _refuse_stranger(project: Project, port: int) -> None:
    if control.server_status(project, port) is None and control.ask_identity(port) is not None:
        raise busy(port)


def busy(port: int) -> InputError:
    """Name a busy port, who has it, and the next command."""
    return InputError(
        f"port {port} is in use by {control.port_holder(port)}",
        next_command=f"python serve_dashboard.py --port {port + 1}",
    )


def _serve(project: Project, servers: list[DashboardServer]) -> int:
    """Serve until Ctrl-C or SIGTERM; the record is there exactly as long."""
    ignore_hangup()
    asked = threading.Event()
    restore = on_stop_signals(asked.set)
    port = servers[0].server_port
    identity = identity_of(os.getpid())
    record = {
        "pid": os.getpid(),
        "port": port,
        "host": servers[0].server_name,
        "url": control.live_url(port),
        "identity": identity.to_dict() if identity is not None else None,
        "started_at": utc_now(),
    }
    write_json(project.server_pid, record)  # before the first answer: whoever hears us can also stop us
    for server in servers:
        threading.Thread(target=server.serve_forever, name="serve", daemon=True).start()
    say(f"Nightforge dashboard: {control.live_url(port)}   (Ctrl-C ends it)")
    try:
        while not asked.wait(1.0):  # a timeout keeps Ctrl-C working on Windows
            pass
    finally:
        restore()
        close_all(servers)
        if (control.read_record(project) or {}).get("pid") == record["pid"]:
            project.server_pid.unlink(missing_ok=True)
    say("Nightforge dashboard ended.")
    return ExitCode.DONE


def close_all(servers: list[DashboardServer]) -> None:
    """End the servers at the same time; each needs up to half a second to notice."""
    enders = [threading.Thread(target=server.shutdown) for server in servers]
    for ender in enders:
        ender.start()
    for ender, server in zip(enders, servers, strict=True):
        ender.join()
        server.server_close()


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line at once, so that a log file shows it too."""
    target = stream or sys.stdout
    target.write(text + "\n")
    target.flush()
