"""The journal on a disk that fails at any operation, and after a power cut at any moment."""

from __future__ import annotations

import contextlib
import errno
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "core"))
from disk_faults import Disk, PowerCut, files_below, install, lay_out

from nightforge.core.atomic import append_jsonl
from nightforge.core.events import EventWriter, read_events
from nightforge.pipeline.journal import JOURNAL, Journal, read_journal

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
EVENTS = [
    {"time": "2026-11-21T17:15:00.000Z", "type": kind, "n": number}
    for number, kind in enumerate(("run_started", "alert", "stage_started", "alert", "run_ended"))
]
DURABLE = 3  # of EVENTS: transitions, on the disk when append returns


def numbers(folder: Path) -> list[int]:
    reading = read_journal(folder)
    assert reading.damage is None
    assert [event["seq"] for event in reading.events] == list(range(1, len(reading.events) + 1))
    return [int(event["n"]) for event in reading.events]


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EACCES], ids=errno.errorcode.get
)
def test_whatever_operation_fails_the_journal_loses_nothing(tmp_path: Path, number: int) -> None:
    for n in range(1, 40):
        folder = tmp_path / str(n)
        journal = Journal(folder / JOURNAL)
        journal.append(EVENTS[0])
        with pytest.MonkeyPatch.context() as patched:
            disk = Disk(fail_at=n, error=number)
            install(patched, disk)
            for event in EVENTS[1:]:
                journal.append(event)
                seen = numbers(folder)
                assert seen == list(range(len(seen)))  # old state readable after each failure
                full = number in (errno.ENOSPC, errno.EDQUOT)
                assert journal.full == (journal.trouble is not None and full)
            journal.flush()
        assert journal.trouble is None
        assert numbers(folder) == [0, 1, 2, 3, 4], n
        if disk.count < n:
            assert n > 6
            return
    pytest.fail("no clean pass")


def test_a_power_cut_at_any_moment_leaves_a_readable_journal_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "live"
    journal = Journal(root / JOURNAL)
    journal.append(EVENTS[0])
    before, disk, done = files_below(root), Disk(), {}
    install(monkeypatch, disk)
    for count, event in enumerate(EVENTS[1:], 2):
        journal.append(event)
        done[len(disk.log)] = count  # operations -> events appended by then
    monkeypatch.undo()
    for number, (count, way, files) in enumerate(PowerCut(before, disk.log).states()):
        folder = tmp_path / f"cut{number}"
        lay_out(folder, root, files)
        seen = numbers(folder)
        assert seen == list(range(len(seen)))
        appended = max((events for operations, events in done.items() if operations <= count), default=1)
        durable = [event["n"] for event in EVENTS[:appended] if event["type"] != "alert"]
        assert set(durable) <= set(seen), (count, way)
        Journal(folder / JOURNAL, len(seen)).append({**EVENTS[4], "n": len(seen)})
        assert numbers(folder) == list(range(len(seen) + 1))


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_cut_last_line_is_moved_aside_before_the_next_one(tmp_path: Path, cut: int) -> None:
    journal = Journal(tmp_path / JOURNAL)
    for event in EVENTS[:3]:
        journal.append(event)
    path = tmp_path / JOURNAL
    data = path.read_bytes()
    path.write_bytes(data[:-cut])
    left = numbers(tmp_path)
    assert left == [0, 1] and path.read_bytes() == data[:-cut]  # reading changes nothing
    Journal(path, 2).append({**EVENTS[2], "n": 2})
    assert numbers(tmp_path) == [0, 1, 2]
    assert data.endswith((tmp_path / "events.jsonl.cut").read_bytes()[:-1] + data[-cut:])


def test_events_and_rows_are_appended_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, events = tmp_path / "rows.jsonl", tmp_path / "04.events.jsonl"
    for n in range(1, 12):
        with monkeypatch.context() as patched:
            disk = Disk(fail_at=n)
            install(patched, disk)
            for number in range(3):
                try:
                    append_jsonl(rows, {"n": number})
                    with contextlib.closing(EventWriter(events)) as writer:
                        writer.write("done", result={"n": number})
                except OSError:
                    assert disk.count == n
        assert all(event["type"] == "done" for event in read_events(events)[0])
        assert all(json.loads(line) for line in rows.read_text().splitlines())
    assert len(read_events(events)[0]) > 11 and events.read_bytes().endswith(b"\n")
