"""Holds an attempt back until the GPU is free: asks, waits, ends our own leftovers, names strangers.
# ops K8, K9, S3

Without nvidia-smi there is nothing to ask and the gate costs nothing. A stranger is never touched; the wait
uses up no attempt and ends at once when a stop is requested.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from nightforge.config.schema import GpuGate
from nightforge.core.atomic import write_json
from nightforge.core.clock import Clock
from nightforge.core.generations import put_aside
from nightforge.core.leftovers import Tagged, end_tagged, lives
from nightforge.core.paths import Project
from nightforge.core.records import read_object
from nightforge.pipeline.gate import (
    Card,
    Decision,
    Holder,
    decide,
    first_visible,
    lower_baseline,
    words_for_holders,
)
from nightforge.pipeline.gpu_processes import Look, Question, find_nvidia_smi, name_of, our_leftovers
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.retry import RESUME_COMMAND, Verdict

WAITING = "waiting_gpu"
GPU_HELD = "Waiting for the GPU"
_WEDGED_S = 60.0  # after SIGKILL. # ops K9
_TOLD_AGAIN_S = 60.0  # newer amounts of memory
_ASK_S = 0.02
_TICK_S = 0.1
_SMALL_MB = 2048  # models of the anomaly track: below 100 MB each, and what CUDA itself takes


class Asked(Protocol):
    """A question under way, see `gpu_processes.Question`."""

    def answer(self) -> Look | None: ...

    def end(self) -> None: ...


class Gpus(NamedTuple):
    """What the gate touches of the machine; tests pass fakes."""

    ask: Callable[[], Asked | None]  # None: no driver here
    leftovers: Callable[[], list[Tagged]]
    end: Callable[[Tagged], None]
    lives: Callable[[Tagged], bool]
    name: Callable[[Holder], str]
    need_mb: Callable[[StageSpec], int | None]  # None: not known, or not known yet


class Said(NamedTuple):
    """How the gate talks to its run."""

    record: Callable[..., None]  # a run event by type and fields
    goes_on: Callable[[], bool]  # let the run tick; False once a stop is requested


class Gatekeeper:
    """The gate of one run. Callable with a stage and its run before each attempt."""

    def __init__(
        self, settings: GpuGate, mask: str | None, baselines: Path, gpus: Gpus, clock: Clock
    ) -> None:
        self._settings = settings
        self._mask = mask
        self._baselines = baselines
        self._gpus = gpus
        self._clock = clock
        self._told: set[str] = set()

    def __call__(self, spec: StageSpec, said: Said) -> Verdict | None:
        """Return None when the attempt may start, else why the stage must not."""
        if not spec.gpu or self._mask in ("", "-1"):
            return None
        passage = _Passage(spec, said)
        try:
            return self._pass(passage)
        finally:
            if passage.words:
                said.record("waiting_ended", stage=spec.key, kind=WAITING)

    def _pass(self, passage: _Passage) -> Verdict | None:
        since = self._clock.monotonic()
        while True:
            look = self._look(passage.said)
            if look is None:
                return _STOPPED
            card = first_visible(look.cards, self._mask)
            if look.trouble:
                self._tell_once(passage, "warning", "GPU cannot be asked", f"{look.trouble}; going on")
            if card is None:
                return None
            left = self._gpus.leftovers()
            wedged = self._wedged(passage)
            if wedged:
                return wedged
            decision = self._decide(passage, card, left, self._clock.monotonic() - since)
            if decision.action == "open":
                if decision.beside:
                    words = f"{self._holders(card)}: there is room for this stage beside it"
                    self._tell_once(passage, "info", "GPU shared", words)
                return None
            if decision.action == "reap":
                self._reap(passage, left)
                since = self._clock.monotonic()
            self._tell_waiting(passage, card, left, decision)
            if not self._sleep(passage.said):
                return _STOPPED

    def _look(self, said: Said) -> Look | None:
        """Ask while the run ticks on; None as soon as a stop is requested."""
        try:
            asked = self._gpus.ask()
        except OSError as error:
            return Look(trouble=f"nvidia-smi could not be started: {error.strerror or error}")
        if asked is None:
            return Look()
        while True:
            look = asked.answer()
            if look is not None:
                return look
            self._clock.sleep(_ASK_S)
            if not said.goes_on():
                asked.end()
                return None

    def _decide(self, passage: _Passage, card: Card, left: list[Tagged], waited_s: float) -> Decision:
        settings = (self._settings.limit_seconds, self._settings.margin_mb, self._settings.share)
        baseline = self._baseline(card)
        decision = decide(card, baseline, len(left), waited_s, None, settings)
        if decision.action == "open" or left:
            return decision
        return decide(card, baseline, 0, waited_s, self._gpus.need_mb(passage.spec), settings)

    def _baseline(self, card: Card) -> int | None:
        """Return the lowest memory in use ever seen on this card, and remember a lower one."""
        record = read_object(self._baselines)
        if record is None and self._baselines.exists():
            put_aside(self._baselines)
        cards = dict((record or {}).get("cards") or {})
        known = cards.get(card.uuid)
        known = known if isinstance(known, int) else None
        lowest = lower_baseline(known, card)
        if lowest != known:
            try:
                write_json(self._baselines, {"schema_version": 1, "cards": {**cards, card.uuid: lowest}})
            except OSError as error:  # a full disk: seen again at the next look
                sys.stderr.write(f"{self._baselines} can't be written: {error}\n")
        return lowest

    def _reap(self, passage: _Passage, left: list[Tagged]) -> None:
        """End what earlier attempts have left behind, each with its evidence in the journal. # ops K6"""
        for process in left:
            if process in passage.ended:
                continue
            self._gpus.end(process)
            passage.ended[process] = self._clock.monotonic()
            words = (
                f"pid {process.pid}, start time {process.started}, {process.command[:200]!r}: it carries the "
                f"run tag {process.tag} of an earlier attempt of this project and was still there after "
                f"{self._settings.limit_seconds:g} s"
            )
            self._alert(passage, "warning", "Process left behind was ended", words)

    def _wedged(self, passage: _Passage) -> Verdict | None:
        now = self._clock.monotonic()
        for process, ended_at in passage.ended.items():
            if now - ended_at >= _WEDGED_S and self._gpus.lives(process):
                words = (
                    f"process {process.pid} of an earlier attempt survives SIGKILL since {_WEDGED_S:.0f} s: "
                    "the GPU driver holds it, and the computer needs a reboot; then resume"
                )
                return Verdict("failed", "device_wedged", words, RESUME_COMMAND)
        return None

    def _tell_waiting(self, passage: _Passage, card: Card, left: list[Tagged], decision: Decision) -> None:
        """Show what is waited for; a stranger is worth one alert per stage."""
        if left:
            words = f"{_count(left)} of an earlier attempt to end"
        elif decision.action == "wait" or card.holders:
            words = f"{self._holders(card)}; it is left alone"
        else:
            words = f"memory of GPU {card.number} to come back, {card.used_mb:,} MB are in use"
        now = self._clock.monotonic()
        what = (decision.action, *(holder.pid for holder in card.holders), *(one.pid for one in left))
        if what != passage.what or now - passage.told_at >= _TOLD_AGAIN_S:
            passage.what, passage.told_at, passage.words = what, now, words
            passage.said.record("waiting_started", stage=passage.spec.key, kind=WAITING, words=words)
        if decision.action == "wait" and not passage.alerted:
            passage.alerted = True
            advice = "The run goes on by itself once there is room; no attempt is used up."
            self._alert(passage, "warning", GPU_HELD, f"{words}. {advice}", "nvidia-smi")

    def _holders(self, card: Card) -> str:
        return words_for_holders([self._gpus.name(holder) for holder in card.holders], card)

    def _sleep(self, said: Said) -> bool:
        end = self._clock.monotonic() + self._settings.poll_seconds
        while self._clock.monotonic() < end:
            self._clock.sleep(min(_TICK_S, end - self._clock.monotonic()))
            if not said.goes_on():
                return False
        return True

    def _tell_once(self, passage: _Passage, level: str, title: str, words: str) -> None:
        if words not in self._told:
            self._told.add(words)
            self._alert(passage, level, title, words)

    def _alert(
        self, passage: _Passage, level: str, title: str, detail: str, command: str | None = None
    ) -> None:
        fields: dict[str, Any] = {"level": level, "title": title, "detail": detail, "next_command": command}
        passage.said.record("alert", stage=passage.spec.key, **fields)


