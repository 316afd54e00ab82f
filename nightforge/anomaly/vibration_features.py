"""Classic features of vibration windows: how strong, how peaked, and where in the spectrum.

Per axis: logarithm of the root mean square, kurtosis and crest factor as log(1 + value), and the logarithm of
the power spectral density in logarithmic bands (Welch 1967). The mean of the window is removed first, so that
gravity and offsets do not count. The detectors `features`, `pca` and `iforest` see these (facts 4.1).

Letters: n windows, T samples, A axes, B bands, F features.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from nightforge.anomaly.scalogram import PERIODS, TOP, require_numbers

BANDS = 16
_LEAST_POWER = 1e-30  # the logarithm of an axis that stands still


def feature_names(channels: tuple[str, ...], fs_hz: float, rows: int) -> tuple[str, ...]:
    """Return the name of each feature in the order of `features`: all of one axis, then the next. (F,)"""
    edges = band_edges(fs_hz, rows)
    bands = [f"band {low:.0f}-{high:.0f} Hz" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return tuple(f"{axis} {kind}" for axis in channels for kind in ("log RMS", "kurtosis", "crest", *bands))


def axis_of(feature: int) -> int:
    """Return the axis that a feature, counted from 0, was computed from."""
    return feature // (3 + BANDS)


def band_edges(fs_hz: float, rows: int) -> NDArray[np.float64]:
    """Return the limits of the bands, Hz: from four periods in a window to 0.4 of the rate. (B + 1,)"""
    return np.geomspace(PERIODS * fs_hz / rows, TOP * fs_hz, BANDS + 1)


def features(windows: NDArray[np.float32], fs_hz: float) -> NDArray[np.float64]:
    """Compute the features of (n, T, A) windows. -> (n, A * (3 + B)) float64.

    Raises BadDataError when a sample is not a finite number.
    """
    require_numbers(windows)
    n, rows, axes = windows.shape
    x = np.asarray(windows, dtype=np.float64).transpose(0, 2, 1)  # (n, A, T)
    x = x - x.mean(axis=2, keepdims=True)
    power = np.maximum(np.mean(x**2, axis=2), _LEAST_POWER)  # (n, A)
    shape = np.mean(x**4, axis=2) / power**2
    crest = np.abs(x).max(axis=2) / np.sqrt(power)
    single = np.stack([0.5 * np.log(power), np.log1p(shape), np.log1p(crest)], axis=2)
    return np.concatenate([single, _band_powers(x, fs_hz)], axis=2).reshape(n, axes * (3 + BANDS))


def _band_powers(x: NDArray[np.float64], fs_hz: float) -> NDArray[np.float64]:
    """(n, A, T) -> (n, A, B) logarithms of the mean density; a band narrower than a bin takes its share of
    the bins around it.
    """
    rows = x.shape[2]
    bins, density = signal.welch(x, fs_hz, nperseg=rows // 2, axis=2)
    edges = band_edges(fs_hz, rows) / (bins[1] - bins[0]) + 0.5  # bin k covers [k, k + 1) here
    left = np.maximum(np.arange(len(bins))[:, None], edges[None, :-1])
    right = np.minimum(np.arange(1, len(bins) + 1)[:, None], edges[None, 1:])
    share = np.maximum(right - left, 0.0)
    share /= share.sum(axis=0)
    return np.asarray(np.log(np.maximum(density @ share, _LEAST_POWER)))
