"""One execution of one stage: its guard, its log, its events, and how to find it again after a crash."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from nightforge.config import Config
from nightforge.core.atomic import write_json
from nightforge.core.events import read_events, read_lines
from nightforge.core.failpoints import reach
from nightforge.core.inject import ATTEMPT_VARIABLE
from nightforge.core.leftovers import sweep_tagged
from nightforge.core.paths import Project
from nightforge.core.processes import TAG_VARIABLE, boot_id
from nightforge.core.records import guard_of, order_path, read_object
from nightforge.pipeline.classes import LOG_LINES
from nightforge.pipeline.guards import GuardHandle, Guards
from nightforge.pipeline.output import HEAD_BYTES
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.stall import Limits
from nightforge.pipeline.supervise import Grace

GUARD_LOST = "guard_lost"
_HEAD = "==== attempt "
_TAIL_BYTES = 256 * 2**10


class Ended(NamedTuple):
    """How an attempt ended, by its guard's exit record. `ended_for` is why the guard ended it, or None."""

    exit_code: int
    ended_for: str | None = None
    survivors: tuple[int, ...] = ()
    host_out_of_memory: bool = False  # the kernel ended processes for memory while it ran
    log_tail: tuple[str, ...] = ()  # of an attempt that failed: the last lines of its output
    longest_s: Mapping[str, float] = {}  # without progress, by phase


class Attempt(Protocol):
    """What the runner needs of a running stage; tests pass one that plays a script."""

    def wait(self, timeout_s: float) -> Ended | None:
        """Return how it ended, or None if it still runs after `timeout_s`."""

    def new_events(self) -> list[dict[str, Any]]:
        """Return the events the stage has written since the last call."""

    def new_signs(self) -> list[dict[str, Any]]:
        """Return what the guard has noticed or done since the last call."""

    def end_now(self) -> None:
        """Have the guard end the stage within its grace time."""

    def close(self) -> None:
        """After the end: remove what a lost guard left behind."""


@dataclass(frozen=True)
class StageContext:
    """What every stage of a run is started with."""

    project: Project
    run_dir: Path
    environment: Mapping[str, str]
    guards: Guards
    log_bytes: int = 2 * HEAD_BYTES  # largest log of a stage

    def spawn(self, spec: StageSpec, attempt: int, limits: Limits, grace: Grace) -> Attempt:
        """Start a stage under a guard; raises OSError when the system refuses."""
        events = self.run_dir / f"{spec.key}.events.jsonl"
        log = self.run_dir / f"{spec.key}.log"
        offset = settle(events)
        _head_line(log, f"{_HEAD}{attempt}: python {spec.script} {' '.join(spec.args)}".rstrip())
        tag = f"{self.environment[TAG_VARIABLE]}-{spec.key}-{attempt}"
        order = {
            "stage": spec.key,
            "attempt": attempt,
            "attempts": str(order_path(self.run_dir, spec.key, attempt).parent),
            "tag": tag,
            "boot_id": boot_id(),
            "ticks": self.guards.since,  # whoever carries the tag and started earlier is not ours. # ops K6
            "argv": [
                str(self.project.root / spec.script),
                "--run-dir",
                str(self.run_dir),
                "--stage-key",
                spec.key,
                "--config",
                str(self.run_dir / "config.json"),
                *spec.args,
            ],
            "cwd": str(self.project.root),
            "events": str(events),
            "events_offset": offset,
            "log": str(log),
            "log_bytes": self.log_bytes,
            "limits": list(limits),
            "speaks": _calls_the_library(self.project.root / spec.script),
            "grace": list(grace),
        }
        # The intent stands before the deed: after a crash it tells whose processes to look for, and after a
        # power cut there are none, so it need not be durable. # ops A7
        write_json(order_path(self.run_dir, spec.key, attempt), order, indent=None, durable=False)
        reach("spawn.before")
        own = {TAG_VARIABLE: tag, ATTEMPT_VARIABLE: f"{spec.key}-{attempt}"}
        handle = self.guards.start({**order, "env": {**self.environment, **own}})
        reach("spawn.after")
        return GuardedAttempt(self.run_dir, spec.key, attempt, order, handle)

    def attach(self, spec: StageSpec, attempt: int) -> Attempt | None:
        """Take up an attempt again whose orchestrator is gone: its guard lives, or it has succeeded unseen.
        None when there is nothing to take up.
        """
        order = read_object(order_path(self.run_dir, spec.key, attempt))
        if order is None:
            return None
        identity = guard_of(self.run_dir, spec.key, attempt)
        handle = GuardHandle.of(identity) if identity else None
        unread = read_object(order_path(self.run_dir, spec.key, attempt, "exit"))
        if handle is None and (unread is None or unread.get("exit_code") != 0):
            return None  # a failure or a stop of that time is tried again like any other
        return GuardedAttempt(self.run_dir, spec.key, attempt, order, handle)


