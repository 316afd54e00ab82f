"""Each kind of damage is done where it says, and nowhere else."""

import numpy as np
import pandas as pd
import pytest

from nightforge.anomaly.synthetic_defects import DAMAGE, TEXT, TIME, damage
from nightforge.core.errors import InputError

ROWS = 200
SEED = np.random.SeedSequence(1)


def _table(numeric_time=False):
    stamps = pd.date_range("2026-01-01", periods=ROWS, freq="1s").strftime("%Y-%m-%d %H:%M:%S")
    values = np.random.default_rng(0).standard_normal((ROWS, 3))
    frame = pd.DataFrame(values, columns=["a", "b", "c"])
    frame.insert(0, TIME, np.arange(ROWS) / 100.0 if numeric_time else stamps)
    return frame


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_told_and_the_given_table_stays_as_it_was(kind):
    table = _table(kind in ("irregular_stamps", "wrong_rate"))
    before = table.copy()
    out, told = damage(table, (kind,), SEED)
    again, _ = damage(table, (kind,), SEED)
    assert table.equals(before) and out.equals(again) and not out.equals(before)
    assert told[0]["kind"] == kind


@pytest.mark.parametrize("kind", ["nan_run", "unit_switch", "flat", "clipped", "constant"])
def test_damage_to_a_channel_stays_in_its_channel_and_rows(kind):
    table = _table()
    out, (told,) = damage(table, (kind,), SEED)
    outside = np.ones(ROWS, dtype=bool)
    outside[told["first"] : told["end"]] = False
    for name in ("a", "b", "c"):
        same = (out[name] == table[name]).to_numpy()
        assert same[outside].all() if name == told["channel"] else same.all()


def test_what_each_looks_like():
    table = _table()
    made = {
        kind: damage(table, (kind,), SEED)
        for kind in DAMAGE
        if kind not in ("irregular_stamps", "wrong_rate")
    }
    assert made["nan_run"][0].isna().sum().sum() == 5
    assert (made["text"][0] == TEXT).sum().sum() == 1
    seconds = {
        k: pd.to_datetime(made[k][0][TIME]).diff().dt.total_seconds()
        for k in ("repeated_stamp", "gap", "backward_stamp")
    }
    assert (seconds["repeated_stamp"] == 0).sum() == 4
    assert seconds["gap"].max() == 11 and len(made["gap"][0]) == ROWS - 10
    assert seconds["backward_stamp"].min() < 0
    assert made["mixed_dates"][0][TIME].str.match(r"\d\d\.\d\d\.\d{4} ").sum() == ROWS // 2
    assert len(made["missing_column"][0].columns) == 3
    assert sorted(made["swapped"][0].columns) == sorted(table.columns)
    assert set(made["renamed"][0].columns) - set(table.columns) == {made["renamed"][1][0]["now"]}


def test_numeric_stamps_can_be_irregular_or_of_another_rate():
    table = _table(numeric_time=True)
    shaken = damage(table, ("irregular_stamps",), SEED)[0][TIME].diff().dropna()
    assert shaken.min() > 0 and shaken.std() > 0.001
    assert damage(table, ("wrong_rate",), SEED)[0][TIME].diff().median() == pytest.approx(0.02)


def test_unknown_damage_is_refused():
    with pytest.raises(InputError, match="no damage 'rust'"):
        damage(_table(), ("rust",), SEED)
