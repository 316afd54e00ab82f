"""VUS-PR: area under the precision-recall curve with soft borders, averaged over how soft they are.

Paparrizos et al., "Volume Under the Surface", VLDB 2022; Liu and Paparrizos, "The Elephant in the Room"
(TSB-AD), NeurIPS 2024. A detection a little before or after a labelled segment counts in part, and a segment
that is never touched costs recall. How far this agrees with the public implementation: docs/benchmarks.md.

Letters: T rows, K thresholds, B rows near a segment.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nightforge.core.errors import BadDataError

MAX_BUFFER = 100  # rows; half of it on each side of a segment
THRESHOLDS = 100
Floats = NDArray[np.float64]
Segments = list[tuple[int, int]]  # [first, end)


def segments(labels: NDArray[np.bool_]) -> Segments:
    """Return the runs of true labels as [first, end). labels: (T,)"""
    edges = np.flatnonzero(np.diff(np.r_[False, labels, False].astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def vus_pr(
    labels: NDArray[np.bool_],
    scores: Floats,
    max_buffer: int = MAX_BUFFER,
    thresholds: int = THRESHOLDS,
) -> float:
    """Return VUS-PR of one series. labels, scores: (T,), rows in time order, higher is more anomalous.

    Only the order of scores matters, so nothing is rescaled. Thresholds are the scores at evenly spaced
    ranks; a row is predicted when its score is not below. Raises BadDataError without a true and a false
    label or with a score that is no finite number.
    """
    labels, scores = np.asarray(labels, dtype=np.bool_), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise BadDataError(f"labels {labels.shape} and scores {scores.shape} must be two equally long rows")
    if not np.isfinite(scores).all():
        raise BadDataError(f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not finite")
    runs = segments(labels)
    if not runs or labels.all():
        raise BadDataError("VUS-PR needs rows inside and rows outside of a labelled segment")
    falling = np.sort(scores)[::-1]
    cuts = falling[np.linspace(0, len(scores) - 1, thresholds).astype(np.int64)]  # (K,), falling
    predicted = np.searchsorted(-falling, -cuts, side="right").astype(np.float64)  # (K,), rows per threshold
    inside = np.sort(scores[labels])[::-1]
    hits = np.searchsorted(-inside, -cuts, side="right").astype(np.float64)  # (K,), of them inside a segment
    near = _near(runs, len(labels), max_buffer // 2)
    near_predicted = (scores[near][:, None] >= cuts).astype(np.float64)  # (B, K)
    total = 0.0
    for buffer in range(max_buffer + 1):
        weight = _weights(runs, near, buffer)  # (B,)
        soft = weight @ near_predicted  # (K,), weight of predicted rows beside a segment
        found = _found(runs, scores, cuts, buffer)  # (K,), share of the segments
        true = hits + soft
        recall = np.minimum(true / (labels.sum() + soft / 2.0), 1.0) * found
        total += float(np.sum(np.diff(recall, prepend=0.0) * true / predicted))
    return total / (max_buffer + 1)


def _near(runs: Segments, rows: int, reach: int) -> NDArray[np.int64]:
    """Return the unlabelled rows within `reach` of a segment. (B,)"""
    mask = np.zeros(rows, dtype=np.bool_)
    for first, end in runs:
        mask[max(0, first - reach) : end + reach] = True
    for first, end in runs:
        mask[first:end] = False
    return np.flatnonzero(mask)


def _weights(runs: Segments, near: NDArray[np.int64], buffer: int) -> Floats:
    """Return sqrt(1 - d / buffer) for each row at d <= buffer // 2 rows from a segment, summed over the
    segments and at most 1. (B,)
    """
    weight = np.zeros(len(near))
    for first, end in runs:
        distance = np.where(near < first, first - near, near - end + 1)
        reached = distance <= buffer // 2
        weight[reached] += np.sqrt(1.0 - distance[reached] / buffer)
    return np.minimum(weight, 1.0)


def _found(runs: Segments, scores: Floats, cuts: Floats, buffer: int) -> Floats:
    """Return the share of extended segments with a predicted row; overlapping ones are one. (K,)"""
    reach = buffer // 2
    extended: list[list[int]] = []
    for first, end in runs:
        low, high = max(0, first - reach), min(len(scores), end + reach)
        if extended and low < extended[-1][1]:
            extended[-1][1] = high
        else:
            extended.append([low, high])
    best = np.array([scores[low:high].max() for low, high in extended])
    return np.asarray((best[:, None] >= cuts).mean(axis=0))
