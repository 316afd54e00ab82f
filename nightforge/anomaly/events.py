"""From judged windows to events an operator can read: opened by anomalies, held open by warnings, merged.

An event opens where `open_windows` of the last `of_windows` windows are anomalies, stays open until a window
is normal again, joins one that is closer than `merge_gap`, and is dropped when shorter than `min_duration`.
Its first row is that of the first anomalous window: the first that could have caused it. Windows of a file
never join those of another, and an opened event ends with its segment.

Letters: n windows of one segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.recording import Segment
from nightforge.config.anomaly import Events


class State(IntEnum):
    """What is said of a window."""

    NORMAL = 0
    WARN = 1
    ANOMALY = 2

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Track:
    """The judged windows of one segment. All arrays: (n,). rows: the length of a window; reach: how many rows
    before it its score may depend on.
    """

    segment: Segment
    starts: NDArray[np.int64]  # within the segment
    rows: int
    scores: NDArray[np.float64]
    p_values: NDArray[np.float64]
    states: NDArray[np.int8]
    fs_hz: float | None = None
    reach: int = 0

    def first_row(self, window: int) -> int:
        """Return the first row of the segment that the score of a window may depend on."""
        return max(0, int(self.starts[window]) - self.reach)

    def last_row(self, window: int) -> int:
        """Return the last row of a window."""
        return int(self.starts[window]) + self.rows - 1

    def position(self, row: int) -> float:
        """Return where a row of the segment lies: seconds, or the row of the file where no clock ran."""
        if self.segment.times_s is not None:
            return float(self.segment.times_s[row])
        at = float(self.segment.first_row + row)
        return at / self.fs_hz if self.fs_hz else at

    def stamp(self, row: int) -> str | float:
        """Write the position for people: UTC where the clock counts from 1970, else the number."""
        at = self.position(row)
        if not self.segment.epoch or self.segment.times_s is None:
            return round(at, 6)
        text = datetime.fromtimestamp(round(at, 3), UTC).isoformat(timespec="milliseconds")
        return text.removesuffix("+00:00").removesuffix(".000") + "Z"


@dataclass(frozen=True)
class Stretch:
    """Windows first to last (inclusive) of a track that belong to one event; more tracks after a merge."""

    pieces: tuple[tuple[Track, int, int], ...]

    @property
    def begin(self) -> float:
        track, first, _ = self.pieces[0]
        return track.position(track.first_row(first))

    @property
    def end(self) -> float:
        track, _, last = self.pieces[-1]
        return track.position(track.last_row(last))

    @property
    def windows(self) -> int:
        return sum(last - first + 1 for _, first, last in self.pieces)

    def peak(self) -> tuple[Track, int]:
        """Return the window with the highest score, the earliest of equals."""
        found = [(t, first + int(np.argmax(t.scores[first : last + 1]))) for t, first, last in self.pieces]
        return max(found, key=lambda piece: piece[0].scores[piece[1]])


def openings(states: NDArray[np.int8], settings: Events) -> list[tuple[int, int]]:
    """Return first and last window of every event of one segment, in order; they do not overlap."""
    anomalous = states == State.ANOMALY
    counts = np.concatenate([[0], np.cumsum(anomalous)])
    back = np.maximum(np.arange(len(states)) + 1 - settings.of_windows, 0)
    opens = anomalous & (counts[1:] - counts[back] >= settings.open_windows)
    edges = np.diff(np.concatenate([[0], (states > State.NORMAL).astype(np.int8), [0]]))
    found: list[tuple[int, int]] = []
    for run_first, run_end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        opened = np.flatnonzero(opens[run_first:run_end])
        if not len(opened):
            continue
        at = int(run_first + opened[0])
        first = int(back[at] + np.argmax(anomalous[back[at] : at + 1]))
        last = int(run_end - 1)
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], last)
        else:
            found.append((first, last))
    return found


def find_events(tracks: Sequence[Track], settings: Events) -> list[Stretch]:
    """Return the events of one file; `tracks` are its segments in order."""
    merged: list[Stretch] = []
    for track in tracks:
        for first, last in openings(track.states, settings):
            new = Stretch(((track, first, last),))
            if merged and new.begin - merged[-1].end < settings.merge_gap_s:
                merged[-1] = Stretch(merged[-1].pieces + new.pieces)
            else:
                merged.append(new)
    return [stretch for stretch in merged if stretch.end - stretch.begin >= settings.min_duration_s]


def judge(
    scores: NDArray[np.float64], warn: float, anomaly: float, raised: NDArray[np.bool_] | None = None
) -> NDArray[np.int8]:
    """Return the state of every window: strictly above a threshold, or `raised` by a rule of its own."""
    states = (scores > warn).astype(np.int8) + (scores > anomaly).astype(np.int8)
    return np.where(raised, np.int8(State.ANOMALY), states) if raised is not None else states
