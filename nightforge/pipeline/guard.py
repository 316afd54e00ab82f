"""The guard: one small process per attempt that owns the stage's tree. # ops K1, K11, H2, L1

It starts the stage, writes its output to a capped log, watches its progress, ends what has to be ended, and
writes the exit record. It outlives the orchestrator: a training goes on, and the next start takes it up
again. If the guard is killed, the stage dies with it. Standard library only, no torch, no orchestrator.

The order is one line of JSON. On Linux a server with this module loaded forks a guard for each line it reads.
Files in `attempts/` of the run folder, `KEY-N` for attempt N of stage KEY:

    KEY-N.order.json   written by the orchestrator before the guard starts anything
    KEY-N.guard.json   who guards, who is guarded
    KEY-N.signs.jsonl  silence, stack dumps, requests to end, as they happen
    KEY-N.end.json     an order from outside to end the stage now
    KEY-N.exit.json    the exit record; written last
"""

from __future__ import annotations

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
from nightforge.core.processes import identity_of
from nightforge.core.tree import Tree
from nightforge.pipeline.output import HEAD_BYTES, Pump
from nightforge.pipeline.stall import Limits
from nightforge.pipeline.supervise import Grace, Supervisor

_TICK_S = 0.1
_DUMP_S = 1.0  # time for the stage to write its stacks


def main() -> None:
    """Carry out the order on standard input (Windows), or fork a guard for each of them (elsewhere)."""
    if sys.platform != "win32":
        _serve()
        return
    line = sys.stdin.buffer.readline()
    if line:
        Guard(json.loads(line)).run()


def _serve() -> None:
    """Fork a guard per line and answer with its pid, until the input ends."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the system removes dead guards
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, signal.SIG_IGN)  # it leaves when its orchestrator does, never before
    for line in iter(sys.stdin.buffer.readline, b""):
        try:
            pid = os.fork()
        except OSError as error:
            _answer(f"!{error}")
            continue
        if pid == 0:
            _be_a_guard(json.loads(line))
        _answer(str(pid))


def _answer(text: str) -> None:
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()


def _be_a_guard(order: dict[str, Any]) -> None:
    """Become independent of the server, then guard; never returns."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 0)
        os.dup2(nothing, 1)
        Guard(order).run()
        code = 0
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        sys.stderr.flush()
        os._exit(code)


class Guard:
    """One attempt from its start to its exit record."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._order = order
        self._name = Path(order["attempts"]) / f"{order['stage']}-{order['attempt']}"
        self._events = Path(order["events"])
        self._offset = int(order["events_offset"])
        self._listens = False  # the stage dumps its stacks when asked
        self._asked = False
        self._oom_kills = 0

    def run(self) -> None:
        """Start the stage, see it through, write the exit record."""
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), self._hear)
        be("guard")
        order = self._order
        self._oom_kills = oom_kills()
        reach("tree.before")
        try:
            tree = Tree(order["argv"], Path(order["cwd"]), order["env"])
        except OSError as error:
            self._write_exit(None, None, [], 0, f"could not be started: {error.strerror or error}")
            return
        reach("tree.after")
        pump = Pump(tree.output, Path(order["log"]), int(order.get("log_bytes", 2 * HEAD_BYTES)) // 2)
        pump.start()
        self._write_record(tree)
        limits, grace = Limits(*order["limits"]), Grace(*order["grace"])
        watch = Supervisor(limits, grace, time.monotonic())
        code = self._watch(tree, watch)
        reach("end.before")
        survivors = tree.kill()
        reach("end.after")
        pump.finish()
        self._write_exit(code, watch.ended_for, survivors, pump.dropped_bytes)

    def _hear(self, *_: object) -> None:
        self._asked = True  # a stray signal to the guard must end the stage in order, never orphan it

    def _watch(self, tree: Tree, watch: Supervisor) -> int:
        while True:
            code = tree.wait(_TICK_S)
            events, self._offset = read_events(self._events, self._offset)
            self._listens = self._listens or any(event.get("stacks") for event in events)
            if code is not None:
                return code
            action = watch.observe(time.monotonic(), events, self._told())
            if action == "warn":
                self._sign("silent", silent_s=round(watch.silent_s, 1))
            elif action == "terminate":
                if watch.ended_for == "stall" and self._moves_after_a_dump(tree, watch):
                    continue
                self._sign("asked", reason=watch.ended_for)
                tree.terminate()
            elif action == "kill":
                self._sign("forced")
                tree.kill()

    def _moves_after_a_dump(self, tree: Tree, watch: Supervisor) -> bool:
        """Take the stacks, then look a last time: whoever moved is not ended. # ops H6, H7"""
        if self._listens:
            tree.dump()
            tree.wait(_DUMP_S)
            self._sign("stacks")
        events, self._offset = read_events(self._events, self._offset)
        if watch.reprieve(time.monotonic(), events):
            self._sign("false_alarm")
            return True
        return False

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
        self, code: int | None, ended_for: str | None, survivors: list[int], dropped: int, error: str = ""
    ) -> None:
        record = {
            "exit_code": code,
            "ended_for": ended_for,
            "survivors": survivors,
            "dropped_bytes": dropped,
            "peak_memory_bytes": _peak_memory(),
            "oom_kills": max(0, oom_kills() - self._oom_kills),
            "error": error,
            "ended_at": utc_now(),
        }
        self._write("exit.json", record)

    def _write(
        self, kind: str, record: dict[str, Any], patience_s: float = 3600.0, durable: bool = True
    ) -> None:
        """Write a record; a full disk is waited for, since this is what the run hangs on."""
        deadline = time.monotonic() + patience_s
        while True:
            try:
                write_json(self._path(kind), record, durable=durable)
                return
            except OSError as error:
                sys.stderr.write(f"{self._path(kind)}: {error}\n")
                if time.monotonic() >= deadline:
                    return  # the orchestrator then takes the guard for lost
                time.sleep(1.0)


def _peak_memory() -> int | None:
    """Return the largest resident size among the stage's processes, bytes; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
