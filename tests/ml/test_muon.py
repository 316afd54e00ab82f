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


def test_decay_over_a_frozen_matrix_moves_the_sum_as_one_matrix_would_move() -> None:
    generator = torch.Generator().manual_seed(3)
    shapes = ((6, 4), (6, 4), (4, 4))
    frozen = [torch.randn(shape, generator=generator) for shape in shapes]
    whole = [torch.nn.Parameter(tensor.clone()) for tensor in frozen]
    added = [torch.nn.Parameter(torch.zeros_like(tensor)) for tensor in frozen]
    one = Muon(whole, lr=0.1, weight_decay=0.5)
    other = Muon(added, lr=0.1, weight_decay=0.5, under=dict(zip(added[1:], frozen[1:], strict=True)))
    for _ in range(4):
        for weight, change in zip(whole, added, strict=True):
            weight.grad = torch.randn(weight.shape, generator=generator)
            change.grad = weight.grad.clone()
        one.step()
        other.step()
    sums = [below + change for below, change in zip(frozen, added, strict=True)]
    for total, weight in zip(sums[1:], whole[1:], strict=True):
        assert torch.allclose(total, weight, atol=1e-5)
    assert not torch.allclose(sums[0], whole[0], atol=0.05)  # nothing was said to lie under the first
