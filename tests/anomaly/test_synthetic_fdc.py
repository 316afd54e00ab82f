"""The sensor generator: same seed, same bytes; what the truth says is so; faults are hard, not hopeless."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from nightforge.anomaly import synthetic_fdc as fdc
from nightforge.core.errors import InputError

ROWS = 600


def _sd(plant, values):
    return (values - plant.offset) / plant.unit


def _deviation(plant, values, lags=10):
    """Lagged rows against a covariance of normal rows: a plain reading of the relations between channels."""
    x = _sd(plant, values)
    x = np.concatenate([x[k : len(x) - lags + 1 + k] for k in range(lags)], axis=1)
    return np.concatenate([np.repeat(x[:1], lags - 1, axis=0), x])


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        fdc.write_files(tmp_path / name, channels=8, rows=ROWS, seed=seed, files=2)
    names = sorted(p.relative_to(tmp_path / "a").as_posix() for p in (tmp_path / "a").rglob("*.csv"))
    assert len(names) == 2 + 1 + len(fdc.KINDS) + 1
    for name in (*names, "truth.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name
        assert (tmp_path / "a" / name).read_bytes() != (tmp_path / "c" / name).read_bytes(), name


def test_a_file_does_not_depend_on_which_files_were_made_before_it():
    plant = fdc.make_plant(6, 1)
    alone = fdc.record(plant, 100, 5)
    fdc.record(plant, 50, 4)
    assert np.array_equal(alone, fdc.record(plant, 100, 5))
    assert not np.array_equal(alone, fdc.record(plant, 100, 6))


@pytest.mark.parametrize("kind", fdc.KINDS)
def test_a_fault_changes_its_channel_in_its_rows_and_nothing_else(kind):
    plant = fdc.make_plant(8, 2)
    fault = fdc.random_fault(plant, kind, ROWS, 9)
    changed = fdc.record(plant, ROWS, 9, [fault]) != fdc.record(plant, ROWS, 9)
    inside = fdc.labels(ROWS, [fault])
    assert not changed[~inside].any()
    assert set(np.flatnonzero(changed.any(axis=0))) == {fault.channel}
    enough = 0.05 if kind == "spike" else 0.9
    assert changed[inside, fault.channel].mean() > enough


def test_normal_channels_have_the_deviation_that_magnitudes_are_measured_in():
    plant = fdc.make_plant(8, 5)
    normal = np.concatenate([_sd(plant, fdc.record(plant, 2000, n)) for n in range(10)])
    assert np.allclose(normal.std(axis=0), 1.0, atol=0.1)
    assert np.allclose(normal.mean(axis=0), 0.0, atol=0.15)


def test_a_decoupled_channel_looks_normal_alone_and_not_beside_its_group():
    alone, step, together = [], [], []
    for seed in range(4):
        plant = fdc.make_plant(8, seed)
        normal = np.concatenate([_deviation(plant, fdc.record(plant, 2000, n)) for n in range(3)])
        mean, inverse = normal.mean(axis=0), np.linalg.inv(np.cov(normal.T))
        for number in range(10, 18):
            fault = fdc.random_fault(plant, "decoupling", ROWS, number)
            values = fdc.record(plant, ROWS, number, [fault])
            truth, own = fdc.labels(ROWS, [fault]), _sd(plant, values)[:, fault.channel]
            alone.append(roc_auc_score(truth, np.abs(own)))
            step.append(roc_auc_score(truth, np.abs(np.diff(own, prepend=own[0]))))
            x = _deviation(plant, values) - mean
            together.append(roc_auc_score(truth, np.einsum("td,de,te->t", x, inverse, x, optimize=True)))
    assert abs(np.mean(alone) - 0.5) < 0.04
    assert abs(np.mean(step) - 0.5) < 0.04
    assert 0.75 < np.mean(together) < 0.97


def test_two_modes_and_a_drift_are_there_when_asked_for():
    still, moving = fdc.make_plant(4, 1), fdc.make_plant(4, 1, drift=1.0, modes=2)
    rows = [fdc.record(plant, 8000, 0) for plant in (still, moving)]
    late = [
        _sd(p, v)[-2000:].mean() - _sd(p, v)[:2000].mean() for p, v in zip((still, moving), rows, strict=True)
    ]
    assert late[1] - late[0] > 3.0
    assert _sd(moving, fdc.record(fdc.make_plant(4, 1, modes=2), 8000, 0)).std(axis=0).min() > 1.05


def test_the_truth_names_rows_channels_and_damage_of_each_file(tmp_path):
    fdc.write_files(tmp_path, channels=8, rows=ROWS, seed=3, files=1)
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert truth["generator"] == "synthetic_fdc" and truth["seed"] == 3
    assert sorted(truth["files"]) == sorted(
        p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*.csv")
    )
    for name, told in truth["files"].items():
        frame = pd.read_csv(tmp_path / name)
        assert list(frame.columns) == ["timestamp", *truth["channels"]]
        assert len(frame) == told["rows"]
        assert [f["kind"] for f in told["faults"]] == [k for k in fdc.KINDS if k in name]
    damage = {d["kind"]: d for d in truth["files"]["test/damaged_000.csv"]["defects"]}
    frame = pd.read_csv(tmp_path / "test/damaged_000.csv")
    run = damage["nan_run"]
    assert pd.to_numeric(frame[run["channel"]], errors="coerce").isna().sum() >= 1
    jump = pd.to_datetime(frame["timestamp"]).diff().dt.total_seconds()
    assert jump.max() == damage["gap"]["rows_missing"] + 1


def test_what_cannot_be_made_is_refused_with_the_reason():
    plant = fdc.make_plant(1, 0)
    with pytest.raises(InputError, match="alone in its group"):
        fdc.random_fault(plant, "decoupling", 100, 0)
    with pytest.raises(InputError, match="outside of 50 rows"):
        fdc.record(plant, 50, 0, [fdc.Fault("step", 0, 40, 60, 1.0)])
    with pytest.raises(InputError, match="no fault kind 'leak'"):
        fdc.record(plant, 50, 0, [fdc.Fault("leak", 0, 0, 10, 1.0)])
    with pytest.raises(InputError, match="at least one channel"):
        fdc.make_plant(0, 0)


def test_one_channel_and_few_rows_still_make_files(tmp_path):
    fdc.write_files(tmp_path, channels=1, rows=40, seed=0, files=1)
    assert "decoupling" not in (tmp_path / "truth.json").read_text()
