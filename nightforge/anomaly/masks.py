"""Which patches of a window are hidden: at random in training, each exactly once in attribution.

Letters: B windows, C channels, N patches of a window.
"""

from __future__ import annotations

import torch

PASSES = 4  # complementary masks, as long as a window has so many patches


def hidden_count(patches: int, ratio: float) -> int:
    """Return how many of a channel's patches are hidden: `ratio` of them rounded up, never none or all."""
    return min(max(patches - int(patches * (1 - ratio)), 1), patches - 1)


def random_masks(shape: tuple[int, int, int], ratio: float, generator: torch.Generator) -> torch.Tensor:
    """Hide the same number of patches of every window and channel, drawn anew for each.

    shape: (B, C, N). Returns (B, C, N) bool, True where hidden.
    """
    order = torch.rand(shape, generator=generator).argsort(dim=-1)
    return order < hidden_count(shape[-1], ratio)


def complementary_masks(patches: int) -> torch.Tensor:
    """Return masks (K, N) bool that together hide every patch exactly once, every K-th patch at a time.

    K is 4, or N where a window has fewer patches.
    """
    passes = min(PASSES, patches)
    return torch.arange(patches) % passes == torch.arange(passes)[:, None]
