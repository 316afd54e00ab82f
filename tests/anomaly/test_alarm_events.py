"""Windows become events: opened by anomalies, held open by warnings, merged, dropped when short."""

from __future__ import annotations

import numpy as np
import pytest

from nightforge.anomaly.events import State, Track, find_events, judge, openings
from nightforge.anomaly.recording import Segment
from nightforge.config.anomaly import Events

ROWS, STRIDE = 8, 4


def track(states: str, first_row: int = 0, times: bool = False, fs_hz: float | None = None) -> Track:
    """One window per letter: n normal, w warn, a anomaly; its score is its place in the alphabet."""
    rows = ROWS + STRIDE * (len(states) - 1)
    stamps = 1_767_225_600.0 + np.arange(rows) if times else None  # 2026-01-01, one row per second
    segment = Segment(
        "line.csv", first_row, np.zeros((rows, 1), np.float32), np.ones((rows, 1), bool), stamps, times
    )
    codes = np.asarray(["nwa".index(letter) for letter in states], dtype=np.int8)
    starts = np.arange(len(states)) * STRIDE
    return Track(segment, starts, ROWS, codes.astype(float), 1.0 / (1.0 + codes), codes, fs_hz)


@pytest.mark.parametrize(
    ("states", "rule", "expected"),
    [
        ("nnnn", (1, 1), []),
        ("wwww", (1, 1), []),  # warnings alone open nothing
        ("nann", (1, 1), [(1, 1)]),
        ("nawwn", (1, 1), [(1, 3)]),  # hysteresis: open until normal
        ("nwwan", (1, 1), [(3, 3)]),  # and it does not reach back over warnings
        ("annna", (1, 1), [(0, 0), (4, 4)]),
        ("aaaa", (1, 1), [(0, 3)]),
        ("nanan", (2, 3), [(1, 3)]),  # the second opens, the first could have caused it
        ("nannan", (2, 3), []),
        ("naann", (2, 2), [(1, 2)]),
        ("aanaa", (2, 4), [(0, 4)]),  # the second opening reaches back into the first: one event
        ("a", (2, 3), []),
        ("", (1, 1), []),
    ],
)
def test_openings(states: str, rule: tuple[int, int], expected: list[tuple[int, int]]) -> None:
    rules = Events(open_windows=rule[0], of_windows=rule[1])
    assert openings(np.asarray(["nwa".index(c) for c in states], dtype=np.int8), rules) == expected


@pytest.mark.parametrize(
    ("gap", "shortest", "expected"),
    [
        (0.0, 0.0, [(4, 11), (20, 27)]),
        (8.0, 0.0, [(4, 11), (20, 27)]),  # 20 - 11 = 9 rows apart
        (9.5, 0.0, [(4, 27)]),
        (0.0, 7.5, []),  # each lasts from row 4 to row 11: 7
        (9.5, 20.0, [(4, 27)]),  # merged first, then measured
    ],
)
def test_events_closer_than_the_gap_are_one_and_short_ones_are_dropped(
    gap: float, shortest: float, expected: list[tuple[int, int]]
) -> None:
    found = find_events([track("nannnan")], Events(merge_gap_s=gap, min_duration_s=shortest))
    assert [(event.begin, event.end) for event in found] == expected


def test_an_event_merges_over_a_gap_in_the_data_and_counts_its_windows() -> None:
    found = find_events([track("nna"), track("ann", first_row=20)], Events(merge_gap_s=6.0))
    assert [(event.begin, event.end, event.windows) for event in found] == [(8.0, 27.0, 2)]


def test_the_peak_is_the_first_of_the_highest_windows() -> None:
    (event,) = find_events([track("nwaawn")], Events())
    assert event.peak()[1] == 2


def test_time_is_that_of_the_data() -> None:
    timed = track("na", times=True)
    assert timed.stamp(0) == "2026-01-01T00:00:00Z"
    (event,) = find_events([timed], Events())
    assert event.end - event.begin == 7.0
    assert track("na", first_row=100, fs_hz=50.0).stamp(10) == 2.2
    assert track("na", first_row=100).stamp(10) == 110.0


def test_an_event_begins_with_the_first_row_its_window_depends_on() -> None:
    plain = track("nna")
    looking_back = Track(**{**vars(plain), "reach": 3})
    assert [find_events([t], Events())[0].begin for t in (plain, looking_back)] == [8.0, 5.0]


def test_a_window_is_flagged_strictly_above_a_threshold() -> None:
    states = judge(np.asarray([1.0, 1.1, 2.0, 2.1]), 1.0, 2.0)
    assert [State(state).word for state in states] == ["normal", "warn", "warn", "anomaly"]
    raised = judge(np.asarray([0.0, 0.0]), 1.0, 2.0, np.asarray([False, True]))
    assert raised.tolist() == [State.NORMAL, State.ANOMALY]
