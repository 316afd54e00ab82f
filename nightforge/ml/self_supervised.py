"""Train a model on hidden parts of windows: one loop for both streams of the anomaly track.

Order and masks depend on seed and step alone, so a resumed training takes the very steps of an uninterrupted
one. The validation part is judged with the same masks each time; the best weights travel with every
checkpoint. A window is a row of a tensor; B windows make a batch.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save_file
from torch.utils.data import Dataset, Sampler
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from nightforge.config.anomaly import AnomalyTraining
from nightforge.core.atomic import append_jsonl, read_json, read_jsonl, write_json, write_jsonl
from nightforge.core.errors import InputError, NumericError
from nightforge.core.reporting import Report
from nightforge.ml.trainer import Saving, Start, Watchers, WholeTrainer, find_start, run_training

METRICS = "metrics.jsonl"
_MEMORY = "self_supervised.json"
_BEST = "best.safetensors"
_WEIGHTS = "model.safetensors"
_LOG_STEPS = 10  # steps one logged training loss is the mean of
_KEEP = 2  # checkpoints

Batch = dict[str, torch.Tensor]
# Adds to a batch which parts are hidden, drawn from the generator; on the CPU, whatever the device.
Hide = Callable[[Batch, torch.Generator], Batch]


class Windows(Protocol):
    """Windows by their number. `__getitems__` returns a whole batch; its keys are the model's arguments."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Batch: ...
    def __getitems__(self, indices: list[int]) -> Batch: ...


@dataclass(frozen=True)
class Task:
    """What is learnt: `model(**hide(batch))` returns an output with `.loss`. `val` None: no validation, the
    last weights are kept.
    """

    model: Any
    train: Windows
    val: Windows | None
    hide: Hide


@dataclass(frozen=True)
class Plan:
    """One training: settings, seed, where checkpoints and METRICS go, the facts a checkpoint must share to be
    resumed from, and the device.
    """

    settings: AnomalyTraining
    seed: int
    work_dir: Path
    facts: dict[str, Any]
    device: str = "cpu"  # cpu | cuda
    bf16: bool = False
    deterministic: bool = False

    @classmethod
    def on(cls, stream: Any, work_dir: Path, facts: dict[str, Any]) -> Plan:
        """Make the plan of a stream's settings (`patchtst` or `swinmae`) for this computer."""
        cuda = stream.device.prefer_cuda and torch.cuda.is_available()
        bf16 = cuda and stream.device.amp and torch.cuda.is_bf16_supported()
        where = "cuda" if cuda else "cpu"
        return cls(stream.training, stream.seed, work_dir, facts, where, bf16, stream.deterministic and cuda)


@dataclass(frozen=True)
class Trained:
    """What came out: the steps taken, the step and loss of the kept weights (None without validation),
    seconds of this session, and the lines of METRICS.
    """

    steps: int
    best_step: int | None
    best_loss: float | None
    seconds: float
    resumed_from: int
    lines: list[dict[str, Any]]


def generator(seed: int, *place: int | str) -> torch.Generator:
    """Return a generator that depends on `seed` and on what it is for, such as ("train", step)."""
    text = ":".join(str(part) for part in (seed, *place))
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big"))


def total_steps(settings: AnomalyTraining, windows: int) -> int:
    """Return how many steps are taken at most: `epochs` passes, cut at `max_steps`."""
    steps = settings.epochs * math.ceil(windows / settings.batch_size)
    return min(steps, settings.max_steps) if settings.max_steps else steps


class Order(Sampler[int]):
    """Every window once per epoch, in an order that depends on seed and epoch."""

    def __init__(self, count: int, seed: int) -> None:
        self.count, self.seed, self.epoch = count, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose order is drawn next; the Trainer calls it, also after a resume."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        yield from torch.randperm(self.count, generator=generator(self.seed, "order", self.epoch)).tolist()


