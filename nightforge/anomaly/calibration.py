"""Thresholds that keep a promised rate of false alarms: split-conformal calibration, and when it cannot hold.

A score of new, exchangeable normal data exceeds the threshold with a probability of at most alpha (Vovk,
Gammerman and Shafer 2005; Angelopoulos and Bates, arXiv:2107.07511). Where data drifts the promise is void,
so drift is tested and said in words.

Letters: n calibration scores, m new ones, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from nightforge.core.errors import InputError

Floats = NDArray[np.float64]
_SURE = 0.01  # a drift is told at this p-value, divided among all that is compared ...
_LARGE_KS = 0.3  # ... and only where it is as large as this, or
_LARGE_SHIFT = 0.5  # the median has moved by so many interquartile ranges


def windows_needed(alpha: float) -> int:
    """Return the smallest number of independent calibration windows for which `alpha` can be kept."""
    return math.ceil(1.0 / alpha - 1e-9) - 1


@dataclass(frozen=True)
class Conformal:
    """scores: (n,) ascending, of calibration windows; effective: how many of them do not overlap."""

    scores: Floats
    effective: int

    @classmethod
    def of(cls, scores: Floats, effective: int) -> Conformal:
        """Calibrate on `scores` in any order. Raises InputError for a score that is not a number."""
        if not np.isfinite(scores).all():
            raise InputError("a calibration score is not a finite number; the detector must be fitted again")
        return cls(np.sort(scores), min(effective, len(scores)))

    def threshold(self, alpha: float) -> float:
        """Return the ceil((n + 1)(1 - alpha))-th smallest score; what lies strictly above it is flagged.

        Raises InputError when `alpha` is below 1 / (effective + 1), with the number of windows it needs.
        """
        if self.effective < windows_needed(alpha):
            raise InputError(
                f"a false-alarm rate of {alpha:g} needs at least {windows_needed(alpha)} calibration windows "
                f"that do not overlap; there are {self.effective}"
            )
        n = len(self.scores)
        rank = min(math.ceil((n + 1) * (1.0 - alpha) - 1e-9), n)
        return float(self.scores[rank - 1])

    def p_values(self, scores: Floats) -> Floats:
        """Return (1 + number of calibration scores >= s) / (n + 1) for every score s: (m,)."""
        n = len(self.scores)
        at_least = n - np.searchsorted(self.scores, scores, side="left")
        return np.asarray((1.0 + at_least) / (n + 1.0))


@dataclass(frozen=True)
class Drift:
    """How far one quantity has moved between two sets of windows."""

    name: str
    ks: float  # largest distance between the two distribution functions, 0 to 1
    p_value: float  # of the Kolmogorov-Smirnov test
    shift_iqr: float  # of the median, in interquartile ranges of the earlier set

    def is_large(self, compared: int) -> bool:
        """Tell whether it is worth a warning, when so many quantities are compared."""
        large = self.ks >= _LARGE_KS or abs(self.shift_iqr) >= _LARGE_SHIFT
        return large and self.p_value < _SURE / max(compared, 1)


def drift(name: str, before: Floats, after: Floats) -> Drift:
    """Compare two samples of one quantity."""
    test = ks_2samp(before, after, method="asymp")
    low, middle, high = np.quantile(before, [0.25, 0.5, 0.75])
    spread = max(float(high - low), 1e-12 * max(abs(float(middle)), 1.0))
    shift = (float(np.median(after)) - float(middle)) / spread
    return Drift(name, float(test.statistic), float(test.pvalue), float(np.clip(shift, -1e6, 1e6)))


def drifts(names: Sequence[str], before: Floats, after: Floats) -> list[Drift]:
    """Compare (n, C) with (m, C), column by column; empty when either has fewer than two rows."""
    if min(len(before), len(after)) < 2:
        return []
    return [drift(name, before[:, i], after[:, i]) for i, name in enumerate(names)]


def drift_warnings(found: Sequence[Drift], earlier: str, later: str) -> list[str]:
    """Say each large drift in a sentence, the largest first."""
    large = sorted((d for d in found if d.is_large(len(found))), key=lambda d: -d.ks)
    return [
        f"{d.name} has moved between {earlier} and {later}: its median by {d.shift_iqr:+.2g} interquartile "
        f"ranges, its distribution by {d.ks:.2f} (Kolmogorov-Smirnov, p {d.p_value:.1g}); the promised rate "
        "of false alarms holds only for data like the calibration data"
        for d in large
    ]
