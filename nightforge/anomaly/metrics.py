"""How well scores and alarms fit labels. Never point-adjusted F1 and no threshold that has seen the labels:
a random score wins both (Kim et al., AAAI 2022).

Letters: T rows. VUS-PR is in vus.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from nightforge.anomaly.vus import segments
from nightforge.core.errors import BadDataError

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def _checked(labels: Flags, scores: Floats) -> tuple[Flags, Floats]:
    labels, scores = np.asarray(labels, dtype=np.bool_), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise BadDataError(f"labels {labels.shape} and scores {scores.shape} must be two equally long rows")
    if not np.isfinite(scores).all():
        raise BadDataError(f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not finite")
    if labels.all() or not labels.any():
        raise BadDataError("the metric needs normal and anomalous rows")
    return labels, scores


def auroc(labels: Flags, scores: Floats) -> float:
    """Return the chance that an anomalous row scores above a normal one, ties counting half. (T,), (T,)"""
    labels, scores = _checked(labels, scores)
    positive = int(labels.sum())
    above = rankdata(scores)[labels].sum() - positive * (positive + 1) / 2
    return float(above / (positive * (len(labels) - positive)))


def average_precision(labels: Flags, scores: Floats) -> float:
    """Return the sum over distinct scores of precision times gain in recall. (T,), (T,)"""
    labels, scores = _checked(labels, scores)
    order = np.argsort(-scores, kind="stable")
    last = np.flatnonzero(np.diff(scores[order], append=-np.inf))  # last row of each distinct score
    hits = np.cumsum(labels[order])[last]
    return float(np.sum(np.diff(hits, prepend=0) * hits / (last + 1)) / labels.sum())


def false_alarm_rate(labels: Flags, alarms: Flags) -> float:
    """Return the share of normal rows with an alarm. (T,), (T,)"""
    normal = ~np.asarray(labels, dtype=np.bool_)
    if not normal.any():
        raise BadDataError("a false-alarm rate needs normal rows")
    return float(np.asarray(alarms, dtype=np.bool_)[normal].mean())


def event_recall(labels: Flags, alarms: Flags) -> float:
    """Return the share of labelled segments with an alarm inside. (T,), (T,)"""
    runs = segments(np.asarray(labels, dtype=np.bool_))
    if not runs:
        raise BadDataError("event recall needs a labelled segment")
    return float(np.mean([bool(np.asarray(alarms)[first:end].any()) for first, end in runs]))


def detection_delays(labels: Flags, alarms: Flags) -> list[int | None]:
    """Return per labelled segment the rows from its first to its first alarm, None without one. (T,), (T,)"""
    flags = np.asarray(alarms, dtype=np.bool_)
    delays: list[int | None] = []
    for first, end in segments(np.asarray(labels, dtype=np.bool_)):
        delays.append(int(flags[first:end].argmax()) if flags[first:end].any() else None)
    return delays
