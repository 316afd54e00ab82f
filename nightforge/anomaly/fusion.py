"""One score from several detectors: the sum of the logarithms of their p-values (Fisher 1925).

The p-value of a member is counted against its own scores of held-out normal windows; beyond the highest tenth
of those it goes on along an exponential tail, so that two windows that are both far outside still differ. The
sum is a score like any other: thresholds come from calibrating it.

Letters: n windows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TAIL = 0.1  # share of the reference scores that the exponential is fitted to
FOLDS = 5


class Fitted(Protocol):
    """Anything that scores samples."""

    def score(self, samples: Floats) -> Floats: ...


@dataclass(frozen=True)
class Reference:
    """scores: ascending scores of normal windows that the member was not fitted on."""

    scores: Floats

    @classmethod
    def of(cls, scores: Floats) -> Reference:
        return cls(np.sort(scores))

    def surprise(self, scores: Floats) -> Floats:
        """Return -log(p-value), at least 0, without an upper end: (n,)."""
        n = len(self.scores)
        start = float(np.quantile(self.scores, 1.0 - TAIL))
        beyond = self.scores[self.scores > start]
        scale = float((beyond - start).mean()) if len(beyond) else 0.0
        scale = max(scale, 1e-9 * max(abs(start), 1e-300))
        rank = (n - np.searchsorted(self.scores, scores, side="left") + 1.0) / (n + 1.0)
        inside = -np.log(np.maximum(rank, TAIL))
        return np.asarray(np.where(scores > start, -np.log(TAIL) + (scores - start) / scale, inside))


def held_out_scores(
    samples: Floats, bounds: NDArray[np.int64], gap: int, fit: Callable[[Floats], Fitted]
) -> Floats:
    """Score every training window by a model fitted without it and its `gap` neighbouring samples.

    samples: (m, d) in time order; bounds: (n,), first sample of each window. FOLDS blocks in time.
    -> (n,) largest score of each window's samples.
    """
    scores = np.empty(len(samples))
    edges = np.linspace(0, len(samples), FOLDS + 1).astype(int)
    for first, end in zip(edges[:-1], edges[1:], strict=True):
        rest = np.concatenate([samples[: max(0, first - gap)], samples[end + gap :]])
        scores[first:end] = fit(rest).score(samples[first:end])
    return np.maximum.reduceat(scores, bounds)
