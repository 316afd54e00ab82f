"""The guard: one small process per attempt that owns the stage's tree. # ops K1, K11, H2, L1

It starts the stage, writes its output to a capped log, watches its progress, ends what has to be ended, and
writes the exit record. It outlives the orchestrator: a training goes on, and the next start takes it up
again. If the guard is killed, the stage dies with it. Standard library only, no torch, no orchestrator.

The order is one line of JSON. On Linux a server with this module loaded hands each line to a guard it forks.
Files in `attempts/` of the run folder, `KEY-N` for attempt N of stage KEY:

    KEY-N.order.json   written by the orchestrator before the guard starts anything
    KEY-N.claim        pid of the guard that has taken it
    KEY-N.guard.json   who guards, who is guarded
    KEY-N.signs.jsonl  phase and limit, silence, stack dumps, requests to end, as they happen
    KEY-N.end.json     an order from outside to end the stage now
    KEY-N.exit.json    the exit record; written last
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from nightforge.core.atomic import write_json
from nightforge.core.clock import utc_now
from nightforge.core.events import read_events
from nightforge.core.failpoints import be, reach
from nightforge.core.host_memory import oom_kills
from nightforge.core.processes import boot_id, identity_of
from nightforge.core.stacks import LIMITS_VARIABLE
from nightforge.core.starter import Starter
from nightforge.core.tree import Tree
from nightforge.pipeline.evidence import Stacks, take_snapshot
from nightforge.pipeline.output import HEAD_BYTES, Pump
from nightforge.pipeline.stall import Limits
from nightforge.pipeline.supervise import Grace, Supervisor

_TICK_S = 0.2
_DUMP_S = 1.0  # time for the stage to write its stacks
_AFTER_START_S = 0.005  # the stage starts first, then the next guard is forked
_TELL_S = 1.0  # phase and limit are told at most this often, and not at all of a stage that is done sooner


def main() -> None:
    """Carry out the order on standard input (Windows), or fork a guard for each of them (elsewhere)."""
    if sys.platform != "win32":
        _serve()
        return
    line = sys.stdin.buffer.readline()
    if line:
        Guard(json.loads(line)).run()


def _serve() -> None:
    """Hand each line to a guard and answer with its pid, until the input ends. One guard is always forked
    ahead, so that no stage waits for it.
    """
    _load_ahead()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system removes dead guards
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # it leaves when its orchestrator does, never before
    spare: tuple[int, int] | None = None
    for line in iter(sys.stdin.buffer.readline, b""):
        try:
            pid = _hand_over(line, spare)
        except OSError as error:
            _answer(f"!{error}")
            spare = None
            continue
        _answer(str(pid))
        time.sleep(_AFTER_START_S)
        spare = _fork_spare()


def _load_ahead() -> None:
    """Do once what each guard would do anew, and keep the collector off the pages that guards share."""
    _peak_memory()
    boot_id()
    gc.freeze()


def _hand_over(line: bytes, spare: tuple[int, int] | None) -> int:
    """Give an order to the spare guard, or to a new one if there is none or it has been killed."""
    if spare is not None:
        try:
            return _write_order(line, *spare)
        except (BrokenPipeError, ProcessLookupError):
            sys.stderr.write("a spare guard has gone; another one is started\n")
    return _write_order(line, *_fork())


def _write_order(line: bytes, pid: int, pipe: int) -> int:
    with os.fdopen(pipe, "wb") as file:
        os.kill(pid, 0)  # the dead are removed at once; a child may still hold their pipe
        file.write(line)
    return pid


def _fork_spare() -> tuple[int, int] | None:
    try:
        return _fork()
    except OSError:  # tried again, and told, when it is needed
        return None


def _fork() -> tuple[int, int]:
    """Fork a guard that waits for its order; returns its pid and the pipe that takes it."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        _be_a_guard(reading)
    os.close(reading)
    return pid, writing


def _answer(text: str) -> None:
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()


def _be_a_guard(orders: int) -> None:
    """Become independent of the server, wait for an order and guard; never returns. A spare one leaves when
    its server does.
    """
    code = 1
    try:
        server = os.getppid()
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        starter = Starter([orders]) if sys.platform == "linux" else None
        with os.fdopen(orders, "rb") as file:
            line = file.read()
        if line:
            Guard(json.loads(line), starter, server).run()
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


