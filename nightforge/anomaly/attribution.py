"""Which channel is to blame: two answers per window and channel, each in units of its own calibration data.

`rebuilding`: the error of rebuilding the channel from what the network sees of it (complementary masks, so
that every value is hidden exactly once). `distance`: how much of the squared Mahalanobis distance goes away
when the channel's values may be chosen freely (reconstruction-based contribution, Alcala and Qin, Automatica
45 (2009)); it also sees a channel that has only left its group.

Letters: n windows, m samples, d numbers per sample, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.detectors import Detectors
from nightforge.anomaly.mahalanobis import Mahalanobis
from nightforge.anomaly.recording import Segment

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
QUANTILE = 0.95  # of the calibration windows: the unit of each channel
MOST_WINDOWS = 512  # of the calibration part that the units come from
WINDOWS_PER_EVENT = 32


@dataclass(frozen=True)
class Attribution:
    """units: kind -> (C,), what a channel reaches in one calibration window of twenty."""

    detectors: Detectors
    units: dict[str, Floats]

    @classmethod
    def calibrate(cls, detectors: Detectors, segments: Sequence[Segment]) -> Attribution:
        """Fix the units on calibration segments, on evenly spaced windows where there are very many."""
        counts = [len(detectors.view.starts(segment)) for segment in segments]
        every = max(1, sum(counts) // MOST_WINDOWS)
        parts = [
            raw(detectors, segment, np.arange(0, count, every))
            for segment, count in zip(segments, counts, strict=True)
            if count
        ]
        units = {
            kind: np.maximum(np.quantile(np.concatenate([part[kind] for part in parts]), QUANTILE, axis=0), 1e-12)
            for kind in parts[0]
        }
        return cls(detectors, units)

    def blame(self, segment: Segment, windows: Sequence[int]) -> dict[str, Floats]:
        """Return, for each kind, how many units each channel reaches on average over `windows` (numbers of
        windows of the segment): (C,).
        """
        chosen = np.asarray(windows, dtype=np.int64)
        if len(chosen) > WINDOWS_PER_EVENT:
            chosen = chosen[np.linspace(0, len(chosen) - 1, WINDOWS_PER_EVENT).astype(int)]
        found = raw(self.detectors, segment, chosen)
        return {kind: (found[kind] / unit).mean(axis=0) for kind, unit in self.units.items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {f"attribution.{kind}": unit for kind, unit in self.units.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], detectors: Detectors) -> Attribution:
        """Undo `arrays`."""
        found = {name.partition(".")[2]: unit for name, unit in arrays.items() if name.startswith("attribution.")}
        return cls(detectors, found)


def raw(detectors: Detectors, segment: Segment, chosen: Indices) -> dict[str, Floats]:
    """Return the blame of each channel before it is divided by its unit: kind -> (n, C)."""
    view = detectors.view
    starts = view.starts(segment)
    channels = len(view.profile.channels)
    samples = view.samples(segment, starts, chosen)
    parts = contributions(detectors, samples.matrix, channels)
    counts = np.diff(np.append(samples.bounds, len(parts)))[:, None]
    result = {"distance": np.add.reduceat(parts, samples.bounds, axis=0) / counts}
    if detectors.encoder is not None:
        errors = detectors.encoder.attribute(view.windows(segment, starts[chosen]))
        result["rebuilding"] = errors.mean(axis=1) if errors.ndim == 3 else errors
    return result


def contributions(detectors: Detectors, samples: Floats, channels: int) -> Floats:
    """Return how much the squared distance of each sample falls when one channel is set free: (m, C)."""
    model = detectors.models["features"]
    assert isinstance(model, Mahalanobis)
    root = model.basis @ model.whitener  # (d, k)
    precision = root @ root.T
    owner = detectors.view.channel_of()[-len(precision) :]
    away = (detectors.recent(detectors.standardized(samples)) - model.mean) @ precision  # (m, d)
    result = np.zeros((len(samples), channels))
    for channel in detectors.view.active:
        own = np.flatnonzero(owner == channel)
        solved = away[:, own] @ np.linalg.pinv(precision[np.ix_(own, own)], hermitian=True)
        result[:, channel] = (solved * away[:, own]).sum(axis=1)
    return result
