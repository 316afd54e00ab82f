"""Thresholds keep the promised rate of false alarms or are refused, and drift is said in words."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from nightforge.anomaly.calibration import Conformal, drift, drift_warnings, drifts, windows_needed
from nightforge.core.errors import InputError


@pytest.mark.parametrize(("alpha", "needed"), [(0.05, 19), (0.01, 99), (0.1, 9), (0.5, 1)])
def test_the_number_of_windows_a_rate_needs(alpha: float, needed: int) -> None:
    scores = np.arange(float(needed))
    assert windows_needed(alpha) == needed
    assert Conformal.of(scores, needed).threshold(alpha) == needed - 1  # the highest
    with pytest.raises(
        InputError, match=f"needs at least {needed} calibration windows.*there are {needed - 1}"
    ):
        Conformal.of(scores, needed - 1).threshold(alpha)


def test_the_threshold_is_the_score_of_the_rule() -> None:
    scores = np.random.default_rng(0).permutation(200).astype(float)
    # ceil(201 * 0.95) = 191 and ceil(201 * 0.99) = 199: the 191st and 199th smallest of 0 to 199
    assert [Conformal.of(scores, 200).threshold(alpha) for alpha in (0.05, 0.01)] == [190.0, 198.0]


@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_the_rate_holds_on_exchangeable_scores(alpha: float) -> None:
    """Mean over 400 splits of the realised rate; its standard error is below a tenth of alpha."""
    random = np.random.default_rng(1)
    rates = []
    for _ in range(400):
        scores = random.lognormal(size=150 + 400)
        found = Conformal.of(scores[:150], 150)
        rates.append(np.mean(scores[150:] > found.threshold(alpha)))
    assert 0.5 * alpha < np.mean(rates) < alpha + 2 * np.std(rates) / 20


@settings(max_examples=60, deadline=None)
@given(some.lists(some.integers(0, 6), min_size=99, max_size=140), some.integers(-1, 7))
def test_a_window_is_flagged_exactly_when_its_p_value_is_at_most_alpha(values: list[int], score: int) -> None:
    """Also where scores are equal to one another."""
    found = Conformal.of(np.asarray(values, dtype=float), len(values))
    p = found.p_values(np.asarray([float(score)]))[0]
    for alpha in (0.05, 0.01):
        flagged = score > found.threshold(alpha)
        assert flagged == (p <= alpha + 1e-12)


def test_p_values_count_the_calibration_scores_at_or_above() -> None:
    found = Conformal.of(np.asarray([3.0, 1.0, 2.0, 2.0]), 4)
    assert found.p_values(np.asarray([0.0, 2.0, 3.0, 9.0])).tolist() == [1.0, 0.8, 0.4, 0.2]


def test_a_score_that_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="not a finite number"):
        Conformal.of(np.asarray([1.0, np.nan]), 2)


def test_drift_is_silent_on_the_same_law_and_said_for_the_channel_that_moved() -> None:
    random = np.random.default_rng(2)
    before, after = random.normal(size=(300, 3)), random.normal(size=(200, 3))
    assert drift_warnings(drifts(("a", "b", "c"), before, after), "training", "this batch") == []
    after[:, 1] += 2.0
    (words,) = drift_warnings(drifts(("a", "b", "c"), before, after), "training", "this batch")
    assert words.startswith("b has moved between training and this batch: its median by +1.")


def test_a_small_shift_of_very_many_windows_is_not_worth_a_warning() -> None:
    random = np.random.default_rng(3)
    found = drift("a", random.normal(size=100_000), random.normal(0.1, 1.0, size=100_000))
    assert found.p_value < 1e-9
    assert not found.is_large(1)


def test_drift_of_nothing_is_nothing() -> None:
    assert drifts(("a",), np.empty((0, 1)), np.ones((5, 1))) == []
