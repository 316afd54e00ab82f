"""Folded adapted layers: the same function and gradients as peft's, and nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from nightforge.ml.adapters import folded, old_names_allowed


def adapted(rank: int, dropout: float = 0.0) -> Any:
    torch.manual_seed(3)
    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    base = LlamaForCausalLM(LlamaConfig(vocab_size=64, num_key_value_heads=2, attention_bias=True, **shape))
    wanted = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", lora_dropout=dropout)
    with old_names_allowed():
        model = get_peft_model(base, wanted)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at first, so that nothing would be compared
            torch.nn.init.normal_(parameter, std=0.1)
    return model.train()


def loss_and_gradients(model: Any) -> tuple[float, list[torch.Tensor]]:
    ids = torch.randint(0, 64, (2, 12), generator=torch.Generator().manual_seed(4))
    model.zero_grad()
    loss = model(input_ids=ids, labels=ids).loss
    loss.backward()
    return float(loss.detach()), [p.grad.clone() for p in model.parameters() if p.grad is not None]


def test_loss_and_gradients_are_those_of_peft() -> None:
    model = adapted(rank=8)
    loss, gradients = loss_and_gradients(model)
    with folded(model) as layers:
        assert layers == 14  # seven in each of two blocks
        folded_loss, folded_gradients = loss_and_gradients(model)
    assert folded_loss == pytest.approx(loss, abs=1e-5)
    assert len(gradients) == len(folded_gradients) == 28
    for ours, theirs in zip(folded_gradients, gradients, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_layers_are_themselves_again_afterwards() -> None:
    model = adapted(rank=8)
    with pytest.raises(KeyError), folded(model):
        raise KeyError
    assert not [module for module in model.modules() if "forward" in vars(module)]


@pytest.mark.parametrize(("rank", "dropout"), [(2, 0.0), (8, 0.1)])
def test_low_ranks_and_dropout_are_left_to_peft(rank: int, dropout: float) -> None:
    with folded(adapted(rank, dropout)) as layers:
        assert layers == 0
