"""Starting guards and waiting for them. One is kept ready, so that no stage waits for an interpreter."""

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
    python_executable,
    windows_stage_flags,
)

_ROOT = Path(__file__).resolve().parents[2]
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from nightforge.pipeline.guard import main; main()"
_POLL_S = 0.02  # where the system cannot wake us


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
        else:
            gone = self._wait_polling(timeout_s)
        if gone:
            self._forget()
        return gone

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
    """Hands out guards; `log` receives what they have to complain about."""

    def __init__(self, log: IO[bytes]) -> None:
        self._log = log
        self._ready: subprocess.Popen[bytes] | None = None

    def start(self, order: Mapping[str, Any]) -> GuardHandle:
        """Let a guard carry out one order; raises OSError when none can be started."""
        process = self._take()
        assert process.stdin is not None
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.close()
        identity = identity_of(process.pid) or ProcessIdentity("", process.pid, 0)
        handle = GuardHandle(identity, process)
        self.prepare()
        return handle

    def prepare(self) -> None:
        """Start the guard of the next stage ahead of time; it waits for its order."""
        if self._ready is None:
            self._ready = self._new()

    def end(self) -> None:
        """Send the one that was kept ready away: without an order it leaves by itself."""
        if self._ready is not None and self._ready.stdin is not None:
            self._ready.stdin.close()
            self._ready.wait()
            self._ready = None

    def _take(self) -> subprocess.Popen[bytes]:
        process, self._ready = self._ready, None
        return process if process is not None and process.poll() is None else self._new()

    def _new(self) -> subprocess.Popen[bytes]:
        windows = sys.platform == "win32"
        environment = dict(os.environ)
        options = ["-I"] if windows else ["-I", "-S"]  # Windows needs psutil, Linux nothing
        return subprocess.Popen(
            [python_executable(environment), *options, "-c", _CODE, str(_ROOT)],
            cwd=_ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=not windows,
            creationflags=windows_stage_flags() if windows else 0,
        )
