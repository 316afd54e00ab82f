"""Processes that an ended attempt has left behind: found by our run tag, ended only when everything fits.
# ops K6, K7

psutil is imported where it is needed, as in `processes.py`.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

from nightforge.core.processes import TAG_VARIABLE, identity_of, linux_processes
from nightforge.core.tree import signal_exactly

_PROC = Path("/proc")


class Tagged(NamedTuple):
    """A living process of our user with a run tag in its environment; `started` as in ProcessIdentity."""

    pid: int
    started: int
    tag: str
    command: str


def tagged_processes() -> list[Tagged]:
    """Look through all processes; whatever is not ours to read is not ours."""
    if sys.platform != "linux":
        return _portable_tagged()
    found = []
    for pid, _, started in linux_processes():
        if pid != os.getpid() and (tag := _tag_of(pid)):
            found.append(Tagged(pid, started, tag, _command_of(pid)))
    return found


def end_tagged(process: Tagged) -> None:
    """Kill one process if pid, start time and tag still are those that were seen."""
    if sys.platform != "linux":
        if process in _portable_tagged():
            signal_exactly(process.pid, process.started, signal.SIGTERM)  # the only way there, and final
    elif _tag_of(process.pid) == process.tag:
        signal_exactly(process.pid, process.started, signal.SIGKILL)


def lives(process: Tagged) -> bool:
    """Tell whether exactly this process lives; a zombie does not."""
    now = identity_of(process.pid)
    return now is not None and now.started == process.started


def sweep_tagged(tag: str, limit_s: float = 5.0) -> list[int]:
    """End whoever carries this tag, until nobody does (on Windows the guard's job did); returns the pids."""
    swept: set[int] = set()
    deadline = time.monotonic() + limit_s
    while tag and sys.platform == "linux" and time.monotonic() < deadline:
        found = [process for process in tagged_processes() if process.tag == tag]
        if not found:
            break
        for process in found:
            end_tagged(process)
            swept.add(process.pid)
        time.sleep(0.02)
    return sorted(swept)


def _tag_of(pid: int) -> str:
    """Read the run tag of a process of our user; empty without one."""
    mark = f"{TAG_VARIABLE}=".encode()
    try:
        if (_PROC / str(pid)).stat().st_uid != os.geteuid():
            return ""
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return ""  # gone while we looked, or not ours to read
    return next((v[len(mark) :].decode(errors="replace") for v in variables if v.startswith(mark)), "")


def _command_of(pid: int) -> str:
    try:
        words = (_PROC / str(pid) / "cmdline").read_bytes().split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode(errors="replace").strip()


def _portable_tagged() -> list[Tagged]:
    import psutil

    me = psutil.Process().username()
    found = []
    for process in psutil.process_iter():
        try:
            tag = process.environ().get(TAG_VARIABLE) if process.pid != os.getpid() else None
            if tag and process.username() == me:
                started = int(process.create_time() * 1000)
                found.append(Tagged(process.pid, started, tag, " ".join(process.cmdline())))
        except (psutil.Error, OSError):
            continue  # gone while we looked, or not ours to read
    return found
