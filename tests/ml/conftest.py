"""A real but tiny model for every test here: Llama architecture, about 100 thousand random weights, own
tokenizer.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from nightforge.config.schema import Config, Model
from nightforge.core.paths import Project
from nightforge.ml import lean_llama, muon

WORDS = "print hello open door when key pressed then light on off NODE EXEC DATA n1 n2 n3 Branch Delay ."


class SilentReport:
    """Collects what a stage would report."""

    def __init__(self) -> None:
        self.curves: list[tuple[int, dict[str, float]]] = []
        self.steps: list[int] = []
        self.texts: list[str] = []
        self.marks: list[tuple[int, str, bool]] = []
        self.watched: list[tuple[str, int]] = []

    def phase(self, step: str, title: str) -> None:
        self.texts.append(f"{step} {title}")

    def progress(self, done: int, total: int, unit: str) -> None:
        self.steps.append(done)

    def mark(self, value: int, unit: str, resumed: bool = False) -> None:
        self.marks.append((value, unit, resumed))

    def watch(self, phase: str, done: int = 0) -> None:
        self.watched.append((phase, done))

    def alert(self, level: str, title: str, detail: str = "", next_command: str | None = None) -> None:
        self.texts.append(f"{level} {title}: {detail}")

    def metric(self, **values: Any) -> None:
        pass

    def curve(self, step: int, **values: float) -> None:
        self.curves.append((step, values))

    def node(self, node_id: str, status: str, message: str = "") -> None:
        pass

    def message(self, text: str) -> None:
        self.texts.append(text)


def make_model_folder(folder: Path, template: bool = True) -> Path:
    """Save a random tiny model and its tokenizer to `folder`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<begin>", "<end>", "<pad>", "<user>", "<assistant>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS] * 20, trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<begin>", eos_token="<end>", pad_token="<pad>"
    )
    if template:
        fast.chat_template = (
            ""
            "<begin>{% for m in messages %}{% if m['role'] == 'assistant' %}"
            "<assistant>{{ m['content'] }}<end>{% else %}<user>{{ m['content'] }}{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}<assistant>{% endif %}"
        )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=320,
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=256,
            initializer_range=0.1,
            tie_word_embeddings=True,
            bos_token_id=0,
            eos_token_id=1,
            pad_token_id=2,
        )
    )
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_folder(tmp_path_factory.mktemp("random-model"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def report() -> SilentReport:
    return SilentReport()


@pytest.fixture
def folder_config(model_folder: Path) -> Config:
    """A configuration whose base model is the random one."""
    return Config(model=Model(source="folder", base_model=str(model_folder), max_seq_length=128))


@pytest.fixture
def exact_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products in float32 on every processor: what must be equal is then equal to the last bits."""
    for module in (lean_llama, muon):
        monkeypatch.setattr(module, "product_dtype", lambda device: torch.float32)
