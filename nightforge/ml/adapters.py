"""LoRA on a loaded model: W x becomes W x + (alpha / r) B A x with A (r, in), B (out, r); W stays frozen.

https://arxiv.org/abs/2106.09685. Quantised bases are prepared as peft asks (norms in float32, inputs with
gradients).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
        adapted = get_peft_model(model, adapter)
        _pin_square_factors(adapted)
        return adapted


def _pin_square_factors(model: Any) -> None:
    """Keep a square factor of an adapter at the identity: where the rank is a side of the layer, the other
    factor alone reaches every update, and learns it as the layer itself would. # LoRA-FA, arXiv 2308.03303
    """
    from peft.tuners.lora.layer import Linear

    layers: list[Any] = [module for module in model.modules() if isinstance(module, Linear)]
    for layer in layers:
        (name,) = layer.active_adapters
        down, up = layer.lora_A[name].weight, layer.lora_B[name].weight  # (r, in), (out, r)
        square, other = (down, up) if down.shape[0] == down.shape[1] else (up, down)
        if square.shape[0] == square.shape[1]:
            with torch.no_grad():
                square.copy_(torch.eye(len(square)))
                other.zero_()
            square.requires_grad_(False)


def frozen_under(model: Any) -> dict[torch.Tensor, torch.Tensor]:
    """Map each factor that learns beside one pinned at the identity to the frozen weight it is added to, in
    units of the factor (weight / scaling). Quantised weights, which cannot be read as they are, are left out.
    """
    from peft.tuners.lora.layer import Linear

    layers: list[Any] = [module for module in model.modules() if isinstance(module, Linear)]
    found = {}
    for layer in layers:
        weight = layer.get_base_layer().weight
        (name,) = layer.active_adapters
        learning = [f for f in (layer.lora_A[name].weight, layer.lora_B[name].weight) if f.requires_grad]
        if len(learning) == 1 and learning[0].shape == weight.shape and weight.is_floating_point():
            found[learning[0]] = weight.detach().to(learning[0].dtype) / layer.scaling[name]
    return found


def attach_adapter(model: Any, folder: Path) -> Any:
    """Return `model` with the trained adapter in `folder`, for answering only."""
    from peft import PeftModel

    with old_names_allowed():
        return PeftModel.from_pretrained(model, str(folder), is_trainable=False)


def count_trainable(model: Any) -> int:
    """Return the number of parameters that will learn."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
