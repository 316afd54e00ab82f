"""The same detectors on vibration: a bearing fault is seen that changes no root mean square, gain as well."""

from __future__ import annotations

import numpy as np
import pytest

from nightforge.anomaly import synthetic_vib as generator
from nightforge.anomaly.attribution import Attribution
from nightforge.anomaly.detectors import Detectors
from nightforge.anomaly.metrics import auroc
from nightforge.anomaly.profiles import fit_profile
from nightforge.anomaly.recording import Segment
from nightforge.anomaly.views import Cut, View

MACHINE = generator.make_machine(2000.0, 1)
SAMPLES = 4000


def recording(number: int, *faults: generator.Fault) -> Segment:
    values = generator.record(MACHINE, SAMPLES, number, faults)
    return Segment(f"{number}.csv", 0, values, np.ones(values.shape, dtype=bool))


@pytest.fixture(scope="module")
def fitted() -> Detectors:
    train = [recording(n) for n in range(24)]
    blocks = [part.values for part in train]
    profile = fit_profile("swinmae", generator.AXES, blocks, "robust", (1.0 / 2000.0, 2000.0)).profile
    return Detectors.fit(train, View(profile, Cut(1000, 500, 1, 5.0)), None, seed=7)


@pytest.mark.parametrize("kind", ["bearing_outer", "bearing_inner", "gear", "misalignment"])
def test_classic_features_see_the_fault(fitted: Detectors, kind: str) -> None:
    fault = generator.Fault(kind, generator.LEVELS[kind][-1])
    scores = {
        name: [fitted.score(recording(100 + n, *faults), ["features"])["features"] for n in range(6)]
        for name, faults in (("normal", ()), ("faulty", (fault,)))
    }
    normal, faulty = np.concatenate(scores["normal"]), np.concatenate(scores["faulty"])
    labels = np.repeat([False, True], [len(normal), len(faulty)])
    assert auroc(labels, np.concatenate([normal, faulty])) > 0.9


def test_a_window_has_one_sample_and_ends_with_the_recording(fitted: Detectors) -> None:
    part = recording(200)
    starts = fitted.view.starts(part)
    samples = fitted.view.samples(part, starts, np.arange(len(starts)))
    assert starts[-1] + 1000 == SAMPLES and fitted.view.reach == 0
    assert samples.bounds.tolist() == list(range(len(starts)))


def test_the_axis_that_shakes_more_is_to_blame(fitted: Detectors) -> None:
    attribution = Attribution.calibrate(fitted, [recording(n) for n in range(30, 36)])
    random = np.random.default_rng(0)
    for axis in range(3):
        part = recording(210 + axis)
        values = part.values.copy()
        values[:, axis] += random.normal(scale=2 * values[:, axis].std(), size=SAMPLES)
        shaken = Segment("shaken.csv", 0, values, part.observed)
        starts = fitted.view.starts(shaken)
        blame = attribution.blame(shaken, starts, range(len(starts)))
        assert int(np.argmax(blame["distance"])) == axis
