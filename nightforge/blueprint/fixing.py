"""Rewrites a program text in its one spelling: safe corrections, aliases, order and blanks; notes are kept.

A note is a `#` comment. It is no part of the program, so the model does not carry it: it belongs to the
statement it stands behind, or to the next statement below it, and goes where that statement goes.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from nightforge.blueprint.check import Validation, validate
from nightforge.blueprint.diagnostics import Diagnostic
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.lexer import Edit, comment_of, tokenize
from nightforge.blueprint.parser import parse, split_lines
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.source_map import SourceMap, layout

MAX_ROUNDS = 8  # a correction may bring another to light; more than a few in a row mean none of them helps


@dataclass(frozen=True, slots=True)
class Change:
    """One statement that is written differently now; line numbers are those of the old text."""

    line: int
    before: str
    after: str

    def __str__(self) -> str:
        """Write the change as `line 4: before -> after`."""
        return f"line {self.line}: {self.before} -> {self.after or 'removed'}"


@dataclass(frozen=True, slots=True)
class Fixed:
    """A text in its one spelling, what was changed in it, and the errors that stop it from being rewritten.

    Where there are errors, `text` is the text as it was given and nothing is changed.
    """

    text: str
    changes: tuple[Change, ...] = ()
    errors: tuple[Diagnostic, ...] = ()


@dataclass(slots=True)
class Notes:
    """The `#` comments of a text: above or behind the statement of a line, and behind the last statement."""

    above: dict[int, list[str]] = field(default_factory=dict)
    behind: dict[int, str] = field(default_factory=dict)
    last: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, text: tuple[str, ...]) -> Notes:
        """Read the notes of a text given line by line."""
        notes = cls()
        waiting: list[str] = []
        for number, line in enumerate(text, 1):
            note = comment_of(line) if "#" in line else None
            if len(tokenize(line)[0]) > 1:
                if waiting:
                    notes.above[number], waiting = waiting, []
                if note is not None:
                    notes.behind[number] = note
            elif note is not None:
                waiting.append(note)
        notes.last = waiting
        return notes


def fix(text: str) -> Fixed:
    """Return a text in its one spelling, or as it is where an error remains that no safe correction mends."""
    first = validate(text)
    lines, last, changes = _correct(list(split_lines(text)), first)
    if last.errors:
        return Fixed(text, errors=first.errors)
    result = parse("\n".join(lines))
    if result.blueprint is None:
        raise AssertionError("a text without errors has no program")
    written = with_notes(result.blueprint, result.lines, Notes.of(result.lines.text))
    if _notes_of(written) != _notes_of(text) or parse(written).blueprint != result.blueprint:
        raise AssertionError(f"rewriting would lose something:\n{written}")
    places = dict(zip(layout(result.blueprint).numbers(), result.lines.numbers(), strict=True))
    printed = to_text(result.blueprint).split("\n")
    for place, source in places.items():
        before = changes[source].before if source in changes else _code(result.lines.text[source - 1])
        if before != printed[place - 1]:
            changes[source] = Change(source, before, printed[place - 1])
    return Fixed(written, tuple(changes[number] for number in sorted(changes)))


def with_notes(bp: Blueprint, lines: SourceMap, notes: Notes) -> str:
    """Write a program with the notes of the text it was read from."""
    places = dict(zip(layout(bp).numbers(), lines.numbers(), strict=True))
    out: list[str] = []
    for place, written in enumerate(to_text(bp).split("\n")[:-1], 1):
        source = places[place]
        out += notes.above.get(source, ())
        out.append(f"{written}  {notes.behind[source]}" if source in notes.behind else written)
    return "\n".join([*out, *notes.last]) + "\n"


def _correct(lines: list[str], validation: Validation) -> tuple[list[str], Validation, dict[int, Change]]:
    """Apply safe corrections until none is left.

    Takes what is said about the lines; returns them corrected, what is said about them now, and by line
    number what was changed.
    """
    changes: dict[int, Change] = {}
    for _ in range(MAX_ROUNDS):
        edits: dict[int, list[Edit]] = {}
        for found in validation.diagnostics:
            if found.fix is not None and found.fix.safe:
                edits.setdefault(found.line, []).append(found.fix)
        if not edits:
            break
        for number, of_line in edits.items():
            before = changes[number].before if number in changes else _code(lines[number - 1])
            lines[number - 1] = _apply(lines[number - 1], of_line)
            changes[number] = Change(number, before, _code(lines[number - 1]))
        validation = validate("\n".join(lines))
    return lines, validation, changes


def _apply(line: str, edits: list[Edit]) -> str:
    """Apply the corrections of one line from right to left; of two that overlap the right one."""
    limit = len(line) + 1
    for edit in sorted(edits, key=lambda e: e.column, reverse=True):
        start, end = edit.column - 1, edit.column - 1 + edit.length
        if end <= limit:
            line = line[:start] + edit.text + line[end:]
            limit = start
    return line


def _code(line: str) -> str:
    """Return a line without its note and the blanks around it."""
    note = comment_of(line) if "#" in line else None
    return line.rstrip().removesuffix(note or "").strip()


def _notes_of(text: str) -> Counter[str]:
    return Counter(note for line in split_lines(text) if (note := comment_of(line)) is not None)
