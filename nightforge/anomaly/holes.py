"""One rule for missing values, the same in training and scoring: a short hole is bridged by a straight line,
a long one takes the profile's constant, and what was filled in is marked.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SHORT_HOLE = 5  # rows


def runs(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return [first, end) of each run of True in a (T,) mask."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def interpolated(values: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    """Bridge inner holes of at most `longest` rows linearly, per channel; (T, C) -> a copy, (T, C).

    Holes at an end have one neighbour only: it is repeated.
    """
    result = values.copy()
    holes = ~np.isfinite(values)
    for channel in np.flatnonzero(holes.any(axis=0)):
        known = np.flatnonzero(~holes[:, channel])
        if not known.size:
            continue
        short = np.zeros(len(values), bool)
        for first, end in runs(holes[:, channel]):
            short[first:end] = end - first <= longest
        rows = np.flatnonzero(short)
        result[rows, channel] = np.interp(rows, known, values[known, channel])
    return result


def unusable(values: NDArray[np.float32], needs_all: bool) -> list[list[int]]:
    """Ranges [first, end) of (T, C) longer than a short hole in which no channel has a value, or, where the
    channels belong together (`needs_all`), in which any has none.
    """
    missing: NDArray[np.bool_] = ~np.isfinite(values)
    if not needs_all:
        return [[a, b] for a, b in runs(np.asarray(missing.all(axis=1))) if b - a > SHORT_HOLE]
    hidden = np.zeros(len(values), bool)
    for channel in range(values.shape[1]):
        for first, end in runs(missing[:, channel]):
            hidden[first:end] |= end - first > SHORT_HOLE
    return [[a, b] for a, b in runs(hidden)]


def filled(
    values: NDArray[np.float32], fill: Sequence[float]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Fill all holes of (T, C); returns the values and where they were observed."""
    observed = np.isfinite(values)
    if observed.all():
        return values, observed
    result = interpolated(values, SHORT_HOLE)
    return np.where(np.isfinite(result), result, np.asarray(fill, dtype=np.float32)), observed
