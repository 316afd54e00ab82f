"""The guard: output, records, limits, and that nobody of a stage's tree survives, whatever it did."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pipeline_fakes import EndedGuard, same_limits

from nightforge.core.atomic import write_json
from nightforge.core.paths import Project
from nightforge.core.processes import TAG_VARIABLE, identity_of
from nightforge.core.records import guard_of, guarded_stage, order_path, read_object
from nightforge.pipeline.guards import GuardHandle, Guards
from nightforge.pipeline.stall import Limit, Limits

linux = pytest.mark.skipif(sys.platform != "linux", reason="signals, sessions and fork are POSIX")


def alive(pid: int) -> bool:
    return identity_of(pid) is not None


def eventually(check: Callable[[], Any], limit_s: float = 15.0) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.02)
    return False


def all_limits(
    same: tuple[float, float | None] = (60.0, None), other: dict[str, tuple[float, float]] | None = None
) -> list[Any]:
    """The same limits for all phases but those named, as an order carries them."""
    limits = same_limits(*same)
    phases = {**limits.phases, **{name: Limit(*pair) for name, pair in (other or {}).items()}}
    return list(Limits(phases, limits.kill))


class Bench:
    """Runs scripts under real guards in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._log = (folder / "guards.log").open("wb")
        self.guards = Guards(self._log)
        self.numbers = 0

    def start(
        self,
        code: str,
        limits: tuple[float, float | None] = (60.0, None),
        grace_s: float = 5.0,
        speaks: bool = True,
        **phases: tuple[float, float],
    ) -> GuardHandle:
        self.numbers += 1
        script = self.folder / f"stage{self.numbers}.py"
        script.write_text(textwrap.dedent(code))
        guard = self.guards.start(
            {
                "stage": "04",
                "attempt": self.numbers,
                "attempts": str(self.folder / "attempts"),
                "tag": "tag-of-this-test",
                "argv": [str(script)],
                "cwd": str(self.folder),
                "env": {**os.environ, TAG_VARIABLE: "tag-of-this-test"},
                "events": str(self.folder / "04.events.jsonl"),
                "events_offset": 0,
                "log": str(self.folder / "04.log"),
                "limits": all_limits(limits, phases),
                "grace": [grace_s],
                "speaks": speaks,
            }
        )
        return guard or EndedGuard()

    def record(self, kind: str) -> dict[str, Any] | None:
        return read_object(order_path(self.folder, "04", self.numbers, kind))

    def told(self) -> list[dict[str, Any]]:
        path = order_path(self.folder, "04", self.numbers, "signs", ".jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def signs(self) -> list[str]:
        return [sign["type"] for sign in self.told() if sign["type"] != "limit"]

    def finish(self, guard: GuardHandle, limit_s: float = 30.0) -> dict[str, Any]:
        assert guard.wait(limit_s)
        record = self.record("exit")
        assert record is not None, (self.folder / "guards.log").read_text()
        return record

    def close(self) -> None:
        self.guards.end()
        self._log.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def first_line(log: Path) -> str:
    assert eventually(lambda: log.exists() and "\n" in log.read_text())
    return log.read_text().splitlines()[0]


@linux
def test_a_stage_has_its_own_session_no_input_and_ignores_hangups(bench: Bench) -> None:
    guard = bench.start(
        """
        import os, signal, sys
        print(os.getsid(0) == os.getpid(), sys.stdin.read() == "",
              signal.getsignal(signal.SIGHUP) == signal.SIG_IGN, len(sys.argv))
        """
    )
    assert bench.finish(guard)["exit_code"] == 0
    assert first_line(bench.folder / "04.log") == "True True True 1"


@pytest.mark.parametrize("code", [0, 1, 4, 75])
def test_exit_codes_come_through(bench: Bench, code: int) -> None:
    record = bench.finish(bench.start(f"import sys; sys.exit({code})"))
    assert (record["exit_code"], record["ended_for"], record["survivors"]) == (code, None, [])


@linux
def test_the_signal_that_killed_a_stage_is_its_exit_code(bench: Bench) -> None:
    record = bench.finish(bench.start("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"))
    assert record["exit_code"] == -signal.SIGSEGV


def test_a_stage_that_cannot_be_started_is_told(bench: Bench) -> None:
    order = {"cwd": str(bench.folder / "no such folder")}
    bench.numbers += 1
    base = {
        "stage": "04", "attempt": 1, "attempts": str(bench.folder / "attempts"), "tag": "t", "argv": ["x.py"],
        "env": {}, "events": "e", "events_offset": 0, "log": "l", "limits": all_limits(), "grace": [1],
        "speaks": True,
    }  # fmt: skip
    guard = bench.guards.start({**base, **order})
    assert guard is None or guard.wait(10)
    record = bench.record("exit")
    assert record is not None
    assert record["exit_code"] is None
    assert "could not be started" in record["error"]
    assert sys.platform == "win32" or "No such file" in record["error"]  # there the system has other words


# Each tree prints the pids of all its members, then sleeps.
_SLEEP = "import time; time.sleep(60)"
_TREES = {
    "plain": "members = [os.getpid()]",
    "a child": f"members = [os.getpid(), subprocess.Popen([sys.executable, '-c', {_SLEEP!r}]).pid]",
    "a child of a shell": "members = [os.getpid(), subprocess.Popen(['sh', '-c', 'sleep 60; true']).pid]",
    "a child in its own session": (
        f"child = subprocess.Popen([sys.executable, '-c', {_SLEEP!r}], start_new_session=True)\n"
        "members = [os.getpid(), child.pid]"
    ),
    "a double-forked grandchild without our tag": (
        f"del os.environ[{TAG_VARIABLE!r}]\n"
        "r, w = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        os.write(w, str(os.getpid()).encode()); os.execv(sys.executable, ['x', '-c', {_SLEEP!r}])\n"
        "    os._exit(0)\n"
        "os.wait(); members = [os.getpid(), int(os.read(r, 20))]"
    ),
    "one that ignores SIGTERM": "signal.signal(signal.SIGTERM, signal.SIG_IGN); members = [os.getpid()]",
    "one that is stopped": (
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"child = subprocess.Popen([sys.executable, '-c', {_SLEEP!r}]); os.kill(child.pid, signal.SIGSTOP)\n"
        "members = [os.getpid(), child.pid]"
    ),
    "eight forks like a data loader": (
        "members = [os.getpid()]\n"
        "for _ in range(8):\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        time.sleep(60)\n"
        "    members.append(pid)"
    ),
    "one that has closed its output": "members = [os.getpid()]; closes = True",
}


# More rounds by hand: NIGHTFORGE_ROUNDS=23 pytest -m 'slow or not slow' tests/pipeline/test_guard.py
rounds = pytest.mark.parametrize("number", range(int(os.environ.get("NIGHTFORGE_ROUNDS", "1"))))


def some_now(kinds: Iterable[str], now: tuple[str, ...]) -> list[Any]:
    """All kinds as parameters, those not in `now` marked slow."""
    return [kind if kind in now else pytest.param(kind, marks=pytest.mark.slow) for kind in kinds]


@linux
@rounds
@pytest.mark.parametrize(
    "shape",
    some_now(_TREES, ("a double-forked grandchild without our tag", "one that is stopped")),
)
def test_an_order_to_end_leaves_nobody_of_the_tree_and_hits_no_stranger(
    shape: str, number: int, bench: Bench
) -> None:
    stranger = subprocess.Popen([sys.executable, "-c", _SLEEP])
    report = "print(*members, flush=True)\nif globals().get('closes'):\n    os.close(1); os.close(2)"
    body = f"import os, signal, subprocess, sys, time\n{_TREES[shape]}\n{report}\ntime.sleep(60)"
    guard = bench.start(body, grace_s=0.5)
    pids = [int(text) for text in first_line(bench.folder / "04.log").split()]
    assert all(alive(pid) for pid in pids)
    order_path(bench.folder, "04", 1, "end").write_text("{}")
    record = bench.finish(guard)
    assert not any(alive(pid) for pid in pids), shape
    assert record["survivors"] == []
    assert record["ended_for"] == "stop"
    assert stranger.poll() is None
    stranger.kill()
    stranger.wait()


def test_what_a_crashed_stage_leaves_behind_is_removed(bench: Bench) -> None:
    body = f"""
        import os, subprocess, sys
        child = subprocess.Popen([sys.executable, '-c', {_SLEEP!r}], start_new_session=True)
        print(child.pid, flush=True); os._exit(1)
        """
    record = bench.finish(bench.start(body))
    assert record["exit_code"] == 1
    assert not alive(int(first_line(bench.folder / "04.log")))


def test_a_stage_dies_with_its_killed_guard(bench: Bench) -> None:
    guard = bench.start("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    stage = int(first_line(bench.folder / "04.log"))
    assert eventually(lambda: guard_of(bench.folder, "04", 1) is not None)
    identity = guard_of(bench.folder, "04", 1)
    assert identity is not None
    psutil.Process(identity.pid).kill()
    assert guard.wait(5)
    assert eventually(lambda: not alive(stage))
    assert bench.record("exit") is None


@linux
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_stray_signal_to_the_guard_ends_the_stage_in_order(bench: Bench, name: str) -> None:
    guard = bench.start("import os, time; print(os.getpid(), flush=True); time.sleep(60)")
    first_line(bench.folder / "04.log")
    assert eventually(lambda: guard_of(bench.folder, "04", 1) is not None)
    identity = guard_of(bench.folder, "04", 1)
    assert identity is not None
    os.kill(identity.pid, getattr(signal, name))
    record = bench.finish(guard)
    assert (record["exit_code"], record["ended_for"]) == (-signal.SIGTERM, "stop")


def test_ten_megabytes_on_stderr_hold_nobody_up(bench: Bench) -> None:
    record = bench.finish(bench.start("import sys; sys.stderr.write(('x' * 99 + chr(10)) * 100_000)"))
    assert record["exit_code"] == 0
    assert (bench.folder / "04.log").stat().st_size == 10_000_000


_EVENTS = """
import json, pathlib, sys, time
file = open(pathlib.Path(__file__).with_name("04.events.jsonl"), "a")
def tell(**event):
    print(json.dumps({"seq": 1, "time": "", **event}), file=file, flush=True)
"""


# Each hangs in its own way; a thread goes on telling that all is well where the interpreter lets it.
_HANGS = {
    "sleep": "time.sleep(60)",
    "busy loop": "while True: pass",
    "interpreter lock held in C": "while True: library.sleep(60)",
    "stopped": "os.kill(os.getpid(), signal.SIGSTOP); time.sleep(60)",
    "deadlocked pipe": "r, w = os.pipe(); os.read(r, 1)",
}
_LISTENS = """
import ctypes, faulthandler, os, signal, threading
library = ctypes.PyDLL(None)
stacks = open(pathlib.Path(__file__).with_name('stacks.txt'), 'w')
faulthandler.register(signal.SIGUSR1, stacks, all_threads=True)
tell(type='start', stacks=stacks.name)
def beat():
    while True: tell(type='message', text='still here'); time.sleep(0.1)
threading.Thread(target=beat, daemon=True).start()
"""


@linux
@rounds
@pytest.mark.parametrize("hang", some_now(_HANGS, ("interpreter lock held in C",)))
def test_a_hang_is_warned_of_looked_into_twice_and_ended(hang: str, number: int, bench: Bench) -> None:
    body = _EVENTS + _LISTENS + f"def hang_in_the_main_loop():\n    {_HANGS[hang]}\nhang_in_the_main_loop()\n"
    began = time.monotonic()
    record = bench.finish(bench.start(body, limits=(0.4, 0.8), grace_s=0.5))
    assert time.monotonic() - began < 10.8
    assert (record["ended_for"], record["survivors"]) == ("stall", [])
    assert record["stacks_equal"] is True
    assert bench.signs()[:4] == ["silent", "stacks", "stacks", "asked"]
    assert (bench.folder / "stacks.txt").read_text().count("hang_in_the_main_loop") == 2
    snapshot = (bench.folder / "04.snapshot.txt").read_text()
    assert "stage1.py" in snapshot and "nvidia-smi" in snapshot.lower()


@linux
def test_a_stuck_save_is_caught_by_its_own_limit_although_a_thread_beats(bench: Bench) -> None:
    body = (
        _EVENTS
        + _LISTENS
        + (
            "tell(type='watch', phase='first_step')\n"
            "for n in range(8):\n    time.sleep(0.05); tell(type='progress', done=n, total=9, unit='steps')\n"
            "tell(type='watch', phase='save', done=0)\n"
            "def write_to_a_disk_that_is_gone():\n    r, w = os.pipe(); os.read(r, 1)\n"
            "write_to_a_disk_that_is_gone()\n"
        )
    )
    record = bench.finish(bench.start(body, limits=(30, 60), grace_s=0.5, save=(0.6, 1.2)))
    assert (record["ended_for"], record["stacks_equal"]) == ("stall", True)
    warned = next(sign for sign in bench.told() if sign["type"] == "silent")
    assert (warned["phase"], warned["limit_s"]) == ("save", 1.2)
    assert "write_to_a_disk_that_is_gone" in (bench.folder / "stacks.txt").read_text()
    assert {"start", "first_step"} <= set(record["longest_s"]) and "save" not in record["longest_s"]


@pytest.mark.slow
def test_the_guard_tells_which_limit_holds_and_what_was_survived(bench: Bench) -> None:
    body = _EVENTS + (
        "tell(type='start')\ntell(type='watch', phase='load', done=0)\ntime.sleep(1.6)\n"
        "tell(type='watch', phase='load', done=9)\ntell(type='done', result={})\n"
    )
    record = bench.finish(bench.start(body, load=(3, 7)))
    told = next(sign for sign in bench.told() if sign["type"] == "limit")
    assert (told["phase"], told["warn_s"], told["limit_s"], told["origin"]) == ("load", 3, None, "configured")
    assert 1.4 < record["longest_s"]["load"] < 4
    assert record["longest_s"]["teardown"] < 2


@pytest.mark.slow
def test_a_script_that_never_reports_is_watched_by_its_output(bench: Bench) -> None:
    body = "import time\nfor n in range(6):\n    print(n, flush=True); time.sleep(0.2)\ntime.sleep(60)\n"
    record = bench.finish(bench.start(body, limits=(0.2, 0.3), speaks=False, grace_s=1, output=(0.5, 0.8)))
    assert record["ended_for"] == "stall"
    assert (bench.folder / "04.log").read_text().split() == list("012345")


@pytest.mark.slow
def test_a_stage_that_progresses_slowly_is_left_alone(bench: Bench) -> None:
    body = _EVENTS + (
        "for n in range(8):\n    tell(type='progress', done=n, total=8, unit='steps'); time.sleep(0.25)\n"
        "tell(type='done', result={})\n"
    )
    record = bench.finish(bench.start(body, limits=(0.5, 1.0)))
    assert (record["exit_code"], record["ended_for"], bench.signs()) == (0, None, [])


def test_a_finished_stage_that_will_not_exit_is_ended(bench: Bench) -> None:
    body = _EVENTS + "tell(type='done', result={})\ntime.sleep(60)\n"
    assert bench.finish(bench.start(body, grace_s=1, teardown=(0.1, 0.3)))["ended_for"] == "teardown"


@linux
@pytest.mark.slow
def test_the_server_leaves_with_its_orchestrator_and_its_guards_stay(tmp_path: Path) -> None:
    code = (
        "import json, os, sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from nightforge.pipeline.guards import Guards\n"
        "guards = Guards(open('/dev/null', 'wb')); guards.start(json.load(open('order.json')))\n"
        "print(guards._server.pid, flush=True); time.sleep(60)"
    )
    (tmp_path / "stage.py").write_text("import time; time.sleep(2)")
    order = {
        "stage": "04", "attempt": 1, "attempts": str(tmp_path / "attempts"), "tag": "t",
        "argv": [str(tmp_path / "stage.py")], "cwd": str(tmp_path), "env": dict(os.environ),
        "events": str(tmp_path / "e"), "events_offset": 0, "log": str(tmp_path / "l"),
        "limits": all_limits(), "grace": [5], "speaks": True,
    }  # fmt: skip
    (tmp_path / "order.json").write_text(json.dumps(order))
    root = str(Path(__file__).resolve().parents[2])
    command = [sys.executable, "-c", code, root]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path)
    assert owner.stdout is not None
    server = int(owner.stdout.readline())
    assert eventually(lambda: guard_of(tmp_path, "04", 1) is not None)
    owner.kill()
    owner.wait()
    owner.stdout.close()
    assert eventually(lambda: not alive(server))
    assert guard_of(tmp_path, "04", 1) is not None
    assert eventually(lambda: read_object(order_path(tmp_path, "04", 1, "exit")) is not None)
    assert (read_object(order_path(tmp_path, "04", 1, "exit")) or {})["exit_code"] == 0


@linux
def test_a_killed_server_is_replaced_and_its_guards_go_on(bench: Bench) -> None:
    first = bench.start("import time; time.sleep(1)")
    server = bench.guards._server
    assert server is not None
    server.kill()
    server.wait()
    assert bench.finish(bench.start("pass"))["exit_code"] == 0
    bench.numbers = 1
    assert bench.finish(first)["exit_code"] == 0


def spares(bench: Bench) -> list[psutil.Process]:
    assert bench.guards._server is not None
    return psutil.Process(bench.guards._server.pid).children()


@pytest.mark.slow
@linux
def test_a_spare_guard_waits_for_its_order_and_leaves_with_its_server(bench: Bench) -> None:
    guard = bench.start("pass")
    assert bench.finish(guard)["exit_code"] == 0
    assert eventually(lambda: len(spares(bench)) == 1)
    (spare,) = spares(bench)
    assert bench.finish(bench.start("pass"))["exit_code"] == 0
    assert eventually(lambda: not spare.is_running())  # it was the guard of that stage
    assert eventually(lambda: len(spares(bench)) == 1)
    (spare,) = spares(bench)
    bench.guards.end()
    assert eventually(lambda: not spare.is_running())


@linux
def test_a_killed_spare_is_replaced(bench: Bench) -> None:
    lives = "import sys, time; time.sleep(0.5); sys.exit({})"  # long enough to be seen by a slow machine
    assert bench.finish(bench.start(lives.format(0)))["exit_code"] == 0
    assert eventually(lambda: len(spares(bench)) == 1)
    spares(bench)[0].kill()
    assert eventually(lambda: not spares(bench))
    assert bench.finish(bench.start(lives.format(7)))["exit_code"] == 7


def test_the_stage_that_goes_on_is_found_by_its_newest_order_whatever_the_state_says(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert guarded_stage(project, "r1") is None
    mine = identity_of(os.getpid())
    assert mine is not None
    for attempt, who in ((1, {**mine.to_dict(), "started": 1}), (2, mine.to_dict())):
        assert guarded_stage(project, "r1") is None  # no guard yet, or a pid that somebody else has now
        write_json(order_path(project.run_dir("r1"), "04", attempt), {"stage": "04", "attempt": attempt})
        write_json(order_path(project.run_dir("r1"), "04", attempt, "guard"), {"guard": who})
    assert guarded_stage(project, "r1") == {"stage": "04", "attempt": 2, "pid": os.getpid()}


def test_the_guard_is_small_and_imports_no_package() -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import nightforge.pipeline.guard\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names)))"
    )
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code, root], capture_output=True, text=True)
    assert done.stdout.strip() == "['__main__', 'nightforge']" or done.stdout.strip() == "['nightforge']", (
        done.stdout + done.stderr
    )


@linux
def test_an_order_whose_server_dies_right_after_handing_it_over_is_carried_out_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask, asked = Guards._ask, []

    def ask_and_die(self: Guards, line: bytes) -> int:
        asked.append(ask(self, line))
        if len(asked) == 1:
            assert self._server is not None
            self._server.kill()
            raise BrokenPipeError("the guard server has ended")
        return asked[-1]

    monkeypatch.setattr(Guards, "_ask", ask_and_die)
    guard = bench.start("import time; open('ran', 'a').write('x'); time.sleep(0.5)")
    assert bench.finish(guard)["exit_code"] == 0
    assert int(order_path(bench.folder, "04", 1, "claim", "").read_text()) == asked[0] != asked[1]
    assert eventually(lambda: not alive(asked[1]))
    assert (bench.folder / "ran").read_text() == "x"
