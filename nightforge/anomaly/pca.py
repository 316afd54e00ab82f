"""Principal components as a detector: Hotelling's T2 inside the model, squared prediction error Q outside.

Letters: n samples, d features, k components kept. Jackson and Mudholkar, Technometrics 21 (1979); lagged
rows as features: Ku, Storer and Georgakis, Chemometrics 30 (1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightforge.core.errors import InputError

Matrix = NDArray[np.float64]
_LIMIT_QUANTILE = 0.99
_CHUNK = 65536  # rows at a time: bounds memory, and fixes the order of every sum


def lagged(rows: NDArray[np.floating], lags: int) -> NDArray[np.floating]:
    """Put `lags` rows in a row side by side, oldest first: (T, C) -> (T - lags + 1, lags * C), a view where
    possible; entry i describes row i + lags - 1. Empty when T < lags.
    """
    if len(rows) < lags:
        return np.empty((0, lags * rows.shape[1]), dtype=rows.dtype)
    view = np.lib.stride_tricks.sliding_window_view(rows, lags, axis=0)  # (T - lags + 1, C, lags)
    return view.transpose(0, 2, 1).reshape(len(view), -1)


@dataclass(frozen=True)
class Pca:
    """mean: (d,); components: (d, k), orthonormal columns; variances: (k,); limits: the training data's 99th
    percentiles of T2 and Q.
    """

    mean: Matrix
    components: Matrix
    variances: Matrix
    t2_limit: float
    q_limit: float

    @classmethod
    def fit(cls, samples: Matrix, explained: float = 0.9) -> Pca:
        """Keep the components that explain this share of the variance of `samples` (n, d).

        Raises InputError for fewer than two samples, or samples that do not vary.
        """
        if len(samples) < 2:
            raise InputError(f"principal components need at least 2 samples, {len(samples)} are there")
        mean = samples.mean(axis=0)
        covariance = np.cov(samples, rowvar=False).reshape(samples.shape[1], -1)
        values, vectors = np.linalg.eigh(covariance)  # ascending
        values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
        if values[0] <= 0:
            raise InputError("principal components need samples that vary; all of them are equal")
        share = np.cumsum(values) / values.sum()
        kept = int(np.searchsorted(share, explained - 1e-12)) + 1
        model = cls(mean, np.ascontiguousarray(vectors[:, :kept]), values[:kept], 1.0, 1.0)
        t2, q = model.statistics(samples)
        floor = np.finfo(np.float64).eps * float(values.sum())  # Q is rounding noise when nothing is left out
        t2_limit = float(np.quantile(t2, _LIMIT_QUANTILE))
        q_limit = max(float(np.quantile(q, _LIMIT_QUANTILE)), floor)
        return cls(mean, model.components, model.variances, t2_limit, q_limit)

    def statistics(self, samples: Matrix) -> tuple[Matrix, Matrix]:
        """Return T2 and Q of every sample, (n,) each."""
        t2, q = np.empty(len(samples)), np.empty(len(samples))
        for first in range(0, len(samples), _CHUNK):
            part = slice(first, first + _CHUNK)
            centered = samples[part] - self.mean  # (n, d)
            inside = centered @ self.components  # (n, k)
            t2[part] = (inside**2 / self.variances).sum(axis=1)
            q[part] = np.maximum((centered**2).sum(axis=1) - (inside**2).sum(axis=1), 0.0)
        return t2, q

    def score(self, samples: Matrix) -> Matrix:
        """Return T2 / its limit + Q / its limit: (n,), about 1 to 2 at the edge of the training data."""
        t2, q = self.statistics(samples)
        return t2 / self.t2_limit + q / self.q_limit

    def state(self) -> dict[str, NDArray[Any]]:
        """Return all of it as plain arrays."""
        limits = np.array([self.t2_limit, self.q_limit])
        return {
            "mean": self.mean,
            "components": self.components,
            "variances": self.variances,
            "limits": limits,
        }

    @classmethod
    def from_state(cls, state: dict[str, NDArray[Any]]) -> Pca:
        """Undo `state`."""
        t2_limit, q_limit = (float(value) for value in state["limits"])
        return cls(state["mean"], state["components"], state["variances"], t2_limit, q_limit)
