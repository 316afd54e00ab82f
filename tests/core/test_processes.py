"""A process is more than its pid, a stage dies with its orchestrator, a stop reaches the whole tree."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from nightforge.core import processes
from nightforge.core.leftovers import sweep_tagged
from nightforge.core.processes import (
    TAG_VARIABLE,
    ProcessIdentity,
    ProjectLock,
    identity_of,
    is_alive,
    parse_stat,
    signal_words,
    spawn_detached,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
REPO = Path(__file__).resolve().parents[2]


def eventually(what: Callable[[], bool], limit_s: float = 10.0) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if what():
            return True
        time.sleep(0.01)
    return what()


def alive(pid: int) -> bool:
    return identity_of(pid) is not None


# ---- identity


@pytest.mark.parametrize("name", ["python", "a b", "x) S 1 (y", ")))"])
def test_a_name_with_spaces_and_brackets_does_not_shift_the_fields(name: str) -> None:
    tail = "S 1 200 300 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 10"
    assert parse_stat(f"4711 ({name}) {tail}") == ("S", 1, 300, 987654)


def test_this_process_is_itself_and_survives_a_round_trip() -> None:
    identity = identity_of(os.getpid(), "n0")
    assert identity is not None
    assert is_alive(identity)
    assert ProcessIdentity.from_dict(identity.to_dict()) == identity


@pytest.mark.parametrize("change", [{"started": 1}, {"boot_id": "another boot"}, {"pid": 2**22 - 1}])
def test_a_reused_pid_or_another_boot_is_not_the_process(change: dict[str, object]) -> None:
    identity = identity_of(os.getpid())
    assert identity is not None
    forged = ProcessIdentity.from_dict({**identity.to_dict(), **change})
    assert forged is not None
    assert not is_alive(forged)


@pytest.mark.parametrize(
    "record", [None, [], "x", {}, {"pid": 1}, {"boot_id": "b", "pid": "x", "started": 1}]
)
def test_a_broken_record_is_nobody(record: object) -> None:
    assert ProcessIdentity.from_dict(record) is None


@linux
def test_a_zombie_is_dead() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    assert eventually(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert identity_of(child.pid) is None
    child.wait()


def test_a_signal_is_told_by_number_and_name() -> None:
    assert signal_words(15) == "signal 15 (SIGTERM)"  # 9 has no name on Windows
    assert signal_words(250) == "signal 250"


# ---- lock


def test_a_lock_has_one_holder_and_comes_free(tmp_path: Path) -> None:
    first, second = ProjectLock(tmp_path / "lock"), ProjectLock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()


def test_the_lock_of_a_killed_holder_is_free_at_once(tmp_path: Path) -> None:
    code = (
        f"import sys, time; sys.path.insert(0, {str(REPO)!r})\n"
        "from pathlib import Path\nfrom nightforge.core.processes import ProjectLock\n"
        f"lock = ProjectLock(Path({str(tmp_path / 'lock')!r}))\n"
        "print(lock.acquire(), flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == b"True"
    lock = ProjectLock(tmp_path / "lock")
    assert not lock.acquire()
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert lock.acquire()
    lock.release()


# ---- the sweep


@linux
def test_the_sweep_ends_who_carries_the_tag_and_nobody_else() -> None:
    tagged = subprocess.Popen(["sleep", "60"], env={**os.environ, TAG_VARIABLE: "swept-tag"})
    others = [subprocess.Popen(["sleep", "60"], env={**os.environ, TAG_VARIABLE: "swept-tag-2"})]
    others.append(subprocess.Popen(["sleep", "60"]))
    assert sweep_tagged("swept-tag") == [tagged.pid]
    assert tagged.wait(5) == -signal.SIGKILL
    assert [other.poll() for other in others] == [None, None]
    for other in others:
        other.kill()
        other.wait()


def test_an_empty_tag_sweeps_nobody() -> None:
    assert sweep_tagged("") == []


# ---- detached


@linux
def test_a_detached_process_has_its_own_session_and_its_output_in_a_file(tmp_path: Path) -> None:
    code = "import os, sys; print(os.getsid(0) == os.getpid(), sys.stdin.read() == '', os.getcwd())"
    child = spawn_detached([sys.executable, "-c", code], tmp_path, tmp_path / "logs" / "out.log")
    assert child.warning is None
    assert eventually(lambda: not alive(child.pid))
    assert (tmp_path / "logs" / "out.log").read_text().split() == ["True", "True", str(tmp_path)]


def test_on_windows_a_denied_breakaway_is_told_and_the_process_started_anyway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    class Started:
        pid = 42

    def popen(argv: list[str], creationflags: int = 0, **_: object) -> Started:
        calls.append(creationflags)
        if creationflags & 0x01000000:
            error = PermissionError(13, "denied")
            error.winerror = 5  # type: ignore[attr-defined]
            raise error
        return Started()

    monkeypatch.setattr(processes.sys, "platform", "win32")
    monkeypatch.setattr(processes.subprocess, "Popen", popen)
    with (tmp_path / "log").open("ab") as log:
        process, warning = processes._popen_detached(["python"], tmp_path, log, {})
    assert process.pid == 42
    assert warning is not None and "ends when the window is closed" in warning
    assert calls == [0x09000200, 0x08000200]
