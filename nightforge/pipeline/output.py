"""The pump between a stage and its log: never blocks the stage, never fills the disk. # ops L1, L2, L4, L6"""

from __future__ import annotations

import codecs
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

HEAD_BYTES = 32 * 2**20  # kept from the start of an attempt's output
LINE_CHARS = 16 * 2**10


class LineSplitter:
    """Turns chunks of bytes into lines. Text overwritten by a carriage return (progress bars) is kept once
    a second.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._monotonic = monotonic
        self._bar_at = float("-inf")
        self._rest = ""

    def feed(self, chunk: bytes, final: bool = False) -> list[str]:
        """Return the lines that are complete now; with `final`, the rest as well."""
        text = self._rest + self._decode(chunk, final).replace("\r\n", "\n")
        carry = "\r" if text.endswith("\r") and not final else ""  # may be half of a \r\n
        *whole, rest = (text[:-1] if carry else text).split("\n")
        lines = [shown for line in whole for shown in self._settle(line)]
        bars, found, tail = rest.rpartition("\r")
        if found and self._monotonic() - self._bar_at >= 1.0:
            self._bar_at = self._monotonic()
            lines.append(bars.rpartition("\r")[2][:LINE_CHARS])
        self._rest = tail + carry
        if len(self._rest) > LINE_CHARS or (final and self._rest):
            lines.append(self._rest.rstrip("\r")[:LINE_CHARS])
            self._rest = ""
        return lines

    @staticmethod
    def _settle(line: str) -> list[str]:
        """A finished line shows what stood last on it."""
        shown = line.rstrip("\r").rpartition("\r")[2]
        return [shown[at : at + LINE_CHARS] for at in range(0, len(shown), LINE_CHARS)] or [""]


class Pump(threading.Thread):
    """Reads a stage's pipe to its end and writes the stage's log.

    What the disk refuses or what is beyond the limits is counted and dropped; reading goes on in any case.
    The limit keeps the first 32 MiB; after that only the newest part is kept, in a second file that starts
    over when it is full.
    """

    def __init__(self, source: IO[bytes], log: Path, head_bytes: int = HEAD_BYTES) -> None:
        super().__init__(name=f"pump-{log.name}", daemon=True)
        self._source = source
        self._log = log
        self._tail = log.with_name(log.stem + ".tail.log")
        self._head_bytes = head_bytes
        self._head_size = log.stat().st_size if log.exists() else 0
        self._tail_size = 0
        self._splitter = LineSplitter()
        self.seen_bytes = 0
        self.dropped_bytes = 0

    def run(self) -> None:
        while True:
            try:
                chunk = self._source.read(65536)
            except (OSError, ValueError):  # the pipe was closed while we read
                break
            if not chunk:
                break
            self.seen_bytes += len(chunk)
            self._keep(self._splitter.feed(chunk))
        self._keep(self._splitter.feed(b"", final=True))

    def finish(self, wait_s: float = 5.0) -> None:
        """Wait until the pipe is empty, but not for ever: a stray grandchild may hold it open."""
        self.join(wait_s)

    def _keep(self, lines: list[str]) -> None:
        if not lines:
            return
        data = "".join(line + "\n" for line in lines).encode()
        try:
            self._write(data)
        except OSError:
            self.dropped_bytes += len(data)

    def _write(self, data: bytes) -> None:
        if self._head_size < self._head_bytes:
            with self._log.open("ab") as file:
                file.write(data)
            self._head_size += len(data)
            if self._head_size >= self._head_bytes:
                with self._log.open("ab") as file:
                    file.write(f"[log limit reached; the newest output is in {self._tail.name}]\n".encode())
            return
        over = self._tail_size + len(data) > self._head_bytes
        if over:
            self.dropped_bytes += self._tail_size
            data = f"[{self.dropped_bytes} bytes were dropped before this line]\n".encode() + data
        with self._tail.open("wb" if over or self._tail_size == 0 else "ab") as file:
            file.write(data)
        self._tail_size = len(data) if over else self._tail_size + len(data)
