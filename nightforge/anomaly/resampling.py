"""The clock of a recording: its rate from timestamps, its gaps, and conversion to another rate.

Conversion is polyphase filtering with an anti-alias filter (scipy.signal.resample_poly), block by block
between gaps; a sample whose surroundings are missing stays missing. Letters: T rows, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.holes import interpolated
from nightforge.core.errors import InputError

GAP_STEPS = 5.0  # a pause longer than this many usual steps is a gap: a logger may miss a few rows


@dataclass(frozen=True)
class Pace:
    """How the rows of a file follow each other. step_s: seconds per row, gaps left out; jitter: scatter of
    the steps as a share of it (interquartile); gaps: the rows that come after a pause, with its seconds.
    """

    step_s: float
    jitter: float
    gaps: tuple[tuple[int, float], ...]
    rounded: bool = False  # several rows share each stamp: the clock was written too coarsely

    @property
    def rate_hz(self) -> float:
        return 1.0 / self.step_s


def pace_of(times_s: NDArray[np.float64]) -> Pace | None:
    """Measure rate, jitter and gaps of stamps in order; None with fewer than two different stamps."""
    steps = np.diff(times_s)
    steps = np.where(np.isfinite(steps), steps, 0.0)
    forward = steps[steps > 0]
    if not forward.size:
        return None
    usual = float(np.median(forward))
    rounded = float((steps == 0).mean()) > 0.2  # the mean counts the rows that share a stamp
    regular = (steps >= 0) & (steps <= GAP_STEPS * usual)
    step_s = float(steps[regular].mean()) if rounded else _robust_step(forward, usual)
    late = np.flatnonzero(steps > GAP_STEPS * usual)
    low, high = np.quantile(forward[forward <= GAP_STEPS * usual], [0.25, 0.75])
    gaps = tuple((int(row) + 1, float(steps[row])) for row in late)
    return Pace(step_s, float(high - low) / usual, gaps, rounded)


def _robust_step(forward: NDArray[np.float64], usual: float) -> float:
    """The mean of the steps near the median: as exact as the stamps allow, and blind to left-out rows."""
    near = forward[np.abs(forward - usual) <= 0.5 * usual]
    return float(near.mean())


def resampled(
    values: NDArray[np.float32], breaks: NDArray[np.int64], from_hz: float, to_hz: float
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Convert (T, C) from one rate to another; `breaks` are the rows at which a new block begins.

    Returns the new values and breaks. Blocks never run into each other.
    """
    ratio = Fraction(to_hz / from_hz).limit_denominator(1000)
    if not ratio.numerator:
        raise InputError(
            f"a rate of {from_hz:g} Hz can't be converted to {to_hz:g} Hz; they are too far apart"
        )
    edges = [0, *(int(row) for row in breaks), len(values)]
    blocks = [_block(values[a:b], ratio) for a, b in zip(edges, edges[1:], strict=False) if b > a]
    starts = np.cumsum([len(block) for block in blocks])[:-1]
    return np.concatenate(blocks), np.asarray(starts, dtype=np.int64)


def _block(values: NDArray[np.float32], ratio: Fraction) -> NDArray[np.float32]:
    from scipy.signal import resample_poly

    whole = interpolated(values, len(values))
    empty = ~np.isfinite(whole).any(axis=0)
    whole[:, empty] = 0.0
    if len(values) < 2:
        return np.where(np.isfinite(values), whole, np.nan).astype(np.float32)
    result = resample_poly(
        whole.astype(np.float64), ratio.numerator, ratio.denominator, axis=0, padtype="line"
    )
    source_rows = np.minimum((np.arange(len(result)) / float(ratio)).round().astype(int), len(values) - 1)
    result[~np.isfinite(values)[source_rows]] = np.nan
    return np.asarray(result, dtype=np.float32)
