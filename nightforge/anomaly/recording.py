"""What the track works on: recordings as they were read, segments as they are used, the channel profile.

Letters: T rows in time order, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

# stream (its section of the configuration) -> its folder name in data/ and results/
STREAMS: dict[str, str] = {"patchtst": "fdc", "swinmae": "vib"}
PARTS = ("train", "val", "calibrate", "test")


@dataclass(frozen=True)
class Recording:
    """One file as it was read, rows in file order. values: (T, C) float32, NaN where a cell has no number."""

    file_id: str  # path relative to where the search began, with forward slashes; unique in a data set
    digest: str  # SHA-256 of the file's bytes
    channels: tuple[str, ...]
    values: NDArray[np.float32]
    times_s: NDArray[np.float64] | None = (
        None  # (T,) seconds, NaN where unreadable; None: no timestamp column
    )
    epoch: bool = False  # times_s counts from 1970-01-01 UTC; otherwise from wherever the file begins
    fs_hz: float | None = None  # sampling rate stated or estimated; None: unknown


@dataclass(frozen=True)
class Segment:
    """Rows of one file without a gap in time. values: (T, C) float32 in the file's own units, holes filled by
    the profile's rule; observed: (T, C), False where a value was filled in.
    """

    file_id: str
    first_row: int  # of the file, counted from 0
    values: NDArray[np.float32]
    observed: NDArray[np.bool_]
    times_s: NDArray[np.float64] | None = None
    epoch: bool = False


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the training data fixed: names and order of the channels, scaling, fill values, rate. One entry
    per channel in each tuple; fitted on training rows only.
    """

    stream: str  # patchtst | swinmae
    channels: tuple[str, ...]
    center: tuple[float, ...]
    scale: tuple[float, ...]  # > 0
    fill: tuple[float, ...]  # put in for a hole that is too long to be interpolated
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    constant: tuple[str, ...] = ()  # channels that never moved in training: watched by a rule of their own
    method: str = "robust"  # robust | zscore
    step_s: float | None = None  # median seconds between rows; None without timestamps
    fs_hz: float | None = None  # of vibration, after resampling
    step_mad: tuple[
        float, ...
    ] = ()  # median absolute deviation of steps per channel: what a jump is measured in

    @property
    def hash(self) -> str:
        """Return 16 hex digits that change with any of it."""
        from nightforge.core.atomic import sha256_text

        return sha256_text(msgspec.json.encode(self).decode())[:16]


def scaled(profile: Profile, values: NDArray[np.float32], clip: float) -> NDArray[np.float32]:
    """Subtract center, divide by scale, cut at +-clip. (..., C) -> (..., C) float32."""
    center, scale = np.asarray(profile.center), np.asarray(profile.scale)
    return np.asarray(np.clip((values - center) / scale, -clip, clip), dtype=np.float32)


def window_starts(rows: int, length: int, stride: int) -> NDArray[np.int64]:
    """Return the first rows of all windows of `length`; the last one ends at the last row, so that no tail is
    left unseen. Empty when rows < length.
    """
    if rows < length:
        return np.empty(0, dtype=np.int64)
    starts = np.arange(0, rows - length + 1, stride, dtype=np.int64)
    return starts if starts[-1] == rows - length else np.append(starts, rows - length)
