"""What a stage says of its phases reaches its events, at most once per second within a phase."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from nightforge.core.events import EventWriter, read_events
from nightforge.core.paths import Project
from nightforge.stage import Reporter, Stage, stage_main


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


@pytest.mark.parametrize(("given", "wanted"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_of_a_stage_sleep_unless_the_user_says_otherwise(
    project: Project, monkeypatch: pytest.MonkeyPatch, given: str | None, wanted: str
) -> None:
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_WAIT_POLICY", given)
    seen: list[str | None] = []

    def run(stage: Stage) -> dict[str, str]:
        seen.append(os.environ.get("OMP_WAIT_POLICY"))
        return {}

    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        assert stage_main(run, "a stage", argv=[]) == 0
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGINT, before[1])
    assert seen == [wanted]
