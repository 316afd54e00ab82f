"""Reads the language: line based, anchored, strict; every error has a code, a place and what was expected.

docs/dsl.md holds the grammar. Aliases of node types, pins and properties are accepted and respelt.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from nightforge.blueprint.catalog import suggestion
from nightforge.blueprint.diagnostics import MAX_FINDINGS, Diagnostic, from_line_error, in_order, too_many
from nightforge.blueprint.graph import (
    Blueprint,
    Comment,
    Graph,
    GraphKind,
    Node,
    PinSpec,
    Value,
    Variable,
    Wire,
    WireKind,
    writing_places,
)
from nightforge.blueprint.lexer import Edit, LineError, Token
from nightforge.blueprint.line_reader import LineReader, SkipLine
from nightforge.blueprint.source_map import SourceMap
from nightforge.blueprint.spelling import respell

HEADERS = ("BLUEPRINT", "PARENT", "CATEGORY")
GRAPH_KINDS: dict[str, GraphKind] = {"GRAPH": "graph", "FUNCTION": "function", "MACRO": "macro"}
WIRE_KINDS: dict[str, WireKind] = {"EXEC": "exec", "DATA": "data"}
KEYWORDS = (*HEADERS, "VAR", *GRAPH_KINDS, "NODE", *WIRE_KINDS, "COMMENT")
REPEATING = ("NODE ", "EXEC ", "DATA ")  # lines that come again and again in a training set
MAX_REPEATING = 200  # characters of such a line; a longer one is read anew each time


@dataclass(frozen=True, slots=True)
class ParseResult:
    """The program, or None where there is a syntax error; `partial` is what could be read all the same."""

    blueprint: Blueprint | None
    diagnostics: tuple[Diagnostic, ...]
    partial: Blueprint | None
    lines: SourceMap


def parse(text: str) -> ParseResult:
    """Read a program text; never raises on bad text, every syntax error becomes a diagnostic."""
    reader = _Reader(split_lines(text))
    for number, line in enumerate(reader.text, 1):
        reader.read(number, line)
    reader.finish()
    diagnostics = tuple(in_order(reader.diagnostics))
    partial = reader.blueprint()
    return ParseResult(None if diagnostics else partial, diagnostics, partial, reader.source_map())


def split_lines(text: str) -> tuple[str, ...]:
    """Cut a text into lines; line ends of any system and a byte-order mark are no part of them."""
    return tuple(text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n"))


@dataclass(slots=True)
class _Section:
    """A graph being read, with the line numbers of its parts and the ids on lines that are lost."""

    name: str
    kind: GraphKind
    line: int
    pins: tuple[PinSpec, ...] = ()
    nodes: list[Node] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    node_lines: list[int] = field(default_factory=list)
    wire_lines: list[int] = field(default_factory=list)
    comment_lines: list[int] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)

    def graph(self) -> Graph:
        """Return what was read as a graph."""
        nodes, wires, comments = tuple(self.nodes), tuple(self.wires), tuple(self.comments)
        return Graph(self.name, nodes, wires, self.kind, self.pins, comments)

    def lines_of_wires(self) -> tuple[int, ...]:
        """Return the line of each wire in the order in which the graph keeps them."""
        places = writing_places(self.nodes, self.wires)
        order = sorted(range(len(places)), key=places.__getitem__)
        return tuple(self.wire_lines[index] for index in order)


class _Reader:
    """Reads line after line, keeps going after an error, and keeps what could be read of a broken line."""

    def __init__(self, text: tuple[str, ...]) -> None:
        self.text = text
        self.diagnostics: list[Diagnostic] = []
        self.header: dict[str, str] = {}
        self.header_lines: dict[str, int] = {}
        self.variables: list[Variable] = []
        self.variable_lines: list[int] = []
        self.lost_variables: set[str] = set()
        self.sections: list[_Section] = []
        self.orphan = False
        self.last_line = 1
        self.number = 0

    def read(self, number: int, text: str) -> None:
        self.number = number
        if self.sections and len(text) <= MAX_REPEATING and text.startswith(REPEATING):
            found = _read_alone(text)
            if found is not None:
                self._add(found)
                return
        self.read_line(LineReader(text))

    def _add(self, found: Node | Wire) -> None:
        section = self.sections[-1]
        if isinstance(found, Node):
            section.nodes.append(found)
            section.node_lines.append(self.number)
            section.lost.discard(found.id)
        else:
            section.wires.append(found)
            section.wire_lines.append(self.number)
        self.last_line = self.number

    def read_line(self, line: LineReader) -> None:
        if len(line.tokens) == 1:
            return
        try:
            self._statement(line)
        except LineError as error:
            line.errors.append(error)
        except SkipLine:
            pass  # among the errors already
        if line.errors and len(self.diagnostics) < MAX_FINDINGS:
            self.diagnostics += [from_line_error(self.number, error) for error in line.errors]
            if len(self.diagnostics) >= MAX_FINDINGS:
                self.diagnostics.append(too_many(self.number))
        self.last_line = self.number

    def finish(self) -> None:
        for keyword in ("BLUEPRINT", "PARENT"):
            if keyword not in self.header_lines:
                message = f"{keyword}: line is missing; the header is required"
                self.diagnostics.append(Diagnostic("DSL201", 1, 1, message, f"{keyword}: <name>"))
        if not self.sections and not self.orphan:
            message = "no graph; at least one is required"
            self.diagnostics.append(Diagnostic("DSL203", self.last_line, 1, message, "GRAPH: EventGraph"))

    def blueprint(self) -> Blueprint | None:
        if not self.sections:
            return None
        graphs = tuple(section.graph() for section in self.sections)
        name, parent = self.header.get("BLUEPRINT", "Unnamed"), self.header.get("PARENT", "Actor")
        return respell(Blueprint(name, parent, tuple(self.variables), graphs, self.header.get("CATEGORY")))

    def source_map(self) -> SourceMap:
        sections = self.sections
        return SourceMap(
            header=tuple(self.header_lines.items()),
            variables=tuple(self.variable_lines),
            graphs=tuple(section.line for section in sections),
            nodes=tuple(tuple(section.node_lines) for section in sections),
            wires=tuple(section.lines_of_wires() for section in sections),
            comments=tuple(tuple(section.comment_lines) for section in sections),
            lost=tuple(frozenset(section.lost) for section in sections),
            lost_variables=frozenset(self.lost_variables),
            text=self.text,
        )

    def _statement(self, line: LineReader) -> None:
        first = line.next()
        keyword = _keyword(first, line)
        if keyword in HEADERS:
            self._header(keyword, first, line)
        elif keyword in GRAPH_KINDS:
            self._graph(keyword, line)
        elif keyword == "VAR":
            self._variable(line)
        elif not self.sections:
            self.orphan = True
            message = f"{keyword} before any GRAPH"
            raise LineError("DSL114", first.column, message, "a GRAPH: line first")
        elif keyword == "NODE":
            self._node(line)
        elif keyword == "COMMENT":
            self._comment(line)
        else:
            self._wire(WIRE_KINDS[keyword], line)

    def _header(self, keyword: str, first: Token, line: LineReader) -> None:
        repeated = keyword in self.header_lines
        self.header_lines.setdefault(keyword, self.number)
        if repeated:
            raise LineError("DSL202", first.column, f"{keyword} is given twice", "one header")
        line.expect(":", f"':' after {keyword}")
        first_word = line.peek()
        self.header[keyword] = line.name("a name; in quotes if it is no identifier")
        line.no_words_behind(first_word, "the end of the line")
        line.expect_end()

    def _graph(self, keyword: str, line: LineReader) -> None:
        # Kept even if the name is broken, so that its lines have a place.
        section = _Section("?", GRAPH_KINDS[keyword], self.number)
        self.sections.append(section)
        line.expect(":", f"':' after {keyword}")
        first_word = line.peek()
        section.name = line.name(f"a {section.kind} name")
        if line.at("(") and section.kind != "graph":
            section.pins = line.signature()
        else:
            line.no_words_behind(first_word, "the end of the line")
        line.expect_end()

    def _variable(self, line: LineReader) -> None:
        name = line.name("a variable name")
        self.lost_variables.add(name)
        line.expect(":", "':' and a type")
        type_name = line.type()
        self.lost_variables.discard(name)
        default = None
        try:
            if line.at("="):
                line.next()
                first_word = line.peek()
                default = line.value()
                line.no_words_behind(first_word, "the end of the line")
            line.expect_end("'= default' or the end of the line")
        finally:
            self.variables.append(Variable(name, type_name, default))
            self.variable_lines.append(self.number)

    def _node(self, line: LineReader) -> None:
        section = self.sections[-1]
        node_id = line.expect("ident", "a node id such as n1").text
        section.lost.add(node_id)
        line.expect(":", "':' and a node type")
        type_name = line.name("a node type")
        properties: tuple[tuple[str, Value], ...] = line.properties() if line.at("[") else ()
        pins = line.signature() if line.at("(") else ()
        section.nodes.append(Node(node_id, type_name, properties, pins))
        section.node_lines.append(self.number)
        if not line.errors:
            section.lost.discard(node_id)
            expected = "" if properties else "'[' with properties, "
            line.expect_end(expected + ("" if pins else "'(' with pins or ") + "the end of the line")

    def _comment(self, line: LineReader) -> None:
        line.expect(":", "':' after COMMENT")
        text = line.expect("string", "the text of the comment in quotes").text
        nodes = line.ids() if line.at("(") else ()
        self.sections[-1].comments.append(Comment(text, nodes))
        self.sections[-1].comment_lines.append(self.number)
        line.expect_end("'(' with node ids or the end of the line")

    def _wire(self, kind: WireKind, line: LineReader) -> None:
        section = self.sections[-1]
        try:
            if kind == "data":
                _refuse_literal(line)
            source, source_pin = line.end_point("an output pin such as n1.Then")
            line.no_words_behind(line.tokens[line.position - 1], "'->'")
            line.expect("arrow", "'->'")
            target, target_pin = line.end_point("an input pin such as n2.Execute")
        except (LineError, SkipLine):
            section.lost.update(_ids_of_wire(line))
            raise
        tag = None
        try:
            if kind == "data" and line.at("["):
                opening = line.next()
                tag = line.type()
                line.not_end(opening, "']'")
                line.expect("]", "']'")
            line.expect_end("a [Type] or the end of the line" if kind == "data" else "the end of the line")
        finally:
            section.wires.append(Wire(kind, source, source_pin, target, target_pin, tag))
            section.wire_lines.append(self.number)


@lru_cache(maxsize=1 << 14)
def _read_alone(text: str) -> Node | Wire | None:
    """Return the node or wire that a line means in any graph, or None where something is wrong with it."""
    reader = _Reader(())
    section = _Section("?", "graph", 0)
    reader.sections.append(section)
    reader.read_line(LineReader(text))
    if reader.diagnostics:
        return None
    return section.nodes[0] if section.nodes else section.wires[0]


def _keyword(first: Token, line: LineReader) -> str:
    """Return the keyword of a line; one in the wrong case is reported and understood all the same."""
    if first.kind == "ident" and first.text in KEYWORDS:
        return first.text
    if first.kind == "bad":
        raise SkipLine
    hint = suggestion(first.text, list(KEYWORDS)) if first.kind == "ident" else ""
    message = f"a line starts with a keyword, not {first.text!r}{hint}"
    upper = first.text.upper()
    fix = Edit(first.column, len(first.text), upper, safe=True) if upper in KEYWORDS else None
    error = LineError("DSL106", first.column, message, ", ".join(KEYWORDS), fix)
    if fix is None:
        raise error
    line.errors.append(error)
    return upper


def _refuse_literal(line: LineReader) -> None:
    token = line.peek()
    is_word = token.kind == "ident" and token.text.lower() in ("true", "false") and line.peek(1).kind != "."
    if token.kind in ("number", "string", "(") or is_word:
        message = "a data wire starts at an output pin, not at a literal"
        raise LineError("DSL112", token.column, message, _as_property(token, line))


def _as_property(literal: Token, line: LineReader) -> str:
    """Write the property that a literal at a wire stands for, as far as the line says which."""
    head, arrow, tail = line.line[literal.column - 1 :].partition("->")
    node_id, point, pin = tail.partition("[")[0].strip().partition(".")
    if not arrow or not point:
        return "a property on the node instead: NODE n2: Type [Pin=value]"
    return f"a property on the node instead: NODE {node_id}: ... [{pin}={head.strip()}]"


def _ids_of_wire(line: LineReader) -> set[str]:
    """Return every word of a line that stands before a point, where a node id would."""
    tokens = line.tokens
    return {a.text for a, b in zip(tokens, tokens[1:], strict=False) if a.kind == "ident" and b.kind == "."}
