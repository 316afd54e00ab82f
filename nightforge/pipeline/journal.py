"""The run's journal (events.jsonl) and the files derived from it, written by the orchestrator alone. # ops
A2, Q5

A full disk must not end a run that is still training: what cannot be written stays in memory and is tried
again, and `trouble` says so in words until it has been written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from nightforge.core.atomic import append_whole, write_bytes
from nightforge.core.errors import InputError, is_disk_full
from nightforge.core.failpoints import reach
from nightforge.core.records import ACTIVE, JOURNAL
from nightforge.pipeline.fold import Event, is_transition
from nightforge.pipeline.states import LiveState, to_json

STATE = "state.json"
_COPY_S = 2.0


class Journal:
    """Append-only JSON lines with sequence numbers; transitions are on the disk when `append` returns."""

    def __init__(self, path: Path, seq: int = 0) -> None:
        self._path = path
        self._seq = seq
        self._waiting: list[bytes] = []
        self._whole = False  # the last line of an earlier orchestrator has been looked at
        self.trouble: str | None = None
        self.full = False  # the trouble is a full disk or quota

    def append(self, event: Event) -> None:
        """Add one event; never raises, see `trouble`."""
        self._seq += 1
        line = json.dumps({"seq": self._seq, **event}, ensure_ascii=False).encode() + b"\n"
        self._waiting.append(line)
        reach("journal.before", event["type"])
        self.flush(sync=is_transition(event))
        reach("journal.after", event["type"])

    def flush(self, sync: bool = True) -> None:
        """Write what waits; a line that was cut by a full disk is taken back first."""
        if not self._waiting:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._whole:
                drop_cut_line(self._path)
                self._whole = True
            with self._path.open("ab", buffering=0) as file:
                append_whole(file, b"".join(self._waiting), sync)
        except OSError as error:
            self.trouble = f"{self._path.name} can't be written: {error.strerror or error}"
            self.full = is_disk_full(error)
            return
        self._waiting.clear()
        self.trouble = None
        self.full = False


def drop_cut_line(path: Path) -> None:
    """Move a cut last line (power loss) aside to `NAME.cut`: the next line starts on its own. # ops A4

    Only the writer of the file may call this. Raises OSError.
    """
    if not path.exists():
        return
    with path.open("r+b") as file:
        data = file.read()
        end = data.rfind(b"\n") + 1
        if end != len(data):
            reach("journal.mend.before", path.name)
            with path.with_name(path.name + ".cut").open("ab") as aside:
                aside.write(data[end:] + b"\n")
            file.truncate(end)
            os.fsync(file.fileno())
            reach("journal.mend.after", path.name)


class Damage(NamedTuple):
    """What is wrong with a journal: the first bad line, counted from 1, and why."""

    line: int
    reason: str


class Reading(NamedTuple):
    """The events before the first bad line, and what is wrong from there on (None: nothing)."""

    events: list[Event]
    damage: Damage | None


def read_journal(run_dir: Path) -> Reading:
    """Read a journal without changing it; a last line that is not whole yet is left out.

    Raises InputError when the file cannot be read at all.
    """
    path = run_dir / JOURNAL
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    events: list[Event] = []
    for number, line in enumerate(data[: data.rfind(b"\n") + 1].splitlines(), 1):
        try:
            event = json.loads(line)
            if not isinstance(event, dict) or "type" not in event or "time" not in event:
                raise ValueError("not an event")
            int(event.get("seq", 0))
        except (ValueError, TypeError) as error:
            return Reading(events, Damage(number, str(error)))
        events.append(event)
    return Reading(events, None)


def last_seq(events: Iterable[Event]) -> int:
    """Return the highest sequence number, 0 without events."""
    return max((int(event.get("seq", 0)) for event in events), default=0)


class StateFiles:
    """The live state for pages and programs: at once on a transition, else at most once per second. A copy:
    what a power cut takes back is in the journal.

    `copy` is the run's own: every two seconds while the run is active, at once when it is not.
    """

    def __init__(
        self, live: Path, heartbeat: Path, monotonic: Callable[[], float], copy: Path | None = None
    ) -> None:
        self._live = live
        self._copy = copy
        self._heartbeat = heartbeat
        self._monotonic = monotonic
        self._written_at = self._copied_at = float("-inf")
        self.trouble: str | None = None
        self.full = False

    def write(self, state: LiveState, at_once: bool = False) -> bool:
        """Write the state if it is time; never raises, returns whether it was written."""
        if not at_once and self._monotonic() - self._written_at < 1.0:
            return False
        now_s = self._written_at = self._monotonic()
        data, path = to_json(state), self._live
        try:
            write_bytes(path, data, durable=False)
            if self._copy and (state.status not in ACTIVE or now_s - self._copied_at >= _COPY_S):
                path = self._copy
                write_bytes(path, data, durable=False)
                self._copied_at = now_s
        except OSError as error:
            self.trouble = f"{path.name} can't be written: {error.strerror or error}"
            self.full = is_disk_full(error)
            return False
        self.trouble = None
        self.full = False
        return True

    def beat(self, now: str) -> None:
        """Write the sign of life; not durable, since the next one follows in two seconds."""
        try:
            self._heartbeat.write_text(now + "\n", encoding="utf-8")
        except OSError as error:
            self.trouble = f"{self._heartbeat.name} can't be written: {error.strerror or error}"
            self.full = is_disk_full(error)
