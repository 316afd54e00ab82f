"""What came of it, where the truth is known: false alarms on normal windows, faults found, delay, blame.

The generator writes `truth.json` beside its files; of a user's own files nothing is known, and nothing said.
A window counts as normal when none of the rows it depends on lies in a fault. Files with damaged data are
left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nightforge.anomaly.events import State
from nightforge.anomaly.records import Judged
from nightforge.core.atomic import read_json


@dataclass
class Realised:
    """faults: per file id, the faults as (first row, end, channel or None)."""

    faults: dict[str, list[tuple[int, int, str | None]]]
    normal: int = 0
    warned: int = 0
    alarmed: int = 0
    reached: dict[tuple[str, int], int] = field(
        default_factory=dict
    )  # fault -> row where it was first alarmed

    @classmethod
    def read(cls, truth: Path) -> Realised:
        """Read the truth of a generated batch."""
        files = read_json(truth)["files"]
        return cls(
            {
                name.removeprefix("test/"): [
                    (int(fault["first"]), int(fault["end"]), fault.get("channel"))
                    for fault in entry["faults"]
                ]
                for name, entry in files.items()
                if name.startswith("test/") and not entry["defects"]
            }
        )

    def add(self, judged: Judged) -> None:
        """Count one track."""
        track = judged.track
        known = self.faults.get(track.segment.file_id)
        if known is None:
            return
        first = track.segment.first_row + np.maximum(track.starts - track.reach, 0)
        last = track.segment.first_row + track.starts + track.rows  # exclusive
        faulty = np.zeros(len(first), dtype=bool)
        for number, (begin, end, _) in enumerate(known):
            touched = (first < end) & (last > begin)
            faulty |= touched
            alarmed = np.flatnonzero(touched & (track.states == State.ANOMALY))
            key = (track.segment.file_id, number)
            if len(alarmed) and key not in self.reached:
                self.reached[key] = int(last[alarmed[0]]) - 1
        self.normal += int((~faulty).sum())
        self.warned += int((track.states[~faulty] > State.NORMAL).sum())
        self.alarmed += int((track.states[~faulty] == State.ANOMALY).sum())

    def told(self, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the figures for the summary; `events` as the alarms table has them."""
        total = sum(len(known) for known in self.faults.values())
        delays = [row - self.faults[name][number][0] for (name, number), row in self.reached.items()]
        blamed = [self._right(event) for event in events]
        judged = [right for right in blamed if right is not None]
        return {
            "normal_windows": self.normal,
            "far_warn": self.warned / self.normal if self.normal else None,
            "far_anomaly": self.alarmed / self.normal if self.normal else None,
            "faults": total,
            "faults_found": len(self.reached),
            "median_delay_rows": float(np.median(np.maximum(delays, 0))) if delays else None,
            "events_on_single_channel_faults": len(judged),
            "true_channel_first": float(np.mean(judged)) if judged else None,
        }

    def _right(self, event: dict[str, Any]) -> bool | None:
        """Tell whether the first channel of an event is the true one; None where there is no telling."""
        for begin, end, channel in self.faults.get(event["file"], []):
            if channel is not None and event["start_row"] < end and event["end_row"] >= begin:
                return bool(event["channels"] and event["channels"][0]["name"] == channel)
        return None
