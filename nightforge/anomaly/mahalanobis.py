"""Distance from the training cloud, with a covariance that stays invertible when samples are few.

Letters: n samples, d features, k at most 256 principal components kept. Ledoit and Wolf, Journal of
Multivariate Analysis 88 (2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf

from nightforge.core.errors import InputError

Matrix = NDArray[np.float64]
MAX_COMPONENTS = 256
_CHUNK = 65536
_FLOOR = 1e-6  # of the largest deviation: a feature that hardly moved in training counts as moving so much


@dataclass(frozen=True)
class Mahalanobis:
    """mean: (d,); basis: (d, k), which divides each feature by its deviation in training and then keeps the
    principal components; whitener: (k, k), so that |(x - mean) basis whitener|^2 is the squared distance.

    Ledoit and Wolf shrink towards a multiple of the identity, which means something only for features on one
    scale: for a PatchTST embedding it is worth .06 AUROC on SKAB valve1 (docs/benchmarks.md).
    """

    mean: Matrix
    basis: Matrix
    whitener: Matrix

    @classmethod
    def fit(cls, samples: Matrix) -> Mahalanobis:
        """Fit on `samples` (n, d) of normal data. Raises InputError for fewer than two of them."""
        if len(samples) < 2:
            raise InputError(f"a covariance needs at least 2 samples, {len(samples)} are there")
        mean = samples.mean(axis=0)
        centered = samples - mean
        spread = samples.std(axis=0)
        spread = np.maximum(spread, _FLOOR * max(float(spread.max()), np.finfo(np.float64).tiny))
        centered /= spread
        basis = _principal_basis(centered)
        covariance, _ = ledoit_wolf(centered @ basis, assume_centered=True)
        values, vectors = np.linalg.eigh(covariance)
        values = np.maximum(values, np.finfo(np.float64).eps * max(float(values[-1]), 1e-300))
        return cls(mean, basis / spread[:, None], vectors / np.sqrt(values))

    def score(self, samples: Matrix) -> Matrix:
        """Return the distance (not squared) of every sample: (n,)."""
        distance = np.empty(len(samples))
        for first in range(0, len(samples), _CHUNK):
            part = slice(first, first + _CHUNK)
            white = ((samples[part] - self.mean) @ self.basis) @ self.whitener
            distance[part] = np.sqrt((white**2).sum(axis=1))
        return distance

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all of it as plain arrays."""
        return {"mean": self.mean, "basis": self.basis, "whitener": self.whitener}

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Mahalanobis:
        """Undo `state`."""
        return cls(state["mean"], state["basis"], state["whitener"])


def _principal_basis(centered: Matrix) -> Matrix:
    """Return the identity, or the leading components where there are more features than we keep."""
    features = centered.shape[1]
    if features <= MAX_COMPONENTS:
        return np.eye(features)
    _, vectors = np.linalg.eigh(centered.T @ centered)
    return np.ascontiguousarray(vectors[:, ::-1][:, :MAX_COMPONENTS])
