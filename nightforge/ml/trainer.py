"""A Trainer whose checkpoints are whole or not there, and the loop around it that both tracks share."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback, TrainerCallback, TrainerState

from nightforge.core.errors import DiskFullError, NumericError, OutOfMemory, StoppedError
from nightforge.core.failures import class_of
from nightforge.core.inject import fire
from nightforge.core.reporting import Report
from nightforge.core.room import Reserve
from nightforge.ml import checkpoints
from nightforge.ml.callbacks import FiniteLoss, ProveResume, ReportPhases, ReportProgress, StopAtBoundary
from nightforge.ml.oom import memory_of
from nightforge.ml.spill import SpillWatch, probe


@dataclass(frozen=True)
class Saving:
    """Where checkpoints go, the facts one must share to be resumed from, and how many are kept."""

    work_dir: Path
    facts: dict[str, Any]
    keep: int
    reserve: Reserve | None = None  # given up when the last checkpoint would not fit


@dataclass(frozen=True)
class Start:
    """Where training begins: the checkpoint to resume from, and its step (0 without one)."""

    checkpoint: Path | None
    step: int


def find_start(saving: Saving, report: Report) -> Start:
    """Find the newest whole checkpoint of this very training, and say so."""
    saving.work_dir.mkdir(parents=True, exist_ok=True)
    checkpoint = checkpoints.newest_complete(saving.work_dir, saving.facts, report.message)
    step = checkpoints.step_of(checkpoint) if checkpoint else 0
    if checkpoint:
        report.message(f"resuming at step {step} from {checkpoint.name}")
    report.mark(step, "steps", resumed=True)
    return Start(checkpoint, step)


class WholeTrainer(Trainer):
    """The Trainer with checkpoints that are whole or not there, and with a guard against broken losses."""

    def __init__(self, *, saving: Saving, report: Report, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._saving = saving
        self.checkpoint_bytes = 0  # of the last one
        self._report = report
        self.finite = FiniteLoss()
        self.remove_callback(PrinterCallback)

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

    def floating_point_ops(self, inputs: Any) -> int:
        """Leave operations uncounted: nobody reads them, and counting walks through the model each step."""
        return 0

    def add_to_checkpoint(self, folder: Path) -> None:
        """Put more files into a checkpoint before it is sealed."""

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            fire("restore", self.state.global_step, torch.OutOfMemoryError)
        super()._load_optimizer_and_scheduler(checkpoint)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        work = self._saving.work_dir
        partial_root = work / "saving.partial"
        shutil.rmtree(partial_root, ignore_errors=True)
        room_after = checkpoints.room_to_save(work, self._expected_bytes(), self._saving.reserve)
        try:
            self._save_whole(partial_root, model, trial)
        except Exception as error:
            full = checkpoints.full_disk(error, work)
            shutil.rmtree(partial_root, ignore_errors=True)  # the room it took is what the others need now
            if full is None:
                raise
            raise full from error
        checkpoints.keep_newest(work, self._saving.keep)
        self.checkpoint_bytes = checkpoints.last_bytes(work)
        if not room_after and self.state.global_step < self.state.max_steps:
            raise DiskFullError(
                f"no room for another checkpoint in {work}; saved at step {self.state.global_step}",
                next_command="free some space; the run goes on by itself",
            )

    def take_over(self, checkpoint: Path) -> None:
        """Load weights and record of a training that had ended: asked to go on from the last of its steps,
        the Trainer would take one more.
        """
        self.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
        self._load_from_checkpoint(str(checkpoint))

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
        self.add_to_checkpoint(partial_root / name)
        facts = {**self._saving.facts, "step": step}
        checkpoints.seal(partial_root / name, self._saving.work_dir / name, facts)
        self._report.mark(step, "steps")

    def _expected_bytes(self) -> int:
        """Return the size of the next checkpoint: that of the last, or weights and two moments."""
        trained: Any = self.model
        weights = sum(p.numel() * p.element_size() for p in trained.parameters() if p.requires_grad)
        return checkpoints.last_bytes(self._saving.work_dir) or 3 * weights


class Watchers:
    """The callbacks every training has, in their order, and what they found in the end."""

    def __init__(self, report: Report, should_stop: Callable[[], bool], start: Start) -> None:
        self._stop, self._spill = StopAtBoundary(should_stop), SpillWatch(report, probe())
        self._proof, self._first, self._last = (
            ProveResume(start.step),
            ReportProgress(report),
            ReportPhases(report),
        )

    def callbacks(self, *own: TrainerCallback) -> list[TrainerCallback]:
        """Return all of them around the caller's own."""
        return [self._first, self._stop, self._spill, self._proof, *own, self._last]

    def judge(self, trainer: Trainer) -> None:
        """Raise StoppedError or OutOfMemory when training ended early for one of these reasons."""
        if self._stop.stopped:
            raise StoppedError(
                f"training stopped at step {trainer.state.global_step} of {trainer.state.max_steps}; "
                "checkpoint saved",
                next_command="python launch_pipeline.py --resume",
            )
        if self._spill.found:
            raise OutOfMemory(self._spill.found, kind="oom_train")


def run_training(trainer: WholeTrainer, checkpoint: Path | None, work_dir: Path) -> None:
    """Run the training loop; a checkpoint that proves useless is set aside, so that the next attempt takes
    the one before.
    """
    try:
        with memory_of("train"):
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except NumericError:
        checkpoints.set_aside_from(work_dir, trainer.finite.first_bad)
        raise
    except Exception as error:
        if checkpoint is not None and class_of(error) == "checkpoint_bad":
            checkpoints.set_aside_from(work_dir, checkpoints.step_of(checkpoint))
        raise
