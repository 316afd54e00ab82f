"""Training learns, stops on request with a checkpoint, and a resumed run equals an uninterrupted one."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import torch
from safetensors.torch import load_file

from nightforge.config.schema import Config, Lora, Model, Training
from nightforge.core.errors import OutOfMemory, StoppedError
from nightforge.core.paths import Project
from nightforge.ml import spill
from nightforge.ml.adapters import add_adapter, frozen_under
from nightforge.ml.chat import Example, encode_example
from nightforge.ml.fitting import Fitted, Plan, fit
from nightforge.ml.loading import load
from nightforge.ml.muon import Muon
from tests.ml.conftest import SilentReport

FACTS = {"data_hash": "d", "config_hash": "c"}
SENTENCES = [
    "open door",
    "light on",
    "light off",
    "print hello",
    "when key pressed print hello",
    "open door then light on",
]


def settings(**changes: object) -> Training:
    values = {
        "epochs": 4, "batch_size": 2, "gradient_accumulation_steps": 1, "learning_rate": 3e-2,
        "warmup_steps": 1, "logging_steps": 1, "save_steps": 3, "eval_steps": 4, "max_grad_norm": 1.0,
    }  # fmt: skip
    return Training(**{**values, **changes})  # type: ignore[arg-type]


def train(
    config: Config, work_dir: Path, report: SilentReport, stop_after: int | None = None
) -> tuple[Fitted | None, dict[str, torch.Tensor]]:
    torch.manual_seed(11)
    loaded = load(config, Project(work_dir.parent), for_training=True)
    model = add_adapter(loaded.model, config)
    rows: list[Example] = [
        encode_example(loaded.tokenizer, text, f"NODE {text} n{i}") for i, text in enumerate(SENTENCES)
    ]

    def should_stop() -> bool:
        return stop_after is not None and bool(report.steps) and report.steps[-1] >= stop_after

    fitted = None
    try:
        fitted = fit(
            model,
            loaded.tokenizer,
            (rows, rows[:2]),
            Plan(config.training, work_dir, FACTS),
            report,
            should_stop,
        )
    except StoppedError:
        assert stop_after is not None
    return fitted, {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


@pytest.fixture
def config(model_folder: Path) -> Config:
    return Config(
        model=Model(source="folder", base_model=str(model_folder), max_seq_length=128),
        lora=Lora(lora_r=4, lora_alpha=8, lora_dropout=0.1),
        training=settings(),
    )


def test_loss_falls_and_every_logging_step_is_reported(
    config: Config, tmp_path: Path, report: SilentReport
) -> None:
    fitted, _ = train(config, tmp_path / "work", report)
    assert fitted is not None
    assert fitted.steps == 12
    assert report.steps == list(range(1, 13))
    losses = [values["loss"] for _, values in report.curves if "loss" in values]
    assert len(losses) == 12
    assert all("lr" in values for _, values in report.curves if "loss" in values)
    assert losses[-1] < losses[0] - 1
    assert [step for step, values in report.curves if "eval_loss" in values] == [4, 8, 12]
    phases = [phase for phase, _ in itertools.groupby(phase for phase, _ in report.watched)]
    assert phases == (
        "first_step step save step eval step save step eval step save step eval save step".split()
    )  # saved after 3, 6, 9 and 12, evaluated after 4, 8 and 12


@pytest.mark.parametrize("changes", [{}, {"max_steps": 5, "save_steps": 5}], ids=["epochs", "max_steps"])
def test_a_training_that_ended_before_it_was_put_away_takes_no_further_step(
    config: Config, tmp_path: Path, changes: dict[str, int]
) -> None:
    config = msgspec.structs.replace(config, training=settings(**changes))
    whole, expected = train(config, tmp_path / "work", SilentReport())
    report = SilentReport()
    again, weights = train(config, tmp_path / "work", report)  # as after a crash before the adapter was saved
    assert whole is not None and again is not None
    assert report.steps == [] and again.steps == whole.steps == again.resumed_from
    assert again.train == whole.train and again.eval == whole.eval
    assert all(torch.equal(expected[name], weights[name]) for name in expected)


def test_a_stopped_and_resumed_training_equals_an_uninterrupted_one(config: Config, tmp_path: Path) -> None:
    whole, expected = train(config, tmp_path / "whole", SilentReport())
    first = SilentReport()
    stopped, _ = train(config, tmp_path / "parts", first, stop_after=5)
    assert stopped is None
    assert first.steps[-1] == 5
    second = SilentReport()
    resumed, weights = train(config, tmp_path / "parts", second)
    assert whole is not None and resumed is not None
    assert second.steps[0] == 6
    assert resumed.resumed_from == 5
    for (step, loss), (other_step, other) in zip(whole.train, resumed.train, strict=True):
        assert step == other_step
        assert abs(loss - other) < 1e-6
    assert max(float((expected[name] - weights[name]).abs().max()) for name in expected) < 1e-6


def test_an_adapter_of_full_rank_resumes_exactly_and_keeps_its_square_factors(
    config: Config, tmp_path: Path
) -> None:
    full = msgspec.structs.replace(config, lora=Lora(lora_r=64, lora_alpha=64, lora_dropout=0.0))
    whole, expected = train(full, tmp_path / "whole", SilentReport())
    train(full, tmp_path / "parts", SilentReport(), stop_after=5)
    resumed, weights = train(full, tmp_path / "parts", SilentReport())
    assert whole is not None and resumed is not None and resumed.resumed_from == 5
    assert weights.keys() == expected.keys()
    assert max(float((expected[name] - weights[name]).abs().max()) for name in expected) < 1e-6
    saved = load_file(tmp_path / "parts" / f"checkpoint-{resumed.steps}" / "adapter_model.safetensors")
    square = [tensor for name, tensor in saved.items() if name.endswith("q_proj.lora_A.weight")]
    assert square and all(torch.equal(tensor, torch.eye(64)) for tensor in square)


@pytest.mark.parametrize("alpha", [64, 128])
def test_decay_reaches_the_whole_layer_where_the_adapter_does(
    config: Config, tmp_path: Path, alpha: int
) -> None:
    full = msgspec.structs.replace(config, lora=Lora(lora_r=64, lora_alpha=alpha, lora_dropout=0.0))
    model = add_adapter(load(full, Project(tmp_path), for_training=True).model, full)
    under = frozen_under(model)
    assert len(under) == 14  # 7 linear layers x 2
    optimizer = Muon(list(under), lr=1e-3, weight_decay=500.0, under=under)  # halves in one step
    before = {name: weight.detach().clone() for name, weight in _merged(model).items()}
    for factor in under:
        factor.grad = torch.zeros_like(factor)
    optimizer.step()
    after = _merged(model)
    assert all(torch.allclose(after[name], before[name] / 2, atol=1e-5) for name in before)


def _merged(model: Any) -> dict[str, torch.Tensor]:
    whole = copy.deepcopy(model).merge_and_unload()
    return {name: p for name, p in whole.named_parameters() if name.endswith("_proj.weight")}


@pytest.mark.slow
def test_resume_walks_back_over_a_damaged_checkpoint(config: Config, tmp_path: Path) -> None:
    train(config, tmp_path / "work", SilentReport(), stop_after=7)
    newest = tmp_path / "work" / "checkpoint-7" / "adapter_model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-8])
    report = SilentReport()
    train(config, tmp_path / "work", report)
    assert report.steps[0] == 7  # from checkpoint-6
    assert any("checkpoint-7" in text for text in report.texts)


def test_accumulation_takes_the_same_steps_as_one_large_batch(config: Config, tmp_path: Path) -> None:
    def losses(batch: int, accumulation: int, name: str) -> list[list[float]]:
        plain = Lora(lora_r=4, lora_alpha=8, lora_dropout=0.0)
        training = settings(
            batch_size=batch, gradient_accumulation_steps=accumulation, group_by_length=False, epochs=2
        )
        changed = Config(model=config.model, lora=plain, training=training)
        fitted, _ = train(changed, tmp_path / name, SilentReport())
        assert fitted is not None
        return fitted.train

    one, many = losses(6, 1, "one"), losses(2, 3, "many")
    assert [step for step, _ in one] == [step for step, _ in many]
    assert max(abs(a - b) for (_, a), (_, b) in zip(one, many, strict=True)) < 1e-4


def test_a_gpu_that_spills_ends_the_attempt_as_out_of_memory_with_its_checkpoint(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightforge.ml.trainer.probe", lambda: lambda: (1, 1000))
    monkeypatch.setattr(spill, "_STEPS", 2)
    moments = itertools.accumulate(itertools.chain([0.0] + [1.0] * 9, itertools.repeat(100.0)))
    monkeypatch.setattr(spill, "time", SimpleNamespace(monotonic=lambda: next(moments)))
    report = SilentReport()
    with pytest.raises(OutOfMemory, match="vram_spill") as caught:
        train(config, tmp_path / "work", report)
    assert caught.value.kind == "oom_train"
    assert (tmp_path / "work" / f"checkpoint-{report.steps[-1]}").is_dir()
    assert report.steps[-1] < 12
