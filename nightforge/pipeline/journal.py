"""The run's journal (events.jsonl) and the files derived from it, written by the orchestrator alone. # ops
A2, Q5

A full disk must not end a run that is still training: what cannot be written stays in memory and is tried
again, and `trouble` says so in words until it has been written.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nightforge.core.atomic import read_jsonl, write_bytes
from nightforge.core.failpoints import reach
from nightforge.core.records import ACTIVE, JOURNAL
from nightforge.pipeline.fold import Event, fold_all, is_transition
from nightforge.pipeline.states import LiveState, to_json

STATE = "state.json"
_COPY_S = 2.0


class Journal:
    """Append-only JSON lines with sequence numbers; transitions are on the disk when `append` returns."""

    def __init__(self, path: Path, seq: int = 0) -> None:
        self._path = path
        self._seq = seq
        self._waiting: list[bytes] = []
        self.trouble: str | None = None

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
            _append_whole(self._path, b"".join(self._waiting), sync)
        except OSError as error:
            self.trouble = f"{self._path.name} can't be written: {error.strerror or error}"
            return
        self._waiting.clear()
        self.trouble = None


def _append_whole(path: Path, data: bytes, sync: bool) -> None:
    """Append all of `data` or nothing; raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as file:
        start = file.tell()
        try:
            written = file.write(data)
            if written != len(data):
                written += file.write(data[written:])  # the second call tells why the first was short
            reach("append.written", path.name)
            if sync:
                os.fsync(file.fileno())
        except OSError:
            file.truncate(start)
            raise


def load_run(run_dir: Path) -> tuple[LiveState, int]:
    """Fold a run's journal into its state; returns it with the last sequence number.

    A cut last line is dropped from the file. Raises InputError naming file and line for damage in the middle.
    """
    events: list[dict[str, Any]] = read_jsonl(run_dir / JOURNAL, repair=True)
    return fold_all(events), max((int(event.get("seq", 0)) for event in events), default=0)


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
            return False
        self.trouble = None
        return True

    def beat(self, now: str) -> None:
        """Write the sign of life; not durable, since the next one follows in two seconds."""
        try:
            self._heartbeat.write_text(now + "\n", encoding="utf-8")
        except OSError as error:
            self.trouble = f"{self._heartbeat.name} can't be written: {error.strerror or error}"
