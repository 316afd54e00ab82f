"""A guard's hold on everything it has started. # ops K1, K2, K4, K5, K6

Linux: the guard adopts whatever detaches itself below it (child subreaper), its stage gets a parent-death
signal, and every signal goes through a pidfd whose process is compared once more, so that a reused pid is
never hit. Windows: the guard sits in a kill-on-close job object, which lists and ends its members, whoever
their parent was, and ends with the guard. Standard library only on both; elsewhere psutil lists processes.

One `Tree` per process: it waits for every child the process has.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nightforge.core.processes import linux_processes, python_executable, windows_stage_flags
from nightforge.core.starter import Starter

if TYPE_CHECKING:
    from nightforge.core.windows import Job

_PR_SET_CHILD_SUBREAPER = 36  # <sys/prctl.h>
Member = tuple[int, int]  # pid, start time in ticks


class Tree:
    """A stage and all its descendants, wherever they went."""

    def __init__(
        self, argv: Sequence[str], cwd: Path, env: Mapping[str, str], starter: Starter | None = None
    ) -> None:
        """Start `python argv...` in a session of its own, on Linux in the child of `starter`, if one was
        forked ahead; raises OSError. Call from the main thread only.
        """
        environment = dict(env)
        command = [python_executable(environment), *argv]
        self._job = _hold()
        self._process: subprocess.Popen[bytes] | None = None
        self._code: int | None = None
        if sys.platform == "linux":
            starter = starter or Starter()
            starter.start(command, cwd, environment)
            self.pid, self.output = starter.pid, starter.output
            self._pidfd = os.pidfd_open(self.pid)
        else:
            self._process = _popen(command, cwd, environment)
            assert self._process.stdout is not None
            self.pid, self.output = self._process.pid, self._process.stdout
            self._pidfd = -1

    def wait(self, timeout_s: float) -> int | None:
        """Return the stage's exit code (minus the signal number on Linux), or None if it still runs; removes
        dead descendants from the process table.
        """
        if self._process is not None:
            try:
                return self._process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                return None
        if self._code is None:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            poll.poll(timeout_s * 1000)
        self._reap()
        return self._code

    def _reap(self) -> bool:
        """Remove the dead from the process table; True when nobody is left: whoever lives below us has a
        parent there, or is our own child, since we adopt orphans.
        """
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self.pid:
                self._code = os.waitstatus_to_exitcode(status)

    def dump(self) -> None:
        """Ask the stage for the stacks of all its threads; it must have said that it listens."""
        if sys.platform != "win32":
            self._send(self._root(), signal.SIGUSR1)
            self._send(self._root(), signal.SIGCONT)  # a stopped process would keep it pending

    def terminate(self) -> None:
        """Ask every member to end; Windows has no polite way, there the stop request must do."""
        if sys.platform != "win32":
            self._send(self.members(), signal.SIGTERM)
            self._send(self.members(), signal.SIGCONT)  # a stopped process keeps SIGTERM pending

    def kill(self, limit_s: float = 10.0) -> list[int]:
        """End every member by force; returns the pids that are still there after `limit_s`.

        Repeats until nobody is left, since a dying tree can still start processes.
        """
        deadline = time.monotonic() + limit_s
        members: list[Member] = []
        while not self._nobody_left() and time.monotonic() < deadline:
            members = self.members()
            self._end(members)
            time.sleep(0.005)
        return [] if self._nobody_left() else [pid for pid, _ in members]

    def _nobody_left(self) -> bool:
        if self._pidfd < 0:
            return not self.members()
        return self._reap()

    def members(self) -> list[Member]:
        """List the living descendants of this process."""
        if self._job is not None:
            return [(pid, 0) for pid in self._job.members()]
        if sys.platform != "linux":
            return _portable_descendants()
        children: dict[int, list[Member]] = {}
        for pid, parent, started in linux_processes():
            children.setdefault(parent, []).append((pid, started))
        found: list[Member] = []
        queue = [os.getpid()]
        while queue:
            below = children.get(queue.pop(), [])
            found += below
            queue += [pid for pid, _ in below]
        return found

    def _root(self) -> list[Member]:
        return [member for member in self.members() if member[0] == self.pid]

    def _end(self, members: Sequence[Member]) -> None:
        if self._job is None:
            self._send(members, signal.SIGKILL)
            return
        for pid, _ in members:
            self._job.end(pid)

    @staticmethod
    def _send(members: Sequence[Member], number: int) -> None:
        for pid, started in members:
            signal_exactly(pid, started, number)


def signal_exactly(pid: int, started: int, number: int) -> None:
    """Signal a process if it still is the one that was seen."""
    if sys.platform != "linux":
        import psutil

        try:
            psutil.Process(pid).send_signal(number)
        except psutil.Error:
            return  # ended by itself, which is what we wanted
        return
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        return  # gone
    try:
        if any(found == (pid, started) for found in _still(pid)):
            signal.pidfd_send_signal(descriptor, number)
    except (ProcessLookupError, PermissionError):
        return  # gone meanwhile, or not ours to signal: it is then reported as a survivor
    finally:
        os.close(descriptor)


def _still(pid: int) -> list[Member]:
    return [(found, started) for found, _, started in linux_processes([str(pid)])]


def _portable_descendants() -> list[Member]:
    import psutil

    below = psutil.Process().children(recursive=True)
    return [(process.pid, 0) for process in below if process.status() != psutil.STATUS_ZOMBIE]


def _hold() -> Job | None:
    """Make descendants ours for good, before the first one exists; returns their job on Windows."""
    if sys.platform == "win32":
        from nightforge.core.windows import Job

        return Job()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    return None


def _popen(command: list[str], cwd: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    windows = sys.platform == "win32"
    return subprocess.Popen(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=not windows,
        creationflags=windows_stage_flags() if windows else 0,
        bufsize=0,
    )
