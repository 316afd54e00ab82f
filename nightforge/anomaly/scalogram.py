"""From vibration to images of time and frequency: what the Swin masked-image model looks at.

Bands are evenly spaced on a logarithmic scale from the lowest frequency with four periods in a window to 0.4
of the sampling rate; magnitudes are phase-free (complex Morlet, or a short-time Fourier transform summed into
bands), averaged over the area of each pixel and taken as logarithms; statistics come from normal training
windows, so that amplitude stays visible (facts A4-A6, 4.2). Nothing here is random.
Morlet wavelet: Torrence and Compo 1998, A Practical Guide to Wavelet Analysis, equation 1 and table 1.

Letters: n windows, T samples, A axes, F frequency bins, B bands, S pixels of the image's side.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from nightforge.config.anomaly import SwinMae
from nightforge.core.errors import BadDataError, ConfigError, InputError

Floats = NDArray[np.float32]

PERIODS = 4.0  # of the lowest frequency in one window
TOP = 0.4  # of the sampling rate: the highest frequency
CLIP = 6.0  # standard deviations
_MORLET = 6.0  # periods times 2 pi under the wavelet's bell: its usual shape, admissible to 1e-7
_BELL = 3.5  # standard deviations of the bell in frequency that are kept
_AT_ONCE = 4  # windows transformed together: what stays in the processor's cache
_SILENCE = 1e-30  # smallest power: the logarithm of an axis that stands still
_LEAST_SPREAD = 0.01  # of the logarithm: 1 % of amplitude


def band_frequencies(settings: SwinMae, fs_hz: float, rows: int) -> NDArray[np.float64]:
    """Return the centre frequencies, Hz, ascending. (B,)

    Raises InputError when the window or the rate cannot carry what `swinmae.cwt` asks for.
    """
    lowest, highest = PERIODS * fs_hz / rows, TOP * fs_hz
    low = settings.cwt.freq_min or lowest
    high = settings.cwt.freq_max or highest
    window = f"a window of {rows} samples at {fs_hz:g} Hz"
    if low < lowest * (1 - 1e-9):
        raise ConfigError(
            f"swinmae.cwt.freq_min {low:g} Hz has less than {PERIODS:g} periods in {window}; use at least "
            f"{lowest:g} Hz, null for that, or a longer swinmae.data.win_sec ({PERIODS / low:g} s)"
        )
    if high > highest * (1 + 1e-9):
        raise ConfigError(
            f"swinmae.cwt.freq_max {high:g} Hz is above {TOP:g} of the sampling rate {fs_hz:g} Hz; "
            f"use at most {highest:g} Hz, or null for that"
        )
    if low >= high:
        raise ConfigError(
            f"swinmae.cwt: the lowest frequency {low:g} Hz is not below the highest {high:g} Hz in {window}; "
            "use a longer swinmae.data.win_sec or other limits"
        )
    if rows < settings.image.size:
        raise ConfigError(
            f"{window} is shorter than swinmae.image.size {settings.image.size} pixels; use a longer "
            "swinmae.data.win_sec or a smaller image"
        )
    return np.geomspace(low, high, settings.cwt.n_freqs)


def area_weights(count: int, cells: int, first: float = 0.0, last: float | None = None) -> Floats:
    """Return the matrix that averages `count` samples of unit width over `cells` equal parts of
    [first, last). (count, cells), each column sums to 1.
    """
    edges = np.linspace(first, count if last is None else last, cells + 1)
    left = np.maximum(np.arange(count)[:, None], edges[None, :-1])
    right = np.minimum(np.arange(1, count + 1)[:, None], edges[None, 1:])
    overlap = np.maximum(right - left, 0.0)
    return np.asarray(overlap / overlap.sum(axis=0), dtype=np.float32)


class Scalogram:
    """Images of windows of `rows` samples at one sampling rate; logarithm of amplitude, not yet standardised.

    A sine of amplitude 1 gives about 0 where it is strongest.
    """

    def __init__(self, settings: SwinMae, fs_hz: float, rows: int) -> None:
        self.frequencies = band_frequencies(settings, fs_hz, rows)  # (B,)
        self.size = settings.image.size
        self.rows = rows
        self._logarithm = settings.cwt.log_mag
        self._over_bands = area_weights(settings.cwt.n_freqs, self.size)  # (B, S)
        transform = _Stft if settings.cwt.backend == "stft" else _Morlet
        self._powers = transform(self.frequencies, fs_hz, rows, self.size)
        self.facts: dict[str, Any] = {
            "version": 1,
            "backend": settings.cwt.backend,
            "low_hz": float(self.frequencies[0]),
            "high_hz": float(self.frequencies[-1]),
            "bands": settings.cwt.n_freqs,
            "log": settings.cwt.log_mag,
            "size": self.size,
            "fs_hz": float(fs_hz),
            "rows": rows,
        }

    def images(self, windows: Floats) -> Floats:
        """Transform (n, T, A) to (n, A, S, S): band (low first) by time. Raises BadDataError when a sample is
        not a number, InputError for another window length.
        """
        if windows.ndim != 3 or windows.shape[1] != self.rows:
            raise InputError(
                f"vibration windows have the shape {windows.shape}; this transform takes "
                f"(n, {self.rows}, axes)"
            )
        require_numbers(windows)
        made = np.empty((len(windows), windows.shape[2], self.size, self.size), dtype=np.float32)
        for first in range(0, len(windows), _AT_ONCE):
            part = np.ascontiguousarray(windows[first : first + _AT_ONCE].transpose(0, 2, 1))  # (n, A, T)
            part = part - part.mean(axis=2, keepdims=True, dtype=np.float64).astype(np.float32)
            made[first : first + _AT_ONCE] = self._image(self._powers(part))
        return made

    def _image(self, power: Floats) -> Floats:
        pooled = np.matmul(self._over_bands.T, power)  # (n, A, B, S) -> (n, A, S, S)
        if self._logarithm:
            return np.asarray(0.5 * np.log(np.maximum(pooled, _SILENCE)), dtype=np.float32)
        return np.asarray(np.sqrt(pooled))


def require_numbers(windows: Floats) -> None:
    """Raise BadDataError naming the first window with a sample that is not a finite number."""
    finite = np.isfinite(windows)
    if not finite.all():
        window, row, axis = np.argwhere(~finite)[0]
        raise BadDataError(
            f"window {window} holds a value that is not a number (row {row}, axis {axis}); nothing is judged "
            "from it",
            next_command="python scripts/21_check_sensor_data.py",
        )


class _Stft:
    """Short-time Fourier transform summed into bands: one frame is half of the window, so that it holds two
    periods of the lowest frequency, and lines beside a tone stay apart from it.
    """

    def __init__(self, frequencies: NDArray[np.float64], fs_hz: float, rows: int, size: int) -> None:
        self._frame = rows // 2
        self._hop = max(1, min(rows // size, self._frame // 4))
        self._length = fft.next_fast_len(self._frame, real=True)
        bell = np.hanning(self._frame + 2)[1:-1]
        self._bell = np.asarray(bell * (2.0 / bell.sum()), dtype=np.float32)  # a sine's peak is its amplitude
        self._bands = self._triangles(frequencies, fs_hz)  # (F, B)
        frames = (rows - 1) // self._hop + 1  # centred at 0, hop, 2 hop ...
        self._over_time = area_weights(frames, size, 0.0, min(frames, rows / self._hop))  # (frames, S)

    def _triangles(self, centres: NDArray[np.float64], fs_hz: float) -> Floats:
        """Each band reaches to its neighbours' centres, and at least one bin to either side."""
        bins = np.arange(self._length // 2 + 1) * fs_hz / self._length
        ratio = centres[1] / centres[0] if len(centres) > 1 else 2.0
        below = np.maximum(centres - centres / ratio, fs_hz / self._length)
        above = np.maximum(centres * ratio - centres, fs_hz / self._length)
        away = bins[:, None] - centres[None, :]
        weight = np.maximum(1.0 - np.where(away < 0, -away / below, away / above), 0.0)
        return np.asarray(weight / weight.sum(axis=0), dtype=np.float32)

    def __call__(self, signals: Floats) -> Floats:
        """(n, A, T) -> (n, A, B, S) power."""
        half = self._frame // 2
        padded = np.pad(signals, ((0, 0), (0, 0), (half, self._frame - half)), mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, self._frame, axis=2)[:, :, :: self._hop]
        frames = frames[:, :, : len(self._over_time)]
        spectrum = fft.rfft(frames * self._bell, n=self._length, axis=3)  # (n, A, frames, F)
        power = spectrum.real**2 + spectrum.imag**2
        bands = np.matmul(power, self._bands)  # (n, A, frames, B)
        return np.asarray(np.matmul(bands.transpose(0, 1, 3, 2), self._over_time))


@dataclass(frozen=True)
class _Group:
    """Bands whose envelopes fit into the same number of points M: bins and weights of the spectrum they take
    (b, M), and their places among all bands.
    """

    places: NDArray[np.int64]
    bins: NDArray[np.int64]
    weights: Floats
    over_time: Floats  # (M, S)


class _Morlet:
    """Complex Morlet wavelets, multiplied in the frequency domain. The envelope of a narrow band needs few
    points, so the way back is as short as the band is narrow.
    """

    def __init__(self, frequencies: NDArray[np.float64], fs_hz: float, rows: int, size: int) -> None:
        self._margin = rows // 4  # mirrored at either end: the transform is circular
        self._length = fft.next_fast_len(rows + 2 * self._margin, real=True)
        step = fs_hz / self._length
        spread = _BELL * frequencies / _MORLET
        first = np.maximum(np.ceil((frequencies - spread) / step), 1).astype(np.int64)
        last = np.minimum(np.floor((frequencies + spread) / step), self._length // 2).astype(np.int64)
        least = 2 * size
        points = np.array([_power_of_two(max(int(n), least)) for n in last - first + 1])
        self._groups = []
        for count in np.unique(points):
            places = np.flatnonzero(points == count)
            bins = first[places, None] + np.arange(count)[None, :]
            bell = np.exp(-0.5 * (_MORLET * (bins * step / frequencies[places, None] - 1.0)) ** 2)
            weights = np.where(bins <= last[places, None], bell, 0.0) * (2.0 / self._length * count)
            start, end = self._margin / self._length, (self._margin + rows) / self._length
            over_time = area_weights(int(count), size, start * count, end * count)
            bins = np.minimum(bins, self._length // 2)
            self._groups.append(_Group(places, bins, np.asarray(weights, dtype=np.float32), over_time))
        self._shape = (len(frequencies), size)

    def __call__(self, signals: Floats) -> Floats:
        """(n, A, T) -> (n, A, B, S) power."""
        n, axes, rows = signals.shape
        after = self._length - rows - self._margin
        padded = np.pad(signals, ((0, 0), (0, 0), (self._margin, after)), mode="reflect")
        spectrum = fft.rfft(padded, axis=2)  # (n, A, F)
        made = np.empty((n, axes, *self._shape), dtype=np.float32)
        for group in self._groups:
            envelope = fft.ifft(spectrum[:, :, group.bins] * group.weights, axis=3, overwrite_x=True)
            power = envelope.real**2 + envelope.imag**2  # (n, A, b, M)
            made[:, :, group.places] = np.matmul(power, group.over_time)
        return made


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()


@dataclass(frozen=True)
class Standard:
    """Mean and standard deviation per axis and band, from normal training windows. (A, S) float32 each."""

    mean: Floats
    spread: Floats

    @classmethod
    def fit(cls, blocks: Iterable[Floats]) -> Standard:
        """Take them over windows and time of blocks of (n, A, S, S) images; sums are float64."""
        total, squares, count = 0.0, 0.0, 0
        for images in blocks:
            exact = images.astype(np.float64)
            total = total + exact.sum(axis=(0, 3))
            squares = squares + np.square(exact).sum(axis=(0, 3))
            count += len(images) * images.shape[3]
        mean = np.asarray(total) / count
        spread = np.sqrt(np.maximum(np.asarray(squares) / count - mean**2, _LEAST_SPREAD**2))
        return cls(mean.astype(np.float32), spread.astype(np.float32))

    def apply(self, images: Floats) -> Floats:
        """Standardise (..., A, S, S) images, cut at +-6."""
        moved = (images - self.mean[..., None]) / self.spread[..., None]
        return np.asarray(np.clip(moved, -CLIP, CLIP))
