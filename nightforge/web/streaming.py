"""Bodies too large to hold: an upload while it arrives, a file while it leaves. # ops W7"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from pathlib import Path

from nightforge.web.messages import (
    READ_TIMEOUT_S,
    REQUEST_TIMEOUT_S,
    UPLOAD_PACE,
    CutOff,
)
from nightforge.web.project_data import open_plain

_CHUNK = 256 * 1024  # bytes per read
_LINGER_S = 2.0
_LINGER_BYTES = 64 * 1024**2


class SocketBody:
    """The body of an upload: what had come with its head, then the rest from the socket."""

    def __init__(self, connection: socket.socket, begun: bytes, length: int) -> None:
        self._connection = connection
        self._begun = begun[:length]
        self._left = length
        self._window_end = time.monotonic() + REQUEST_TIMEOUT_S
        self._in_window = 0

    @property
    def left(self) -> int:
        """Return the bytes still to come."""
        return self._left

    def read(self) -> bytes:
        """Return the next bytes, none at the end; raises CutOff when they stay away or come too slowly."""
        if not self._left:
            return b""
        data, self._begun = self._begun, b""
        if not data:
            data = self._receive()
        self._left -= len(data)
        self._keep_pace(len(data))
        return data

    def _receive(self) -> bytes:
        self._connection.settimeout(READ_TIMEOUT_S)
        try:
            data = self._connection.recv(min(_CHUNK, self._left))
        except TimeoutError:
            raise CutOff(f"nothing came for {READ_TIMEOUT_S:.0f} s") from None
        except ConnectionError as error:
            raise CutOff("the sender has gone") from error
        if not data:
            raise CutOff("the sender has gone")
        return data

    def _keep_pace(self, count: int) -> None:
        """Cut off a sender that trickles: each stretch of time must bring some bytes."""
        self._in_window += count
        now = time.monotonic()
        if now < self._window_end:
            return
        if self._in_window < UPLOAD_PACE and self._left:
            raise CutOff(f"less than {UPLOAD_PACE} bytes came in {REQUEST_TIMEOUT_S:.0f} s")
        self._window_end, self._in_window = now + REQUEST_TIMEOUT_S, 0


def linger(connection: socket.socket) -> None:
    """Read on for a moment after a refusal, or the sender, still sending, would not get to see it."""
    end, left = time.monotonic() + _LINGER_S, _LINGER_BYTES
    with contextlib.suppress(OSError):  # the other side may close first, which is as good
        connection.shutdown(socket.SHUT_WR)
        while left > 0 and (wait_s := end - time.monotonic()) > 0:
            connection.settimeout(wait_s)
            data = connection.recv(_CHUNK)
            if not data:
                return
            left -= len(data)


class OpenFile:
    """A regular file that is being handed out: `size` bytes, however it grows meanwhile."""

    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(open_plain(path), "rb")
        self.size = os.fstat(self._file.fileno()).st_size

    def send(self, connection: socket.socket) -> bool:
        """Send all of it; False when the file became shorter meanwhile, so the answer cannot be completed."""
        left = self.size
        while left:
            data = self._file.read(min(_CHUNK, left))
            if not data:
                return False
            connection.settimeout(READ_TIMEOUT_S)
            connection.sendall(data)
            left -= len(data)
        return True

    def close(self) -> None:
        """Close it."""
        self._file.close()
