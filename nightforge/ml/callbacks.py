"""What the training loop tells the run, and how it hears "stop".

Progress is reported each optimizer step, losses at the configured interval; a stop request is answered at the
next step boundary with a checkpoint (facts W-15: half-trained work must never pass for done).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from nightforge.core.errors import NumericError, ResumeLostError
from nightforge.core.reporting import Report

_BAD_STEPS = 3


class ReportProgress(TrainerCallback):
    """Turn the Trainer's log entries into curve points and its steps into progress."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._report.progress(state.global_step, state.max_steps, "steps")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        values = curve_values(logs or {})
        if values:
            self._report.curve(state.global_step, **values)


class ReportPhases(TrainerCallback):
    """Tell the guard what the loop is doing: a long evaluation or save is no slow step. Comes last, when all
    others have said what they want done after a step.
    """

    def __init__(self, report: Report) -> None:
        self._report = report
        self._evaluated = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._report.watch("first_step")

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._report.watch(_next_phase(control))

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._evaluated += 1
        self._report.watch("eval", self._evaluated)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._report.watch("save" if control.should_save else "step")

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._report.watch("step")


def _next_phase(control: TrainerControl) -> str:
    if control.should_evaluate:
        return "eval"
    return "save" if control.should_save else "step"


class StopAtBoundary(TrainerCallback):
    """Save and leave at the next step boundary once a stop was asked for."""

    def __init__(self, should_stop: Callable[[], bool]) -> None:
        self._should_stop = should_stop
        self.stopped = False

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if state.global_step < state.max_steps and self._should_stop():
            self.stopped = True
            control.should_save = True
            control.should_training_stop = True
        return control


class ProveResume(TrainerCallback):
    """Refuse to go on when a resumed training does not continue where its checkpoint ended. # ops C9"""

    def __init__(self, expected_step: int) -> None:
        self._expected = expected_step

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.global_step != self._expected:
            raise ResumeLostError(
                f"resume lost: the checkpoint ends at step {self._expected}, training would start at "
                f"{state.global_step}"
            )


class FiniteLoss:
    """Counts optimizer steps in a row whose loss was not a finite number. # ops section 6, class numeric"""

    def __init__(self) -> None:
        self.first_bad = -1
        self._last_bad = -1

    def see(self, step: int, finite: bool) -> None:
        """Take in one micro-batch of optimizer step `step`; raises NumericError at the third bad step in a
        row.
        """
        if finite:
            if step > self._last_bad:
                self.first_bad = -1
            return
        if self.first_bad < 0:
            self.first_bad = step
        self._last_bad = step
        if step - self.first_bad >= _BAD_STEPS - 1:
            raise NumericError(
                f"the loss was not a finite number in {_BAD_STEPS} steps in a row, from step "
                f"{self.first_bad} on"
            )


def curve_values(logs: dict[str, Any]) -> dict[str, float]:
    """Pick loss, eval_loss and learning rate out of one Trainer log entry."""
    names = {"loss": "loss", "eval_loss": "eval_loss", "learning_rate": "lr"}
    return {ours: float(logs[theirs]) for theirs, ours in names.items() if theirs in logs}
