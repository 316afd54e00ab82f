"""Less memory, same science: a training that runs out of memory and goes on with a smaller micro-batch ends
with the parameters of an undisturbed one. # ops O1, O4
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from transformers import Trainer

from nightforge.config.rungs import eval_batch, training_on_rung
from nightforge.config.schema import Config, Ladder, Lora, Model, Training
from nightforge.core.errors import DiskFullError, NumericError, OutOfMemory
from nightforge.core.failures import class_of
from nightforge.core.inject import ATTEMPT_VARIABLE, VARIABLE
from nightforge.core.paths import Project
from nightforge.core.versions import read_manifest, write_manifest
from nightforge.ml.adapters import add_adapter
from nightforge.ml.batching import Rows
from nightforge.ml.chat import Example, encode_example
from nightforge.ml.fitting import ExactTrainer, Fitted, Plan, fit
from nightforge.ml.loading import load
from nightforge.pipeline.ladder import CPU, Place, step_down
from tests.ml.conftest import SilentReport

WORDS = "open door light on off print hello when key pressed then".split()
# 13 rows of different lengths: neither 3, 6 nor 7 divides them, so each epoch ends in a partial window.
TEXTS = [" ".join(WORDS[: 2 + (5 * n) % 9]) for n in range(13)]
PLACE = Place("04", "training", CPU)
pytestmark = pytest.mark.usefixtures("exact_products")


@pytest.fixture
def injected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that sets the fault of the next attempt of stage 04."""
    (tmp_path / "logs" / "runs" / "r1").mkdir(parents=True)
    monkeypatch.setenv("NIGHTFORGE_ROOT", str(tmp_path))
    monkeypatch.setenv("NIGHTFORGE_RUN_ID", "r1")
    monkeypatch.setenv(ATTEMPT_VARIABLE, "04-1")
    return lambda fault: monkeypatch.setenv(VARIABLE, fault)


def configured(model_folder: Path, size: int, accumulation: int, **training: Any) -> Config:
    values = {
        "epochs": 2, "batch_size": size, "gradient_accumulation_steps": accumulation, "learning_rate": 1e-2,
        "warmup_steps": 1, "logging_steps": 1, "save_steps": 1, "eval_steps": 100, "max_grad_norm": 1.0,
    }  # fmt: skip
    return Config(
        model=Model(source="folder", base_model=str(model_folder), max_seq_length=128),
        lora=Lora(lora_r=4, lora_alpha=8, lora_dropout=0.0),
        training=Training(**{**values, **training}),
    )


