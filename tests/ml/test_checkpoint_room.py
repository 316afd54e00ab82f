"""What a checkpoint takes is known before it is written, and without room for it nothing is lost."""

from __future__ import annotations

import errno
import json
import zlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from nightforge.config.schema import Config, Lora, Model, Training
from nightforge.core.errors import DiskFullError, ExitCode
from nightforge.core.room import MB, Reserve
from nightforge.ml import checkpoints
from nightforge.ml.adapters import add_adapter
from nightforge.ml.chat import encode_example
from nightforge.ml.fitting import Fitted, Plan, fit
from nightforge.pipeline.budget import Shape, adapter_bytes, checkpoint_bytes
from tests.ml.conftest import SilentReport

ROOT = Path(__file__).resolve().parents[2]
FACTS = {"data_hash": "d", "config_hash": "c"}


def tiny_profile(**training: Any) -> Config:
    """The tiny profile with a training of four steps and a checkpoint after each."""
    profile = json.loads((ROOT / "profiles" / "tiny.json").read_text())
    short = {"epochs": 1, "max_steps": 4, "save_steps": 1, "eval_steps": 4, "batch_size": 2, **training}
    profile["training"] = {**profile["training"], **short}
    return msgspec.convert(profile, Config)


def tiny_model(config: Config) -> Any:
    shape = config.model.tiny
    torch.manual_seed(1)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=shape.vocab_size,
            hidden_size=shape.hidden_size,
            intermediate_size=shape.intermediate_size,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            tie_word_embeddings=True,
        )
    )
    return add_adapter(model, config)


def train(
    config: Config, work: Path, tokenizer_folder: Path, reserve: Reserve | None = None
) -> tuple[Fitted, Any]:
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    rows = [encode_example(tokenizer, f"print hello {n}", f"NODE print n{n}") for n in range(8)]
    model = tiny_model(config)
    plan = Plan(config.training, work, FACTS, reserve=reserve)
    return fit(model, tokenizer, (rows, []), plan, SilentReport(), lambda: False), model


