"""What a stage says of its phases reaches its events, at most once per second within a phase."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightforge.core.events import EventWriter, read_events
from nightforge.stage import Reporter


def test_a_phase_is_told_at_once_and_its_counter_at_most_once_per_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    writer = EventWriter(tmp_path / "04.events.jsonl")
    report = Reporter(writer, lambda text: None)
    for second in range(30):
        now_s = 100.0 + second / 10
        report.watch("load", second)
    report.watch("first_step")
    report.watch("save")
    writer.close()
    events, _ = read_events(tmp_path / "04.events.jsonl")
    assert [(event["phase"], event["done"]) for event in events] == [
        ("load", 0),
        ("load", 10),
        ("load", 20),
        ("first_step", 0),
        ("save", 0),
    ]
