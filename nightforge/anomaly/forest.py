"""Isolation Forest, kept as the samples and the seed it grew from: never a pickle.

Letters: n samples, d features. Liu, Ting and Zhou, ICDM 2008.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from nightforge.core.errors import InputError

TREES = 200
MAX_SAMPLES = 8192  # kept of the training data; every tree sees 256 of them
_CHUNK = 65536


@dataclass(frozen=True)
class Forest:
    """samples: (n, d) what the trees grow from; the same samples and seed give the same trees."""

    samples: NDArray[np.float32]
    seed: int
    model: IsolationForest = field(repr=False, compare=False)

    @classmethod
    def fit(cls, samples: NDArray[np.floating], seed: int) -> Forest:
        """Grow the forest on `samples` (n, d), on a seeded choice of them where there are very many."""
        if len(samples) < 2:
            raise InputError(f"an isolation forest needs at least 2 samples, {len(samples)} are there")
        if len(samples) > MAX_SAMPLES:
            chosen = np.random.default_rng(seed).choice(len(samples), MAX_SAMPLES, replace=False)
            samples = samples[np.sort(chosen)]
        kept = np.ascontiguousarray(samples, dtype=np.float32)
        return cls(kept, seed, IsolationForest(n_estimators=TREES, random_state=seed).fit(kept))

    def score(self, samples: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the anomaly score of the paper, 0 to 1: (n,)."""
        scores = np.empty(len(samples))
        for first in range(0, len(samples), _CHUNK):
            part = slice(first, first + _CHUNK)
            scores[part] = -self.model.score_samples(np.asarray(samples[part], dtype=np.float32))
        return scores

    def state(self) -> dict[str, NDArray[Any]]:
        """Return what the forest grows from."""
        return {"samples": self.samples, "seed": np.array(self.seed)}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Forest:
        """Grow the same forest again."""
        return cls.fit(state["samples"], int(state["seed"]))
