"""A reader of stage events sees whole events only, in order, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightforge.core.events import EventWriter, read_events


def test_events_are_read_once_and_a_half_line_waits(tmp_path: Path) -> None:
    path = tmp_path / "04.events.jsonl"
    assert read_events(path) == ([], 0)
    writer = EventWriter(path)
    writer.write("progress", done=1, total=2, unit="steps")
    writer.close()
    first, offset = read_events(path)
    assert [event["done"] for event in first] == [1]
    with path.open("ab") as file:
        file.write(b'{"type": "progr')
    assert read_events(path, offset) == ([], offset)
    with path.open("ab") as file:
        file.write(b'ess", "done": 2}\n')
    second, _ = read_events(path, offset)
    assert [event["done"] for event in second] == [2]


def test_a_foreign_line_is_shown_and_not_fatal(tmp_path: Path) -> None:
    path = tmp_path / "x.events.jsonl"
    path.write_bytes(b"[1, 2]\n\xff\n")
    events, _ = read_events(path)
    assert [event["type"] for event in events] == ["message", "message"]
    assert "unreadable" in events[0]["text"]


def test_an_unknown_type_is_our_own_mistake(tmp_path: Path) -> None:
    writer = EventWriter(tmp_path / "x")
    with pytest.raises(ValueError, match="unknown event type"):
        writer.write("progres", done=1)
    writer.close()
