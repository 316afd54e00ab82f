"""Training on hidden parts: it learns, a resumed run equals an uninterrupted one, and broken data end it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from nightforge.config.anomaly import AnomalyTraining
from nightforge.core.errors import InputError, NumericError, StoppedError
from nightforge.ml.self_supervised import METRICS, Batch, Plan, Task, Trained, fit, total_steps
from tests.ml.conftest import SilentReport

FACTS = {"data_hash": "d", "config_hash": "c"}


class Waves:
    """`count` windows of a wave, 8 numbers each."""

    def __init__(self, count: int, first: int = 0) -> None:
        times = torch.arange(first, first + count)[:, None] + torch.arange(8)[None]
        self.values = torch.sin(times * 0.7)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Batch:
        return {"values": self.values[index]}

    def __getitems__(self, indices: list[int]) -> Batch:
        return {"values": self.values[indices]}


class Guess(torch.nn.Module):
    """Guesses hidden numbers from the others; `poison` makes its loss infinite from that call on."""

    def __init__(self, poison: int | None = None) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Dropout(0.1), torch.nn.Linear(32, 8)
        )
        self.calls, self.poison = 0, poison

    def forward(self, values: torch.Tensor, hidden: torch.Tensor) -> dict[str, torch.Tensor]:
        self.calls += 1
        guess = self.net(values.masked_fill(hidden, 0.0))
        loss = ((guess - values) ** 2)[hidden].mean()
        if self.poison is not None and self.calls >= self.poison:
            loss = loss * float("inf")
        return {"loss": loss}


def hide(batch: Batch, masks: torch.Generator) -> Batch:
    order = torch.rand(batch["values"].shape, generator=masks).argsort(-1)
    return {**batch, "hidden": order < 3}


def settings(**changes: Any) -> AnomalyTraining:
    values: dict[str, Any] = {
        "epochs": 50, "max_steps": 37, "batch_size": 16, "lr": 1e-2, "warmup_steps": 2, "eval_steps": 8,
        "save_steps": 12,
    }  # fmt: skip
    return AnomalyTraining(**{**values, **changes})


def train(
    work_dir: Path,
    report: SilentReport,
    *,
    stop_after: int | None = None,
    poison: int | None = None,
    windows: tuple[int, int | None] = (100, 40),
    **changes: Any,
) -> tuple[Trained | None, dict[str, torch.Tensor]]:
    torch.manual_seed(3)
    model = Guess(poison)
    val = Waves(windows[1], 500) if windows[1] is not None else None
    task = Task(model, Waves(windows[0]), val, hide)

    def should_stop() -> bool:
        return stop_after is not None and bool(report.steps) and report.steps[-1] >= stop_after

    trained = None
    try:
        trained = fit(task, Plan(settings(**changes), 7, work_dir, FACTS), report, should_stop)
    except StoppedError:
        assert stop_after is not None
    return trained, {name: value.clone() for name, value in model.state_dict().items()}


def lines(work_dir: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (work_dir / METRICS).read_text(encoding="utf-8").splitlines()]


def test_it_learns_and_every_loss_is_told_and_written(tmp_path: Path, report: SilentReport) -> None:
    trained, _ = train(tmp_path, report, max_steps=200)
    assert trained is not None
    assert trained.steps == 200
    losses = [line["train_loss"] for line in trained.lines if "train_loss" in line]
    assert len(losses) == 20
    assert losses[-1] < losses[0] / 2
    told = [(step, values["loss"]) for step, values in report.curves if "loss" in values]
    assert told == [(line["step"], line["train_loss"]) for line in trained.lines if "train_loss" in line]
    assert lines(tmp_path) == trained.lines
    assert {phase for phase, _ in report.watched} == {"first_step", "step", "eval", "save"}


def test_the_last_step_is_logged_and_judged_whatever_the_intervals(
    tmp_path: Path, report: SilentReport
) -> None:
    trained, _ = train(tmp_path, report)
    assert trained is not None
    assert [line["step"] for line in trained.lines if "train_loss" in line] == [10, 20, 30, 37]
    assert [line["step"] for line in trained.lines if "val_loss" in line] == [8, 16, 24, 32, 37]


@pytest.mark.parametrize(
    "stop_after", [5, pytest.param(12, marks=pytest.mark.slow), pytest.param(23, marks=pytest.mark.slow)]
)
def test_a_stopped_and_resumed_training_equals_an_uninterrupted_one(tmp_path: Path, stop_after: int) -> None:
    whole, expected = train(tmp_path / "whole", SilentReport())
    first, second = SilentReport(), SilentReport()
    stopped, _ = train(tmp_path / "parts", first, stop_after=stop_after)
    assert stopped is None
    assert first.steps[-1] == stop_after
    resumed, weights = train(tmp_path / "parts", second)
    assert whole is not None and resumed is not None
    assert (resumed.resumed_from, second.steps[0]) == (stop_after, stop_after + 1)
    assert len(whole.lines) == len(resumed.lines)
    for one, other in zip(whole.lines, resumed.lines, strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    assert lines(tmp_path / "parts") == resumed.lines
    assert (whole.best_step, whole.best_loss) == (resumed.best_step, pytest.approx(resumed.best_loss))
    assert max(float((expected[name] - weights[name]).abs().max()) for name in expected) < 1e-6


def test_a_crash_after_the_last_checkpoint_repeats_no_line(tmp_path: Path) -> None:
    whole, _ = train(tmp_path / "whole", SilentReport())
    train(tmp_path / "parts", SilentReport(), stop_after=15)
    (tmp_path / "parts" / "checkpoint-15" / "manifest.json").unlink()  # as if killed while saving it
    resumed, _ = train(tmp_path / "parts", SilentReport())
    assert whole is not None and resumed is not None
    assert resumed.resumed_from == 12
    assert lines(tmp_path / "parts") == lines(tmp_path / "whole")


@pytest.mark.parametrize("val", [40, None])
def test_a_finished_training_that_was_not_put_away_ends_at_once_with_the_same_weights(
    tmp_path: Path, val: int | None
) -> None:
    _, expected = train(tmp_path, SilentReport(), windows=(100, val))
    report = SilentReport()
    again, weights = train(tmp_path, report, windows=(100, val))
    assert again is not None
    assert (again.steps, report.steps) == (37, [])
    assert all(torch.equal(expected[name], weights[name]) for name in expected)


def test_it_stops_early_and_ends_with_the_weights_of_the_best_validation(
    tmp_path: Path, report: SilentReport
) -> None:
    trained, weights = train(tmp_path / "early", report, lr=1.0, patience=2, max_steps=400, eval_steps=4)
    assert trained is not None and trained.best_step is not None
    assert trained.steps == trained.best_step + 2 * 4
    assert any("stopped early" in text for text in report.texts)
    val = {line["step"]: line["val_loss"] for line in trained.lines if "val_loss" in line}
    assert trained.best_loss == val[trained.best_step] == min(val.values())
    _, at_best = train(
        tmp_path / "until", SilentReport(), lr=1.0, max_steps=400, stop_after=trained.best_step, eval_steps=4
    )
    assert all(torch.equal(at_best[name], weights[name]) for name in weights)


def test_another_training_in_the_same_folder_begins_anew(tmp_path: Path) -> None:
    train(tmp_path, SilentReport(), stop_after=5)
    report = SilentReport()
    torch.manual_seed(3)
    plan = Plan(settings(), 7, tmp_path, {**FACTS, "data_hash": "other"})
    fit(Task(Guess(), Waves(100), None, hide), plan, report, lambda: False)
    assert report.steps[0] == 1
    assert any("belongs to another training" in text for text in report.texts)


def test_a_loss_that_is_no_number_ends_the_training_without_a_checkpoint_of_it(
    tmp_path: Path, report: SilentReport
) -> None:
    with pytest.raises(NumericError, match="from step 16 on"):
        train(tmp_path, report, poison=16, windows=(100, None), save_steps=5)
    assert sorted(entry.name for entry in tmp_path.glob("checkpoint-*")) == ["checkpoint-10", "checkpoint-15"]


def test_a_validation_loss_that_is_no_number_ends_the_training(tmp_path: Path, report: SilentReport) -> None:
    with pytest.raises(NumericError, match="validation loss at step 8"):
        train(tmp_path, report, poison=9)


@pytest.mark.parametrize(("windows", "name"), [((0, 10), "training"), ((10, 0), "validation")])
def test_an_empty_part_is_an_error(
    tmp_path: Path, report: SilentReport, windows: tuple[int, int], name: str
) -> None:
    with pytest.raises(InputError, match=f"the {name} part holds no window"):
        train(tmp_path, report, windows=windows)


@pytest.mark.parametrize(("epochs", "max_steps", "expected"), [(2, 0, 14), (2, 5, 5), (2, 50, 14)])
def test_epochs_and_max_steps_are_both_limits(epochs: int, max_steps: int, expected: int) -> None:
    assert total_steps(settings(epochs=epochs, max_steps=max_steps), 100) == expected


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_resumed_training_on_a_gpu_in_bfloat16_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    def run(name: str, stop_after: int | None) -> Trained | None:
        torch.manual_seed(3)
        report = SilentReport()
        plan = Plan(settings(), 7, tmp_path / name, FACTS, device="cuda", bf16=True)

        def should_stop() -> bool:
            return stop_after is not None and bool(report.steps) and report.steps[-1] >= stop_after

        return fit(Task(Guess(), Waves(100), Waves(40, 500), hide), plan, report, should_stop)

    whole = run("whole", None)
    with pytest.raises(StoppedError):
        run("parts", 15)
    resumed = run("parts", None)
    assert whole is not None and resumed is not None
    for one, other in zip(whole.lines, resumed.lines, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
