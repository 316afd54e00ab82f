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
from functools import cached_property
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
        all_starts = [detectors.view.starts(segment) for segment in segments]
        every = max(1, sum(map(len, all_starts)) // MOST_WINDOWS)
        new = cls(detectors, {})
        parts = [
            new._raw(segment, starts, np.arange(0, len(starts), every))
            for segment, starts in zip(segments, all_starts, strict=True)
            if len(starts)
        ]
        units = {
            kind: np.quantile(np.concatenate([part[kind] for part in parts]), QUANTILE, axis=0)
            for kind in parts[0]
        }
        return cls(detectors, {kind: np.maximum(unit, 1e-12) for kind, unit in units.items()})

    def blame(self, segment: Segment, starts: Indices, windows: Sequence[int]) -> dict[str, Floats]:
        """Return, for each kind, how many units each channel reaches on average over `windows`, numbers of
        windows among all `starts` of the segment: (C,).
        """
        chosen = np.asarray(windows, dtype=np.int64)
        if len(chosen) > WINDOWS_PER_EVENT:
            chosen = chosen[np.linspace(0, len(chosen) - 1, WINDOWS_PER_EVENT).astype(int)]
        found = self._raw(segment, starts, chosen)
        return {kind: (found[kind] / unit).mean(axis=0) for kind, unit in self.units.items()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {f"attribution.{kind}": unit for kind, unit in self.units.items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[Any]], detectors: Detectors) -> Attribution:
        """Undo `arrays`."""
        found = {
            name.partition(".")[2]: unit for name, unit in arrays.items() if name.startswith("attribution.")
        }
        return cls(detectors, found)

    def _raw(self, segment: Segment, starts: Indices, chosen: Indices) -> dict[str, Floats]:
        """Return the blame of each channel before it is divided by its unit: kind -> (n, C)."""
        view, encoder = self.detectors.view, self.detectors.encoder
        samples = view.samples(segment, starts, chosen)
        parts = self.contributions(samples.matrix)
        counts = np.diff(np.append(samples.bounds, len(parts)))[:, None]
        result = {"distance": np.add.reduceat(parts, samples.bounds, axis=0) / counts}
        if encoder is not None:
            errors = encoder.attribute(view.windows(segment, starts[chosen]))
            result["rebuilding"] = errors.mean(axis=1) if errors.ndim == 3 else errors
        return result

    def contributions(self, samples: Floats) -> Floats:
        """Return how much the squared distance of each sample falls when a channel is set free: (m, C)."""
        model, inputs = self._model, self.detectors.recent(self.detectors.standardized(samples))
        away = (inputs - model.mean) @ self._precision  # (m, d)
        result = np.zeros((len(samples), len(self.detectors.view.profile.channels)))
        for channel, (own, inverse) in self._free.items():
            result[:, channel] = ((away[:, own] @ inverse) * away[:, own]).sum(axis=1)
        return result

    @property
    def _model(self) -> Mahalanobis:
        model = self.detectors.models["features"]
        assert isinstance(model, Mahalanobis)
        return model

    @cached_property
    def _precision(self) -> Floats:
        root = self._model.basis @ self._model.whitener  # (d, k)
        return np.asarray(root @ root.T)

    @cached_property
    def _free(self) -> dict[int, tuple[Indices, Floats]]:
        """Channel -> the numbers of a sample it owns, and the inverse of their block of the precision."""
        owner = self.detectors.view.channel_of()[-len(self._precision) :]
        found: dict[int, tuple[Indices, Floats]] = {}
        for channel in self.detectors.view.active:
            own = np.flatnonzero(owner == channel)
            block = self._precision[np.ix_(own, own)]
            found[channel] = (own.astype(np.int64), np.asarray(np.linalg.pinv(block, hermitian=True)))
        return found
