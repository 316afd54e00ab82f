"""All detectors go one way: fit, score, back from arrays; every row is judged; blame finds its channel."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from nightforge.anomaly import synthetic_fdc as generator
from nightforge.anomaly.attribution import Attribution
from nightforge.anomaly.detectors import Detectors, Encoder, needs_network
from nightforge.anomaly.fusion import Reference
from nightforge.anomaly.recording import Profile, Segment
from nightforge.anomaly.views import Cut, View
from nightforge.core.errors import InputError

PLANT = generator.make_plant(6, 3)
CUT = Cut(rows=16, stride=4, lags=8, clip=5.0)


def segment(number: int, rows: int = 600, faults: tuple[generator.Fault, ...] = ()) -> Segment:
    values = generator.record(PLANT, rows, number, faults)
    return Segment(f"{number}.csv", 0, values, np.ones(values.shape, dtype=bool))


def profile(stream: str = "patchtst", constant: tuple[str, ...] = ()) -> Profile:
    rows = np.concatenate([segment(n).values for n in range(3)]).astype(float)
    return Profile(
        stream=stream,
        channels=PLANT.names,
        center=tuple(rows.mean(axis=0).tolist()),
        scale=tuple(rows.std(axis=0).tolist()),
        fill=tuple(rows.mean(axis=0).tolist()),
        minimum=tuple(rows.min(axis=0).tolist()),
        maximum=tuple(rows.max(axis=0).tolist()),
        constant=constant,
    )


@dataclass(frozen=True)
class Means:
    """An encoder without a network: a window's embedding is the mean and the deviation of each channel."""

    profile: Profile
    rows: int = CUT.rows
    stream: str = "patchtst"
    name: str = "patchtst"
    hash: str = "means"

    def embed(self, windows: np.ndarray) -> np.ndarray:
        scaled = (windows - np.asarray(self.profile.center)) / np.asarray(self.profile.scale)
        return np.concatenate([scaled.mean(axis=1), scaled.std(axis=1)], axis=1)

    def attribute(self, windows: np.ndarray) -> np.ndarray:
        return ((windows - np.asarray(self.profile.center)) / np.asarray(self.profile.scale)) ** 2


@pytest.fixture(scope="module")
def fitted() -> Detectors:
    known = profile()
    encoder: Encoder = Means(known)
    return Detectors.fit([segment(n) for n in range(3)], View(known, CUT), encoder, seed=7)


def test_every_detector_has_a_score_for_every_window(fitted: Detectors) -> None:
    assert fitted.names == ("pca", "iforest", "features", "patchtst", "fused")
    scores = fitted.score(segment(9, 203), fitted.names)
    windows = (203 - 16) // 4 + 2  # the last one ends at the last row
    assert {name: (len(found), bool(np.isfinite(found).all())) for name, found in scores.items()} == {
        name: (windows, True) for name in fitted.names
    }


def test_scoring_again_and_from_the_arrays_gives_the_same_bits(fitted: Detectors) -> None:
    again = Detectors.from_arrays(fitted.arrays(), fitted.view, fitted.encoder)
    first, second, third = (d.score(segment(9), d.names) for d in (fitted, fitted, again))
    for name in fitted.names:
        assert first[name].tobytes() == second[name].tobytes() == third[name].tobytes()


def test_no_row_is_left_out(fitted: Detectors) -> None:
    """A spike in any row, the first and the tail included, is seen by the lagged detectors."""
    view = fitted.view
    plain = segment(9, 61)
    normal = fitted.score(plain, ["features"])["features"]
    for row in range(61):
        values = plain.values.copy()
        values[row, 2] += 40 * view.profile.scale[2]
        found = fitted.score(replace(plain, values=values), ["features"])["features"]
        assert (found > normal + 1.0).any(), row


def test_a_score_is_the_largest_over_the_rows_no_earlier_window_has_judged(fitted: Detectors) -> None:
    view, some = fitted.view, segment(9, 61)
    starts = view.starts(some)
    samples = view.samples(some, starts, np.arange(len(starts)))
    rows = 61 - CUT.lags + 1  # every row with all its lags, once
    assert len(samples.matrix) == rows
    assert samples.bounds.tolist() == [0, *range(9, rows - 1, 4), rows - 1]


