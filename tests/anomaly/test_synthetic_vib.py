"""The vibration generator: same seed, same bytes; fault frequencies where the truth says; low faults hidden
from the root mean square.
"""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from nightforge.anomaly import synthetic_vib as vib
from nightforge.core.errors import InputError

FS = 2000.0


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        vib.write_files(tmp_path / name, fs=200.0, samples=1600, seed=seed)
    names = sorted(p.relative_to(tmp_path / "a").as_posix() for p in (tmp_path / "a").rglob("*.csv"))
    assert len(names) == 2 + 4 + len(vib.KINDS) + 1
    for name in (*names, "truth.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes(), name


@pytest.mark.parametrize("kind", vib.KINDS)
def test_a_fault_changes_the_samples_it_is_said_to_last_for(kind):
    machine = vib.make_machine(FS, 1)
    fault = vib.Fault(kind, vib.LEVELS[kind][-1], 1000, 3000)
    changed = (vib.record(machine, 4000, 3, [fault]) != vib.record(machine, 4000, 3)).any(axis=1)
    assert not changed[:1000].any() and not changed[3000:].any()
    assert changed[1000:3000].mean() > 0.5  # a gear fault acts once a turn


@pytest.mark.parametrize("kind", [k for k in vib.KINDS if k != "gain"])
def test_a_strength_is_the_share_of_the_normal_vibration(kind):
    machine = vib.make_machine(FS, 2)
    normal = vib.record(machine, 8000, 0).astype(np.float64)
    added = vib.record(machine, 8000, 0, [vib.Fault(kind, 0.3)]) - normal
    unmixed = [x @ np.linalg.inv(machine.mixing).T for x in (added, normal - machine.gravity)]
    assert np.sqrt(np.mean(unmixed[0] ** 2) / np.mean(unmixed[1] ** 2)) == pytest.approx(0.3, rel=1e-3)


@pytest.mark.parametrize("kind,frequency", [("bearing_outer", "bpfo_hz"), ("bearing_inner", "bpfi_hz")])
def test_a_bearing_rings_its_resonance_at_its_own_rate(kind, frequency):
    machine = vib.make_machine(FS, 4)
    added = vib.record(machine, 64000, 0, [vib.Fault(kind, 1.0)], 0.7) - vib.record(
        machine, 64000, 0, (), 0.7
    )
    spectrum = np.abs(np.fft.rfft(added[:, 1]))
    assert abs(np.fft.rfftfreq(64000, 1 / FS)[spectrum.argmax()] - machine.resonance_hz) < 60.0
    envelope = np.abs(np.fft.rfft(np.abs(added[:, 1]) - np.abs(added[:, 1]).mean()))
    hz = np.fft.rfftfreq(64000, 1 / FS)
    envelope[hz < 1.5 * machine.shaft_hz] = 0.0  # the inner ring's faults also come and go with the shaft
    assert abs(hz[envelope.argmax()] / getattr(machine, frequency) - 1.0) < 0.02


def test_a_low_bearing_fault_is_hidden_from_the_root_mean_square_and_not_from_the_spectrum():
    machine = vib.make_machine(FS, 0)

    def features(number, faults=()):
        x = vib.record(machine, 8000, number, faults).astype(np.float64)
        x -= x.mean(axis=0)
        power = np.abs(np.fft.rfft(x, axis=0)) ** 2
        hz = np.fft.rfftfreq(8000, 1 / FS)
        near = power[(hz > 0.8 * machine.resonance_hz) & (hz < 1.2 * machine.resonance_hz)]
        return np.log(x.std(axis=0)).mean(), np.log(near.mean(axis=0)).mean()

    normal = [features(n) for n in range(30)]
    faulty = [
        features(100 + n, [vib.Fault("bearing_outer", vib.LEVELS["bearing_outer"][-1])]) for n in range(30)
    ]
    truth = np.repeat([0, 1], 30)
    by_size, by_band = np.array([*normal, *faulty]).T
    assert abs(roc_auc_score(truth, by_size) - 0.5) < 0.2
    assert roc_auc_score(truth, by_band) > 0.9


def test_the_truth_tells_rate_load_and_frequencies(tmp_path):
    vib.write_files(tmp_path, fs=FS, samples=10000, seed=5)
    truth = json.loads((tmp_path / "truth.json").read_text())
    machine = vib.make_machine(FS, 5)
    assert truth["fault_hz"]["bpfo"] == pytest.approx(machine.bpfo_hz)
    for name, told in truth["files"].items():
        frame = pd.read_csv(tmp_path / name)
        assert list(frame.columns) == ["timestamp", "x", "y", "z"] and len(frame) == told["rows"] == 8000
        assert 1.0 / frame["timestamp"].diff().median() == pytest.approx(told["fs_hz"])
        assert vib.LOADS[0] <= told["load"] <= vib.LOADS[1]
        assert [f["kind"] for f in told["faults"]] == [k for k in vib.KINDS if f"{k}_0" in name]


def test_an_unknown_fault_is_refused():
    with pytest.raises(InputError, match="no fault kind 'leak'"):
        vib.record(vib.make_machine(FS, 0), 100, 0, [vib.Fault("leak", 1.0)])