class GuardedAttempt:
    """An attempt as a real process under its guard."""

    def __init__(
        self, run_dir: Path, key: str, number: int, order: Mapping[str, Any], guard: GuardHandle | None
    ) -> None:
        self._run_dir, self._key, self._number = run_dir, key, number
        self._events, self._offset = Path(order["events"]), int(order["events_offset"])
        self._signs = order_path(run_dir, key, number, "signs", ".jsonl")
        self._signs_offset = 0
        self._tag = str(order["tag"])
        self._log = Path(order["log"])
        self._guard = guard
        self._lost = False

    def wait(self, timeout_s: float) -> Ended | None:
        gone = self._guard is None or self._guard.wait(timeout_s)
        record = read_object(order_path(self._run_dir, self._key, self._number, "exit")) if gone else None
        if record is not None:
            ended = _ended(record)
            return ended if ended.exit_code == 0 else ended._replace(log_tail=_tail(self._log))
        if not gone:
            return None
        self._lost = True
        return Ended(-9, GUARD_LOST)

    def new_events(self) -> list[dict[str, Any]]:
        events, self._offset = read_events(self._events, self._offset)
        return events

    def new_signs(self) -> list[dict[str, Any]]:
        signs, self._signs_offset = read_lines(self._signs, self._signs_offset)
        return signs

    def end_now(self) -> None:
        write_json(order_path(self._run_dir, self._key, self._number, "end"), {"by": os.getpid()})

    def close(self) -> None:
        if self._lost:
            sweep_tagged(self._tag)


def _ended(record: Mapping[str, Any]) -> Ended:
    if record.get("error"):
        raise OSError(str(record["error"]))
    survivors = tuple(int(pid) for pid in record.get("survivors", ()))
    full = bool(record.get("oom_kills"))
    return Ended(
        int(record["exit_code"]),
        record.get("ended_for"),
        survivors,
        full,
        longest_s=record.get("longest_s") or {},
    )


def _tail(log: Path) -> tuple[str, ...]:
    """Return the last lines of this attempt's output; nothing where it cannot be read."""
    newest = log.with_name(log.stem + ".tail.log")
    try:
        with (newest if newest.exists() else log).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    heads = [at for at, line in enumerate(lines) if line.startswith(_HEAD)]
    return tuple(lines[heads[-1] + 1 if heads else 0 :][-LOG_LINES:])


def _calls_the_library(script: Path) -> bool:
    """Tell whether a script reports progress at all; one that does not is watched by its output. # ops H9"""
    try:
        return b"nightforge.stage" in script.read_bytes()
    except OSError:
        return True  # it cannot be started either, and that has words of its own


def settle(path: Path) -> int:
    """Drop a line that a killed attempt left half written; returns where the next attempt begins, in
    bytes.
    """
    try:
        with path.open("r+b") as file:
            data = file.read()
            end = data.rfind(b"\n") + 1
            if end != len(data):
                file.truncate(end)
            return end
    except FileNotFoundError:
        return 0


def _head_line(log: Path, text: str) -> None:
    try:
        with log.open("a", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError:
        return  # a full disk: the pump counts what it drops, the runner raises the alert


def stage_environment(
    project: Project, config: Config, run_id: str, tag: str, base: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of every stage of a run."""
    environment = dict(os.environ if base is None else base)
    environment.update(
        {
            "NIGHTFORGE_ROOT": str(project.root),
            "NIGHTFORGE_RUN_ID": run_id,
            TAG_VARIABLE: tag,
            "PYTHONUNBUFFERED": "1",
            "PYTHONUTF8": "1",
            "TOKENIZERS_PARALLELISM": "false",
            "CUDA_DEVICE_ORDER": "PCI_BUS_ID",  # count the cards as nvidia-smi does
        }
    )
    if config.model.source != "hub":
        environment["HF_HUB_OFFLINE"] = "1"
    if config.hardware.cuda_visible_devices is not None:
        environment["CUDA_VISIBLE_DEVICES"] = config.hardware.cuda_visible_devices
    return environment
