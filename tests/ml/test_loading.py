"""One loader: what is asked for is loaded or refused in words; 8-bit and 4-bit really run on a CPU."""

from __future__ import annotations

import msgspec
import pytest
import torch

from nightforge.config.schema import Config, Hardware, Lora, Model, Quantization, Training
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.ml import memory
from nightforge.ml.adapters import add_adapter, count_trainable
from nightforge.ml.chat import encode_example, encode_prompt
from nightforge.ml.fitting import Plan, fit
from nightforge.ml.generation import Settings, generate_batch
from nightforge.ml.loading import load
from tests.ml.conftest import SilentReport


def with_quantization(config: Config, **flags: bool) -> Config:
    return msgspec.structs.replace(
        config,
        quantization=Quantization(**flags),  # type: ignore[arg-type]
        lora=Lora(lora_r=4, lora_alpha=8),
        training=Training(
            batch_size=2, gradient_accumulation_steps=1, max_steps=6, learning_rate=1e-2, warmup_steps=1,
            logging_steps=1, save_steps=100, eval_steps=100, gradient_checkpointing=True, max_grad_norm=1.0,
        ),
    )  # fmt: skip


@pytest.mark.parametrize("flags", [{"use_8bit": True}, {"use_4bit": True}], ids=["8-bit", "4-bit"])
def test_a_quantised_model_trains_and_answers_on_a_cpu(
    folder_config: Config, project: Project, report: SilentReport, flags: dict[str, bool]
) -> None:
    import bitsandbytes as bnb

    config = with_quantization(folder_config, **flags)
    loaded = load(config, project, for_training=True)
    kind = bnb.nn.Linear8bitLt if config.quantization.use_8bit else bnb.nn.Linear4bit
    assert sum(isinstance(module, kind) for module in loaded.model.modules()) == 14  # 7 linear layers x 2
    model = add_adapter(loaded.model, config)
    rows = [
        encode_example(loaded.tokenizer, "open door", "NODE n1"),
        encode_example(loaded.tokenizer, "light", "EXEC n2"),
    ]
    fit(
        model,
        loaded.tokenizer,
        (rows, []),
        Plan(config.training, project.root / "w", {}),
        report,
        lambda: False,
    )
    losses = [values["loss"] for _, values in report.curves if "loss" in values]
    assert losses[-1] < losses[0]
    model.eval()
    tally = generate_batch(
        model, loaded.tokenizer, [encode_prompt(loaded.tokenizer, "open door")], Settings(4, 1)
    )
    assert 0 < tally.answers[0].tokens <= 4 or tally.answers[0].finished


def test_only_the_adapter_can_learn(folder_config: Config, project: Project) -> None:
    config = msgspec.structs.replace(folder_config, lora=Lora(lora_r=4, lora_alpha=8))
    loaded = load(config, project, for_training=True)
    counted = memory.count_parameters(loaded.model.config, config).adapter
    assert count_trainable(add_adapter(loaded.model, config)) == counted


def test_memory_is_refused_before_weights_are_read(
    folder_config: Config, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    def read(*args: object, **kwargs: object) -> None:
        raise AssertionError("weights were read")

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", read)
    monkeypatch.setattr(memory, "available", lambda device, config: 1e6)
    with pytest.raises(InputError, match=r"needs about .* GB .*cpu has 0\.00 GB free"):
        load(folder_config, project)


def test_missing_bitsandbytes_is_an_error_not_a_float_model(
    folder_config: Config, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "bitsandbytes" else real(name, *a)
    )
    with pytest.raises(InputError, match="bitsandbytes"):
        load(with_quantization(folder_config, use_8bit=True), project)


def test_a_missing_tiny_base_names_the_command_that_builds_it(project: Project) -> None:
    with pytest.raises(InputError) as caught:
        load(Config(), project)
    assert caught.value.next_command == "python scripts/00_build_tiny_base.py"


def test_a_folder_without_a_model_is_named(project: Project) -> None:
    config = Config(model=Model(source="folder", base_model="nowhere"))
    with pytest.raises(InputError, match="nowhere"):
        load(config, project)


def test_a_hub_model_out_of_reach_says_how_to_get_it(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    def offline(*args: object, **kwargs: object) -> None:
        raise OSError("We couldn't connect to 'https://huggingface.co'")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", offline)
    config = Config(model=Model(source="hub", base_model="meta-llama/Meta-Llama-3.1-8B"))
    with pytest.raises(InputError, match="licence") as caught:
        load(config, project)
    assert "hf auth login" in str(caught.value.next_command)


def test_an_unexpected_gpu_is_refused(folder_config: Config, project: Project) -> None:
    config = msgspec.structs.replace(folder_config, hardware=Hardware(gpu_name="H999"))
    with pytest.raises(InputError, match="H999"):
        load(config, project)


def test_the_estimate_of_a_70b_in_8_bit_is_near_its_known_size() -> None:
    from transformers import LlamaConfig

    shape = LlamaConfig(
        vocab_size=128256, hidden_size=8192, intermediate_size=28672, num_hidden_layers=80,
        num_attention_heads=64,
        num_key_value_heads=8, tie_word_embeddings=False,
    )  # fmt: skip
    config = Config(
        model=Model(source="hub", base_model="meta-llama/Meta-Llama-3.1-70B", max_seq_length=1024),
        quantization=Quantization(use_8bit=True),
        lora=Lora(lora_r=32, lora_alpha=64),
        training=Training(batch_size=1, gradient_checkpointing=True),
    )
    counts = memory.count_parameters(shape, config)
    assert counts.total == 70_553_706_496
    assert counts.adapter == 414_187_520  # as the original system logged
    need = memory.estimate(counts, config, torch.bfloat16, "cuda", for_training=True)
    assert 70e9 < need.weights < 75e9
    assert 80e9 < need.total < 100e9  # an 80-96 GB card, which the profile asks for
