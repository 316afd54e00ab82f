"""Whatever the lengths and shares, the four parts are disjoint, in order, apart, and long enough to use."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightforge.anomaly.columns import axis_columns, closest, stamp_column
from nightforge.anomaly.holes import SHORT_HOLE, filled, interpolated, runs, unusable
from nightforge.anomaly.prepared import pieces
from nightforge.anomaly.recording import PARTS
from nightforge.anomaly.split import Shares, by_recording, divide, in_time, rows_needed, shares_of

PLAN = Shares((0.6, 0.1, 0.15, 0.15), 32, 42)


@given(
    st.integers(0, 3000),
    st.tuples(*[st.floats(0, 1)] * 4).filter(lambda s: sum(s) > 0.1),
    st.integers(1, 200),
    st.integers(0, 200),
)
def test_parts_are_disjoint_in_order_apart_and_hold_a_window(
    rows: int, weights: tuple[float, float, float, float], window: int, gap: int
) -> None:
    total = sum(weights)
    shares = shares_of(*(weight / total for weight in weights[:3]))
    found = in_time(rows, Shares(shares, window, gap))
    spans = [found.ranges[part] for part in PARTS if part in found.ranges]
    assert all(0 <= first and first + window <= end <= rows for first, end in spans)
    assert all(later[0] - earlier[1] >= gap for earlier, later in itertools.pairwise(spans))
    assert (found.state == "too_short") == (rows < window)
    assert bool(found.note) == (found.state != "divided")


@given(st.integers(1, 300), st.integers(0, 300))
def test_the_rows_named_as_needed_are_enough(window: int, gap: int) -> None:
    plan = Shares((0.6, 0.1, 0.15, 0.15), window, gap)
    assert in_time(rows_needed(plan), plan).state == "divided"
    assert in_time(rows_needed(plan) - 12, plan).state != "divided"


@given(st.lists(st.integers(0, 100), min_size=4, max_size=60))
def test_every_usable_recording_belongs_to_one_part(lengths: list[int]) -> None:
    splits = by_recording(lengths, PLAN)
    assert [len(found.ranges) for found in splits] == [int(rows >= 32) for rows in lengths]
    order = [PARTS.index(next(iter(found.ranges))) for found in splits if found.ranges]
    assert order == sorted(order)
    if len(order) >= 4:
        assert set(order) == {0, 1, 2, 3}


def test_seven_recordings_are_too_few_to_be_given_away_whole() -> None:
    assert {found.state for found in divide([1000] * 7, PLAN, True)} == {"divided"}
    assert {found.state for found in divide([1000] * 8, PLAN, True)} == {"whole"}


def test_pieces_leave_out_masked_rows_and_begin_at_breaks() -> None:
    assert pieces(10, 100, [5, 40, 100], [[0, 12], [60, 70]]) == [(12, 40), (40, 60), (70, 100)]
    assert pieces(10, 20, [], [[0, 50]]) == []


@given(
    st.lists(st.integers(0, 60), max_size=8),
    st.lists(st.booleans(), min_size=60, max_size=60),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_pieces_hold_exactly_the_rows_that_are_not_masked(
    breaks: list[int], mask: list[bool], first: int, length: int
) -> None:
    hidden = np.asarray(mask)
    end = first + length
    found = pieces(first, end, breaks, [list(span) for span in runs(hidden)])
    rows = [row for a, b in found for row in range(a, b)]
    assert rows == [row for row in range(first, end) if not hidden[row]]
    assert not any(a < row < b for a, b in found for row in breaks)


def test_holes_up_to_the_limit_are_bridged_and_ends_repeat_their_neighbour() -> None:
    column = np.asarray([np.nan, 1, *[np.nan] * SHORT_HOLE, 7, *[np.nan] * (SHORT_HOLE + 1), 9], np.float32)
    values, observed = filled(column[:, None], [-1.0])
    np.testing.assert_allclose(values[:8, 0], [1, 1, 2, 3, 4, 5, 6, 7])
    assert (values[8 : 8 + SHORT_HOLE + 1, 0] == -1).all()
    np.testing.assert_array_equal(observed[:, 0], np.isfinite(column))
    assert np.isnan(interpolated(column[:, None], 0)).sum() == np.isnan(column).sum()


def test_rows_are_unusable_when_nothing_or_not_everything_is_measured() -> None:
    values = np.ones((30, 2), np.float32)
    values[2:12, 0] = np.nan
    values[20:28] = np.nan
    assert unusable(values, needs_all=False) == [[20, 28]]
    assert unusable(values, needs_all=True) == [[2, 12], [20, 28]]


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [
        (["a", "Timestamp"], None, 1),
        (["time", "TIMESTAMP (ms)"], None, 1),
        (["Date_Time", "x"], None, 0),
        (["temperature", "T"], None, None),
        (["time", "clock"], "clock", 1),
        (["time", "clock"], "Clock", None),
    ],
)
def test_the_timestamp_column_is_found_by_name(
    names: list[str], wanted: str | None, expected: int | None
) -> None:
    assert stamp_column(names, wanted) == expected


def test_a_plain_axis_wins_over_a_longer_name() -> None:
    assert axis_columns(["acc_x", "x", "y", "z", "zone", "xylophone"]) == {"x": 1, "y": 2, "z": 3}


def test_the_closest_name_is_found_across_spellings() -> None:
    assert closest("Volume Flow RateRMS", ["volume_flow_rate_rms", "Voltage"]) == "volume_flow_rate_rms"
    assert closest("pressure", ["x1", "q"]) is None
