"""The lean loss of a small Llama: its own loss and gradients, with and without adapter, and nothing left
behind.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaConfig, LlamaForCausalLM

from nightforge.config import Config
from nightforge.config.schema import Lora
from nightforge.ml import lean_llama
from nightforge.ml.adapters import add_adapter, old_names_allowed
from nightforge.ml.chat import IGNORED
from nightforge.ml.lean_llama import lean, product_dtype

pytestmark = pytest.mark.usefixtures("exact_products")
SHAPE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def plain(**changes: Any) -> Any:
    torch.manual_seed(3)
    settings = {"vocab_size": 64, "num_key_value_heads": 2, "attention_bias": True, **SHAPE, **changes}
    return LlamaForCausalLM(LlamaConfig(**settings)).train()


def adapted(rank: int = 8, dropout: float = 0.0) -> Any:
    wanted = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", lora_dropout=dropout)
    with old_names_allowed():
        model = get_peft_model(plain(), wanted)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at first, so that nothing would be compared
            torch.nn.init.normal_(parameter, std=0.1)
    return model.train()


def loss_and_gradients(model: Any, items: int | None = None) -> tuple[float, list[torch.Tensor]]:
    ids = torch.randint(0, 64, (3, 12), generator=torch.Generator().manual_seed(4))
    labels = ids.clone()
    labels[:, :4] = IGNORED
    labels[1, 8:] = IGNORED
    model.zero_grad()
    more = {} if items is None else {"num_items_in_batch": torch.tensor(items)}
    loss = model(input_ids=ids, labels=labels, **more)["loss"]
    loss.backward()
    return float(loss.detach()), [p.grad.clone() for p in model.parameters() if p.grad is not None]


@pytest.mark.parametrize("items", [None, 40])
@pytest.mark.parametrize("make", [plain, adapted, lambda: plain(attention_bias=False)])
def test_loss_and_gradients_are_those_of_the_model(make: Any, items: int | None) -> None:
    model = make()
    loss, gradients = loss_and_gradients(model, items)
    with lean(model) as applies:
        assert applies
        lean_loss, lean_gradients = loss_and_gradients(model, items)
    assert lean_loss == pytest.approx(loss, abs=1e-5)
    assert len(gradients) == len(lean_gradients) > 20
    for ours, theirs in zip(lean_gradients, gradients, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_products_in_bfloat16_stay_close(monkeypatch: pytest.MonkeyPatch) -> None:
    model = plain()
    loss, gradients = loss_and_gradients(model)
    monkeypatch.setattr(lean_llama, "product_dtype", lambda device: torch.bfloat16)
    with lean(model):
        rounded, rounded_gradients = loss_and_gradients(model)
    assert rounded == pytest.approx(loss, rel=0.01)
    for ours, theirs in zip(rounded_gradients, gradients, strict=True):
        # over a whole tensor: single entries that are sums of many cancelling ones are mostly rounding
        assert float((ours - theirs).norm()) <= 0.05 * float(theirs.norm()) + 1e-4


def test_a_rank_of_a_whole_side_leaves_one_factor_to_learn() -> None:
    config = Config(lora=Lora(lora_r=32, lora_alpha=32, lora_dropout=0.0))
    model = add_adapter(plain(), config)
    learning = [p.shape for p in model.parameters() if p.requires_grad]
    assert sorted(learning) == sorted([(32, 32)] * 8 + [(64, 32)] * 4 + [(32, 64)] * 2)
    start, _ = loss_and_gradients(plain())
    loss, gradients = loss_and_gradients(model)
    assert loss == pytest.approx(start, abs=1e-6)  # a fresh adapter changes nothing
    with lean(model):
        lean_loss, lean_gradients = loss_and_gradients(model)
    assert lean_loss == pytest.approx(loss, abs=1e-5)
    for ours, theirs in zip(lean_gradients, gradients, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


def test_the_model_is_itself_again_afterwards() -> None:
    model = adapted()
    with pytest.raises(KeyError), lean(model):
        raise KeyError
    assert not [module for module in model.modules() if "forward" in vars(module)]


def test_without_labels_and_under_a_mask_the_model_computes_as_ever() -> None:
    model = plain().eval()
    ids = torch.arange(12).view(2, 6)
    mask = torch.tensor([[0, 0, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1]])
    wanted = model(input_ids=ids, attention_mask=mask, labels=ids)
    with lean(model):
        assert torch.equal(model(input_ids=ids).logits, model(input_ids=ids).logits)
        assert torch.equal(model(input_ids=ids, attention_mask=mask, labels=ids).loss, wanted.loss)


@pytest.mark.parametrize(
    "make",
    [
        lambda: plain(num_key_value_heads=1),
        lambda: plain(hidden_size=1024),
        lambda: plain(attention_dropout=0.1),
        lambda: plain(hidden_act="gelu"),
        lambda: plain().to(torch.bfloat16),
        lambda: adapted(dropout=0.1),
    ],
)
def test_other_models_are_left_alone(make: Any) -> None:
    model = make()
    with lean(model) as applies:
        assert not applies
        assert not [module for module in model.modules() if "forward" in vars(module)]


def test_cards_and_able_processors_multiply_bfloat16() -> None:
    able = torch.cpu.get_capabilities()
    native = able.get("avx512_bf16") or able.get("amx_bf16")
    assert product_dtype(torch.device("cpu")) == (torch.bfloat16 if native else torch.float32)
    assert product_dtype(torch.device("cuda", 0)) == torch.bfloat16
