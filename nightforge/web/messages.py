"""What goes in and out of the server, as values: a request, a response, a refusal, and the limits of both."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

REQUEST_LINE_LIMIT = 2 * 1024  # bytes; ops W7
HEAD_LIMIT = 16 * 1024  # bytes of all header lines together
HEADER_COUNT_LIMIT = 64
BODY_LIMIT = 16 * 1024  # bytes
READ_TIMEOUT_S = 10.0
REQUEST_TIMEOUT_S = 15.0
CONNECTION_LIMIT = 32
UPLOAD_PATH = "/api/upload"  # the one address whose body is streamed
UPLOAD_LIMIT = 2 * 1024**3  # bytes of one uploaded file
UPLOAD_PACE = 16 * 1024  # bytes that must arrive in every REQUEST_TIMEOUT_S of an upload

READ_METHODS = ("GET", "HEAD")
METHODS = ("GET", "HEAD", "POST")

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """One request whose head has passed the strict parser; header names are lower case and unique."""

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """One answer; `etag` makes it conditional, `download` names the file a browser saves it as."""

    status: int
    body: bytes
    content_type: str = JSON_TYPE
    etag: str | None = None
    location: str | None = None
    download: str | None = None
    close: bool = False
    file: Path | None = None  # sent piece by piece instead of `body`
    report: bool = False  # a page made by a stage: sent with the policy of reports


class CutOff(Exception):
    """The body of an upload ended before its declared length, or came too slowly."""


class Body(Protocol):
    """The body of an upload while it arrives."""

    @property
    def left(self) -> int:
        """Return the bytes still to come."""

    def read(self) -> bytes:
        """Return the next bytes, none at the end; raises CutOff."""


class Refusal(Exception):
    """A request that is turned away: HTTP status, words, what to do instead, facts for a page to show."""

    def __init__(
        self,
        status: int,
        message: str,
        next_command: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.next_command = next_command
        self.details = details

    def response(self) -> Response:
        """Write the refusal as the JSON error that every page understands."""
        error = {
            "status": self.status,
            "message": self.message,
            "next_command": self.next_command,
            "details": self.details,
        }
        # 400 to 499 from the wire may leave unread bytes behind, so the connection is not used again.
        return Response(self.status, encode({"error": error}), close=True)


def encode(value: Any) -> bytes:
    """Write a value as compact UTF-8 JSON; a lone surrogate from a log is replaced, never an error."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def json_response(value: Any, status: int = 200) -> Response:
    """Answer with a value that is fresh each time (no ETag)."""
    return Response(status, encode(value))


def etag_of(data: bytes) -> str:
    """Return a strong ETag from content."""
    return f'"{hashlib.sha256(data).hexdigest()[:24]}"'
