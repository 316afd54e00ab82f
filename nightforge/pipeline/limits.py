"""How long a stage may be silent, by phase: from the configuration, or learned from earlier runs. # ops H3,
H4, H9

`limit = max(configured, 5 x observed)`; observed is the longest interval of a phase in a completed attempt,
merged over runs with weight 0.5, kept per stage, model, GPU and size class in logs/stall_limits.json. What
an attempt that did not end `done` has seen teaches nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from nightforge.config import Config
from nightforge.core.atomic import write_bytes
from nightforge.core.clock import utc_now
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.stall import FACTOR, OUTPUT, PHASES, Limit, Limits

_WEIGHT = 0.5  # of the newest run
_TELLING_S = 1.0  # what never took longer has no use for a limit of its own
_SEEN = 2.0  # nobody is warned before this many times what is usual


class Subject(NamedTuple):
    """What intervals depend on. `gpu` is None while nobody has looked yet; `size` 0 where none is known."""

    stage: str
    model: str
    gpu: str | None
    size: int


class Observed(Struct, frozen=True, forbid_unknown_fields=True):
    """The usual longest interval of a phase, and from how many completed attempts."""

    longest_s: float
    runs: int


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """What one subject has taught, by phase."""

    stage: str
    model: str
    gpu: str
    size: int
    phases: dict[str, Observed]


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    schema_version: int = 1
    entries: tuple[Entry, ...] = ()


class StallLimits:
    """The limits of this run's stages, and what they teach."""

    def __init__(self, path: Path, config: Config, hardware: Callable[[], Mapping[str, Any] | None]) -> None:
        self._path = path
        self._config = config
        self._hardware = hardware
        self._entries = _load(path)

    def of(self, spec: StageSpec) -> Limits:
        """Return the limits of a stage that is to be started now."""
        subject = self._subject(spec)
        usual = usual_intervals(self._entries, subject)
        warn_s = self._config.stall_detection.stall_warn_seconds
        phases = {
            phase: limit_of(floor_s, warn_s, usual.get(phase))
            for phase, floor_s in floors(self._config, spec.kind).items()
        }
        return Limits(phases, self._config.stall_detection.kill)

    def learn(self, spec: StageSpec, longest: Mapping[str, float]) -> None:
        """Take in the longest intervals of an attempt that ended `done`; on a full disk the next one writes
        them.
        """
        known = {phase: seconds for phase, seconds in longest.items() if phase in PHASES}
        subject = self._subject(spec)
        if max(known.values(), default=0.0) < _TELLING_S and not usual_intervals(self._entries, subject):
            return
        self._entries = merge(self._entries, subject, known)
        try:
            # Not durable: after a power cut the limits are a run older, and never below the configured ones.
            write_bytes(self._path, msgspec.json.encode(_File(entries=self._entries)), durable=False)
        except OSError:
            return  # the journal meets the same disk and raises the alert

    def _subject(self, spec: StageSpec) -> Subject:
        if not spec.language_model:
            return Subject(spec.key, spec.stream, gpu_name(self._hardware()), 0)
        model = self._config.model.base_model
        quantization = self._config.quantization
        if quantization.use_8bit or quantization.use_4bit:
            model += ", 8-bit" if quantization.use_8bit else ", 4-bit"
        return Subject(spec.key, model, gpu_name(self._hardware()), size_class(self._config, spec.kind))


def floors(config: Config, kind: str) -> dict[str, float]:
    """Return the configured limit of every phase for a stage kind, seconds."""
    stall = config.stall_detection
    step_s = stall.stall_kill_seconds_training if kind == "training" else stall.stall_kill_seconds
    return {
        "start": stall.stall_kill_seconds,
        "load": stall.stall_kill_seconds_load,
        "first_step": step_s,
        "step": step_s,
        "eval": stall.stall_kill_seconds_eval,
        "save": stall.stall_kill_seconds_save,
        "generate": stall.stall_kill_seconds_eval,
        "teardown": stall.stall_kill_seconds_teardown,
        OUTPUT: stall.stall_kill_seconds_output,
    }


def limit_of(floor_s: float, warn_s: float, usual: Observed | None) -> Limit:
    """Return the limit of a phase from its configured floor and what is usual."""
    if usual is None:
        return Limit(warn_s, floor_s)
    warn_s = max(warn_s, _SEEN * usual.longest_s)
    if FACTOR * usual.longest_s <= floor_s:
        return Limit(warn_s, floor_s)
    runs = "1 run" if usual.runs == 1 else f"{usual.runs} runs"
    return Limit(warn_s, FACTOR * usual.longest_s, f"learned from {runs}")


def usual_intervals(entries: tuple[Entry, ...], subject: Subject) -> dict[str, Observed]:
    """Return what is known of a subject by phase; of an unknown GPU, the longest that any has taught."""
    found: dict[str, Observed] = {}
    for entry in entries:
        if _matches(entry, subject) and subject.gpu in (None, entry.gpu):
            for phase, seen in entry.phases.items():
                if phase not in found or seen.longest_s > found[phase].longest_s:
                    found[phase] = seen
    return found


def merge(entries: tuple[Entry, ...], subject: Subject, longest: Mapping[str, float]) -> tuple[Entry, ...]:
    """Return the entries with one more completed attempt: an exponential moving average per phase."""
    gpu = subject.gpu or "unknown"
    known = usual_intervals(entries, subject._replace(gpu=gpu))
    phases = dict(known)
    for phase, seconds in longest.items():
        before = known.get(phase)
        mean = seconds if before is None else (1 - _WEIGHT) * before.longest_s + _WEIGHT * seconds
        phases[phase] = Observed(round(mean, 3), before.runs + 1 if before else 1)
    others = tuple(entry for entry in entries if not (_matches(entry, subject) and entry.gpu == gpu))
    return (*others, Entry(subject.stage, subject.model, gpu, subject.size, phases))


def gpu_name(hardware: Mapping[str, Any] | None) -> str | None:
    """Return the name of the first GPU, `cpu` without one, None if nobody has looked yet."""
    if hardware is None:
        return None
    gpus = hardware.get("gpus") or ()
    return str(gpus[0].get("name")) if gpus else "cpu"


def size_class(config: Config, kind: str) -> int:
    """Return how much a unit of work is, as a power of two: tokens per step in training, per batch in exams
    and evaluations; 0 for stages whose units do not grow with the configuration.
    """
    if kind == "training":
        rows = config.training.batch_size * config.training.gradient_accumulation_steps
        tokens = rows * config.model.max_seq_length
    elif kind in ("exam", "eval"):
        tokens = config.generation.batch_size * config.generation.max_new_tokens
    else:
        return 0
    return 1 << (tokens - 1).bit_length()


def _matches(entry: Entry, subject: Subject) -> bool:
    return (entry.stage, entry.model, entry.size) == (subject.stage, subject.model, subject.size)


def _load(path: Path) -> tuple[Entry, ...]:
    """Read what was learned; an unreadable file is put aside under a name of its own. # ops A5"""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_File).entries
    except FileNotFoundError:
        return ()
    except msgspec.DecodeError:
        stamp = utc_now().replace(":", "").replace(".", "")
        os.replace(path, path.with_name(f"{path.stem}.unreadable-{stamp}{path.suffix}"))
        return ()
