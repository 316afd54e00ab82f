"""Train a peft model with transformers.Trainer: exact checkpoints, stop-and-save, resume.

Effective batch = batch_size x accumulation; the loss is the mean over the answer tokens of the whole
effective batch (the Trainer divides by `num_items_in_batch`, also in a shorter last window), so short rows do
not weigh more than long ones, and a smaller micro-batch with more accumulation takes the same steps. # ops O4
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import RandomSampler, Sampler
from transformers import Trainer, TrainingArguments

from nightforge.config.schema import Training
from nightforge.core.reporting import Report
from nightforge.core.room import Reserve
from nightforge.ml.adapters import frozen_under
from nightforge.ml.batching import LengthGrouped, RightPad, Rows
from nightforge.ml.callbacks import curve_values
from nightforge.ml.chat import Example, pad_id
from nightforge.ml.lean_llama import lean
from nightforge.ml.muon import Muon
from nightforge.ml.trainer import Saving, Watchers, WholeTrainer, find_start, run_training


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


class ExactTrainer(WholeTrainer):
    """The Trainer with our row order and our optimizers."""

    def __init__(self, *, plan: Plan, **kwargs: Any) -> None:
        saving = Saving(plan.work_dir, plan.facts, plan.settings.keep_checkpoints, plan.reserve)
        super().__init__(saving=saving, **kwargs)
        self._plan = plan

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
            under = frozen_under(trained)
            self.optimizer = Muon(learning, lr=settings.learning_rate, weight_decay=decay, under=under)
        return super().create_optimizer(model)


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
    start = find_start(Saving(plan.work_dir, plan.facts, plan.settings.keep_checkpoints), report)
    watchers = Watchers(report, should_stop, start)
    trainer = ExactTrainer(
        plan=plan,
        report=report,
        model=model,
        args=_arguments(plan, has_eval=bool(held_out)),
        train_dataset=Rows(train),
        eval_dataset=Rows(held_out) if held_out else None,
        data_collator=RightPad(pad_id(tokenizer)),
        callbacks=watchers.callbacks(),
    )
    started = time.monotonic()
    with lean(model):
        if start.checkpoint and 0 < plan.settings.max_steps <= start.step:
            trainer.take_over(start.checkpoint)
        else:
            run_training(trainer, start.checkpoint, plan.work_dir)
    watchers.judge(trainer)
    return Fitted(
        steps=trainer.state.global_step,
        seconds=time.monotonic() - started,
        train=_curve(trainer, "loss"),
        eval=_curve(trainer, "eval_loss"),
        lr=_curve(trainer, "lr"),
        resumed_from=start.step,
        checkpoint_bytes=trainer.checkpoint_bytes,
    )


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
