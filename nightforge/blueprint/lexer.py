"""Cuts one line of the language into tokens with columns; strings carry escapes, `#` starts a comment."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<blank>[^\S\n]+)
  | (?P<comment>\#.*)
  | (?P<arrow>->)
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w))
  | (?P<ident>[^\W\d]\w*)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<punct>[:=\[\]()<>,.])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_WRITE_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


@dataclass(frozen=True, slots=True)
class Token:
    """A token: kind is ident, number, string, arrow, end or the mark itself; column counts from 1."""

    kind: str
    text: str
    column: int


class LineError(Exception):
    """One syntax error inside a line: where, what is wrong, and what was expected there."""

    def __init__(self, column: int, message: str, expected: str) -> None:
        """Keep the three parts of a diagnostic; the parser adds the line number."""
        super().__init__(message)
        self.column, self.message, self.expected = column, message, expected


def tokenize(line: str) -> tuple[list[Token], LineError | None]:
    """Cut a line into tokens up to an `end` token, or up to the first error, which is returned too."""
    tokens: list[Token] = []
    position = 0
    while position < len(line):
        match = _TOKEN.match(line, position)
        if match is None:
            return tokens, _impossible(line, position)
        kind = match.lastgroup or ""
        if kind == "punct":
            kind = match.group()
        if kind not in ("blank", "comment"):
            text = match.group()
            try:
                value = unescape(text[1:-1], position + 2) if kind == "string" else text
            except LineError as error:
                return tokens, error
            tokens.append(Token(kind, value, position + 1))
        position = match.end()
    tokens.append(Token("end", "", len(line.rstrip()) + 1))
    return tokens, None


def quote(text: str) -> str:
    """Write a string in quotes, escaping quotes, backslashes and everything that does not print."""
    out = []
    for char in text:
        if char in _WRITE_ESCAPES:
            out.append(_WRITE_ESCAPES[char])
        elif char == " " or char.isprintable():
            out.append(char)
        else:
            out.append(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}")
    return '"' + "".join(out) + '"'


def unescape(body: str, column: int = 1) -> str:
    """Resolve the escapes of a quoted string's body; `column` is where the body starts."""

    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if len(code) > 1:
            number = int(code[1:], 16)
            if number <= 0x10FFFF:
                return chr(number)
        elif code in _PLAIN_ESCAPES:
            return _PLAIN_ESCAPES[code]
        message = f"unknown escape {match.group()}"
        raise LineError(column + match.start(), message, r"one of \n \r \t \" \\ \uXXXX \UXXXXXXXX")

    return _ESCAPE.sub(replace, body)


def _impossible(line: str, position: int) -> LineError:
    if line[position] == '"':
        return LineError(position + 1, "string is not closed", 'a closing "')
    number = re.match(r"-?\d[\w.]*", line[position:])
    if number is not None:
        message = f"malformed number {number.group()!r}"
        return LineError(position + 1, message, "a number such as 5, -2 or 0.5")
    message = f"unexpected character {line[position]!r}"
    return LineError(position + 1, message, "a name, number, string or mark")
