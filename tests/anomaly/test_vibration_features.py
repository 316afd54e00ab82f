"""Classic features: loudness, peakedness and place in the spectrum, each named, none of them blind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nightforge.anomaly.vibration_features import BANDS, axis_of, band_edges, feature_names, features
from nightforge.core.errors import BadDataError

FS = 2000.0
ROWS = 1000
AXES = ("x", "y", "z")
NAMES = feature_names(AXES, FS, ROWS)


def noise(count: int = 4, seed: int = 0) -> Any:
    return np.random.default_rng(seed).normal(size=(count, ROWS, 3)).astype(np.float32)


def column(values: Any, name: str) -> Any:
    return values[:, NAMES.index(name)]


def test_every_feature_has_a_name_of_its_own() -> None:
    made = features(noise(), FS)
    assert made.shape == (4, 3 * (3 + BANDS)) == (4, len(NAMES))
    assert len(set(NAMES)) == len(NAMES)
    assert [NAMES[n].split()[0] for n in (0, 18, 19, 56)] == [AXES[axis_of(n)] for n in (0, 18, 19, 56)]


def test_twice_the_amplitude_moves_loudness_and_bands_but_no_shape() -> None:
    one, two = (features(np.float32(factor) * noise(), FS) for factor in (1, 2))
    for name in NAMES:
        moved = column(two, name) - column(one, name)
        shape = "kurtosis" in name or "crest" in name
        expected = 0.0 if shape else np.log(2) if "RMS" in name else np.log(4)
        np.testing.assert_allclose(moved, expected, atol=1e-5)


def test_gravity_does_not_count() -> None:
    np.testing.assert_allclose(features(noise() + np.float32(9.81), FS), features(noise(), FS), atol=1e-3)


def test_impulses_show_in_kurtosis_while_loudness_stays() -> None:
    window = noise()
    struck = window.copy()
    struck[:, ::100, 1] += 4.0
    struck[:, :, 1] *= window[:, :, 1].std() / struck[:, :, 1].std()
    before, after = features(window, FS), features(struck, FS)
    assert np.all(column(after, "y kurtosis") > column(before, "y kurtosis") + 0.1)
    assert np.all(np.abs(column(after, "y log RMS") - column(before, "y log RMS")) < 0.05)
    assert np.array_equal(after[:, :19], before[:, :19])


@pytest.mark.parametrize("hz", [12.0, 70.0, 250.0, 700.0])
def test_a_tone_is_strongest_in_the_band_that_names_it(hz: float) -> None:
    window = 0.01 * noise(1)
    window[0, :, 2] += np.sin(2 * np.pi * hz * np.arange(ROWS) / FS)
    band = int(np.searchsorted(band_edges(FS, ROWS), hz)) - 1
    assert features(window, FS)[0, -BANDS:].argmax() == band


def test_a_silent_axis_is_finite_and_a_hole_is_refused() -> None:
    window = noise()
    window[:, :, 0] = 3.0
    assert np.isfinite(features(window, FS)).all()
    window[1, 5, 2] = np.inf
    with pytest.raises(BadDataError, match=r"window 1 .* \(row 5, axis 2\)"):
        features(window, FS)
