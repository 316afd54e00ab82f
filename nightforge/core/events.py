"""Stage events: one JSON object per line, written by the stage, read by the orchestrator.

Types and their fields are listed in docs/state_schema.md. Only whole lines are read, so a reader never sees
half an event.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightforge.core.atomic import append_whole
from nightforge.core.clock import utc_now
from nightforge.core.failpoints import reach

EVENT_TYPES = frozenset(
    "start phase progress watch mark metric curve node message alert answer error done".split()
)
# What must survive a power cut; everything else is only written.
_DURABLE = frozenset({"start", "error", "done"})


class EventWriter:
    """Append events to one file; the only writer of that file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._seq = 0

    def write(self, event_type: str, /, **fields: Any) -> None:
        """Append one event; raises OSError when the disk refuses it."""
        if event_type not in EVENT_TYPES:
            raise ValueError(f"unknown event type {event_type!r}")
        self._seq += 1
        reach("event.before", event_type)
        event = {"seq": self._seq, "time": utc_now(), "type": event_type, **fields}
        line = json.dumps(event, ensure_ascii=False).encode("utf-8") + b"\n"
        append_whole(self._file, line, sync=event_type in _DURABLE)
        reach("event.after", event_type)

    def close(self) -> None:
        self._file.close()


def read_events(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Read the whole lines after byte `offset`; returns the events and the next offset.

    A missing file reads as empty. A whole line that is not a JSON object becomes a `message` event saying so.
    """
    data, offset = _whole_lines(path, offset)
    return [_decode(line, path) for line in data if line.strip()], offset


def read_lines(path: Path, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
    """Read JSON objects of any kind in the same way; whatever is not one is left out."""
    data, offset = _whole_lines(path, offset)
    return [value for line in data if (value := _object(line)) is not None], offset


def _whole_lines(path: Path, offset: int) -> tuple[list[bytes], int]:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read()
    except FileNotFoundError:
        return [], offset
    end = data.rfind(b"\n") + 1
    return data[:end].splitlines(), offset + end


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _decode(line: bytes, path: Path) -> dict[str, Any]:
    event = _object(line)
    if event is not None and event.get("type") in EVENT_TYPES:
        return event
    return {"seq": 0, "time": utc_now(), "type": "message", "text": f"unreadable event line in {path.name}"}
