"""How much memory will this need? Counted from the model's config before a byte of weights is read.

B rows, T tokens, h hidden width, V vocabulary. The model is built on torch's meta device, so parameter counts
are exact for every architecture; activations are the usual per-token estimate (about 34 h per layer without
gradient checkpointing, https://arxiv.org/abs/2205.05198, flash-style attention) and carry a margin. All sizes
in bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psutil
import torch

from nightforge.config import Config
from nightforge.config.rungs import generation_batch, training_on_rung
from nightforge.core.errors import InputError

_GB = 1e9
_MARGIN = 1.1  # allocator fragments, kernels' workspace
_RUNTIME = {"cuda": 1.0 * _GB, "cpu": 0.4 * _GB}  # CUDA context and library; torch's own memory on a CPU
_BYTES = {torch.float32: 4.0, torch.bfloat16: 2.0, torch.float16: 2.0}


@dataclass(frozen=True)
class Counts:
    """Parameter counts of a model: all, those in quantisable linear layers, and the adapter's."""

    total: int
    quantizable: int
    adapter: int
    layers: int
    hidden: int
    intermediate: int
    vocab: int
    kv_width: int


@dataclass(frozen=True)
class Need:
    """Estimated memory in bytes, by part."""

    weights: float
    adapter: float
    activations: float
    cache: float
    runtime: float

    @property
    def total(self) -> float:
        return (self.weights + self.adapter + self.activations + self.cache) * _MARGIN + self.runtime

    def __str__(self) -> str:
        parts = [("weights", self.weights), ("adapter and optimizer", self.adapter)]
        parts += [("activations", self.activations), ("answer cache", self.cache), ("runtime", self.runtime)]
        listed = ", ".join(f"{name} {size / _GB:.2f}" for name, size in parts if size)
        return f"{self.total / _GB:.2f} GB ({listed}, margin {_MARGIN - 1:.0%})"


def count_parameters(model_config: Any, config: Config) -> Counts:
    """Count from a transformers config; `config` tells which layers get an adapter."""
    from transformers import AutoModelForCausalLM

    factory: Any = AutoModelForCausalLM
    with torch.device("meta"):
        model = factory.from_config(model_config)
    linears = {name: m for name, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    inner = {name: m for name, m in linears.items() if name != "lm_head"}
    targets = [m for name, m in inner.items() if name.rsplit(".", 1)[-1] in config.lora.target_modules]
    heads = getattr(model_config, "num_key_value_heads", None) or model_config.num_attention_heads
    width = getattr(model_config, "head_dim", None) or (
        model_config.hidden_size // model_config.num_attention_heads
    )
    return Counts(
        total=sum(p.numel() for p in model.parameters()),
        quantizable=sum(m.weight.numel() for m in inner.values()),
        adapter=sum(config.lora.lora_r * (m.in_features + m.out_features) for m in targets),
        layers=model_config.num_hidden_layers,
        hidden=model_config.hidden_size,
        intermediate=getattr(model_config, "intermediate_size", 4 * model_config.hidden_size),
        vocab=model_config.vocab_size,
        kv_width=heads * width,
    )


def estimate(counts: Counts, config: Config, dtype: torch.dtype, device: str, for_training: bool) -> Need:
    """Estimate the need of training (rows of max_seq_length) or of generation (a full batch of answers)."""
    size = _BYTES[dtype]
    quantized = {True: 1.0 if config.quantization.use_8bit else 0.57}.get(
        config.quantization.use_8bit or config.quantization.use_4bit, size
    )
    weights = counts.quantizable * quantized + (counts.total - counts.quantizable) * size
    length = config.model.max_seq_length
    if not for_training:
        rows = generation_batch(config)
        cache = rows * length * counts.layers * 2 * counts.kv_width * size
        prefill = rows * length * (4 * counts.hidden + 2 * counts.intermediate) * size
        return Need(
            weights, counts.adapter * 4.0, prefill + rows * counts.vocab * 4.0, cache, _RUNTIME[device]
        )
    training = training_on_rung(config)
    tokens = training.batch_size * length
    one_layer = tokens * (18 * counts.hidden + 4 * counts.intermediate) * size
    if training.gradient_checkpointing:
        activations = one_layer + counts.layers * tokens * counts.hidden * size
    else:
        activations = counts.layers * one_layer
    activations += 2 * tokens * counts.vocab * 4.0  # logits and their gradient, always float32
    # float32 weights 4, gradients 4, AdamW's two moments 8 (2 in 8-bit)
    per_weight = 8.0 + (8.0 if config.training.optimizer == "adamw_torch" else 2.0)
    return Need(weights, counts.adapter * per_weight, activations, 0.0, _RUNTIME[device])


def available(device: str, config: Config) -> float:
    """Return the free memory in bytes of the device that will be used; `hardware.gpu_vram_gb` caps a GPU."""
    if device != "cuda":
        return float(psutil.virtual_memory().available)
    free = float(torch.cuda.mem_get_info()[0])
    limit = config.hardware.gpu_vram_gb
    return min(free, limit * _GB) if limit else free


def require(need: Need, free: float, device: str, model_name: str) -> None:
    """Raise InputError with the numbers and the ways out when `need` does not fit into `free` bytes."""
    if need.total <= free:
        return
    raise InputError(
        f"{model_name} needs about {need} and {device} has {free / _GB:.2f} GB free; choose a smaller "
        "profile, set "
        "quantization.use_8bit or use_4bit, training.batch_size 1, training.gradient_checkpointing true, "
        "or a "
        "smaller model.max_seq_length or generation.batch_size",
        next_command="python launch_pipeline.py --dry-run --profile tiny",
    )
