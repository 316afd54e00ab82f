"""Train a peft model with transformers.Trainer: exact checkpoints, stop-and-save, resume.

Effective batch = batch_size x accumulation; the loss is the mean over the answer tokens of the whole
effective batch (the Trainer divides by `num_items_in_batch`, also in a shorter last window), so short rows do
not weigh more than long ones, and a smaller micro-batch with more accumulation takes the same steps. # ops O4
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import RandomSampler, Sampler
from transformers import Trainer, TrainingArguments
from transformers.trainer_callback import PrinterCallback

from nightforge.config.schema import Training
from nightforge.core.errors import DiskFullError, NumericError, OutOfMemory, StoppedError
from nightforge.core.failures import class_of
from nightforge.core.inject import fire
from nightforge.core.reporting import Report
from nightforge.core.room import Reserve
from nightforge.ml import checkpoints
from nightforge.ml.adapters import folded
from nightforge.ml.batching import LengthGrouped, RightPad, Rows
from nightforge.ml.callbacks import (
    FiniteLoss,
    ProveResume,
    ReportPhases,
    ReportProgress,
    StopAtBoundary,
    curve_values,
)
from nightforge.ml.chat import Example, pad_id
from nightforge.ml.muon import Muon
from nightforge.ml.oom import memory_of
from nightforge.ml.spill import SpillWatch, probe


@dataclass(frozen=True)
class Plan:
    """One training: its settings on the current rung, where checkpoints go, and the facts a checkpoint must
    share to be resumed from. `grouped` rows of similar length stand together, whatever the rung, so that the
    order of rows stays the same (0: batch_size).
    """

    settings: Training
    work_dir: Path
    facts: dict[str, Any]
    bf16: bool = False
    reserve: Reserve | None = None  # given up when the last checkpoint would not fit
    grouped: int = 0
    eval_batch: int = 8
    pin_memory: bool = True


@dataclass(frozen=True)
class Fitted:
    """What came out: curves as [[step, value]], optimizer steps, seconds of this session."""

    steps: int
    seconds: float
    train: list[list[float]]
    eval: list[list[float]]
    lr: list[list[float]]
    resumed_from: int
    checkpoint_bytes: int = 0


class ExactTrainer(Trainer):
    """The Trainer with our row order and with checkpoints that are whole or not there."""

    def __init__(self, *, plan: Plan, report: Report, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._plan = plan
        self.checkpoint_bytes = 0  # of the last one
        self._report = report
        self.finite = FiniteLoss()

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:
        rows: Any = train_dataset if train_dataset is not None else self.train_dataset
        settings = self._plan.settings
        lengths = [len(example) for example in rows.examples]
        if not settings.group_by_length:
            return RandomSampler(rows, generator=torch.Generator().manual_seed(settings.seed))
        return LengthGrouped(lengths, self._plan.grouped or settings.batch_size, settings.seed)

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        settings = self._plan.settings
        if settings.optimizer == "muon" and self.optimizer is None:
            # Adapters are matrices only, which is what Muon is for: https://kellerjordan.github.io/posts/muon
            trained: Any = self.model
            learning = [p for p in trained.parameters() if p.requires_grad]
            decay = settings.weight_decay
            self.optimizer = Muon(learning, lr=settings.learning_rate, weight_decay=decay)
        return super().create_optimizer(model)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        step = self.state.global_step + 1
        fire("step", step, torch.OutOfMemoryError)
        loss = super().training_step(model, inputs, num_items_in_batch)
        self.finite.see(step, bool(torch.isfinite(loss)))
        return loss

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        with memory_of("eval"):
            fire("eval", self.state.global_step, torch.OutOfMemoryError)
            return super().evaluate(*args, **kwargs)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            fire("restore", self.state.global_step, torch.OutOfMemoryError)
        super()._load_optimizer_and_scheduler(checkpoint)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        work = self._plan.work_dir
        partial_root = work / "saving.partial"
        shutil.rmtree(partial_root, ignore_errors=True)
        room_after = checkpoints.room_to_save(work, self._expected_bytes(), self._plan.reserve)
        try:
            self._save_whole(partial_root, model, trial)
        except Exception as error:
            full = checkpoints.full_disk(error, work)
            shutil.rmtree(partial_root, ignore_errors=True)  # the room it took is what the others need now
            if full is None:
                raise
            raise full from error
        checkpoints.keep_newest(work, self._plan.settings.keep_checkpoints)
        self.checkpoint_bytes = checkpoints.last_bytes(work)
        if not room_after and self.state.global_step < self.state.max_steps:
            raise DiskFullError(
                f"no room for another checkpoint in {work}; saved at step {self.state.global_step}",
                next_command="free some space; the run goes on by itself",
            )

    def _save_whole(self, partial_root: Path, model: Any, trial: Any) -> None:
        final = self.args.output_dir
        fire("save", self.state.global_step)
        self.args.output_dir = str(partial_root)  # the Trainer writes checkpoint-N below this folder
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self.args.output_dir = final
        step = self.state.global_step
        name = f"checkpoint-{step}"
        checkpoints.seal(partial_root / name, self._plan.work_dir / name, {**self._plan.facts, "step": step})
        self._report.mark(step, "steps")

    def _expected_bytes(self) -> int:
        """Return the size of the next checkpoint: that of the last, or weights and two moments."""
        trained: Any = self.model
        weights = sum(p.numel() * p.element_size() for p in trained.parameters() if p.requires_grad)
        return checkpoints.last_bytes(self._plan.work_dir) or 3 * weights


def fit(
    model: Any,
    tokenizer: Any,
    rows: tuple[Sequence[Example], Sequence[Example]],
    plan: Plan,
    report: Report,
    should_stop: Callable[[], bool],
) -> Fitted:
    """Train `model` in place on `rows` (train, held-out), resuming from the newest whole checkpoint of this
    plan.

    Raises StoppedError after saving when a stop was asked for; the next call continues at the same global
    step.
    """
    train, held_out = rows
    plan.work_dir.mkdir(parents=True, exist_ok=True)
    checkpoint = checkpoints.newest_complete(plan.work_dir, plan.facts, report.message)
    resumed_from = checkpoints.step_of(checkpoint) if checkpoint else 0
    if checkpoint:
        report.message(f"resuming at step {resumed_from} from {checkpoint.name}")
    report.mark(resumed_from, "steps", resumed=True)
    stop, spill = StopAtBoundary(should_stop), SpillWatch(report, probe())
    arguments = _arguments(plan, has_eval=bool(held_out))
    trainer = ExactTrainer(
        plan=plan,
        report=report,
        model=model,
        args=arguments,
        train_dataset=Rows(train),
        eval_dataset=Rows(held_out) if held_out else None,
        data_collator=RightPad(pad_id(tokenizer)),
        callbacks=[ReportProgress(report), stop, spill, ProveResume(resumed_from), ReportPhases(report)],
    )
    trainer.remove_callback(PrinterCallback)
    started = time.monotonic()
    with folded(model), memory_of("train"):
        _train(trainer, checkpoint, plan.work_dir)
    if stop.stopped:
        raise StoppedError(
            f"training stopped at step {trainer.state.global_step} of {trainer.state.max_steps}; "
            "checkpoint saved",
            next_command="python launch_pipeline.py --resume",
        )
    if spill.found:
        raise OutOfMemory(spill.found, kind="oom_train")
    return Fitted(
        steps=trainer.state.global_step,
        seconds=time.monotonic() - started,
        train=_curve(trainer, "loss"),
        eval=_curve(trainer, "eval_loss"),
        lr=_curve(trainer, "lr"),
        resumed_from=resumed_from,
        checkpoint_bytes=trainer.checkpoint_bytes,
    )


def _train(trainer: ExactTrainer, checkpoint: Path | None, work_dir: Path) -> None:
    """Run the training loop; a checkpoint that proves useless is set aside, so that the next attempt takes
    the one before.
    """
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except NumericError:
        checkpoints.set_aside_from(work_dir, trainer.finite.first_bad)
        raise
    except Exception as error:
        if checkpoint is not None and class_of(error) == "checkpoint_bad":
            checkpoints.set_aside_from(work_dir, checkpoints.step_of(checkpoint))
        raise


def _arguments(plan: Plan, has_eval: bool) -> TrainingArguments:
    settings = plan.settings
    arguments = TrainingArguments(
        output_dir=str(plan.work_dir),
        per_device_train_batch_size=settings.batch_size,
        per_device_eval_batch_size=plan.eval_batch,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=settings.lr_scheduler,
        warmup_steps=settings.warmup_steps,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        optim={"adamw_8bit": "adamw_bnb_8bit", "paged_adamw_8bit": "paged_adamw_8bit"}.get(
            settings.optimizer, "adamw_torch"
        ),
        logging_steps=settings.logging_steps,
        save_strategy="steps",
        save_steps=settings.save_steps,
        eval_strategy="steps" if has_eval else "no",
        eval_steps=settings.eval_steps,
        bf16=plan.bf16,
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if settings.gradient_checkpointing else None,
        seed=settings.seed,
        data_seed=settings.seed,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        label_names=["labels"],
        dataloader_pin_memory=plan.pin_memory and torch.cuda.is_available(),
        use_cpu=not torch.cuda.is_available(),
        prediction_loss_only=True,
        include_num_input_tokens_seen="no",
    )
    # One process, one card: without this the Trainer would split rows over all visible GPUs and multiply the
    # batch.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _curve(trainer: Trainer, name: str) -> list[list[float]]:
    points = [(entry["step"], curve_values(entry).get(name)) for entry in trainer.state.log_history]
    return [[step, value] for step, value in points if value is not None]
