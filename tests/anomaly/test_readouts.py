"""A readout turns features of normal data into one score per sample, and comes back from its arrays."""

from __future__ import annotations

import numpy as np
import pytest

from nightforge.anomaly.forest import MAX_SAMPLES, Forest
from nightforge.anomaly.mahalanobis import MAX_COMPONENTS, Mahalanobis
from nightforge.anomaly.pca import Pca, lagged
from nightforge.core.errors import InputError


def normal(count: int, features: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(count, features)) @ random.normal(size=(features, features))


def fitted(name: str, samples: np.ndarray) -> Pca | Mahalanobis | Forest:
    if name == "pca":
        return Pca.fit(samples)
    return Mahalanobis.fit(samples) if name == "mahalanobis" else Forest.fit(samples, seed=3)


@pytest.mark.parametrize("name", ["pca", "mahalanobis", "forest"])
def test_the_state_gives_the_same_scores_bit_for_bit(name: str) -> None:
    model = fitted(name, normal(400, 6))
    again = type(model).from_state(model.state())
    fresh = normal(50, 6, seed=1)
    assert model.score(fresh).tobytes() == again.score(fresh).tobytes()


@pytest.mark.parametrize("name", ["pca", "mahalanobis", "forest"])
def test_what_lies_far_outside_scores_above_all_of_the_training_data(name: str) -> None:
    samples = normal(400, 6)
    model = fitted(name, samples)
    far = samples.mean(axis=0) + 30 * samples.std(axis=0)
    assert model.score(far[None])[0] > model.score(samples).max()


@pytest.mark.parametrize("name", ["pca", "mahalanobis", "forest"])
def test_one_sample_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="at least 2 samples"):
        fitted(name, normal(1, 6))


def test_lagged_rows_stand_side_by_side_oldest_first() -> None:
    rows = np.arange(8.0).reshape(4, 2)
    assert lagged(rows, 3).tolist() == [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7]]
    assert lagged(rows, 5).shape == (0, 10)


def test_pca_sees_a_broken_correlation_that_no_single_value_shows() -> None:
    random = np.random.default_rng(0)
    latent = random.normal(size=(500, 1))
    samples = latent + 0.05 * random.normal(size=(500, 3))
    model = Pca.fit(samples)
    assert model.score(np.array([[1.0, -1.0, 1.0]]))[0] > 10 * model.score(np.array([[1.0, 1.0, 1.0]]))[0]


def test_pca_of_samples_that_never_vary_is_refused() -> None:
    with pytest.raises(InputError, match="all of them are equal"):
        Pca.fit(np.ones((5, 3)))


def test_mahalanobis_equals_the_textbook_with_many_samples() -> None:
    samples = np.random.default_rng(0).normal(size=(20_000, 3)) @ np.array(
        [[1, 1, 0], [0, 2, 2], [0, 0, 3.0]]
    )
    away = samples[:9] - samples.mean(axis=0)
    expected = (away @ np.linalg.inv(np.cov(samples.T)) * away).sum(axis=1)
    assert Mahalanobis.fit(samples).score(samples[:9]) ** 2 == pytest.approx(expected, rel=0.01)


def test_mahalanobis_does_not_depend_on_the_unit_of_a_feature() -> None:
    few = normal(60, 40)
    units = 10.0 ** np.arange(40).clip(max=5)
    plain, other = Mahalanobis.fit(few), Mahalanobis.fit(few * units)
    fresh = normal(9, 40, seed=1)
    np.testing.assert_allclose(plain.score(fresh), other.score(fresh * units), rtol=1e-6)


def test_wide_samples_are_reduced_first() -> None:
    model = Mahalanobis.fit(np.random.default_rng(0).normal(size=(400, MAX_COMPONENTS + 40)))
    assert model.basis.shape == (MAX_COMPONENTS + 40, MAX_COMPONENTS)


def test_the_forest_keeps_a_seeded_choice_of_very_many_samples() -> None:
    samples = normal(MAX_SAMPLES + 500, 2)
    forest = Forest.fit(samples, 5)
    assert forest.samples.shape == (MAX_SAMPLES, 2)
    assert len(np.unique(forest.samples, axis=0)) == MAX_SAMPLES
