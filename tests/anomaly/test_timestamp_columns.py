"""A timestamp column is read by majority, and every cell gets a verdict of its own."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightforge.anomaly.timestamps import StampReader, Times

NEW_YEAR = 1577836800.0  # 2020-01-01 00:00:00 UTC


def read(cells: list[object], name: str = "timestamp", pieces: int = 1) -> Times:
    reader = StampReader(name)
    for piece in np.array_split(np.asarray(cells, dtype=object), pieces):
        reader.feed(pd.Series(list(piece), dtype="str" if cells and isinstance(cells[0], str) else None))
    return reader.finish()


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        (["2020-01-01 00:00:00", "2020-01-01T00:00:01Z", "2020-01-01 01:00:02+01:00"], [0, 1, 2]),
        (["2020/1/1 0:00:00", "2020/01/01 00:00:01", "2020-01-01 00:00:02,5"], [0, 1, 2.5]),
        (["1577836800", "1577836801000", "1577836802000000", "1577836803000000000"], [0, 1, 2, 3]),
        (["20200101000000", "20200101000001"], [0, 1]),
        (["31.12.2019 23:59:59", "01.01.2020 00:00:00"], [-1, 0]),
        (["12/31/2019 11:59:59 PM", "01/01/2020 12:00:00 AM"], [-1, 0]),
        (["31-Dec-2019 23:59:59", "01-Jan-2020 00:00:00"], [-1, 0]),
        (["2020-01-01 00:00:00", "2020-01-01 00:00:01", "01.01.2020 00:00:02"], [0, 1, 2]),
    ],
)
def test_a_date_means_the_same_in_every_spelling(cells: list[str], seconds: list[float]) -> None:
    times = read(cells)
    assert times.epoch and times.unreadable == 0
    np.testing.assert_allclose(times.seconds - NEW_YEAR, seconds, atol=1e-5)


def test_one_number_among_dates_is_the_only_unreadable_cell() -> None:
    times = read(["2020-01-01", "2020-01-02", "17", "sensor lost", "2020-01-05"])
    assert times.epoch
    assert np.isnan(times.seconds).tolist() == [False, False, True, True, False]
    assert (times.unreadable, times.first_unreadable) == (2, 2)


def test_one_date_among_a_count_is_the_only_unreadable_cell() -> None:
    times = read(["0", "1", "2020-01-01", "3"])
    assert not times.epoch
    np.testing.assert_array_equal(times.seconds, [0, 1, np.nan, 3])


@pytest.mark.parametrize(
    ("name", "step"), [("time", 1.0), ("time_ms", 1e-3), ("Timestamp [us]", 1e-6), ("t_s", 1.0)]
)
def test_a_count_is_in_the_unit_its_name_states(name: str, step: float) -> None:
    np.testing.assert_allclose(read(["0", "1", "2"], name).seconds, [0, step, 2 * step])


def test_a_long_count_of_microseconds_is_no_date() -> None:
    times = read([float(v) for v in range(0, 2_000_000_000, 1_000_000)])
    assert not times.epoch


def test_a_decimal_comma_is_a_decimal_comma() -> None:
    np.testing.assert_allclose(read(["0,5", "1,5"]).seconds, [0.5, 1.5])


def test_day_and_month_follow_the_reading_in_which_time_runs_on() -> None:
    days = [f"{day:02d}/02/2020 10:00:00" for day in range(1, 12)]  # both readings parse every cell
    times = read(days)
    np.testing.assert_allclose(np.diff(times.seconds), 86400.0)
    assert times.notes == ()
    months = [f"02/{day:02d}/2020 10:00:00" for day in range(1, 12)]
    np.testing.assert_allclose(read(months).seconds, times.seconds)


def test_an_undecided_day_and_month_is_said() -> None:
    assert "either way" in read(["05/02/2020 10:00:00", "05/02/2020 10:00:01"]).notes[0]


@settings(max_examples=15, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(["2020-01-01 00:00:00", "", "x", "5", "31.12.2019", "1577836800", "nan", "inf"]),
            st.text(max_size=12),
        ),
        max_size=12,
    ),
    st.integers(1, 4),
)
def test_any_text_gives_one_verdict_per_cell_however_it_is_cut(cells: list[str], pieces: int) -> None:
    whole, cut = read(list(cells)), read(list(cells), pieces=pieces)
    assert len(whole.seconds) == len(cells)
    assert whole.unreadable == int(np.isnan(whole.seconds).sum())
    assert not np.isinf(whole.seconds).any()
    np.testing.assert_array_equal(whole.seconds, cut.seconds)
