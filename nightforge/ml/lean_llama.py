"""The training loss of a small Llama on a CPU in fewer and cheaper operations.

With a million parameters a step spends most of its time on calling operators, and on products that a CPU can
do faster in bfloat16. Inside `lean(model)` the loss is computed by a function of its own: queries, keys and
values in one product, gate and up in one; rotation as a complex product; logits only where there is a label;
adapted layers as (W + s B A) x, one product instead of three. Where the CPU multiplies bfloat16 natively,
products take bfloat16 as under autocast, while weights, norms, rotations, residual stream and loss stay
float32. Weights, gradients and what is saved are those of the model itself; without labels the model answers
as ever.

B rows, T tokens, h hidden width, H heads, d = h / H.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nightforge.ml.chat import IGNORED

_WIDEST = 512  # from here on the products take the time, and the model's own code is as fast
# The CPU's bfloat16 products are compiled for each shape they meet, and about a thousand are kept: lengths
# and numbers of labels are rounded up, so that the shapes are few.
_LENGTHS, _LABELS = 8, 128


@cache
def product_dtype(device: torch.device) -> torch.dtype:
    """Return what matrices are multiplied in: bfloat16 where the device has instructions for it."""
    if device.type != "cpu":
        return torch.bfloat16
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


@contextmanager
def lean(model: Any) -> Iterator[bool]:
    """Let `model`, with or without an adapter, compute its loss the lean way inside the block.

    Yields whether it does: only an unquantised float32 Llama on the CPU, at most 512 wide, without grouped
    heads, dropout or recomputation qualifies. Others stay as they are.
    """
    llama = model.get_base_model() if hasattr(model, "get_base_model") else model
    if not _qualifies(llama):
        yield False
        return
    loss = _LeanLoss(llama)
    original = llama.forward

    def forward(input_ids: Any = None, attention_mask: Any = None, labels: Any = None, **kwargs: Any) -> Any:
        if labels is None or attention_mask is not None:
            return original(input_ids=input_ids, attention_mask=attention_mask, labels=labels, **kwargs)
        return {"loss": loss(input_ids, labels, kwargs.get("num_items_in_batch"))}

    llama.forward = forward
    try:
        yield True
    finally:
        del llama.forward


def _qualifies(llama: Any) -> bool:
    from transformers import LlamaForCausalLM

    if type(llama) is not LlamaForCausalLM or llama.is_activation_checkpointing:
        return False
    config: Any = llama.config
    plain = config.hidden_act == "silu" and config.attention_dropout == 0 and not config.mlp_bias
    alike = config.num_key_value_heads == config.num_attention_heads
    rotation = config.rope_parameters["rope_type"] == "default"
    small = config.hidden_size <= _WIDEST
    if not (plain and alike and rotation and small):
        return False
    if type(llama.model.embed_tokens) is not torch.nn.Embedding or type(llama.lm_head) is not torch.nn.Linear:
        return False
    if any(p.device.type != "cpu" or p.dtype != torch.float32 for p in llama.parameters()):
        return False
    return all(_foldable(layer) for block in llama.model.layers for layer in _linear_layers(block))


def _linear_layers(block: Any) -> tuple[Any, ...]:
    attention, mlp = block.self_attn, block.mlp
    projections = (attention.q_proj, attention.k_proj, attention.v_proj, attention.o_proj)
    return (*projections, mlp.gate_proj, mlp.up_proj, mlp.down_proj)


def _foldable(layer: Any) -> bool:
    if type(layer) is torch.nn.Linear:
        return True
    from peft.tuners.lora.layer import Linear  # two seconds that a model without adapter need not wait

    if type(layer) is not Linear or type(layer.base_layer) is not torch.nn.Linear or layer.lora_variant:
        return False
    (name,) = layer.active_adapters
    return isinstance(layer.lora_dropout[name], torch.nn.Identity)


@dataclass(frozen=True)
class _Layer:
    """A linear layer: weight (out, in), bias (out,), and its adapter's scale, A (r, in), B (out, r). None
    stands for no bias, no adapter, or a factor that is the identity and stays it.
    """

    base: Tensor
    bias: Tensor | None
    scale: float = 0.0
    down: Tensor | None = None
    up: Tensor | None = None

    @classmethod
    def of(cls, layer: Any) -> _Layer:
        """Read a plain or adapted layer."""
        if type(layer) is torch.nn.Linear:
            return cls(layer.weight, layer.bias)
        (name,) = layer.active_adapters
        factors = [module[name].weight for module in (layer.lora_A, layer.lora_B)]
        down, up = (None if _is_identity(factor) else factor for factor in factors)
        return cls(layer.base_layer.weight, layer.base_layer.bias, layer.scaling[name], down, up)

    @property
    def weight(self) -> Tensor:
        """The layer's weight with the adapter in it, (out, in)."""
        if self.down is None or self.up is None:
            single = self.down if self.up is None else self.up
            return self.base if single is None else torch.add(self.base, single, alpha=self.scale)
        return torch.addmm(self.base, self.up, self.down, alpha=self.scale)