@pytest.mark.parametrize("optimizer", ["muon", pytest.param("adamw_torch", marks=pytest.mark.slow)])
def test_the_predicted_size_is_within_30_percent_of_a_really_saved_checkpoint(
    optimizer: str, tmp_path: Path, model_folder: Path
) -> None:
    config = tiny_profile(optimizer=optimizer)
    fitted, model = train(config, tmp_path / "work", model_folder)
    saved = [path for path in (tmp_path / "work").iterdir() if checkpoints.step_of(path) > 0]
    assert len(saved) == config.training.keep_checkpoints
    tiny = config.model.tiny
    shape = Shape(tiny.hidden_size, tiny.intermediate_size, tiny.hidden_size, tiny.layers, tiny.vocab_size)
    for folder in saved:
        real = checkpoints.size_of(folder)
        assert checkpoint_bytes(shape, config) == pytest.approx(real, rel=0.3), folder
    assert fitted.checkpoint_bytes == checkpoints.size_of(max(saved, key=checkpoints.step_of))
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)
    weights = (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size
    assert adapter_bytes(shape, config) == pytest.approx(weights + 34 * tiny.vocab_size, rel=0.3)


class Free:
    """Says how much is free: each call takes the next number, the last one stays."""

    def __init__(self, *megabytes: float) -> None:
        self.left = list(megabytes)

    def __call__(self, _: Path) -> int:
        return int((self.left.pop(0) if len(self.left) > 1 else self.left[0]) * MB)


def held(folder: Path, megabytes: int) -> Reserve:
    reserve = Reserve(folder / "reserve.bin", megabytes * MB)
    while not reserve.grow(0):
        pass
    return reserve


def test_with_room_for_the_next_checkpoint_and_the_margin_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = held(tmp_path, 2)
    monkeypatch.setattr(checkpoints, "free_bytes", Free(14.1))
    assert checkpoints.room_to_save(tmp_path, 10 * MB, reserve)
    monkeypatch.setattr(checkpoints, "free_bytes", Free(13.9))
    assert not checkpoints.room_to_save(tmp_path, 10 * MB, reserve)
    assert reserve.held == 2 * MB


def test_the_reserve_is_given_up_for_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reserve = held(tmp_path, 2)
    monkeypatch.setattr(checkpoints, "free_bytes", Free(11, 11, 13))
    assert not checkpoints.room_to_save(tmp_path, 10 * MB, reserve)
    assert reserve.held == 0
    monkeypatch.setattr(checkpoints, "free_bytes", Free(11))
    with pytest.raises(DiskFullError, match="11 MB free.* about 10 MB") as caught:
        checkpoints.room_to_save(tmp_path, 10 * MB, reserve)
    assert caught.value.exit_code == ExitCode.TEMPORARY and caught.value.kind == "disk_full"


@pytest.mark.slow
def test_a_training_leaves_with_a_checkpoint_when_the_one_after_it_would_not_fit(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tiny_profile(optimizer="muon")
    reserve = held(tmp_path, 1)
    monkeypatch.setattr(checkpoints, "free_bytes", Free(100, 100, 8.4, 8.8))  # 6.7 MB a checkpoint
    with pytest.raises(DiskFullError, match="saved at step 3"):
        train(config, tmp_path / "work", model_folder, reserve)
    newest = checkpoints.newest_complete(tmp_path / "work", FACTS)
    assert newest is not None and newest.name == "checkpoint-3"
    monkeypatch.setattr(checkpoints, "free_bytes", Free(100))
    fitted, _ = train(config, tmp_path / "work", model_folder, reserve)
    assert (fitted.resumed_from, fitted.steps) == (3, 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("I/O error: No space left")]
)
def test_a_disk_that_fills_up_while_saving_is_a_full_disk_whatever_the_library_says(
    error: Exception, tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(partial: Path, *_: object) -> None:
        (partial / "half").write_bytes(b"x")
        raise error

    monkeypatch.setattr(checkpoints, "seal", refuse)
    with pytest.raises(DiskFullError, match="while saving a checkpoint"):
        train(tiny_profile(), tmp_path / "work", model_folder)
    assert not list((tmp_path / "work").glob("*.partial"))  # the room it took is free again


@pytest.mark.slow
def test_another_error_while_saving_stays_what_it_is(
    tmp_path: Path, model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("nothing to do with the disk")

    monkeypatch.setattr(checkpoints, "seal", refuse)
    with pytest.raises(ValueError, match="nothing to do"):
        train(tiny_profile(), tmp_path / "work", model_folder)


def test_the_reserve_takes_real_room_and_gives_it_back(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "logs" / "reserve.bin", 10 * MB)
    (tmp_path / "logs").mkdir()
    assert reserve.missing() == 10 * MB
    assert not reserve.grow(0) and reserve.missing() == 2 * MB  # 8 MiB at a time
    assert reserve.grow(0) and reserve.missing() == 0
    assert reserve.path.stat().st_blocks * 512 >= 10 * MB  # not sparse
    assert len(zlib.compress(reserve.path.read_bytes())) > 9.9 * MB  # not compressible
    assert reserve.release() == 10 * MB and not reserve.path.exists()
    assert reserve.release() == 0
    assert not reserve.grow(2**60) and reserve.held == 0  # no room to spare: left alone


def test_lora_of_other_layers_is_counted(tmp_path: Path) -> None:
    shape = Shape(100, 300, 25, 2, 1000)
    config = Config(model=Model(), lora=Lora(lora_r=8), training=Training(optimizer="adamw_8bit"))
    per_layer = 8 * (200 + 125 + 125 + 200 + 3 * 400)
    assert checkpoint_bytes(shape, config) == 6 * 2 * per_layer + 96 * 1024
