"""Starting guards and waiting for them."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from nightforge.core.processes import (
    ProcessIdentity,
    identity_of,
    is_alive,
    popen_out_of_job,
    python_executable,
    ticks_now,
)

_ROOT = Path(__file__).resolve().parents[2]
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from nightforge.pipeline.guard import main; main()"
_POLL_S = 0.02  # where the system cannot wake us
_CLAIM_S = 2.0  # for a guard to take its order


class GuardHandle:
    """A guard as its orchestrator sees it: it only needs to know when the guard is gone."""

    def __init__(self, identity: ProcessIdentity, process: subprocess.Popen[bytes] | None = None) -> None:
        self._identity = identity
        self._process = process
        self._pidfd = os.pidfd_open(identity.pid) if sys.platform == "linux" else -1

    @classmethod
    def of(cls, identity: ProcessIdentity) -> GuardHandle | None:
        """Take hold of a guard that another orchestrator started; None if it is gone."""
        try:
            handle = cls(identity)
        except OSError:
            return None
        return handle if is_alive(identity) else None  # looked at after the handle was taken

    def wait(self, timeout_s: float) -> bool:
        """Wait for the guard's end; True when it is gone."""
        if self._pidfd >= 0:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            gone = bool(poll.poll(timeout_s * 1000))
        elif self._process is not None:
            gone = self._wait_for_own(self._process, timeout_s)
        else:
            gone = self._wait_polling(timeout_s)
        if gone:
            self._forget()
        return gone

    @staticmethod
    def _wait_for_own(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _wait_polling(self, timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while is_alive(self._identity):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def _forget(self) -> None:
        if self._process is not None:
            self._process.wait()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1


class Guards:
    """Hands out guards; `log` receives what they have to complain about.

    Linux: a small server process forks them, so that no stage waits for an interpreter to start; it holds no
    lock, owns no stage and leaves when its orchestrator does. Windows cannot fork: each guard is started.
    """

    def __init__(self, log: IO[bytes]) -> None:
        self._log = log
        self._server: subprocess.Popen[bytes] | None = None
        self.since = ticks_now()  # no guard and no stage of ours is older

    def start(self, order: Mapping[str, Any]) -> GuardHandle | None:
        """Let a guard carry out one order; None if it has ended already. Raises OSError when none can be
        started.
        """
        line = json.dumps(order).encode() + b"\n"
        if sys.platform == "win32":
            process = self._new()
            _send(process, line)
            _close(process.stdin)
            return GuardHandle(identity_of(process.pid) or ProcessIdentity("", process.pid, 0), process)
        try:
            pid = self._ask(line)
        except OSError:  # the server was killed; guards at work do not need it
            self.end()
            pid = _claimant(order, self._ask(line))  # the order may have reached a guard of the dead server
        identity = identity_of(pid)
        return GuardHandle.of(identity) if identity else None

    def prepare(self) -> None:
        """Start the server ahead of time."""
        if sys.platform != "win32" and self._server is None:
            self._server = self._new()

    def end(self) -> None:
        """Send the server away: at the end of its input it leaves by itself."""
        if self._server is not None:
            _close(self._server.stdin)
            _close(self._server.stdout)
            self._server.wait()
            self._server = None

    def _ask(self, line: bytes) -> int:
        self.prepare()
        assert self._server is not None and self._server.stdout is not None
        _send(self._server, line)
        answer = self._server.stdout.readline()
        if not answer.strip():
            raise BrokenPipeError("the guard server has ended")
        if answer.startswith(b"!"):
            raise OSError(answer[1:].decode().strip())
        return int(answer)

    def _new(self) -> subprocess.Popen[bytes]:
        windows = sys.platform == "win32"
        environment = dict(os.environ)
        options = ["-I"] if windows else ["-I", "-S"]  # on Windows psutil describes the processes of a stall
        argv = [python_executable(environment), *options, "-c", _CODE, str(_ROOT)]
        common: dict[str, Any] = {
            "cwd": _ROOT,
            "env": environment,
            "stdin": subprocess.PIPE,
            "stdout": self._log if windows else subprocess.PIPE,
            "stderr": self._log,
        }
        if windows:  # out of the job of the window that a foreground run belongs to
            return popen_out_of_job(argv, **common)[0]
        return subprocess.Popen(argv, start_new_session=True, **common)


def _claimant(order: Mapping[str, Any], asked: int) -> int:
    """Return the pid of the guard that has taken the attempt; `asked` if none says so in time."""
    path = Path(order["attempts"]) / f"{order['stage']}-{order['attempt']}.claim"
    deadline = time.monotonic() + _CLAIM_S
    while time.monotonic() < deadline:
        try:
            return int(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # not there, or not written yet
            time.sleep(_POLL_S)
    return asked


def _send(process: subprocess.Popen[bytes], line: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(line)
    process.stdin.flush()


def _close(pipe: IO[bytes] | None) -> None:
    try:
        if pipe is not None:
            pipe.close()
    except BrokenPipeError:
        return  # the other end is gone, which is what was wanted