def _is_identity(factor: Tensor) -> bool:
    square = factor.shape[0] == factor.shape[1] and not factor.requires_grad
    return square and torch.equal(factor, torch.eye(len(factor)))


class _LeanLoss:
    """Mean cross-entropy of the labelled next tokens, as LlamaForCausalLM computes it."""

    def __init__(self, llama: Any) -> None:
        config = llama.config
        self._llama, self._eps = llama, config.rms_norm_eps
        self._heads, self._width = config.num_attention_heads, config.hidden_size
        self._d = self._width // self._heads
        self._dtype = product_dtype(torch.device("cpu"))
        self._blocks = [
            (block, *(_Layer.of(layer) for layer in _linear_layers(block))) for block in llama.model.layers
        ]

    def __call__(self, input_ids: Tensor, labels: Tensor, items: Any = None) -> Tensor:
        """Return the loss of (B, T) ids under (B, T) labels: summed and divided by `items`, or their mean."""
        padding = (0, -input_ids.shape[1] % _LENGTHS)  # seen by no token before it, and without a label
        input_ids, labels = functional.pad(input_ids, padding), functional.pad(labels, padding, value=IGNORED)
        embedding = self._llama.model.embed_tokens.weight
        x = functional.embedding(input_ids, embedding).view(-1, self._width)  # (B T, h)
        turn, mask = self._rotation(input_ids.shape[1]), self._causal(input_ids.shape[1])
        for block, q, k, v, o, gate, up, down in self._blocks:
            y = self._norm(x, block.input_layernorm)
            heads = self._attend(y, (q, k, v), turn, mask, input_ids.shape)
            x = x + self._product(heads, o.weight, o.bias)
            y = self._norm(x, block.post_attention_layernorm)
            opened, raised = self._product(y, torch.cat([gate.weight, up.weight])).chunk(2, -1)
            x = x + self._product(functional.silu(opened) * raised, down.weight)
        targets = functional.pad(labels[:, 1:], (0, 1), value=IGNORED).flatten()
        told = (targets != IGNORED).nonzero().squeeze(1)
        count = len(told)
        told = functional.pad(told, (0, min(-count % _LABELS, len(targets) - count)), value=len(targets) - 1)
        x = self._norm(x[told], self._llama.model.norm)
        logits = self._product(x, self._llama.lm_head.weight).float()
        total = functional.cross_entropy(logits, targets[told], reduction="sum")
        return total / (count if items is None else items)

    def _attend(
        self, y: Tensor, layers: tuple[_Layer, ...], turn: Tensor, mask: Tensor, shape: torch.Size
    ) -> Tensor:
        """Causal attention of (B T, h) normalised inputs; returns the joined heads, (B T, h)."""
        rows, length = shape
        weight, biases = torch.cat([m.weight for m in layers]), [m.bias for m in layers if m.bias is not None]
        joined = self._product(y, weight, torch.cat(biases) if biases else None).view(
            rows, length, 3, self._heads, self._d
        )
        # A rotated pair is dims i and i + d/2. As complex numbers the pairs come to stand side by side, in
        # queries and keys alike, so their products stay what they are.
        first, second = joined[:, :, :2].float().chunk(2, -1)
        turned = torch.view_as_real(torch.complex(first, second) * turn).flatten(-2)
        turned = turned.permute(2, 0, 3, 1, 4).to(self._dtype).reshape(2, -1, length, self._d)
        values = joined[:, :, 2].transpose(1, 2).reshape(-1, length, self._d)  # (B H, T, d)
        scores = torch.baddbmm(mask, turned[0], turned[1].mT, alpha=self._d**-0.5)
        heads = torch.bmm(scores.softmax(-1), values).view(rows, self._heads, length, self._d)
        return heads.transpose(1, 2).reshape(-1, self._width)

    def _norm(self, x: Tensor, norm: Any) -> Tensor:
        return functional.rms_norm(x, (self._width,), norm.weight, self._eps).to(self._dtype)

    def _product(self, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        shift = None if bias is None else bias.to(self._dtype)
        return functional.linear(x, weight.to(self._dtype), shift)

    def _rotation(self, length: int) -> Tensor:
        """Return the rotary turns as complex numbers, (T, 1, 1, d/2)."""
        half = self._d // 2
        rates = self._llama.config.rope_parameters["rope_theta"] ** (-torch.arange(half) / half)
        angles = torch.arange(length)[:, None] * rates
        return torch.polar(torch.ones_like(angles), angles)[:, None, None]

    def _causal(self, length: int) -> Tensor:
        return torch.full((length, length), float("-inf"), dtype=self._dtype).triu(1)