@dataclass
class Memory:
    """What the Trainer's own state does not keep: losses since the last log, and the best weights so far."""

    losses: list[float] = field(default_factory=list)
    best_loss: float | None = None
    best_step: int | None = None
    worse: int = 0  # validations since the best one
    weights: Batch = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write it into a checkpoint that is being made."""
        names = ("losses", "best_loss", "best_step", "worse")
        write_json(folder / _MEMORY, {name: getattr(self, name) for name in names}, durable=False)
        if self.weights:
            save_file(self.weights, folder / _BEST)

    @classmethod
    def load(cls, folder: Path) -> Memory:
        """Read it from a whole checkpoint."""
        weights = load_file(folder / _BEST) if (folder / _BEST).is_file() else {}
        return cls(**read_json(folder / _MEMORY), weights=weights)

    def take(self, step: int, loss: float, model: torch.nn.Module) -> None:
        """Take in a validation loss; a better one than ever keeps the weights."""
        if self.best_loss is not None and loss >= self.best_loss:
            self.worse += 1
            return
        self.best_loss, self.best_step, self.worse = loss, step, 0
        self.weights = _plain(model)


class MaskedTrainer(WholeTrainer):
    """The Trainer with our order of windows and with masks that depend on seed and step alone."""

    def __init__(self, *, plan: Plan, hide: Hide, memory: Memory, **kwargs: Any) -> None:
        super().__init__(saving=Saving(plan.work_dir, plan.facts, _KEEP), **kwargs)
        self._plan, self._hide, self.memory = plan, hide, memory
        self._judged = 0  # batches of the validation that is going on

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:
        windows: Any = train_dataset if train_dataset is not None else self.train_dataset
        return Order(len(windows), self._plan.seed)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        masks = generator(self._plan.seed, "train", self.state.global_step)
        loss = super().training_step(model, self._hide(inputs, masks), num_items_in_batch)
        self.memory.losses.append(float(loss))
        return loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        self._judged = 0
        return super().evaluate(*args, **kwargs)

    def prediction_step(
        self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None
    ) -> tuple[torch.Tensor, None, None]:
        masks = generator(self._plan.seed, "val", self._judged)
        self._judged += 1
        hidden = self._prepare_inputs(self._hide(inputs, masks))
        with torch.no_grad(), self.compute_loss_context_manager():
            loss: Any = self.compute_loss(model, hidden)
        return loss.detach().float(), None, None

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs and self.memory.losses:
            # At a resume the Trainer forgets what has come since its last log; our memory does not.
            logs["loss"] = math.fsum(self.memory.losses) / len(self.memory.losses)
            self.memory.losses.clear()
        super().log(logs, start_time)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write the weights alone: the library's own way shows a progress bar for each checkpoint."""
        folder = Path(output_dir or str(self.args.output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        trained: Any = self.model
        save_file(_plain(trained), folder / _WEIGHTS, metadata={"format": "pt"})

    def add_to_checkpoint(self, folder: Path) -> None:
        self.memory.save(folder)


class KeepBest(TrainerCallback):
    """Log and judge the last step too, keep the best weights, and stop early when they stay the best."""

    def __init__(self, memory: Memory, patience: int, judged: bool, report: Report) -> None:
        self._memory, self._patience, self._has_val, self._report = memory, patience, judged, report

    @property
    def exhausted(self) -> bool:
        """True once `patience` validations in a row were no better."""
        return bool(self._patience) and self._memory.worse >= self._patience

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if state.global_step >= state.max_steps:
            control.should_log = True
            control.should_evaluate = self._has_val
        return control

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        loss = next(entry["eval_loss"] for entry in reversed(state.log_history) if "eval_loss" in entry)
        if not math.isfinite(loss):
            raise NumericError(f"the validation loss at step {state.global_step} is not a finite number")
        self._memory.take(state.global_step, loss, kwargs["model"])
        if self.exhausted:
            self._report.message(
                f"stopped early at step {state.global_step}: {self._memory.worse} validation losses were not "
                f"better than {self._memory.best_loss:.5g} at step {self._memory.best_step}"
            )
            control.should_training_stop = True
        return control


class WriteMetrics(TrainerCallback):
    """Append each logged loss to METRICS as it comes."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        for line in metric_lines(state.log_history[-1:]):
            append_jsonl(self._path, line)


def metric_lines(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Turn the Trainer's log into lines {step, epoch, train_loss, lr} and {step, epoch, val_loss}."""
    lines: list[dict[str, Any]] = []
    for entry in history:
        place = {"step": entry["step"], "epoch": round(entry["epoch"], 4)}
        if "loss" in entry:
            lines.append({**place, "train_loss": entry["loss"], "lr": entry.get("learning_rate")})
        if "eval_loss" in entry:
            lines.append({**place, "val_loss": entry["eval_loss"]})
    return lines


def fit(task: Task, plan: Plan, report: Report, should_stop: Callable[[], bool]) -> Trained:
    """Train `task.model` in place, resuming from the newest whole checkpoint of this plan; with a validation
    part the model ends with its best weights. METRICS in `plan.work_dir` grows as it goes.

    Raises InputError for a part without a window, StoppedError after saving when a stop was asked for,
    NumericError when the loss is no finite number any more.
    """
    for name, windows in (("training", task.train), ("validation", task.val)):
        if windows is not None and not len(windows):
            raise InputError(f"the {name} part holds no window")
    start = find_start(Saving(plan.work_dir, plan.facts, _KEEP), report)
    memory, metrics = Memory.load(start.checkpoint) if start.checkpoint else Memory(), plan.work_dir / METRICS
    write_jsonl(metrics, _lines_until(start))
    watchers = Watchers(report, should_stop, start)
    keep = KeepBest(memory, plan.settings.patience, task.val is not None, report)
    trainer = MaskedTrainer(
        plan=plan,
        hide=task.hide,
        memory=memory,
        report=report,
        model=task.model,
        args=_arguments(plan, len(task.train), task.val is not None),
        train_dataset=_as_dataset(task.train),
        eval_dataset=_as_dataset(task.val) if task.val is not None else None,
        data_collator=_whole_batch,
        callbacks=watchers.callbacks(keep, WriteMetrics(metrics)),
    )
    started = time.monotonic()
    if start.checkpoint and (keep.exhausted or start.step >= trainer.args.max_steps):
        # Trained to the end before, but not put away: the Trainer would take one step more.
        task.model.load_state_dict(load_file(start.checkpoint / _WEIGHTS))
    else:
        run_training(trainer, start.checkpoint, plan.work_dir)
        watchers.judge(trainer)
    if memory.weights:
        task.model.load_state_dict(memory.weights)
    return Trained(
        steps=max(trainer.state.global_step, start.step),
        best_step=memory.best_step,
        best_loss=memory.best_loss,
        seconds=time.monotonic() - started,
        resumed_from=start.step,
        lines=read_jsonl(metrics),
    )


def _lines_until(start: Start) -> list[dict[str, Any]]:
    """Return the lines of METRICS up to the checkpoint; what came after it will be written again."""
    if start.checkpoint is None:
        return []
    state = json.loads((start.checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return metric_lines(state["log_history"])


def _plain(model: torch.nn.Module) -> Batch:
    """Copy all weights to the CPU."""
    state = model.state_dict().items()
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in state}


def _as_dataset(windows: Windows) -> Dataset[Any]:
    return windows  # type: ignore[return-value]  # a Dataset is anything with a length and items


def _whole_batch(batch: Batch) -> Batch:
    """`__getitems__` has collated already."""
    return batch


def _arguments(plan: Plan, windows: int, has_val: bool) -> TrainingArguments:
    settings = plan.settings
    arguments = TrainingArguments(
        output_dir=str(plan.work_dir),
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=settings.batch_size,
        max_steps=total_steps(settings, windows),
        learning_rate=settings.lr,
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(settings.lr_scheduler, "cosine"),
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim="adamw_torch",
        logging_steps=_LOG_STEPS,
        save_strategy="steps",
        save_steps=settings.save_steps,
        eval_strategy="steps" if has_val else "no",
        eval_steps=settings.eval_steps,
        bf16=plan.bf16,
        seed=plan.seed,
        data_seed=plan.seed,
        full_determinism=plan.deterministic,
        dataloader_num_workers=settings.num_workers,
        dataloader_pin_memory=plan.device == "cuda",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        use_cpu=plan.device == "cpu",
        prediction_loss_only=True,
        include_num_input_tokens_seen="no",
    )
    # One process, one card: without this the Trainer would split windows over all visible GPUs.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments
