"""Starting, knowing and ending processes: the one module in which Linux and Windows differ.

Two facts carry everything else. A process is known by (boot, pid, start time), never by its pid alone (# ops
P1). The operating-system lock decides who runs, the record beside it only informs (# ops P2). How a guard
owns the processes of its stage is in `tree.py`.

psutil is imported where it is needed, so that `launch_pipeline.py --status` stays instant and works
without it on Linux and Windows.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import IO, Any, NamedTuple

TAG_VARIABLE = "NIGHTFORGE_RUN_TAG"
_PROC = Path("/proc")

# Windows process creation flags (winbase.h). Not DETACHED_PROCESS: without a console each child would open
# one. # ops D5
_NEW_PROCESS_GROUP = 0x00000200
_NO_WINDOW = 0x08000000
_BREAKAWAY_FROM_JOB = 0x01000000
_ACCESS_DENIED = 5


# ---- identity --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ProcessIdentity:
    """Which process is meant; `started` is ticks since boot on Linux, 100 ns since 1601 on Windows,
    milliseconds since 1970 elsewhere.
    """

    boot_id: str
    pid: int
    started: int
    nonce: str = ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Any) -> ProcessIdentity | None:
        """Read a record; anything that is not one gives None."""
        try:
            return cls(
                str(value["boot_id"]), int(value["pid"]), int(value["started"]), str(value.get("nonce", ""))
            )
        except (TypeError, KeyError, ValueError, AttributeError):
            return None


class Stat(NamedTuple):
    """What /proc tells of a process; `started` is clock ticks since boot."""

    state: str
    parent: int
    session: int
    started: int


def parse_stat(text: str) -> Stat:
    """Read /proc/PID/stat.

    Field 2, the name, may hold spaces and brackets: fields count from the last `)`. Source: proc(5).
    """
    fields = text[text.rindex(")") + 2 :].split()  # fields[0] is field 3, the state
    return Stat(fields[0], int(fields[1]), int(fields[3]), int(fields[19]))


def linux_processes(pids: Iterable[str] | None = None) -> Iterator[tuple[int, int, int]]:
    """Look through /proc, or at some pids in it: (pid, parent, start ticks) of every living process."""
    for entry in os.listdir(_PROC) if pids is None else pids:
        if entry.isdigit() and (found := _stat(int(entry))) is not None:
            yield int(entry), found.parent, found.started


def _stat(pid: int) -> Stat | None:
    """Read one living process; None when it is gone or dead."""
    try:
        found = parse_stat((_PROC / str(pid) / "stat").read_text(errors="replace"))
    except (OSError, ValueError, IndexError):
        return None
    return None if found.state in "ZX" else found


@cache
def boot_id() -> str:
    """Name this boot and, on Linux, this pid namespace: inside a container every run is pid 1."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.stat(_PROC / 'self/ns/pid').st_ino}"
    except OSError:
        return "boot"  # elsewhere the absolute creation time already tells boots apart


def identity_of(pid: int, nonce: str = "") -> ProcessIdentity | None:
    """Look a living process up; None when there is none (a zombie counts as none)."""
    if sys.platform == "win32":
        from nightforge.core.windows import started_at

        started = started_at(pid)
    else:
        started = _linux_start(pid) if sys.platform == "linux" else _portable_start(pid)
    return None if started is None else ProcessIdentity(boot_id(), pid, started, nonce)


def _linux_start(pid: int) -> int | None:
    found = _stat(pid)
    return found.started if found else None


def _portable_start(pid: int) -> int | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else int(process.create_time() * 1000)
    except psutil.Error:
        return None


def ticks_now() -> int:
    """Return the present moment on the scale of `ProcessIdentity.started`."""
    if sys.platform == "linux":
        return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))
    return int(time.time() * 1000)


def is_alive(identity: ProcessIdentity) -> bool:
    """Tell whether exactly this process lives; a reused pid or another boot is not it."""
    now = identity_of(identity.pid)
    return now is not None and (now.boot_id, now.started) == (identity.boot_id, identity.started)


