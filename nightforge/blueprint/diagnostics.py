"""What is wrong with a program text: findings with a stable code, place, expectation and perhaps a fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nightforge.blueprint.lexer import Edit, LineError

Severity = Literal["error", "warning"]

MAX_FINDINGS = 5_000  # of one kind of reading; more help nobody and a hostile file could have millions

# code -> meaning. A code never changes its meaning; a new finding gets a new code.
CODES: dict[str, str] = {
    "DSL001": "the file is no UTF-8 text",
    "DSL002": "the file is larger than the limit",
    "DSL003": "more findings than are listed",
    "DSL004": "the file cannot be read",
    "DSL101": "a character that means nothing here",
    "DSL102": "a string is not closed on its line",
    "DSL103": "an unknown escape in a string",
    "DSL104": "a malformed number",
    "DSL105": "a number that is too large",
    "DSL106": "a line that starts with no keyword",
    "DSL107": "something else was expected here",
    "DSL108": "the line ends too early",
    "DSL109": "text behind the end of a statement",
    "DSL110": "a bracket is not closed",
    "DSL111": "a property, field, pin or id is given twice",
    "DSL112": "a literal where a data wire starts",
    "DSL113": "structs or types nest too deep, or a list is too long",
    "DSL114": "a statement stands before any graph",
    "DSL201": "a line of the header is missing",
    "DSL202": "a line of the header is given twice",
    "DSL203": "the program has no graph",
    "DSL204": "the parent class is unknown",
    "DSL205": "a variable is declared twice",
    "DSL206": "a graph name is given twice",
    "DSL207": "an unknown or malformed type",
    "DSL208": "a default value does not fit its type",
    "DSL209": "a graph has no event to start from",
    "DSL210": "a comment box names a node that is not there",
    "DSL211": "the header of a function has an exec pin",
    "DSL301": "an unknown node type",
    "DSL302": "an opaque node, kept but not understood",
    "DSL303": "a node id is used twice",
    "DSL304": "an engine event stands twice in a graph",
    "DSL305": "the node has no such property",
    "DSL306": "a value does not fit its property",
    "DSL307": "a text is no entry of the enum",
    "DSL308": "an input is both set and wired",
    "DSL309": "a required property is missing",
    "DSL310": "a required input has neither wire nor value",
    "DSL311": "a variable is not declared",
    "DSL312": "a custom event is not defined",
    "DSL313": "a custom event is defined twice",
    "DSL314": "a function or macro is not defined",
    "DSL315": "a signature repeats a pin that the node has anyway",
    "DSL316": "a node that cannot stand in this kind of graph",
    "DSL401": "a wire to a node that is not there",
    "DSL402": "a wire to a pin that the node lacks",
    "DSL403": "an exec wire at a data pin or a data wire at an exec pin",
    "DSL404": "an exec wire at a pure node",
    "DSL405": "a data wire joins types that do not fit",
    "DSL406": "a wire is given twice",
    "DSL407": "an exec output leads to two nodes",
    "DSL408": "a data input has two wires",
    "DSL409": "a data wire has no type tag",
    "DSL410": "the type tag is not the type of the source",
    "DSL411": "a loop of data wires through pure nodes",
    "DSL501": "a node is never reached",
    "DSL502": "a node has no wire",
}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: line and column count from 1, `expected` says what would have been right there.

    `fix` is a replacement inside that line, where the finding knows one.
    """

    code: str
    line: int
    column: int
    message: str
    expected: str = ""
    severity: Severity = "error"
    fix: Edit | None = None

    def __post_init__(self) -> None:
        """Refuse a code that the table does not explain."""
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is no code of CODES")

    def __str__(self) -> str:
        """Write the finding as `line:column severity code: message (expected ...)`."""
        tail = f" (expected {self.expected})" if self.expected else ""
        return f"{self.line}:{self.column} {self.severity} {self.code}: {self.message}{tail}"


def from_line_error(line: int, error: LineError) -> Diagnostic:
    """Place an error of one line in its text."""
    return Diagnostic(error.code, line, error.column, error.message, error.expected, fix=error.fix)


def too_many(line: int) -> Diagnostic:
    """Return the finding that stands for all that are not listed."""
    message = f"more than {MAX_FINDINGS} findings; the others are not listed"
    return Diagnostic("DSL003", line, 1, message, "the findings above mended first")


def in_order(found: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sort findings by place, then by words."""
    return sorted(found, key=lambda d: (d.line, d.column, d.message))
