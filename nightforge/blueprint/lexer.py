"""Cuts one line of the language into tokens with columns; strings carry escapes, `#` starts a comment."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

MAX_LINE_ERRORS = 50  # what can be wrong with one line before the rest of it is left alone
_TOKEN = re.compile(
    r"""
    (?P<blank>[^\S\n]+)
  | (?P<comment>\#.*)
  | (?P<arrow>->)
  | (?P<number>-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?!\w))
  | (?P<ident>[^\W\d]\w*)
  | (?P<key>@[^\W\d]\w*)
  | (?P<string>"[^"\\]*(?:\\.[^"\\]*)*")
  | (?P<punct>[:=\[\]()<>,.])
    """,
    re.VERBOSE | re.DOTALL,
)
_NUMBER_LIKE = re.compile(r"-?\d[\w.]*")
_STRANGE = re.compile(r"""[^\w\s#"@:=\[\]()<>,.-]+""")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\"}
_WRITE_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


class Token(NamedTuple):
    """A token: kind is ident, key (`@Name`), number, string, arrow, end, bad or the mark itself.

    Columns count from 1. A `bad` token could not be read; what is wrong with it is among the errors.
    """

    kind: str
    text: str
    column: int
    end: int


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement inside one line: `length` characters from `column` become `text`.

    A `safe` edit can only mean this; the others are suggestions for a person to look at.
    """

    column: int
    length: int
    text: str
    safe: bool = False


class LineError(Exception):
    """One syntax error inside a line: code, place, what is wrong, what was expected, perhaps a fix."""

    def __init__(self, code: str, column: int, message: str, expected: str, fix: Edit | None = None) -> None:
        """Keep the parts of a diagnostic; the parser adds the line number."""
        super().__init__(message)
        self.code, self.column, self.message, self.expected, self.fix = code, column, message, expected, fix


def tokenize(line: str) -> tuple[list[Token], list[LineError]]:
    """Cut a line into tokens, an `end` token last, and say what could not be read; comments are left out."""
    tokens: list[Token] = []
    errors: list[LineError] = []
    position = 0
    while position < len(line):
        match = _TOKEN.match(line, position)
        if match is None:
            if len(errors) == MAX_LINE_ERRORS:
                tokens.append(Token("bad", "", position + 1, len(line) + 1))
                break
            token, error = _impossible(line, position)
            tokens.append(token)
            errors.append(error)
            position = token.end - 1
            continue
        kind = match.lastgroup or ""
        end = match.end()
        if kind not in ("blank", "comment"):
            text = match.group()
            if kind == "punct":
                kind = text
            elif kind == "string":
                try:
                    text = unescape(text[1:-1], position + 2)
                except LineError as error:
                    errors.append(error)
                    kind = "bad"
            tokens.append(Token(kind, text, position + 1, end + 1))
        position = end
    length = len(line.rstrip()) + 1
    tokens.append(Token("end", "", length, length))
    return tokens, errors


def comment_of(line: str) -> str | None:
    """Return the `#` comment of a line with its mark, or None where it has none."""
    position = 0
    while position < len(line):
        match = _TOKEN.match(line, position)
        if match is None:
            position = _impossible(line, position)[0].end - 1
        elif match.lastgroup == "comment":
            return match.group().rstrip()
        else:
            position = match.end()
    return None


def quote(text: str) -> str:
    """Write a string in quotes, escaping quotes, backslashes and everything that does not print."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
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

    if "\\" not in body:
        return body

    def replace(match: re.Match[str]) -> str:
        code = match.group(1)
        if len(code) > 1:
            number = int(code[1:], 16)
            if number <= 0x10FFFF:
                return chr(number)
        elif code in _PLAIN_ESCAPES:
            return _PLAIN_ESCAPES[code]
        message = f"unknown escape {match.group()}"
        expected = r"one of \n \r \t \" \\ \uXXXX \UXXXXXXXX"
        fix = Edit(column + match.start(), 1, "\\\\")
        raise LineError("DSL103", column + match.start(), message, expected, fix)

    return _ESCAPE.sub(replace, body)


def _impossible(line: str, position: int) -> tuple[Token, LineError]:
    """Return a bad token for what no token starts with, and the error; it ends where reading can go on."""
    column = position + 1
    if line[position] == '"':
        end = len(line.rstrip()) + 1
        fix = Edit(end, 0, '"')
        error = LineError("DSL102", column, "string is not closed", 'a closing "', fix)
        return Token("bad", line[position:], column, len(line) + 1), error
    number = _NUMBER_LIKE.match(line, position)
    if number is not None:
        message = f"malformed number {number.group()[:24]!r}"
        error = LineError("DSL104", column, message, "a number such as 5, -2 or 0.5")
        return Token("bad", number.group(), column, number.end() + 1), error
    run = _STRANGE.match(line, position)
    text = run.group() if run else line[position]
    message = f"unexpected character {text[0]!r}" + (f" and {len(text) - 1} more" if len(text) > 1 else "")
    error = LineError("DSL101", column, message, "a name, number, string or mark")
    return Token("bad", text, column, column + len(text)), error
