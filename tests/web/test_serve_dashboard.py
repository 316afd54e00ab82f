"""`serve_dashboard.py` starts, finds and stops its own server and never touches another."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from nightforge.core.errors import InputError, TemporaryError
from nightforge.core.paths import Project
from nightforge.core.processes import identity_of, is_alive
from nightforge.web import command, control

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def run(project: Project, *arguments: str, timeout_s: float = 30) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NIGHTFORGE_ROOT": str(project.root), "PYTHONUTF8": "1"}
    program = [sys.executable, str(ROOT / "serve_dashboard.py"), *arguments]
    return subprocess.run(program, env=environment, capture_output=True, text=True, timeout=timeout_s)


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An empty project without a configuration; its server is ended afterwards."""
    monkeypatch.setenv("NIGHTFORGE_ROOT", str(tmp_path))
    project = Project(tmp_path)
    yield project
    control.stop_server(project, free_port())


@pytest.fixture
def stranger() -> Iterator[int]:
    """A port held by a program that is not Nightforge."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = int(holder.getsockname()[1])

        def answer() -> None:
            while True:
                try:
                    connection, _ = holder.accept()
                except OSError:
                    return
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        yield port
        with contextlib.suppress(OSError):  # Windows: not connected; closing it is enough there
            holder.shutdown(socket.SHUT_RDWR)


def test_a_server_in_the_background_is_started_once_found_and_stopped(small: Project) -> None:
    port = free_port()
    first = run(small, "--background", "--port", str(port))
    assert first.returncode == 0 and f"http://localhost:{port}/dashboard/live.html" in first.stdout
    record = json.loads(small.server_pid.read_text())
    assert record["port"] == port and record["identity"]["pid"] == record["pid"]
    again = run(small, "--background", "--port", str(port))
    assert again.returncode == 0 and "already running" in again.stdout and str(record["pid"]) in again.stdout
    assert str(port) in run(small, "--status").stdout
    stopped = run(small, "--stop")
    assert stopped.returncode == 0 and "has been stopped" in stopped.stdout
    assert identity_of(record["pid"]) is None and not small.server_pid.exists()
    assert run(small, "--status").returncode == 1


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C reaches a whole console, not one process")
def test_in_the_foreground_it_ends_cleanly_with_ctrl_c(small: Project) -> None:
    port = free_port()
    environment = {**os.environ, "NIGHTFORGE_ROOT": str(small.root)}
    program = [sys.executable, str(ROOT / "serve_dashboard.py"), "--port", str(port)]
    with subprocess.Popen(
        program, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        assert str(port) in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
        assert process.stderr.read() == "" and "ended" in process.stdout.read()
    assert not small.server_pid.exists()


def test_a_stranger_on_an_explicit_port_is_named_with_the_next_command(small: Project, stranger: int) -> None:
    for mode in ([], ["--background"]):
        result = run(small, *mode, "--port", str(stranger))
        assert result.returncode == 2
        assert f"port {stranger} is in use by" in result.stderr
        assert f"python serve_dashboard.py --port {stranger + 1}" in result.stderr


def test_the_launcher_moves_on_to_a_free_port(small: Project, stranger: int) -> None:
    info = control.ensure_server(small, port=stranger)
    assert stranger < info.port <= stranger + 10 and info.started
    assert control.ensure_server(small, port=stranger).pid == info.pid


def test_a_second_project_gets_its_own_server(small: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other")
    other.root.mkdir()
    port = free_port()
    first = control.ensure_server(small, port=port)
    try:
        second = control.ensure_server(other, port=port)
        assert first.port != second.port and first.pid != second.pid
    finally:
        control.stop_server(other, port)
    assert control.server_status(small, port) is not None


def test_two_starts_at_once_give_one_server(small: Project) -> None:
    port = free_port()
    found: list[control.ServerInfo] = []
    threads = [
        threading.Thread(target=lambda: found.append(control.ensure_server(small, port=port)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len({info.pid for info in found}) == 1 and len(found) == 3


def test_a_server_of_older_pages_is_replaced(small: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    first = control.ensure_server(small, port=port)
    monkeypatch.setattr(control, "fingerprint", lambda assets: "newer")
    second = control.ensure_server(small, port=port)
    assert second.started and second.pid != first.pid


@pytest.mark.parametrize(
    "record", ["", "{", "[]", '{"pid": 1}', '{"identity": {"boot_id": "x", "pid": 1, "started": 1}}']
)
def test_a_broken_or_stale_record_harms_nobody(small: Project, record: str) -> None:
    small.logs.mkdir()
    small.server_pid.write_text(record)
    assert "no dashboard server" in control.stop_server(small, free_port())
    assert not small.server_pid.exists()


def test_a_reused_pid_is_left_alone(small: Project) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as decoy:
        identity = identity_of(decoy.pid)
        assert identity is not None
        forged = {**identity.to_dict(), "started": identity.started - 1}
        small.logs.mkdir()
        small.server_pid.write_text(json.dumps({"pid": decoy.pid, "port": free_port(), "identity": forged}))
        control.stop_server(small, free_port())
        assert is_alive(identity)
        decoy.kill()


def test_a_server_whose_record_was_lost_is_still_stopped(small: Project) -> None:
    port = free_port()
    info = control.ensure_server(small, port=port)
    small.server_pid.write_text("{ torn")
    assert str(info.pid) in control.stop_server(small, port)
    assert identity_of(info.pid) is None


def test_a_stranger_that_claims_to_be_ours_is_not_ended(
    small: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as decoy:
        claim = {"app": "nightforge", "pid": decoy.pid, "root_hash": control.root_hash(small)}
        monkeypatch.setattr(control, "ask_identity", lambda port, timeout_s=1.0: claim)
        assert "no dashboard server" in control.stop_server(small, 8080)
        assert decoy.poll() is None
        decoy.kill()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_an_address_that_others_can_reach_is_refused_with_the_way_to_do_it(small: Project, host: str) -> None:
    with pytest.raises(InputError, match="log-in") as caught:
        command.check_host(host, 9000)
    assert caught.value.next_command == "ssh -L 9000:127.0.0.1:9000 USER@THIS-COMPUTER"
    assert command.main("doc", ["--host", host]) == 2


def test_no_free_port_is_a_temporary_error(small: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "ask_identity", lambda port, timeout_s=1.0: {})
    with pytest.raises(TemporaryError, match="ports 9000 to 9010 are taken"):
        control.ensure_server(small, port=9000)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "http"])
def test_a_port_that_is_none_is_refused(small: Project, port: str) -> None:
    with pytest.raises(SystemExit) as caught:
        command.main("doc", ["--port", port])
    assert caught.value.code == 2


def test_help_says_what_it_reads_and_how_to_watch_from_elsewhere(small: Project) -> None:
    text = run(small, "--help").stdout
    assert "pipeline_live_state.json" in text and "ssh -L" in text and "--background" in text


def test_the_server_imports_no_torch_and_answers_within_a_second(small: Project) -> None:
    began = time.monotonic()
    info = control.ensure_server(small, port=free_port())
    assert time.monotonic() - began < (10.0 if sys.platform == "win32" else 2.0)  # Wine starts slowly
    if sys.platform == "linux":
        status = Path(f"/proc/{info.pid}/status").read_text()
        resident_kb = int(status.split("VmRSS:")[1].split()[0])
        assert resident_kb < 60_000
    code = "import sys, nightforge.web.command; print('torch' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).strip() == "False"