def test_chunks_do_not_change_a_score(fitted: Detectors, monkeypatch: pytest.MonkeyPatch) -> None:
    some = segment(9)
    whole = fitted.score(some, fitted.names)
    monkeypatch.setattr(View, "chunks", lambda self, n: (np.arange(i, min(i + 7, n)) for i in range(0, n, 7)))
    parts = fitted.score(some, fitted.names)
    for name in fitted.names:
        np.testing.assert_allclose(parts[name], whole[name], rtol=1e-9)


def test_without_a_network_only_the_classic_detectors_score() -> None:
    found = Detectors.fit([segment(n) for n in range(3)], View(profile(), CUT), None, seed=7)
    assert found.names == ("pca", "iforest", "features")
    assert not any(needs_network(name) for name in found.names)


def test_an_encoder_of_other_windows_or_another_profile_is_refused() -> None:
    known = profile()
    with pytest.raises(InputError, match="takes windows of 32 rows, the settings say 16"):
        Detectors.fit([segment(0)], View(known, CUT), Means(known, rows=32), seed=7)
    other = Means(profile(constant=(PLANT.names[0],)))
    with pytest.raises(InputError, match="another channel profile"):
        Detectors.fit([segment(0)], View(known, CUT), other, seed=7)


def test_too_few_windows_are_refused_with_their_number() -> None:
    with pytest.raises(InputError, match="holds 3 windows of 16 rows; detectors need at least 20"):
        Detectors.fit([segment(0, 24)], View(profile(), CUT), None, seed=7)


@pytest.mark.parametrize("kind", ["step", "noise", "decoupling", "gain"])
def test_blame_goes_to_the_channel_with_the_fault(fitted: Detectors, kind: str) -> None:
    attribution = Attribution.calibrate(fitted, [segment(n) for n in (20, 21)])
    for channel in range(6):
        fault = generator.Fault(
            kind, channel, 200, 500, generator.LEVELS[kind][-1] * 1.5 if kind != "decoupling" else 1.0
        )
        some = segment(30 + channel, faults=(fault,))
        starts = fitted.view.starts(some)
        inside = np.flatnonzero((starts >= 210) & (starts < 480))
        blame = attribution.blame(some, starts, inside.tolist())
        assert int(np.argmax(blame["distance"])) == channel
        assert blame["rebuilding"].shape == (6,)


def test_a_constant_channel_takes_no_part_and_its_change_is_noticed() -> None:
    known = replace_constant(profile(constant=(PLANT.names[1],)), 1, 5.0)
    view = View(known, CUT)
    some = segment(9, 60)
    values = some.values.copy()
    values[:, 1] = 5.0
    assert not view.moved(replace(some, values=values), view.starts(some)).any()
    values[30:, 1] = 5.01
    moved = view.moved(replace(some, values=values), view.starts(some))[:, 0]
    assert moved.tolist() == [bool(start + 16 > 30) for start in view.starts(some)]
    assert 1 not in view.channel_of()


def replace_constant(known: Profile, channel: int, value: float) -> Profile:
    import msgspec

    low, high = list(known.minimum), list(known.maximum)
    low[channel] = high[channel] = value
    return msgspec.structs.replace(known, minimum=tuple(low), maximum=tuple(high))


def test_a_stream_of_constant_channels_only_is_refused() -> None:
    with pytest.raises(InputError, match="every channel was constant"):
        View(profile(constant=PLANT.names), CUT)


def test_surprise_grows_with_the_score_without_an_end() -> None:
    reference = Reference.of(np.random.default_rng(0).exponential(size=500))
    found = reference.surprise(np.asarray([0.0, 1.0, 2.5, 5.0, 50.0]))
    assert (np.diff(found) > 0).all()
    assert found[2] == pytest.approx(2.5, abs=0.4)  # of an exponential law, -log p is the score itself
