"""Planted heads look back and copy before any training; an ordinary start does neither."""

from __future__ import annotations

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from nightforge.ml.induction import plant_copy_heads


def model(planted: bool) -> LlamaForCausalLM:
    torch.manual_seed(0)
    made = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=600,
            hidden_size=192,
            intermediate_size=256,
            num_hidden_layers=2,
            num_attention_heads=8,
            attention_bias=True,
            tie_word_embeddings=True,
            rope_parameters={"rope_type": "default", "rope_theta": 1e5},
            attn_implementation="eager",
        )
    )
    if planted:
        plant_copy_heads(made, seed=1)
    return made.eval()


@pytest.fixture(scope="module")
def repeated() -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    once = torch.randint(10, 600, (4, 30), generator=generator)
    return torch.cat([once, once], dim=1)  # (B, T) = (4, 60)


@torch.no_grad()
def test_the_first_layer_looks_one_two_and_three_tokens_back(repeated: torch.Tensor) -> None:
    attention = model(planted=True)(repeated, output_attentions=True).attentions[0]  # (B, H, T, T)
    at = torch.arange(10, 60)
    for head, distance in enumerate((1, 2, 3)):
        assert float(attention[:, head, at, at - distance].mean()) > 0.8


@torch.no_grad()
def test_the_second_layer_finds_what_came_next_the_last_time(repeated: torch.Tensor) -> None:
    at = torch.arange(31, 59)
    found = model(planted=True)(repeated, output_attentions=True).attentions[1][:, 0, at, at - 29].mean()
    plain = model(planted=False)(repeated, output_attentions=True).attentions[1][:, 0, at, at - 29].mean()
    assert float(found) > 5 * float(plain)
