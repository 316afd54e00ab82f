"""Cuts values of the editor's text: fields between commas, quotes with escapes, nested parentheses.

Everything here reads each character a constant number of times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_NESTING = 64  # parentheses within one value

_KEY = r'\s*"?([^\W\d][\w.]*(?:\(\d+\))?)"?='
_PLAIN_FIELD = re.compile(_KEY + r'("[^"\\]*"|[^,()"]*)([,)])')  # most fields: no nesting, no escapes
_FIELD = re.compile(_KEY)
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*"|[()]|,|[^"(),]+|"', re.DOTALL)
_PLAIN = re.compile(r"[^\\]+|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\x[0-9a-fA-F]{1,2}|\\.|\\", re.DOTALL)
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t", '\\"': '"', "\\'": "'", "\\\\": "\\"}
_WRITTEN = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\", "'": "\\'"}


class ValueCutError(ValueError):
    """A quote or a parenthesis is not closed, or something stands where a field belongs."""


def fields(text: str, start: int = 0) -> tuple[list[tuple[str, str]], int]:
    """Read `(Key=Value,Key=Value,)` from `start`, the opening parenthesis; values stay raw text.

    Returns the pairs in order and the position behind the closing parenthesis. Raises ValueCutError.
    """
    pairs: list[tuple[str, str]] = []
    position = start + 1
    while True:
        match = _PLAIN_FIELD.match(text, position)
        if match is not None:
            key, value, mark = match.groups()
            position = match.end()
        else:
            match = _FIELD.match(text, position)
            if match is None:
                break
            key, end = match[1], value_end(text, match.end())
            if end >= len(text):
                raise ValueCutError("the value is cut off")
            value, mark = text[match.end() : end], text[end]
            position = end + 1
        pairs.append((key, value.strip()))
        if mark == ")":
            return pairs, position
    position = _skip(text, position)
    if position < len(text) and text[position] == ")":
        return pairs, position + 1
    raise ValueCutError(_found(text, position, "Key=Value or )"))


def value_end(text: str, start: int) -> int:
    """Return where the value from `start` ends: at a comma or parenthesis of this level, or the end."""
    depth = 0
    position = start
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:  # pragma: no cover  every character begins a piece
            raise ValueCutError(_found(text, position, "a value"))
        piece = match.group()
        if piece == "(":
            depth += 1
            if depth > MAX_NESTING:
                raise ValueCutError(f"more than {MAX_NESTING} parentheses within each other")
        elif piece == ")":
            if depth == 0:
                return position
            depth -= 1
        elif piece == "," and depth == 0:
            return position
        elif piece == '"':
            raise ValueCutError("a quote is not closed")
        position = match.end()
    if depth:
        raise ValueCutError("a parenthesis is not closed")
    return position


def items(text: str) -> list[str]:
    """Split `(a,b,(c,d),)` into its raw members; a text without parentheses is one member."""
    if not text.startswith("("):
        return [text] if text else []
    found: list[str] = []
    position = 1
    while position < len(text):
        end = value_end(text, position)
        if end >= len(text):
            raise ValueCutError("a parenthesis is not closed")
        member = text[position:end].strip()
        if member or text[end] == ",":
            found.append(member)
        if text[end] == ")":
            return found
        position = end + 1
    raise ValueCutError("a parenthesis is not closed")


def struct(text: str) -> dict[str, str]:
    """Read `(Key=Value,...)` as a dictionary of raw values; a repeated key keeps its first value."""
    if not text.startswith("("):
        raise ValueCutError(_found(text, 0, "("))
    pairs, _ = fields(text)
    found: dict[str, str] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def unquote(raw: str) -> str:
    """Resolve a quoted value with its escapes; a value without quotes is returned as it stands."""
    if len(raw) < 2 or raw[0] != '"' or raw[-1] != '"':
        return raw
    return resolved(raw[1:-1]) if "\\" in raw else raw[1:-1]


def resolved(body: str) -> str:
    """Resolve the escapes of a text without its quotes."""
    return "".join(_resolve(body)) if "\\" in body else body


def quoted(text: str) -> str:
    """Write a text in quotes with the editor's escapes."""
    return '"' + "".join(_WRITTEN.get(char, char) for char in text) + '"'


def _resolve(body: str) -> Iterator[str]:
    for match in _PLAIN.finditer(body):
        piece = match.group()
        if piece[0] != "\\":
            yield piece
        elif len(piece) > 2:
            code = int(piece[2:], 16)
            yield chr(code) if code <= 0x10FFFF and not 0xD800 <= code < 0xE000 else piece
        else:
            yield _ESCAPES.get(piece, piece)


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in " \t,":
        position += 1
    return position


def _found(text: str, position: int, expected: str) -> str:
    shown = text[position : position + 20]
    return f"{shown!r} stands where {expected} was expected" if shown else f"the text ends before {expected}"
