"""The strict request parser: bytes of one request head in, a `Request` without body or a `Refusal` out.

Stricter than http.server on purpose: every leniency there (bare LF, folded lines, doubled headers, odd
versions) has been somebody's way past a check. RFC 9112 sections 2.2, 3, 5 and 6.
"""

from __future__ import annotations

import re

from nightforge.web.messages import (
    BODY_LIMIT,
    HEADER_COUNT_LIMIT,
    METHODS,
    REQUEST_LINE_LIMIT,
    UPLOAD_PATH,
    Refusal,
    Request,
)

_REQUEST_LINE = re.compile(r"([!-~]{1,32}) ([!-~]+) (HTTP/\d\.\d)")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_HEADER_VALUE = re.compile(r"[\t -~\x80-\xff]*")
_PATH = re.compile(r"/[A-Za-z0-9._/-]*")
_QUERY = re.compile(r"[A-Za-z0-9=&_-]*")
# an upload carries its file name: all that encodeURIComponent writes
_UPLOAD_QUERY = re.compile(r"(?:[A-Za-z0-9=&_.!~*'()-]|%[0-9A-Fa-f]{2})*")
_LENGTH = re.compile(r"\d{1,12}")


def parse_head(data: bytes) -> Request:
    """Read the head of one request, without the empty line at its end; raises Refusal for the unusual."""
    text = data.decode("latin-1")
    lines = text.split("\r\n")
    method, path, query = _request_line(lines[0])
    return Request(method=method, path=path, query=query, headers=_headers(lines[1:]))


def body_length(request: Request, limit: int = BODY_LIMIT) -> int:
    """Return how many body bytes must follow; refuses undeclared lengths and bodies where none belongs."""
    headers = request.headers
    if "transfer-encoding" in headers:
        raise Refusal(411, "chunked bodies are not accepted; send Content-Length")
    if "expect" in headers:
        raise Refusal(417, "Expect is not supported")
    declared = headers.get("content-length")
    if request.method != "POST":
        if declared not in (None, "0"):
            raise Refusal(400, f"{request.method} takes no body")
        return 0
    if declared is None:
        raise Refusal(411, "Content-Length is missing")
    if not _LENGTH.fullmatch(declared):
        raise Refusal(400, "Content-Length is not a number")
    if int(declared) > limit:
        raise Refusal(413, f"the body is larger than {limit} bytes")
    return int(declared)


def _request_line(line: str) -> tuple[str, str, str]:
    if len(line) > REQUEST_LINE_LIMIT:
        raise Refusal(414, f"the request line is longer than {REQUEST_LINE_LIMIT} bytes")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise Refusal(400, "the request line is not valid")
    method, target, version = match.groups()
    if version not in ("HTTP/1.0", "HTTP/1.1"):
        raise Refusal(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    if method not in METHODS:
        raise Refusal(405, f"the method {method} is not allowed; GET and HEAD read, POST changes")
    path, mark, query = target.partition("?")
    if not _PATH.fullmatch(path) or ".." in path or "//" in path or "/." in path:
        raise Refusal(400, "the path holds characters or steps that no page here uses")
    if mark and not (_UPLOAD_QUERY if path == UPLOAD_PATH else _QUERY).fullmatch(query):
        raise Refusal(400, "the query holds characters that no page here uses")
    return method, path, query


def _headers(lines: list[str]) -> dict[str, str]:
    if len(lines) > HEADER_COUNT_LIMIT:
        raise Refusal(431, f"more than {HEADER_COUNT_LIMIT} headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _HEADER_NAME.fullmatch(name):
            raise Refusal(400, "a header line is not valid")
        if not _HEADER_VALUE.fullmatch(value):
            raise Refusal(400, "a header value holds control characters")
        key = name.lower()
        if key in headers:
            raise Refusal(400, f"the header {key} is given twice")
        headers[key] = value.strip(" \t")
    return headers