# ---- one at a time ---------------------------------------------------------------------------------------


class ProjectLock:
    """An operating-system lock on one file, dropped by the kernel at death; the file is never deleted."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Take the lock without waiting; False when another process holds it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("ab")
        if not _try_lock(file.fileno()):
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Give the lock back; closing the file is enough on every system."""
        if self._file is not None:
            self._file.close()
            self._file = None


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 0, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


# ---- signals ---------------------------------------------------------------------------------------------


def ignore_hangup() -> None:
    """Let the end of the terminal or login pass by; Windows has no such signal."""
    if sys.platform != "win32":
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


def on_stop_signals(callback: Callable[[], None]) -> Callable[[], None]:
    """Call `callback` on SIGINT, SIGTERM and Ctrl-Break; returns a function that restores the old
    handlers.
    """
    names = ("SIGINT", "SIGTERM", "SIGBREAK")
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, lambda *_: callback()) for number in numbers}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    return restore


def signal_words(number: int) -> str:
    """Write a signal as `signal 9 (SIGKILL)`."""
    try:
        return f"signal {number} ({signal.Signals(number).name})"
    except ValueError:
        return f"signal {number}"


# ---- starting --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Detached:
    """A process that lives on without us; `warning` says so when the system did not let it go."""

    pid: int
    warning: str | None = None


def python_executable(env: dict[str, str]) -> str:
    """Return the interpreter to start children with.

    On Windows a venv's python.exe is a launcher with its own kill-on-close job and another pid; the base
    interpreter is started instead and told which venv it stands for (changes `env`). # ops D6
    """
    base = getattr(sys, "_base_executable", None)
    if sys.platform == "win32" and base and base != sys.executable:
        env["__PYVENV_LAUNCHER__"] = sys.executable
        return str(base)
    return sys.executable


def spawn_detached(
    argv: Sequence[str], cwd: Path, log_path: Path, env: Mapping[str, str] | None = None
) -> Detached:
    """Start a process that survives the terminal; its output is appended to `log_path`. # ops D2, D5

    `argv[0]` equal to sys.executable is replaced by the right interpreter. The pid is a hint until the
    child says so.
    """
    environment = dict(os.environ if env is None else env)
    program = python_executable(environment) if argv[0] == sys.executable else argv[0]
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("ab") as log:
        process, warning = _popen_detached([program, *argv[1:]], cwd, log, environment)
    # Reaps the child if it ends before us, so that a long-lived caller collects no zombies.
    threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()
    return Detached(process.pid, warning)


def _popen_detached(
    argv: list[str], cwd: Path, log: IO[bytes], env: dict[str, str]
) -> tuple[subprocess.Popen[bytes], str | None]:
    common: dict[str, Any] = {
        "cwd": cwd,
        "env": env,
        "stdin": subprocess.DEVNULL,
        "stdout": log,
        "stderr": subprocess.STDOUT,
    }
    if sys.platform != "win32":
        return subprocess.Popen(argv, start_new_session=True, **common), None
    process, let_go = popen_out_of_job(argv, **common)
    refused = "this window does not let programs go: the run ends when the window is closed"
    return process, None if let_go else refused


def popen_out_of_job(argv: Sequence[str], **options: Any) -> tuple[subprocess.Popen[bytes], bool]:
    """Start a process on Windows outside the job this one may be in; False beside it if the job refuses."""
    flags = windows_stage_flags()
    try:
        return subprocess.Popen(argv, creationflags=flags | _BREAKAWAY_FROM_JOB, **options), True
    except OSError as error:
        if getattr(error, "winerror", None) != _ACCESS_DENIED:
            raise
    return subprocess.Popen(argv, creationflags=flags, **options), False


def windows_stage_flags() -> int:
    """Return the creation flags of a stage on Windows."""
    return _NEW_PROCESS_GROUP | _NO_WINDOW
