"""A stage's output reaches its log whatever it is, and never holds the stage up."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from pipeline_fakes import FakeClock

from nightforge.pipeline.attempts import settle
from nightforge.pipeline.output import LINE_CHARS, LineSplitter, Pump


@pytest.mark.parametrize(
    ("name", "chunks", "lines"),
    [
        ("lines", [b"a\nb\n"], ["a", "b"]),
        ("a line in parts", [b"a", b"b\n"], ["ab"]),
        ("no final line end", [b"a\nb"], ["a", "b"]),
        ("windows line ends", [b"a\r\nb\r\n"], ["a", "b"]),
        ("windows line end cut in two", [b"a\r", b"\nb\n"], ["a", "b"]),
        ("an umlaut cut in two", [b"\xc3", b"\xa4\n"], ["ä"]),
        ("not text", [b"\xff\xfe\n"], ["\ufffd\ufffd"]),
        ("an overwritten line", [b"10%\r20%\r30%\n"], ["30%"]),
        ("empty lines", [b"a\n\nb\n"], ["a", "", "b"]),
    ],
)
def test_bytes_become_lines(name: str, chunks: list[bytes], lines: list[str]) -> None:
    splitter = LineSplitter(FakeClock().monotonic)
    found = [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.feed(b"", final=True)
    assert found == lines, name


def test_a_progress_bar_is_kept_once_a_second() -> None:
    clock = FakeClock()
    splitter = LineSplitter(clock.monotonic)
    lines = []
    for percent in range(100):
        clock.sleep(0.1)
        lines += splitter.feed(f"{percent}%\r".encode())
    assert 9 <= len(lines) <= 11


def test_a_line_without_end_is_cut_and_memory_stays_small() -> None:
    splitter = LineSplitter()
    lines = [line for _ in range(64) for line in splitter.feed(b"x" * 65536)]
    assert lines and max(map(len, lines)) <= LINE_CHARS
    assert len(splitter._rest) <= LINE_CHARS


def pump(tmp_path: Path, data: bytes, head_bytes: int = 10**9) -> Pump:
    reader, writer = os.pipe()
    source = os.fdopen(reader, "rb", buffering=0)
    running = Pump(source, tmp_path / "04.log", head_bytes)
    running.start()

    def feed() -> None:
        with os.fdopen(writer, "wb") as sink:
            sink.write(data)

    feeder = threading.Thread(target=feed)
    feeder.start()
    feeder.join(20)
    assert not feeder.is_alive(), "the writer was held up"
    running.finish()
    source.close()
    return running


def test_a_burst_of_ten_megabytes_arrives_whole(tmp_path: Path) -> None:
    line = b"0123456789abcde\n"
    pump(tmp_path, line * (10 * 2**20 // len(line)))
    assert (tmp_path / "04.log").stat().st_size == 10 * 2**20


def test_beyond_the_limit_only_the_newest_part_is_kept_and_the_log_says_so(tmp_path: Path) -> None:
    data = b"".join(b"%07d\n" % number for number in range(200_000))  # 1.6 MB against a limit of 200 kB
    running = pump(tmp_path, data, head_bytes=200_000)
    head, tail = (tmp_path / "04.log").read_bytes(), (tmp_path / "04.tail.log").read_bytes()
    assert head.startswith(b"0000000\n") and b"the newest output is in 04.tail.log" in head
    assert tail.endswith(b"0199999\n")
    assert len(head) + len(tail) < 600_000
    assert running.dropped_bytes > 0


def test_a_log_that_cannot_be_written_drops_output_and_holds_nobody_up(tmp_path: Path) -> None:
    (tmp_path / "04.log").mkdir()
    running = pump(tmp_path, b"x\n" * 500_000)
    assert running.dropped_bytes >= 1_000_000 - 2 * 65536


def test_half_an_event_of_a_killed_attempt_is_dropped_before_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "04.events.jsonl"
    assert settle(path) == 0
    path.write_bytes(b'{"type":"start"}\n{"type":"prog')
    assert settle(path) == len(b'{"type":"start"}\n')
    assert path.read_bytes() == b'{"type":"start"}\n'
    assert settle(path) == len(b'{"type":"start"}\n')
