"""Windows: the guard's job holds and ends everybody a stage has started, whatever became of their parents."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest
from test_guard import Bench, alive, bench, eventually, first_line, rounds

from nightforge.core.records import guard_of, order_path

__all__ = ["bench"]

pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="job objects are Windows")

_SLEEP = "import time; time.sleep(60)"
_CHILD = f"subprocess.Popen([sys.executable, '-c', {_SLEEP!r}]"
# A process between that starts one more and leaves: the grandchild's parent is gone.
_BETWEEN = (
    "import subprocess, sys\n"
    f"print(subprocess.Popen([sys.executable, '-c', {_SLEEP!r}], creationflags=0x208).pid, flush=True)"
)
_LET_OUT = (
    "try:\n"
    f"    child = {_CHILD}, creationflags=0x01000000)  # CREATE_BREAKAWAY_FROM_JOB\n"
    "except PermissionError:\n"
    f"    child = {_CHILD})\n"
    "members = [os.getpid(), child.pid]"
)
# Each tree prints the pids of all its members, then sleeps.
_TREES = {
    "plain": "members = [os.getpid()]",
    "a child": f"members = [os.getpid(), {_CHILD}).pid]",
    "a child of a shell": (
        f"shell = subprocess.Popen(['cmd', '/c', sys.executable, '-c', {_SLEEP!r}])\n"
        "while not (below := psutil.Process(shell.pid).children()): time.sleep(0.02)\n"
        "members = [os.getpid(), shell.pid, *(child.pid for child in below)]"
    ),
    "a child without a console": f"members = [os.getpid(), {_CHILD}, creationflags=0x8).pid]",
    "a grandchild whose parent has left": (
        f"done = subprocess.run([sys.executable, '-c', {_BETWEEN!r}], stdout=subprocess.PIPE)\n"
        "members = [os.getpid(), int(done.stdout)]"
    ),
    "a child that asks to be let out of the job": _LET_OUT,
    "eight children like a data loader": f"members = [os.getpid(), *({_CHILD}).pid for _ in range(8))]",
    "one that has closed its output": "members = [os.getpid()]; closes = True",
}


@rounds
@pytest.mark.parametrize("shape", _TREES)
def test_an_order_to_end_leaves_nobody_of_a_windows_tree_and_hits_no_stranger(
    shape: str, number: int, bench: Bench
) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", _SLEEP])
    report = "print(*members, flush=True)\nif globals().get('closes'):\n    os.close(1); os.close(2)"
    body = f"import os, psutil, subprocess, sys, time\n{_TREES[shape]}\n{report}\ntime.sleep(60)"
    guard = bench.start(body, grace=(0.5, 5))
    pids = [int(text) for text in first_line(bench.folder / "04.log").split()]
    assert all(alive(pid) for pid in pids)
    order_path(bench.folder, "04", 1, "end").write_text("{}")
    record = bench.finish(guard)
    assert not any(alive(pid) for pid in pids), shape
    assert (record["survivors"], record["ended_for"]) == ([], "stop")
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


@pytest.mark.parametrize("shape", ["a grandchild whose parent has left", "a child without a console"])
def test_with_its_guard_the_whole_windows_tree_dies(shape: str, bench: Bench) -> None:
    body = f"import os, subprocess, sys, time\n{_TREES[shape]}\nprint(*members, flush=True)\ntime.sleep(60)"
    guard = bench.start(body)
    pids = [int(text) for text in first_line(bench.folder / "04.log").split()]
    assert eventually(lambda: guard_of(bench.folder, "04", 1) is not None)
    identity = guard_of(bench.folder, "04", 1)
    assert identity is not None
    psutil.Process(identity.pid).kill()
    assert guard.wait(5)
    assert eventually(lambda: not any(alive(pid) for pid in pids))
    assert bench.record("exit") is None


@pytest.mark.parametrize(
    "hang", ["time.sleep(60)", "while True: pass", "ctypes.PyDLL('kernel32').Sleep(60000)"]
)
def test_a_hang_on_windows_is_warned_of_and_ended(hang: str, bench: Bench) -> None:
    began = time.monotonic()
    record = bench.finish(bench.start(f"import ctypes, time\n{hang}", limits=(0.4, 0.8), grace=(0.5, 5)))
    assert time.monotonic() - began < 10.8
    assert (record["ended_for"], record["survivors"]) == ("stall", [])
    assert bench.signs()[0] == "silent" and bench.signs()[-2:] == ["asked", "forced"]