class _Passage:
    """One attempt on its way through the gate."""

    def __init__(self, spec: StageSpec, said: Said) -> None:
        self.spec = spec
        self.said = said
        self.words = ""  # shown as waited for
        self.what: tuple[Any, ...] = ()  # what they are about: amounts change with every look
        self.told_at = 0.0
        self.alerted = False
        self.ended: dict[Tagged, float] = {}  # leftovers killed, and when


_STOPPED = Verdict("stopped", "stopped", "stopped while waiting for the GPU")


def _count(left: list[Tagged]) -> str:
    pids = ", ".join(str(process.pid) for process in left)
    return f"process {pids}" if len(left) == 1 else f"processes {pids}"


class Needs:
    """The memory a stage needs, counted by a process of its own, since that takes torch."""

    def __init__(self, project: Project, run_config: Path) -> None:
        self._root = project.root
        self._config = run_config
        self._process: subprocess.Popen[bytes] | None = None
        self._asked_for = ""
        self._found: dict[str, Any] = {}

    def __call__(self, spec: StageSpec) -> int | None:
        """Return the need in MiB; starts counting at the first call of a stage and answers later."""
        if not spec.language_model:
            return _SMALL_MB
        if not self._found and self._asked_for != spec.key:
            self.end()
            self._asked_for = spec.key
            self._process = self._start()
        if self._process is not None and self._process.poll() is not None:
            self._found = _last_object(self._process.stdout.read() if self._process.stdout else b"")
            self.end()
        need = self._found.get("train_mb" if spec.kind == "training" else "generate_mb")
        return need if isinstance(need, int) else None

    def end(self) -> None:
        """Stop counting."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    def _start(self) -> subprocess.Popen[bytes] | None:
        command = [sys.executable, "-m", "nightforge.ml.need", "--config", str(self._config)]
        hidden = {"NIGHTFORGE_ROOT": str(self._root), "CUDA_VISIBLE_DEVICES": ""}
        try:
            return subprocess.Popen(
                command,
                cwd=Path(__file__).resolve().parents[2],
                env={**os.environ, **hidden},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        except OSError as error:
            sys.stderr.write(f"the memory need could not be counted: {error}\n")
            return None


def _last_object(output: bytes) -> dict[str, Any]:
    lines = output.strip().splitlines() or [b"{}"]
    try:
        value = json.loads(lines[-1])
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def open_gate(
    project: Project, settings: GpuGate, environment: Mapping[str, str], needs: Needs, clock: Clock
) -> Gatekeeper:
    """Make the gate of a run whose stages get `environment`; looks for nvidia-smi once."""
    program = find_nvidia_smi()
    gpus = Gpus(
        ask=lambda: Question(program) if program else None,
        leftovers=lambda: our_leftovers(project),
        end=end_tagged,
        lives=lives,
        name=name_of,
        need_mb=needs,
    )
    mask = environment.get("CUDA_VISIBLE_DEVICES")
    return Gatekeeper(settings, mask, project.gpu_baselines, gpus, clock)