def train(config: Config, folder: Path, report: SilentReport) -> tuple[Fitted, dict[str, torch.Tensor]]:
    torch.manual_seed(11)
    loaded = load(config, Project(folder.parent), for_training=True)
    model = add_adapter(loaded.model, config)
    rows: list[Example] = [
        encode_example(loaded.tokenizer, text, f"NODE {text} n{n}") for n, text in enumerate(TEXTS)
    ]
    plan = Plan(
        training_on_rung(config),
        folder,
        {"config_hash": "same"},
        grouped=config.training.batch_size,
        eval_batch=eval_batch(config),
    )
    fitted = fit(model, loaded.tokenizer, (rows, rows[:4]), plan, report, lambda: False)
    return fitted, {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def lower(config: Config, failure: str = "oom_train") -> Config:
    step = step_down(config, PLACE, failure)
    assert step is not None
    return msgspec.structs.replace(config, ladder=step.ladder)


@pytest.mark.parametrize(
    ("size", "accumulation"),
    [(6, 1), pytest.param(3, 1, marks=pytest.mark.slow), pytest.param(7, 1, marks=pytest.mark.slow),
     pytest.param(6, 2, marks=pytest.mark.slow), pytest.param(4, 3, marks=pytest.mark.slow)],
)  # fmt: skip
@pytest.mark.slow
def test_out_of_memory_at_step_3_and_a_lower_rung_end_with_the_same_parameters(
    size: int, accumulation: int, model_folder: Path, tmp_path: Path, injected: Any
) -> None:
    config = configured(model_folder, size, accumulation, epochs=3 if size * accumulation > 7 else 2)
    whole, expected = train(config, tmp_path / "whole", SilentReport())
    injected("04:oom@step=3")
    first = SilentReport()
    with pytest.raises(OutOfMemory) as caught:
        train(config, tmp_path / "parts", first)
    assert caught.value.kind == "oom_train"
    assert "resident" in caught.value.details
    assert first.marks[-1] == (2, "steps", False)
    below = lower(config)
    assert training_on_rung(below).batch_size < size
    second = SilentReport()
    resumed, weights = train(below, tmp_path / "parts", second)
    assert second.marks[0] == (2, "steps", True)
    assert (second.steps[0], resumed.steps) == (3, whole.steps)
    assert max(float((expected[name] - weights[name]).abs().max()) for name in expected) < 1e-6
    for (step, loss), (other_step, other) in zip(whole.train, resumed.train, strict=True):
        assert step == other_step
        assert abs(loss - other) < 1e-5


@pytest.mark.slow
def test_every_rung_takes_the_same_steps(model_folder: Path, tmp_path: Path) -> None:
    # AdamW divides by the size of a gradient: its first steps blow up the last bits of those near zero.
    config = configured(model_folder, 6, 1, learning_rate=1e-3)
    _, expected = train(config, tmp_path / "whole", SilentReport())
    rungs = 0
    while (step := step_down(config, PLACE, "oom_train")) is not None:
        rungs += 1
        config = msgspec.structs.replace(config, ladder=step.ladder)
        _, weights = train(config, tmp_path / f"rung{rungs}", SilentReport())
        assert max(float((expected[name] - weights[name]).abs().max()) for name in expected) < 1e-6
    assert rungs == 4  # 3, 2, 1, then recomputation
    assert training_on_rung(config).gradient_checkpointing


def test_the_order_of_rows_does_not_depend_on_the_rung(model_folder: Path, tmp_path: Path) -> None:
    rows = Rows([Example([1] * (5 + n % 7), [1] * (5 + n % 7), 1) for n in range(40)])
    orders = []
    for config in (configured(model_folder, 6, 1), lower(configured(model_folder, 6, 1))):
        trainer = ExactTrainer.__new__(ExactTrainer)
        trainer._plan = Plan(training_on_rung(config), tmp_path, {}, grouped=6)
        trainer.train_dataset = rows
        sampler = trainer._get_train_sampler()
        assert sampler is not None
        orders.append(list(sampler))
    assert orders[0] == orders[1]


@pytest.mark.slow
def test_out_of_memory_in_the_held_out_loss_leaves_the_training_batch_alone(
    model_folder: Path, tmp_path: Path, injected: Any
) -> None:
    config = configured(model_folder, 6, 1, eval_steps=3)
    injected("04:oom@eval=3")
    with pytest.raises(OutOfMemory) as caught:
        train(config, tmp_path / "work", SilentReport())
    assert caught.value.kind == "oom_eval"
    below = lower(config, "oom_eval")
    assert training_on_rung(below) == training_on_rung(config)
    assert eval_batch(below) == eval_batch(config) // 2
    fitted, _ = train(below, tmp_path / "work", SilentReport())
    assert fitted.steps == 6


@pytest.mark.slow
def test_out_of_memory_while_restoring_is_one_of_training(
    model_folder: Path, tmp_path: Path, injected: Any
) -> None:
    config = configured(model_folder, 6, 1)
    injected("04:oom@step=3,04:oom@restore=1")
    for _ in range(2):
        with pytest.raises(OutOfMemory) as caught:
            train(config, tmp_path / "work", SilentReport())
        assert caught.value.kind == "oom_train"
        config = lower(config)
    assert config.ladder == Ladder(micro_batch=2)
    report = SilentReport()
    fitted, _ = train(config, tmp_path / "work", report)
    assert (report.steps[0], fitted.steps) == (3, 6)


@pytest.mark.slow
def test_a_full_disk_at_a_save_leaves_the_older_checkpoint(
    model_folder: Path, tmp_path: Path, injected: Any
) -> None:
    config = configured(model_folder, 6, 1)
    injected("04:disk_full@save=3")
    with pytest.raises(DiskFullError) as caught:
        train(config, tmp_path / "work", SilentReport())
    assert class_of(caught.value) == "disk_full"
    report = SilentReport()
    train(config, tmp_path / "work", report)
    assert report.marks[0] == (2, "steps", True)


@pytest.mark.slow
def test_a_loss_that_stays_infinite_ends_before_its_checkpoints_count(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(model_folder, 6, 1)
    real = Trainer.training_step

    def poisoned(self: Any, *args: Any) -> torch.Tensor:
        loss = real(self, *args)
        return loss * float("nan") if self.state.global_step >= 2 else loss

    monkeypatch.setattr(Trainer, "training_step", poisoned)
    with pytest.raises(NumericError, match="from step 3"):
        train(config, tmp_path / "work", SilentReport())
    left = sorted(entry.name for entry in (tmp_path / "work").iterdir() if entry.is_dir())
    assert "checkpoint-2" in left or "bad-checkpoint-3" in left
    assert not {"checkpoint-3", "checkpoint-4"} & set(left)


@pytest.mark.slow
def test_a_checkpoint_that_cannot_be_loaded_is_set_aside_and_the_one_before_is_taken(
    model_folder: Path, tmp_path: Path, injected: Any
) -> None:
    config = configured(model_folder, 6, 1)
    injected("04:oom@step=5")
    with pytest.raises(OutOfMemory):
        train(config, tmp_path / "work", SilentReport())
    newest = tmp_path / "work" / "checkpoint-4"
    manifest = read_manifest(newest)
    (newest / "adapter_model.safetensors").write_bytes(b"not tensors")
    write_manifest(newest, {name: manifest[name] for name in ("config_hash", "step")})
    with pytest.raises(Exception) as caught:
        train(config, tmp_path / "work", SilentReport())
    assert class_of(caught.value) == "checkpoint_bad"
    report = SilentReport()
    fitted, _ = train(config, tmp_path / "work", report)
    assert (report.marks[0], fitted.steps) == ((3, "steps", True), 6)
