"""What detectors see of a segment: its windows, and per window the samples that classic detectors judge.

Sensor tables: a sample is `lags` scaled rows side by side; a window has one for each of its rows that no
earlier window has judged, and the largest counts. Vibration: a window has one sample, its classic features.
Constant channels are left out; a rule of their own watches them (`moved`).

Letters: T rows, C channels, n windows, m samples, d numbers per sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.recording import Profile, Segment, scaled, window_starts
from nightforge.anomaly.vibration_features import axis_of, feature_names, features
from nightforge.core.errors import InputError

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
_CHUNK_NUMBERS = 2**22  # of the largest array a chunk of windows makes
_RESOLUTION = 1e-5  # of a float32 value: a constant channel may waver by so much of it


@dataclass(frozen=True)
class Cut:
    """How a segment becomes windows; part of what a calibration is bound to."""

    rows: int
    stride: int
    lags: int
    clip: float


@dataclass(frozen=True)
class Samples:
    """matrix: (m, d); bounds: (n,), the first sample of each window."""

    matrix: Floats
    bounds: Indices


class View:
    """Cuts segments of one stream; knows which channels take part."""

    def __init__(self, profile: Profile, cut: Cut) -> None:
        self.profile = profile
        self.cut = cut
        self.active = [i for i, name in enumerate(profile.channels) if name not in profile.constant]
        if not self.active:
            raise InputError("every channel was constant in training; there is nothing to learn from")
        if profile.stream == "swinmae" and not profile.fs_hz:
            raise InputError("the channel profile of the vibration stream has no sampling rate")

    @property
    def is_table(self) -> bool:
        return self.profile.stream == "patchtst"

    def starts(self, segment: Segment) -> Indices:
        """Return the first row of every window, counted within the segment: (n,)."""
        return window_starts(len(segment.values), self.cut.rows, self.cut.stride)

    def effective(self, segments: Sequence[Segment]) -> int:
        """Return how many windows fit into the segments without overlap."""
        return sum(len(segment.values) // self.cut.rows for segment in segments)

    @property
    def reach(self) -> int:
        """Rows before a window's first that its score may still depend on: its earliest newly judged row
        looks back over the lags.
        """
        return max(0, self.cut.lags - 1 - (self.cut.rows - self.cut.stride)) if self.is_table else 0

    def chunks(self, windows: int) -> Iterator[Indices]:
        """Divide the numbers of a segment's windows: bounded memory, always the same places."""
        per_window = max(
            self.cut.rows * len(self.profile.channels),
            self.cut.stride * self.cut.lags * len(self.active) if self.is_table else 0,
        )
        step = min(4096, max(16, _CHUNK_NUMBERS // per_window))
        for first in range(0, windows, step):
            yield np.arange(first, min(first + step, windows))

    def windows(self, segment: Segment, starts: Indices) -> NDArray[np.float32]:
        """Return the windows that begin at `starts`, in physical units: (n, rows, C)."""
        view = np.lib.stride_tricks.sliding_window_view(segment.values, self.cut.rows, axis=0)
        return np.ascontiguousarray(view[starts].transpose(0, 2, 1))

    def samples(self, segment: Segment, starts: Indices, chosen: Indices) -> Samples:
        """Return the samples of the windows numbered `chosen` among all `starts` of the segment."""
        if not self.is_table:
            assert self.profile.fs_hz is not None
            windows = self.windows(segment, starts[chosen])[:, :, self.active]
            return Samples(features(windows, self.profile.fs_hz), np.arange(len(windows)))
        end = starts[chosen] + self.cut.rows
        before = starts[np.maximum(chosen - 1, 0)] + self.cut.rows  # what the window before has judged
        first = np.where(chosen > 0, before, self.cut.lags - 1)
        counts = end - first
        bounds = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
        rows = np.repeat(first - bounds, counts) + np.arange(counts.sum())  # the row each sample belongs to
        return Samples(self._lagged(segment, rows), bounds)

    def _lagged(self, segment: Segment, rows: Indices) -> Floats:
        """(m,) rows -> (m, lags * active channels), oldest row first."""
        lags, low = self.cut.lags, int(rows.min()) - self.cut.lags + 1
        values = scaled(self.profile, segment.values[low : int(rows.max()) + 1], self.cut.clip)
        view = np.lib.stride_tricks.sliding_window_view(values[:, self.active], lags, axis=0)
        chosen = view[rows - lags + 1 - low].transpose(0, 2, 1)  # (m, lags, active)
        return np.asarray(chosen.reshape(len(rows), -1), dtype=np.float64)

    def channel_of(self) -> Indices:
        """Return the channel of the profile that each number of a sample comes from: (d,)."""
        active = np.asarray(self.active)
        if self.is_table:
            return np.tile(active, self.cut.lags)
        names = feature_names(tuple(self.profile.channels[i] for i in self.active), 1.0, self.cut.rows)
        return active[[axis_of(feature) for feature in range(len(names))]]

    def moved(self, segment: Segment, starts: Indices) -> NDArray[np.bool_]:
        """Tell for each window and constant channel whether the channel left its value: (n, constants)."""
        found = np.zeros((len(starts), len(self.profile.constant)), dtype=bool)
        for column, name in enumerate(self.profile.constant):
            i = self.profile.channels.index(name)
            low, high = self.profile.minimum[i], self.profile.maximum[i]
            margin = max(_RESOLUTION * max(abs(low), abs(high)), high - low, 1e-12)
            values = segment.values[:, i].astype(np.float64)
            outside = (values < low - margin) | (values > high + margin)
            counts = np.concatenate([[0], np.cumsum(outside)])
            found[:, column] = counts[starts + self.cut.rows] > counts[starts]
        return found

    def quantities(self, segments: Sequence[Segment]) -> Floats:
        """Return what drift is measured in, of windows that do not overlap: (n, C). Sensor tables: the median
        of each channel; vibration: the logarithm of each axis's root mean square.
        """
        rows = self.cut.rows
        found = [np.empty((0, len(self.profile.channels)))]
        for segment in segments:
            count = len(segment.values) // rows
            blocks = segment.values[: count * rows].reshape(count, rows, -1)
            if self.is_table:
                found.append(np.median(blocks, axis=1).astype(np.float64))
            else:
                power = blocks.astype(np.float64).var(axis=1)
                found.append(0.5 * np.log(np.maximum(power, 1e-30)))
        return np.concatenate(found)
