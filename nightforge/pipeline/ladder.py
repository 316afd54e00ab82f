"""The out-of-memory ladder: less memory, same science. Pure, but for the file that remembers rungs. # ops
O1-O6

Training: micro-batch to the next smaller divisor of the effective batch, accumulation up, until 1; then
recomputation of activations; on a GPU an allocator against fragments; then the end. Held-out loss, exam and
evaluation halve a batch of their own and leave training alone. Never automatic: sequence length, rank,
precision, learning rate, data.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec.structs import replace

from nightforge.config.rungs import eval_batch, generation_batch, training_on_rung
from nightforge.config.schema import Config, Ladder
from nightforge.core.atomic import read_json, sha256_text, write_json
from nightforge.core.errors import InputError
from nightforge.core.failpoints import reach

CPU = "cpu"
OUT_OF_MEMORY = frozenset({"oom_train", "oom_eval", "oom_host"})
_DECIDES_MEMORY = ("hardware", "model", "quantization", "lora", "training", "generation")


class Place(NamedTuple):
    """Whose ladder: a stage on a device. `kind` is the stage's; `gpu` its name, or `cpu`."""

    stage: str
    kind: str
    gpu: str


class Step(NamedTuple):
    """One step down: the new ladder settings and what changed, in words. `phase`: train, eval, generate."""

    ladder: Ladder
    phase: str
    setting: str
    old: str
    new: str


def step_down(config: Config, place: Place, failure: str) -> Step | None:
    """Return the next rung after an out-of-memory of class `failure`, or None at the end of the ladder.

    Where training runs on the CPU its memory is the computer's, so `oom_host` is a matter of the batch too.
    """
    trains = place.kind == "training"
    if failure == "oom_host" and place.gpu != CPU:
        if not (trains and config.ladder.pin_memory):
            return None
        return Step(replace(config.ladder, pin_memory=False), "train", "page-locked memory", "on", "off")
    if not trains:
        size = generation_batch(config)
        ladder = replace(config.ladder, generation_batch=size // 2)
        return _halved(ladder, "generate", "answers decoded together", size)
    if failure == "oom_eval":
        size = eval_batch(config)
        return _halved(
            replace(config.ladder, eval_batch=size // 2), "eval", "rows of the held-out loss", size
        )
    return _train_step(config, place)


def _halved(ladder: Ladder, phase: str, setting: str, size: int) -> Step | None:
    return Step(ladder, phase, setting, str(size), str(size // 2)) if size > 1 else None


def _train_step(config: Config, place: Place) -> Step | None:
    now, ladder = training_on_rung(config), config.ladder
    effective = now.batch_size * now.gradient_accumulation_steps
    if now.batch_size > 1:
        smaller = max(size for size in range(1, now.batch_size) if effective % size == 0)
        old, new = (f"{size} x {effective // size}" for size in (now.batch_size, smaller))
        return Step(replace(ladder, micro_batch=smaller), "train", "micro-batch x accumulation", old, new)
    if not now.gradient_checkpointing:
        stepped = replace(ladder, gradient_checkpointing=True)
        return Step(stepped, "train", "gradient checkpointing", "off", "on")
    if place.gpu != CPU and not ladder.expandable_segments:
        stepped = replace(ladder, expandable_segments=True)
        return Step(stepped, "train", "allocator", "fixed blocks", "expandable segments")
    return None


def rungs_left(config: Config, place: Place, failure: str) -> int:
    """Return how many further steps the ladder has."""
    count, step = 0, step_down(config, place, failure)
    while step is not None:
        count += 1
        step = step_down(replace(config, ladder=step.ladder), place, failure)
    return count


def end_words(config: Config, place: Place, failure: str) -> str:
    """Say what was tried in vain and what would fit, at the end of the ladder."""
    training = training_on_rung(config)
    if place.kind == "training" and failure != "oom_eval":
        tried = f"micro-batch {training.batch_size}" + (
            " with gradient checkpointing" if training.gradient_checkpointing else ""
        )
        quantized = config.quantization.use_4bit or config.quantization.use_8bit
        ways = [
            f"a smaller model.max_seq_length than {config.model.max_seq_length} (rows that no longer fit are "
            "refused, never cut)",
            f"a smaller lora.lora_r than {config.lora.lora_r}",
        ]
        if not config.quantization.use_4bit:
            ways.insert(0, "quantization.use_4bit" + ("" if quantized else " or use_8bit"))
        if config.training.optimizer == "adamw_torch":
            ways.append("training.optimizer paged_adamw_8bit")
    else:
        tried = "a batch of one"
        ways = [f"a smaller generation.max_new_tokens than {config.generation.max_new_tokens}"]
        if place.kind == "training":
            ways = [f"a smaller model.max_seq_length than {config.model.max_seq_length}"]
    return (
        f"out of memory even with {tried}; each of these changes the result, so it is yours to choose: "
        f"{', '.join(ways)}, or a smaller base model"
    )


def overrides(ladder: Ladder) -> tuple[str, ...]:
    """Return the `--set` arguments that put a stage on this rung; none where nothing differs from the
    default.
    """
    usual = msgspec.to_builtins(Ladder())
    values = msgspec.to_builtins(ladder)
    changed = [name for name in values if values[name] != usual[name]]
    return tuple(text for name in changed for text in ("--set", f"ladder.{name}={json.dumps(values[name])}"))


class RungMemory:
    """`logs/oom_rungs.json`: where each (stage, model, GPU, configuration) starts. # ops O5"""

    def __init__(self, path: Path) -> None:
        self._path = path

    def recall(self, config: Config, place: Place) -> tuple[Ladder, dict[str, Any] | None]:
        """Return the ladder to start with and the record it comes from, or the configured one and None."""
        record = self._read().get(_key(config, place))
        if not isinstance(record, dict):
            return config.ladder, None
        try:
            found = msgspec.convert(record.get("ladder"), Ladder)
        except msgspec.ValidationError:
            return config.ladder, None
        return found, record

    def remember(self, config: Config, place: Place, step: Step, when: str) -> None:
        """Keep the rung of a step; raises OSError."""
        rungs = self._read()
        rungs[_key(config, place)] = {
            "stage": place.stage,
            "phase": step.phase,
            "model": config.model.base_model,
            "gpu": place.gpu,
            "ladder": msgspec.to_builtins(step.ladder),
            "setting": step.setting,
            "old": step.old,
            "new": step.new,
            "at": when,
        }
        write_json(self._path, {"schema_version": 1, "rungs": rungs})

    def _read(self) -> dict[str, Any]:
        if not self._path.exists():
            return {}
        try:
            rungs = read_json(self._path)["rungs"]
            if isinstance(rungs, dict):
                return rungs
        except (InputError, KeyError, TypeError):
            pass
        reach("aside.before", self._path.name)
        os.replace(self._path, self._path.with_suffix(".unreadable"))  # kept, never overwritten. # ops A5
        reach("aside.after", self._path.name)
        return {}


def _key(config: Config, place: Place) -> str:
    values = config.to_dict()
    decides = {name: values[name] for name in _DECIDES_MEMORY}
    text = json.dumps([place.stage, place.gpu, values["ladder"], decides], sort_keys=True)
    return sha256_text(text)[:16]
