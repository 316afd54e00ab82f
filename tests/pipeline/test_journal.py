"""The journal loses nothing, and a disk that refuses writes ends no run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import FakeClock, Script, World

from nightforge.core.errors import InputError
from nightforge.pipeline import journal as journal_module
from nightforge.pipeline.journal import Journal, StateFiles
from nightforge.pipeline.rebuild import load_run
from nightforge.pipeline.states import LiveState


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def message(number: int) -> dict[str, Any]:
    return {"time": "2026-11-21T17:15:00.000Z", "type": "alert", "n": number}


class Disk:
    """Refuses the operations whose numbers are in `refused`, after writing half of the data."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, refused: set[int]) -> None:
        self.count = 0
        real = journal_module.os.fsync

        def fsync(descriptor: int) -> None:
            self.count += 1
            if self.count in refused:
                raise OSError(28, "No space left on device")
            real(descriptor)

        monkeypatch.setattr(journal_module.os, "fsync", fsync)


def transition(number: int) -> dict[str, Any]:
    return {**message(number), "type": "run_ended"}


@pytest.mark.parametrize("refused", [{1}, {2}, {1, 2}, {3}, {1, 2, 3}])
def test_what_a_full_disk_refused_is_written_later_once_and_in_order(
    refused: set[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Disk(monkeypatch, refused)
    journal = Journal(tmp_path / "events.jsonl")
    for number in range(3):
        journal.append(transition(number))
        assert (journal.trouble is not None) == (number + 1 in refused)
    journal.flush()
    assert [event["n"] for event in read(tmp_path / "events.jsonl")] == [0, 1, 2]
    assert [event["seq"] for event in read(tmp_path / "events.jsonl")] == [1, 2, 3]
    assert journal.trouble is None


def test_a_read_only_folder_is_trouble_and_not_an_exception(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file" / "events.jsonl")  # a file where the folder should be
    journal.append(message(1))
    assert journal.trouble is not None and "events.jsonl" in journal.trouble


def test_a_run_on_a_full_disk_ends_well_and_tells_it_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path, {"data": [Script.done(6)], "exam": [Script.done(6)]})

    def refuse(path: Path, data: bytes, durable: bool = True) -> None:
        if 2 < world.clock.seconds < 8:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(journal_module, "write_bytes", refuse)
    assert world.run() == 0
    assert [alert.title for alert in world.state.alerts] == ["The disk refuses writes"]
    assert "No space left" in world.state.alerts[0].detail
    assert json.loads((tmp_path / "state.json").read_text())["status"] == "succeeded"


def test_a_cut_last_line_is_dropped_and_the_journal_goes_on(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script.done()]})
    world.run()
    whole = load_run(tmp_path)
    path = tmp_path / "events.jsonl"
    with path.open("ab") as file:
        file.write(b'{"seq": 99, "type": "run_en')
    assert load_run(tmp_path) == whole
    Journal(path, whole[1]).append(message(1))
    assert read(path)[-1]["seq"] == whole[1] + 1


def test_a_journal_whose_start_is_unreadable_names_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "events.jsonl").write_text('{"type":"x", "time": "t"}\nnot json\n{"type":"x", "time": "t"}\n')
    with pytest.raises(InputError, match=r"events.jsonl, line 2"):
        load_run(tmp_path)


def test_the_live_state_is_written_at_once_on_a_transition_else_once_per_second(tmp_path: Path) -> None:
    clock = FakeClock()
    files = StateFiles(tmp_path / "a.json", tmp_path / "beat", clock.monotonic)
    written = []
    for _ in range(30):
        clock.sleep(0.1)
        written.append(files.write(LiveState(run_id="r")))
    assert sum(written) == 3
    assert files.write(LiveState(run_id="r2"), at_once=True)
    assert json.loads((tmp_path / "a.json").read_text())["run_id"] == "r2"


def test_the_copy_of_the_run_follows_every_two_seconds_and_at_once_at_the_end(tmp_path: Path) -> None:
    clock = FakeClock()
    copy = tmp_path / "copy.json"
    files = StateFiles(tmp_path / "live.json", tmp_path / "beat", clock.monotonic, copy)
    seen = set()
    for number in range(40):
        clock.sleep(0.1)
        files.write(LiveState(run_id=str(number), status="running"), at_once=True)
        seen.add(json.loads(copy.read_text())["run_id"])
    assert sorted(seen, key=int) == ["0", "20"]
    files.write(LiveState(run_id="end", status="succeeded"), at_once=True)
    assert json.loads(copy.read_text())["run_id"] == "end"
