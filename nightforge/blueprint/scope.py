"""What the checks of one graph share: the program, resolved pins, the places of findings, and their list."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.diagnostics import MAX_FINDINGS, Diagnostic, Severity, in_order, too_many
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.lexer import Edit
from nightforge.blueprint.node_types import Definitions
from nightforge.blueprint.pin_types import PinTypes
from nightforge.blueprint.places import Part, locate
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.source_map import SourceMap


@dataclass(frozen=True, slots=True)
class Certain:
    """A text that can only be right in place of what a finding points at."""

    text: str


MAX_HINTS = 200  # names looked for among similar ones; the search is slow and more help nobody


class Findings:
    """The findings about one program, placed in its text."""

    def __init__(self, bp: Blueprint, text: Sequence[str], opaque: Severity) -> None:
        """Keep the source lines, those of `to_text(bp)` where there is no text.

        `opaque` is how severe a node of an unknown K2 class is.
        """
        self.bp, self.text, self.opaque = bp, text, opaque
        self.found: list[Diagnostic] = []
        self._hints = 0
        self._errors_left_out = False

    def all(self) -> list[Diagnostic]:
        """Return the findings in order, and at the end one for those that are not listed."""
        found = in_order(self.found)
        if len(found) >= MAX_FINDINGS:
            left_out = too_many(found[-1].line)
            found.append(left_out if self._errors_left_out else replace(left_out, severity="warning"))
        return found

    def say(
        self,
        code: str,
        place: tuple[int, Part, int],
        message: str,
        expected: str = "",
        severity: Severity = "error",
        fix: Certain | str | None = None,
    ) -> None:
        """Add a finding about a part of a line; a fix replaces that part.

        A fix given as plain text is safe only where it differs from what is written in nothing but case.

        `place` is the line, the part and how many items its list holds (-1: not a list).
        """
        if len(self.found) >= MAX_FINDINGS:
            self._errors_left_out |= severity == "error"
            return
        self.text = self.text or to_text(self.bp).split("\n")
        number, part, count = place
        line = self.text[number - 1] if number <= len(self.text) else ""
        column, length = locate(line, part, count)
        edit = None
        if fix is not None and length:
            written = line[column - 1 : column - 1 + length]
            text = fix.text if isinstance(fix, Certain) else fix
            same = written.strip('"').lower() == text.strip('"').lower()
            edit = Edit(column, length, text, safe=same or isinstance(fix, Certain))
        self.found.append(Diagnostic(code, number, column, message, expected, severity, edit))

    def nearest(self, name: str, known: Iterable[str]) -> str | None:
        """Return the known name most like a written one, or None where none is near."""
        self._hints += 1
        return _nearest(name, tuple(known)) if self._hints <= MAX_HINTS else None


@lru_cache(maxsize=1024)  # the same misspelling comes up again and again, in one text and in its next version
def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    lowered = {entry.lower(): entry for entry in known}
    close = difflib.get_close_matches(name.lower(), list(lowered), n=1, cutoff=0.6)
    return lowered[close[0]] if close else None


def did_you_mean(name: str | None) -> str:
    """Return `; did you mean X?`, or an empty text."""
    return f"; did you mean {name}?" if name else ""


class Scope:
    """One graph under check."""

    def __init__(self, bp: Blueprint, index: int, lines: SourceMap, definitions: Definitions) -> None:
        """Index the graph once; `lines` says where its parts stand."""
        self.bp, self.graph = bp, bp.graphs[index]
        self.catalog = load_catalog()
        self.definitions = definitions
        self.pins = PinTypes(bp, self.graph, definitions)
        self.line = lines.graphs[index]
        self.node_lines, self.wire_lines = lines.nodes[index], lines.wires[index]
        self.comment_lines = lines.comments[index]
        self.lost = lines.lost[index] if lines.lost else frozenset()
        self.lost_variables = lines.lost_variables
