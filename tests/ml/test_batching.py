"""Batches hold rows of similar length, every row once, in an order that only seed and epoch decide."""

from __future__ import annotations

import random
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from nightforge.ml.batching import LengthGrouped, RightPad
from nightforge.ml.chat import IGNORED

DRAW = random.Random(3)
LENGTHS = [DRAW.randint(5, 200) for _ in range(203)]


def padding_share(order: list[int], batch: int) -> float:
    used = padded = 0
    for at in range(0, len(order), batch):
        lengths = [LENGTHS[i] for i in order[at : at + batch]]
        used, padded = used + sum(lengths), padded + max(lengths) * len(lengths)
    return 1 - used / padded


def test_every_row_comes_exactly_once() -> None:
    assert sorted(LengthGrouped(LENGTHS, 8, seed=1)) == list(range(len(LENGTHS)))


def test_the_order_repeats_for_the_same_epoch_and_changes_with_it() -> None:
    sampler = LengthGrouped(LENGTHS, 8, seed=1)
    first = list(sampler)
    sampler.set_epoch(1)
    second = list(sampler)
    sampler.set_epoch(0)
    assert list(sampler) == first != second


def test_grouping_saves_most_of_the_padding() -> None:
    assert padding_share(list(LengthGrouped(LENGTHS, 8, seed=1)), 8) < 0.15
    assert padding_share(list(range(len(LENGTHS))), 8) > 0.3


def test_padding_is_not_learnt() -> None:
    rows = [{"input_ids": [5, 6, 7], "labels": [IGNORED, 6, 7]}, {"input_ids": [8], "labels": [8]}]
    batch = RightPad(2)(rows)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 2, 2]]
    assert batch["labels"].tolist() == [[IGNORED, 6, 7], [8, IGNORED, IGNORED]]
    assert batch["labels"].dtype == torch.int64


def test_padding_on_the_right_changes_no_real_token(model_folder: Path) -> None:
    model = LlamaForCausalLM.from_pretrained(model_folder).eval()
    with torch.no_grad():
        alone = model(input_ids=torch.tensor([[5, 6, 7]])).logits
        padded = model(input_ids=torch.tensor([[5, 6, 7, 2, 2, 2]])).logits[:, :3]
    assert torch.allclose(alone, padded, atol=1e-5)
