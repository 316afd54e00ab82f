"""The files of one stream's decisions, written as they come: `<stream>_events.csv`, `<stream>_events.json`
(fields of facts 1.10), `<stream>_alarms.csv` (the event layer), `chart_<stream>.json` (for the page).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from nightforge.anomaly.calibrated import Limits
from nightforge.anomaly.events import State, Track
from nightforge.core.atomic import write_json, write_text

FIELDS = (
    "event_id",
    "stream",
    "file_id",
    "timestamp",
    "window_index",
    "score",
    "decision",
    "reason",
    "warn_threshold",
    "anomaly_threshold",
    "p_value",
)
ALARM_FIELDS = (
    "event_id",
    "stream",
    "file",
    "start",
    "end",
    "duration_s",
    "peak_score",
    "peak_time",
    "p_min",
    "state",
    "channels",
    "windows",
    "start_row",
    "end_row",
)
MOST_IN_JSON = (
    100_000  # with more windows the JSON file names only those that are not normal; the CSV has all
)
POINTS = 1200  # of the chart


@dataclass(frozen=True)
class Judged:
    """A track and what was decided about it. first: the number of its first window in the whole batch; moved:
    window -> the constant channels that left their value there.
    """

    track: Track
    first: int
    moved: dict[int, tuple[str, ...]]


@dataclass
class Totals:
    """What the summary says of a stream."""

    windows: int = 0
    decisions: dict[str, int] = field(default_factory=lambda: {state.word: 0 for state in State})
    lowest: float = np.inf
    highest: float = -np.inf
    total: float = 0.0

    def add(self, track: Track) -> None:
        counts = np.bincount(track.states, minlength=len(State))
        self.windows += len(track.scores)
        for state in State:
            self.decisions[state.word] += int(counts[state])
        self.lowest = min(self.lowest, float(track.scores.min()))
        self.highest = max(self.highest, float(track.scores.max()))
        self.total += float(track.scores.sum())

    def told(self) -> dict[str, Any]:
        stats = None
        if self.windows:
            stats = {"min": self.lowest, "max": self.highest, "mean": self.total / self.windows}
        return {"window_count": self.windows, "decision_counts": self.decisions, "score_stats": stats}


def records(stream: str, judged: Judged, limits: Limits) -> Iterator[tuple[Any, ...]]:
    """Yield the record of every window, in the order of FIELDS."""
    track = judged.track
    for i, (start, score, state, p) in enumerate(
        zip(
            track.starts.tolist(),
            track.scores.tolist(),
            track.states.tolist(),
            track.p_values.tolist(),
            strict=True,
        )
    ):
        index = judged.first + i
        yield (
            f"{stream}:{index:06d}",
            stream,
            track.segment.file_id,
            track.stamp(start + track.rows - 1),
            index,
            score,
            State(state).word,
            _reason(state, score, limits, judged.moved.get(i, ())),
            limits.warn,
            limits.anomaly,
            round(p, 6),
        )


def _reason(state: int, score: float, limits: Limits, moved: Sequence[str]) -> str:
    if moved:
        return f"{' and '.join(moved)} never moved in training and did now"
    if state == State.NORMAL:
        return "within the calibration data"
    name, limit = ("anomaly", limits.anomaly) if state == State.ANOMALY else ("warn", limits.warn)
    return f"score {score:.4g} above the {name} threshold {limit:.4g}"


class Writer:
    """Writes the window records of one stream, CSV and JSON, as they come."""

    def __init__(self, folder: Path, stream: str, limits: Limits, expected: int) -> None:
        self._stream, self._limits = stream, limits
        self._every = expected <= MOST_IN_JSON
        self._table: TextIO = (folder / f"{stream}_events.csv").open("w", encoding="utf-8", newline="")
        self._csv = csv.writer(self._table, lineterminator="\n")
        self._csv.writerow(FIELDS)
        self._json: TextIO = (folder / f"{stream}_events.json").open("w", encoding="utf-8")
        thresholds = {"warn": limits.warn, "anomaly": limits.anomaly}
        head = {"stream": stream, "thresholds": thresholds, "only_not_normal": not self._every}
        self._json.write(json.dumps(head)[:-1] + ', "records": [')
        self._separator = "\n"
        self.totals = Totals()

    def write(self, judged: Judged) -> None:
        self.totals.add(judged.track)
        for record in records(self._stream, judged, self._limits):
            self._csv.writerow(_safe(record))
            if self._every or record[6] != State.NORMAL.word:
                self._json.write(self._separator + json.dumps(dict(zip(FIELDS, record, strict=True))))
                self._separator = ",\n"

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *error: object) -> None:
        """Finish both files."""
        self._json.write('\n], "summary": ' + json.dumps(self.totals.told()) + "}\n")
        self._json.close()
        self._table.close()


def _safe(record: Sequence[Any]) -> list[Any]:
    """Keep a spreadsheet from running a cell that a file's or channel's name could begin like a formula."""
    return [f"'{cell}" if isinstance(cell, str) and cell[:1] in "=+-@\t\r" else cell for cell in record]


def write_alarms(path: Path, events: Sequence[dict[str, Any]]) -> None:
    """Write one row per event."""
    lines = io.StringIO()
    table = csv.writer(lines, lineterminator="\n")
    table.writerow(ALARM_FIELDS)
    for event in events:
        ranked = "; ".join(f"{entry['name']} {entry['share']:.2f}" for entry in event["channels"])
        table.writerow(_safe([ranked if name == "channels" else event[name] for name in ALARM_FIELDS]))
    write_text(path, lines.getvalue(), durable=False)


class Chart:
    """Keeps the highest window of every bucket, so that no peak is lost."""

    def __init__(self, expected: int) -> None:
        self._per_point = max(1, -(-expected // POINTS))
        self.points: list[dict[str, Any]] = []

    def add(self, judged: Judged) -> None:
        track = judged.track
        for first in range(0, len(track.scores), self._per_point):
            at = first + int(np.argmax(track.scores[first : first + self._per_point]))
            self.points.append(
                {
                    "index": judged.first + at,
                    "file_id": track.segment.file_id,
                    "time": track.stamp(int(track.starts[at]) + track.rows - 1),
                    "score": float(track.scores[at]),
                    "decision": State(int(track.states[at])).word,
                }
            )


def write_chart(path: Path, head: dict[str, Any], chart: Chart, events: Sequence[dict[str, Any]]) -> None:
    """Write what the page draws: points, thresholds and the bands of the events by window number."""
    bands = [
        {"id": e["event_id"], "state": e["state"], "from": e["first_window"], "to": e["last_window"]}
        for e in events
    ]
    write_json(path, {**head, "points": chart.points, "events": bands}, indent=None, durable=False)
