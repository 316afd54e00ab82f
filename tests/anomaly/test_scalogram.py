"""Scalograms show a tone where it is, loudness as it is, no phase, and refuse what a window cannot carry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nightforge.anomaly.scalogram import CLIP, Scalogram, Standard, area_weights
from nightforge.config.anomaly import Image, SwinMae, Transform, VibrationData
from nightforge.core.errors import BadDataError, ConfigError, InputError

FS = 2000.0
ROWS = 1000
BACKENDS = ("stft", "morlet")


def transform(backend: str, rows: int = ROWS, size: int = 32, **cwt: Any) -> Scalogram:
    return Scalogram(SwinMae(cwt=Transform(backend=backend, **cwt), image=Image(size=size)), FS, rows)


def tone(hz: float, amplitude: float = 1.0, phase: float = 0.0, rows: int = ROWS) -> Any:
    """One window whose three axes are the same sine on an offset of gravity."""
    wave = amplitude * np.sin(2 * np.pi * hz * np.arange(rows) / FS + phase) + 9.81
    return np.repeat(wave[None, :, None], 3, axis=2).astype(np.float32)


def noise(count: int, seed: int = 0, rows: int = ROWS) -> Any:
    return np.random.default_rng(seed).normal(size=(count, rows, 3)).astype(np.float32)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("hz", [20.0, 45.0, 110.0, 300.0, 650.0])
def test_a_tone_lands_in_its_band(backend: str, hz: float) -> None:
    made = transform(backend, n_freqs=32)
    strongest = made.images(tone(hz))[0].mean(axis=2).argmax(axis=1)
    nearest = np.abs(np.log(made.frequencies / hz)).argmin()
    assert np.all(np.abs(strongest - nearest) <= 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_tone_that_begins_halfway_is_in_the_later_columns(backend: str) -> None:
    window = tone(300.0) - 9.81
    window[:, : ROWS // 2] = 0.0
    made = transform(backend, n_freqs=32)
    image = made.images(window)[0, 0, np.abs(made.frequencies - 300.0).argmin()]
    assert image[24:].mean() > image[:8].mean() + 2.0


@pytest.mark.parametrize("backend", BACKENDS)
def test_twice_the_amplitude_raises_every_pixel_by_the_logarithm_of_2(backend: str) -> None:
    window = noise(1)
    one, two = (transform(backend).images(np.float32(factor) * window) for factor in (1, 2))
    np.testing.assert_allclose(two - one, np.log(2), atol=2e-3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_shift_of_phase_is_nearly_invisible(backend: str) -> None:
    made = transform(backend, size=32)
    standard = Standard.fit([made.images(noise(40) + tone(120.0))])
    one, other = (
        standard.apply(made.images(noise(1, seed=9) + 5 * tone(120.0, phase=phase)))[0, 0]
        for phase in (0.0, 2.0)
    )
    band = np.abs(made.frequencies - 120.0).argmin() // 2  # 64 bands in 32 rows
    inner = slice(8, 24)  # away from the ends, where the mirrored signal has a kink
    assert np.abs(one[band, inner] - other[band, inner]).max() < 0.1 * np.abs(one[band, inner]).mean()


def test_standardised_training_images_have_mean_0_and_deviation_1_per_axis_and_band() -> None:
    made = transform("stft")
    images = made.images(noise(60) * np.float32([1.0, 5.0, 0.2]))
    whole, in_two = Standard.fit([images]), Standard.fit([images[:25], images[25:]])
    np.testing.assert_allclose(whole.mean, in_two.mean, rtol=1e-6, atol=1e-6)
    seen = whole.apply(images)
    np.testing.assert_allclose(seen.mean(axis=(0, 3)), 0.0, atol=0.02)
    np.testing.assert_allclose(seen.std(axis=(0, 3)), 1.0, atol=0.05)
    louder = whole.apply(made.images(noise(5, seed=3) * np.float32([2.0, 10.0, 0.4])))
    assert louder.mean() > 1.0
    silent = whole.apply(made.images(np.zeros((1, ROWS, 3), dtype=np.float32)))
    assert np.all(silent == -CLIP)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_window_gives_the_same_image_alone_and_among_others(backend: str) -> None:
    made, windows = transform(backend), noise(11)
    together = made.images(windows)
    assert np.array_equal(together, made.images(windows))
    assert np.array_equal(together, np.concatenate([made.images(windows[n : n + 1]) for n in range(11)]))
    assert together.shape == (11, 3, 32, 32)
    assert together.dtype == np.float32


@pytest.mark.parametrize(
    ("cwt", "rows", "said"),
    [
        ({"freq_min": 7.0}, ROWS, r"freq_min 7 Hz has less than 4 periods .* least 8 Hz.* \(0\.571429 s\)"),
        ({"freq_max": 900.0}, ROWS, r"freq_max 900 Hz is above 0\.4 of .* rate 2000 Hz; use at most 800"),
        ({"freq_min": 500.0, "freq_max": 400.0}, ROWS, "frequency 500 Hz is not below the highest 400"),
        ({}, 9, "the lowest frequency 888.889 Hz is not below the highest 800 Hz in a window of 9 samples"),
        ({}, 20, r"a window of 20 samples at 2000 Hz is shorter than swinmae\.image\.size 32"),
    ],
)  # fmt: skip
def test_frequencies_the_window_or_rate_cannot_carry_are_refused(
    cwt: dict[str, float], rows: int, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        transform("stft", rows, **cwt)


def test_a_window_of_another_length_or_with_a_hole_is_refused() -> None:
    made = transform("stft")
    with pytest.raises(InputError, match=r"\(2, 999, 3\); this transform takes \(n, 1000, axes\)"):
        made.images(noise(2, rows=999))
    broken = noise(3)
    broken[2, 17, 1] = np.nan
    with pytest.raises(BadDataError, match=r"window 2 holds a value that is not a number \(row 17, axis 1\)"):
        made.images(broken)


def test_area_weights_average_without_loss() -> None:
    np.testing.assert_allclose(area_weights(5, 2).T @ np.arange(5.0), [0.8, 3.2])
    np.testing.assert_allclose(area_weights(2, 4).T @ [1.0, 3.0], [1, 1, 3, 3])
    np.testing.assert_allclose(area_weights(4, 2, 1.0, 3.0).T @ np.arange(4.0), [1, 2])


def test_without_the_logarithm_pixels_are_amplitudes() -> None:
    settings = SwinMae(
        cwt=Transform(backend="morlet", log_mag=False), data=VibrationData(), image=Image(size=32)
    )
    made = Scalogram(settings, FS, ROWS)
    assert made.images(tone(110.0, amplitude=3.0)).max() == pytest.approx(3.0, rel=0.1)


@pytest.mark.slow
def test_the_benchmark_measures_every_transform() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, str(root / "benchmarks" / "scalogram.py"), "--repeats", "1"],
        capture_output=True, text=True, cwd=root,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    assert all(f"| {name} |" in done.stdout for name in ("stft", "morlet", "stft_224", "morlet_224", "pywt"))
