"""LoRA on a loaded model: W x becomes W x + (alpha / r) B A x with A (r, in), B (out, r); W stays frozen.

https://arxiv.org/abs/2106.09685. Quantised bases are prepared as peft asks (norms in float32, inputs with
gradients).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import MethodType
from typing import Any

import torch

from nightforge.config import Config


@contextmanager
def old_names_allowed() -> Iterator[None]:
    """Keep quiet about peft 0.21 calling transformers 5 by names that version 6 will drop."""
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=r".*gradient_checkpointing.* is deprecated", category=FutureWarning
        )
        yield


def add_adapter(model: Any, config: Config) -> Any:
    """Return a peft model with a fresh adapter; only the adapter (and `lora.modules_to_save`) can learn."""
    import peft
    from peft import LoraConfig, get_peft_model

    settings = config.lora
    adapter = LoraConfig(
        task_type="CAUSAL_LM",
        r=settings.lora_r,
        lora_alpha=int(settings.lora_alpha),
        lora_dropout=settings.lora_dropout,
        target_modules=list(settings.target_modules),
        modules_to_save=list(settings.modules_to_save) or None,
    )
    with old_names_allowed():
        if config.quantization.use_8bit or config.quantization.use_4bit:
            prepare: Any = peft.prepare_model_for_kbit_training
            model = prepare(model, use_gradient_checkpointing=False)
        if config.training.gradient_checkpointing:
            # recomputation needs a gradient to reach the frozen embedding's output
            model.enable_input_require_grads()
        return get_peft_model(model, adapter)


@contextmanager
def folded(model: Any) -> Iterator[int]:
    """Let adapted layers compute (W + s B A) x inside the block: one product instead of three.

    The function, its gradients and the saved adapter are the same. For T tokens, layers of width d and rank
    r a step costs about 3 d T d products instead of (2 d + 6 r) T d, so only layers with 6 r >= d are folded,
    and only unquantised ones without dropout: those of profile `tiny`. Yields the number of folded layers.
    """
    layers = [layer for layer in model.modules() if _gains_by_folding(layer)]
    for layer in layers:
        layer.forward = MethodType(_folded_forward, layer)
    try:
        yield len(layers)
    finally:
        for layer in layers:
            del layer.forward


def _gains_by_folding(layer: Any) -> bool:
    from peft.tuners.lora.layer import Linear

    if type(layer) is not Linear or type(layer.base_layer) is not torch.nn.Linear or layer.lora_variant:
        return False
    (name,) = layer.active_adapters
    plain = isinstance(layer.lora_dropout[name], torch.nn.Identity)
    return plain and bool(6 * layer.r[name] >= min(layer.base_layer.weight.shape))


def _folded_forward(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """Map x (..., in) to (..., out)."""
    (name,) = layer.active_adapters
    base, down, up = layer.base_layer, layer.lora_A[name].weight, layer.lora_B[name].weight
    weight = torch.addmm(base.weight, up, down, alpha=layer.scaling[name])  # (out, in)
    return torch.nn.functional.linear(x, weight, base.bias)


def attach_adapter(model: Any, folder: Path) -> Any:
    """Return `model` with the trained adapter in `folder`, for answering only."""
    from peft import PeftModel

    with old_names_allowed():
        return PeftModel.from_pretrained(model, str(folder), is_trainable=False)


def count_trainable(model: Any) -> int:
    """Return the number of parameters that will learn."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
