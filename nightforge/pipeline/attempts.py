"""One execution of one stage: its process, its log, its events."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from nightforge.config import Config
from nightforge.core.events import read_events
from nightforge.core.paths import Project
from nightforge.core.processes import TAG_VARIABLE, spawn_stage
from nightforge.pipeline.output import Pump
from nightforge.pipeline.registry import StageSpec


class Attempt(Protocol):
    """What the runner needs of a running stage; tests pass one that plays a script."""

    pid: int

    def wait(self, timeout_s: float) -> int | None:
        """Return the exit code, or None if it still runs after `timeout_s`."""

    def new_events(self) -> list[dict[str, Any]]:
        """Return the events written since the last call."""

    def terminate(self) -> None:
        """Ask the tree to end."""

    def kill(self) -> None:
        """End the tree by force."""

    def close(self) -> list[int]:
        """After the end: remove what it left behind, finish the log; returns pids that would not go."""


@dataclass(frozen=True)
class StageContext:
    """What every stage of a run is started with."""

    project: Project
    run_dir: Path
    environment: Mapping[str, str]

    def spawn(self, spec: StageSpec, attempt: int) -> Attempt:
        """Start a stage; raises OSError when the system refuses."""
        return ProcessAttempt(self, spec, attempt)


class ProcessAttempt:
    """An attempt as a real process: `python scripts/NN_x.py --run-dir ... --stage-key ... --config ...`."""

    def __init__(self, context: StageContext, spec: StageSpec, attempt: int) -> None:
        self._events = context.run_dir / f"{spec.key}.events.jsonl"
        self._offset = settle(self._events)
        log = context.run_dir / f"{spec.key}.log"
        argv = [
            str(context.project.root / spec.script),
            "--run-dir",
            str(context.run_dir),
            "--stage-key",
            spec.key,
            "--config",
            str(context.run_dir / "config.json"),
            *spec.args,
        ]
        _head_line(log, f"==== attempt {attempt}: python {spec.script} {' '.join(spec.args)}".rstrip())
        self._process = spawn_stage(argv, context.project.root, context.environment)
        self.pid = self._process.pid
        self._pump = Pump(self._process.output, log)
        self._pump.start()

    def wait(self, timeout_s: float) -> int | None:
        return self._process.wait(timeout_s)

    def new_events(self) -> list[dict[str, Any]]:
        events, self._offset = read_events(self._events, self._offset)
        return events

    def terminate(self) -> None:
        self._process.terminate()

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> list[int]:
        survivors = self._process.kill()
        self._pump.finish()
        if not self._pump.is_alive():
            self._process.output.close()
        return survivors


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
