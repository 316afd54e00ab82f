"""Muon's updates are orthogonal, agree with torch's own, and learn faster than they diverge."""

from __future__ import annotations

import pytest
import torch

from nightforge.ml.muon import Muon, orthogonalize


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 4, 16), (2, 16, 4)])
def test_singular_values_come_near_one(shape: tuple[int, int, int]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonalize(matrices))
    assert float(values.min()) > 0.4
    assert float(values.max()) < 1.4


def test_it_moves_as_the_optimizer_of_torch_does() -> None:
    generator = torch.Generator().manual_seed(2)
    start = [torch.randn(6, 4, generator=generator), torch.randn(6, 4, generator=generator)]
    gradients = [[torch.randn(6, 4, generator=generator) for _ in start] for _ in range(3)]
    moved = []
    for kind in (Muon, torch.optim.Muon):
        weights = [torch.nn.Parameter(tensor.clone()) for tensor in start]
        optimizer = kind(weights, lr=0.1, weight_decay=0.01)
        for step in gradients:
            for weight, gradient in zip(weights, step, strict=True):
                weight.grad = gradient.clone()
            optimizer.step()
        moved.append(weights)
    for ours, theirs in zip(*moved, strict=True):
        assert torch.allclose(ours, theirs, atol=0.02)  # torch rounds the iteration to bfloat16


def test_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="matrices only"):
        Muon([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
