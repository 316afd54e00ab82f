"""Fit the channel profile on training rows only: names, order, scaling, fill values, range, steps.

A channel that hardly moves gets a floor under its scale, relative to its range and size, so that a later
change shows without exploding. Letters: T rows, C channels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.recording import Profile

POOL_ROWS = 2_000_000  # statistics are taken from at most so many rows, evenly spread
QUANTILES = 513  # of each channel are kept to compare later files with
_IQR_OF_NORMAL = 1.349  # so that one scale is one standard deviation where data is normal


@dataclass(frozen=True)
class Fitted:
    """The profile, and (QUANTILES, C) quantiles of the training rows."""

    profile: Profile
    quantiles: NDArray[np.float64]


def fit_profile(
    stream: str,
    channels: Sequence[str],
    blocks: Sequence[NDArray[np.float32]],
    method: str,
    clock: tuple[float | None, float | None],
) -> Fitted:
    """Fit on (T, C) blocks of training rows, NaN where missing. clock: (seconds per row, rate in Hz) or None.

    Every channel must have a value in at least one block.
    """
    rows = sum(len(block) for block in blocks)
    stride = max(1, -(-rows // POOL_ROWS))
    pool = np.concatenate([block[::stride] for block in blocks]).astype(np.float64)
    low, high = _extremes(blocks)
    center, scale, fill, quantiles = [], [], [], []
    for index in range(len(channels)):
        column = pool[:, index]
        column = column[np.isfinite(column)]
        column = column if column.size else np.asarray([low[index]])
        middle, spread = _spread(column, method)
        center.append(middle)
        scale.append(max(spread, _floor(low[index], high[index], column)))
        fill.append(float(np.median(column)))
        quantiles.append(np.quantile(column, np.linspace(0, 1, QUANTILES)))
    profile = Profile(
        stream=stream,
        channels=tuple(channels),
        center=tuple(center),
        scale=tuple(scale),
        fill=tuple(fill),
        minimum=tuple(low),
        maximum=tuple(high),
        constant=tuple(name for name, a, b in zip(channels, low, high, strict=True) if a == b),
        method=method,
        step_s=clock[0],
        fs_hz=clock[1],
        step_mad=tuple(_step_mad(blocks, index, stride) for index in range(len(channels))),
    )
    return Fitted(profile, np.stack(quantiles, axis=1))


def _extremes(blocks: Iterable[NDArray[np.float32]]) -> tuple[list[float], list[float]]:
    low = np.fmin.reduce([np.fmin.reduce(block, axis=0) for block in blocks])
    high = np.fmax.reduce([np.fmax.reduce(block, axis=0) for block in blocks])
    return [float(v) for v in low], [float(v) for v in high]


def _spread(column: NDArray[np.float64], method: str) -> tuple[float, float]:
    if method == "zscore":
        return float(column.mean()), float(column.std())
    low, middle, high = np.quantile(column, [0.25, 0.5, 0.75])
    spread = float(high - low) / _IQR_OF_NORMAL
    return float(middle), spread if spread > 0 else float(column.std())


def _floor(low: float, high: float, column: NDArray[np.float64]) -> float:
    """Smallest scale: a thousandth of the range; for a constant a hundredth of its size, or 1 at zero."""
    if high > low:
        return max((high - low) * 1e-3, float(np.abs(column).max()) * 1e-6)
    return abs(high) * 1e-2 or 1.0


def _step_mad(blocks: Sequence[NDArray[np.float32]], channel: int, stride: int) -> float:
    """Median absolute deviation of steps; where most rows do not move, the median of the steps that do."""
    pieces = [_some_steps(block[:, channel], stride) for block in blocks]
    steps = np.concatenate(pieces).astype(np.float64)
    steps = np.abs(steps[np.isfinite(steps)])
    if not steps.size:
        return 0.0
    middle = float(np.median(steps))
    moving = steps[steps > 0]
    return middle if middle > 0 else float(np.median(moving)) if moving.size else 0.0


def _some_steps(column: NDArray[np.float32], stride: int) -> NDArray[np.float32]:
    return np.diff(column)[::stride]