class Guard:
    """One attempt from its start to its exit record."""

    def __init__(
        self, order: dict[str, Any], starter: Starter | None = None, server: int | None = None
    ) -> None:
        """`starter`: the stage's process, forked ahead. `server`: pid of the guard server."""
        self._order, self._starter, self._server = order, starter, server
        self._name = Path(order["attempts"]) / f"{order['stage']}-{order['attempt']}"
        self._events = Path(order["events"])
        self._offset = int(order["events_offset"])
        self._stacks = Stacks()
        self._pump: Pump | None = None
        self._told_at = _lived_now()
        self._told_limit: tuple[Any, ...] = ()
        self._asked = False
        self._oom_kills = 0

    def run(self) -> None:
        """Start the stage, see it through, write the exit record."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._hear)
        be("guard")
        order = self._order
        if not self._claim():
            return
        reach("tree.before")
        try:
            tree = Tree(order["argv"], Path(order["cwd"]), _environment(order), self._starter)
        except OSError as error:
            self._write_exit(None, None, [], 0, f"could not be started: {error.strerror or error}")
            return
        reach("tree.after")
        self._oom_kills = oom_kills()
        half_bytes = int(order.get("log_bytes", 2 * HEAD_BYTES)) // 2
        pump = self._pump = Pump(tree.output, Path(order["log"]), half_bytes)
        pump.start()
        self._write_record(tree)
        limits, grace = Limits.of(order["limits"]), Grace(*order["grace"])
        watch = Supervisor(limits, grace, _lived_now(), speaks=order["speaks"])
        code = self._watch(tree, watch)
        reach("end.before")
        survivors = tree.kill()
        reach("end.after")
        pump.finish()
        self._write_exit(code, watch, survivors, pump.dropped_bytes)

    def _claim(self) -> bool:
        """Take the attempt; False where another guard has it, since the server was killed right after handing
        it over and a new one was asked. # ops K11
        """
        path = self._path("claim")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as file:
                file.write(str(os.getpid()))
        except FileExistsError:
            return False
        except OSError:  # a full disk keeps nobody from guarding
            return True
        return True

    def _hear(self, *_: object) -> None:
        self._asked = True  # a stray signal to the guard must end the stage in order, never orphan it

    def _watch(self, tree: Tree, watch: Supervisor) -> int:
        while True:
            code = tree.wait(_TICK_S)
            moves = watch.moves
            if code is not None:
                watch.live(_lived_now(), self._news(), self._output())
                return code
            action = watch.observe(_lived_now(), self._news(), self._told(), self._output())
            if watch.moves != moves:
                self._stacks.forget()
            self._tell(watch)
            if action == "warn":
                limit_s = round(watch.limit.kill_s, 1) if watch.kills else None
                self._sign("silent", silent_s=round(watch.silent_s, 1), phase=watch.phase, limit_s=limit_s)
            elif action == "dump":
                self._dump(tree)
            elif action == "terminate":
                if watch.ended_for != "stop" and self._moves_after_a_dump(tree, watch):
                    continue
                self._sign("asked", reason=watch.ended_for, equal=self._stacks.equal)
                tree.terminate()
            elif action == "kill":
                self._sign("forced")
                tree.kill()

    def _news(self) -> list[dict[str, Any]]:
        """Read what the stage has told since the last look."""
        events, self._offset = read_events(self._events, self._offset)
        for event in events:
            if event.get("stacks"):
                self._stacks.listen(str(event["stacks"]))
        return events

    def _output(self) -> int:
        return self._pump.seen_bytes if self._pump else 0

    def _tell(self, watch: Supervisor) -> None:
        """Say which limit holds, when it has changed, and of gaps in time."""
        if watch.gap_s:
            self._sign("gap", seconds=round(watch.gap_s))
        limit, now_s = watch.limit, _lived_now()
        if now_s - self._told_at < _TELL_S or (watch.phase, limit) == self._told_limit:
            return
        self._told_at, self._told_limit = now_s, (watch.phase, limit)
        kill_s = round(limit.kill_s, 1) if watch.kills else None
        told = {"warn_s": round(limit.warn_s, 1), "limit_s": kill_s, "origin": limit.origin}
        self._sign("limit", phase=watch.phase, **told)

    def _dump(self, tree: Tree) -> None:
        """Have the stacks of all threads written. # ops H6"""
        if not self._stacks.listens:
            return
        self._stacks.ask()
        tree.dump()
        deadline = time.monotonic() + _DUMP_S
        while time.monotonic() < deadline and not self._stacks.arrived():
            if tree.wait(_TICK_S) is not None:
                break
        tree.wait(_TICK_S)  # the rest of the text
        self._stacks.read()
        self._sign("stacks", again=self._stacks.again)

    def _moves_after_a_dump(self, tree: Tree, watch: Supervisor) -> bool:
        """Take the evidence, then look a last time: whoever moved is not ended. # ops H6, H7"""
        self._dump(tree)
        key, attempt = self._order["stage"], self._order["attempt"]
        title = f"{utc_now()} stage {key}, attempt {attempt}: {watch.silent_s:.0f} s in phase {watch.phase}"
        take_snapshot(self._snapshot_path(), title, [pid for pid, _ in tree.members()])
        if watch.reprieve(_lived_now(), self._news(), self._output()):
            self._stacks.forget()
            self._sign("false_alarm")
            return True
        return False

    def _snapshot_path(self) -> Path:
        return self._events.with_name(f"{self._order['stage']}.snapshot.txt")

    def _told(self) -> bool:
        return self._asked or self._name.with_name(self._name.name + ".end.json").exists()

    def _path(self, kind: str) -> Path:
        return self._name.with_name(f"{self._name.name}.{kind}")

    def _sign(self, kind: str, **fields: Any) -> None:
        line = json.dumps({"type": kind, "time": utc_now(), **fields}) + "\n"
        try:
            with self._path("signs.jsonl").open("a", encoding="utf-8") as file:
                file.write(line)
        except OSError:
            return  # a full disk costs the sign, not the stage

    def _write_record(self, tree: Tree) -> None:
        me, stage = identity_of(os.getpid(), self._order["tag"]), identity_of(tree.pid)
        record = {
            "stage": self._order["stage"],
            "attempt": self._order["attempt"],
            "guard": me.to_dict() if me else None,
            "process": stage.to_dict() if stage else None,
            "pid": tree.pid,
            "started_at": utc_now(),
        }
        self._write("guard.json", record, patience_s=5.0, durable=False)  # no guard outlives a power cut

    def _write_exit(
        self, code: int | None, watch: Supervisor | None, survivors: list[int], dropped: int, error: str = ""
    ) -> None:
        record = {
            "exit_code": code,
            "ended_for": watch.ended_for if watch else None,
            "longest_s": watch.longest() if watch else {},
            "gaps": watch.gaps if watch else 0,
            "stacks_equal": self._stacks.equal,
            "survivors": survivors,
            "dropped_bytes": dropped,
            "peak_memory_bytes": _peak_memory(),
            "oom_kills": max(0, oom_kills() - self._oom_kills),
            "error": error,
            "ended_at": utc_now(),
        }
        self._write("exit.json", record, durable=not self._is_watched())

    def _is_watched(self) -> bool:
        """Tell whether the orchestrator lives, since the server leaves with it. It then makes the end durable
        itself, in its journal.
        """
        return sys.platform != "win32" and os.getppid() == self._server

    def _write(
        self, kind: str, record: dict[str, Any], patience_s: float = 3600.0, durable: bool = True
    ) -> None:
        """Write a record; a full disk is waited for, since this is what the run hangs on."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                write_json(self._path(kind), record, indent=None, durable=durable)
                return
            except OSError as error:
                sys.stderr.write(f"{self._path(kind)}: {error}\n")
                if time.monotonic() >= deadline:
                    return  # the orchestrator then takes the guard for lost
                time.sleep(1.0)


def _environment(order: dict[str, Any]) -> dict[str, str]:
    """Return the stage's environment; with the limits, where its stacks come by the clock."""
    if sys.platform != "win32":
        return dict(order["env"])
    limits = {phase: limit.kill_s for phase, limit in Limits.of(order["limits"]).phases.items()}
    return {**order["env"], LIMITS_VARIABLE: json.dumps(limits)}


def _lived_now() -> float:
    """Return seconds of a clock that goes on while the computer sleeps, so that a sleep is seen as a gap."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if sys.platform == "linux" else time.monotonic()


def _peak_memory() -> int | None:
    """Return the largest resident size among the stage's processes, bytes; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
