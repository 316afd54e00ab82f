"""Reads the language: line based, anchored, strict; every error has line, column and what was expected.

docs/language.md holds the grammar. Aliases of node types, pins and properties are accepted and respelt.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from nightforge.blueprint.catalog import Catalog, NodeType, load_catalog, suggestion
from nightforge.blueprint.graph import (
    INT_LIMIT,
    MAX_DEPTH,
    Blueprint,
    Graph,
    Node,
    Struct,
    Value,
    Variable,
    Wire,
    WireKind,
    writing_places,
)
from nightforge.blueprint.lexer import LineError, Token, tokenize

KEYWORDS = ("BLUEPRINT", "PARENT", "CATEGORY", "VAR", "GRAPH", "NODE", "EXEC", "DATA")
_CLOSERS = {"(": ")", "[": "]"}


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: line and column count from 1, `expected` says what would have been right there."""

    line: int
    column: int
    message: str
    expected: str = ""
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        """Write the finding as `line:column severity: message (expected ...)`."""
        tail = f" (expected {self.expected})" if self.expected else ""
        return f"{self.line}:{self.column} {self.severity}: {self.message}{tail}"


@dataclass(frozen=True, slots=True)
class SourceMap:
    """Line numbers of the variables and graph headers, and of the nodes and wires of each graph."""

    variables: tuple[int, ...] = ()
    graphs: tuple[int, ...] = ()
    nodes: tuple[tuple[int, ...], ...] = ()
    wires: tuple[tuple[int, ...], ...] = ()
    parent: int = 2


@dataclass(frozen=True, slots=True)
class ParseResult:
    """The program, or None where there is a syntax error; `partial` is what could be read all the same."""

    blueprint: Blueprint | None
    diagnostics: tuple[Diagnostic, ...]
    partial: Blueprint | None
    lines: SourceMap


def parse(text: str) -> ParseResult:
    """Read a program text; never raises on bad text, every syntax error becomes a diagnostic."""
    reader = _Reader()
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(text.split("\n"), 1):
        reader.read(number, line)
    reader.finish()
    diagnostics = tuple(sorted(reader.diagnostics, key=lambda d: (d.line, d.column)))
    partial = reader.blueprint()
    return ParseResult(None if diagnostics else partial, diagnostics, partial, reader.source_map())


def respell(bp: Blueprint) -> Blueprint:
    """Return the program with every alias of a node type, pin or property replaced by its one spelling."""
    catalog = load_catalog()
    return replace(bp, graphs=tuple(_respell_graph(graph, catalog) for graph in bp.graphs))


def _respell_graph(graph: Graph, catalog: Catalog) -> Graph:
    types: dict[str, NodeType | None] = {}
    nodes = []
    for node in graph.nodes:
        node_type = catalog.lookup(node.type)
        types.setdefault(node.id, node_type)
        nodes.append(_respell_node(node, node_type, catalog))
    wires = [_respell_wire(wire, types.get(wire.source), types.get(wire.target)) for wire in graph.wires]
    return Graph(graph.name, tuple(nodes), tuple(wires))


def _respell_wire(wire: Wire, source: NodeType | None, target: NodeType | None) -> Wire:
    source_pin = _respell_pin(source, wire.source_pin, "output")
    target_pin = _respell_pin(target, wire.target_pin, "input")
    if (source_pin, target_pin) == (wire.source_pin, wire.target_pin):
        return wire
    return replace(wire, source_pin=source_pin, target_pin=target_pin)


def _respell_node(node: Node, node_type: NodeType | None, catalog: Catalog) -> Node:
    if node_type is None:
        return node
    if node.type == node_type.name and not any(name in node_type.pin_aliases for name, _ in node.properties):
        return node
    names = {name: node_type.pin_aliases.get(name, name) for name, _ in node.properties}
    if len(set(names.values())) < len(names):
        names = {name: name for name in names}  # both spellings given: left for the checks to report
    return Node(node.id, catalog.spelling(node.type), tuple((names[n], v) for n, v in node.properties))


def _respell_pin(node_type: NodeType | None, name: str, side: str) -> str:
    if node_type is None:
        return name
    known = node_type.input(name) if side == "input" else node_type.output(name)
    other = node_type.pin_aliases.get(name)
    if known is not None or other is None:
        return name
    found = node_type.input(other) if side == "input" else node_type.output(other)
    return other if found is not None else name


@dataclass(slots=True)
class _Section:
    """A graph being read, with the line numbers of its parts."""

    name: str
    line: int
    nodes: list[Node] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    node_lines: list[int] = field(default_factory=list)
    wire_lines: list[int] = field(default_factory=list)

    def lines_of_wires(self) -> tuple[int, ...]:
        """Return the line of each wire in the order in which the graph keeps them."""
        places = writing_places(self.nodes, self.wires)
        order = sorted(range(len(places)), key=places.__getitem__)
        return tuple(self.wire_lines[index] for index in order)


class _Reader:
    """Reads line after line, keeps going after an error, and keeps what could be read of a broken line."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.header: dict[str, str] = {}
        self.header_lines: dict[str, int] = {}
        self.variables: list[Variable] = []
        self.variable_lines: list[int] = []
        self.sections: list[_Section] = []
        self.orphan = False
        self.last_line = 1
        self.number = 0

    def read(self, number: int, line: str) -> None:
        self.number = number
        try:
            tokens = _Line(*tokenize(line))
            if tokens.at("end"):
                return
            self._statement(tokens)
        except LineError as error:
            self._report(error)
        self.last_line = number

    def finish(self) -> None:
        line = self.last_line
        for keyword in ("BLUEPRINT", "PARENT"):
            if keyword not in self.header and keyword not in self.header_lines:
                message = f"{keyword}: line is missing; the header is required"
                self.diagnostics.append(Diagnostic(1, 1, message, f"{keyword}: <name>"))
        if not self.sections and not self.orphan:
            message = "no graph; at least one is required"
            self.diagnostics.append(Diagnostic(line, 1, message, "GRAPH: EventGraph"))

    def blueprint(self) -> Blueprint | None:
        if not self.sections:
            return None
        header = self.header
        graphs = tuple(Graph(s.name, tuple(s.nodes), tuple(s.wires)) for s in self.sections)
        name, parent = header.get("BLUEPRINT", "Unnamed"), header.get("PARENT", "Actor")
        return respell(Blueprint(name, parent, tuple(self.variables), graphs, header.get("CATEGORY")))

    def source_map(self) -> SourceMap:
        return SourceMap(
            variables=tuple(self.variable_lines),
            graphs=tuple(section.line for section in self.sections),
            nodes=tuple(tuple(section.node_lines) for section in self.sections),
            wires=tuple(section.lines_of_wires() for section in self.sections),
            parent=self.header_lines.get("PARENT", 1),
        )

    def _report(self, error: LineError) -> None:
        self.diagnostics.append(Diagnostic(self.number, error.column, error.message, error.expected))

    def _statement(self, line: _Line) -> None:
        first = line.next()
        if first.kind != "ident" or first.text not in KEYWORDS:
            hint = suggestion(first.text, list(KEYWORDS)) if first.kind == "ident" else ""
            message = f"a line starts with a keyword, not {first.text!r}{hint}"
            raise LineError(first.column, message, ", ".join(KEYWORDS))
        keyword = first.text
        if keyword in ("BLUEPRINT", "PARENT", "CATEGORY"):
            self._header(keyword, first, line)
        elif keyword == "GRAPH":
            section = _Section(
                "?", self.number
            )  # kept even if the name is broken, so that its lines have a place
            self.sections.append(section)
            line.expect(":", "':' after GRAPH")
            section.name = line.name("a graph name")
            line.expect_end()
        elif keyword == "VAR":
            self._variable(line)
        elif not self.sections:
            self.orphan = True
            raise LineError(first.column, f"{keyword} before any GRAPH", "a GRAPH: line first")
        elif keyword == "NODE":
            self._node(line)
        else:
            self._wire("exec" if keyword == "EXEC" else "data", line)

    def _header(self, keyword: str, first: Token, line: _Line) -> None:
        repeated = keyword in self.header_lines
        self.header_lines.setdefault(keyword, self.number)
        if repeated:
            raise LineError(first.column, f"{keyword} is given twice", "one header")
        line.expect(":", f"':' after {keyword}")
        self.header[keyword] = line.name("a name; in quotes if it is no identifier")
        line.expect_end()

    def _variable(self, line: _Line) -> None:
        name = line.name("a variable name")
        line.expect(":", "':' and a type")
        type_name = line.type()
        default = None
        try:
            if line.at("="):
                line.next()
                default = line.value()
            line.expect_end("'= default' or the end of the line")
        finally:
            self.variables.append(Variable(name, type_name, default))
            self.variable_lines.append(self.number)

    def _node(self, line: _Line) -> None:
        node_id = line.expect("ident", "a node id such as n1").text
        line.expect(":", "':' and a node type")
        type_name = line.name("a node type")
        properties: dict[str, Value] = {}
        try:
            if line.at("["):
                self._properties(line, properties)
            line.expect_end("'[' with properties or the end of the line")
        finally:
            section = self.sections[-1]
            section.nodes.append(Node(node_id, type_name, tuple(properties.items())))
            section.node_lines.append(self.number)

    def _properties(self, line: _Line, properties: dict[str, Value]) -> None:
        opening = line.next()
        while True:
            line.not_end(opening, "a property name")
            column = line.peek().column
            name = line.name("a property name")
            line.not_end(opening, "'=' and a value")
            line.expect("=", f"'=' and a value for {name}")
            line.not_end(opening, "a value")
            value = line.value()
            if name in properties:
                raise LineError(column, f"property {name!r} is given twice", "each property once")
            properties[name] = value
            line.not_end(opening, "',' or ']'")
            if line.at("]"):
                line.next()
                return
            line.expect(",", "',' or ']'")

    def _wire(self, kind: WireKind, line: _Line) -> None:
        if kind == "data":
            _refuse_literal(line)
        source, source_pin = line.end_point("an output pin such as n1.Then")
        line.expect("arrow", "'->'")
        target, target_pin = line.end_point("an input pin such as n2.Execute")
        tag = None
        try:
            if kind == "data" and line.at("["):
                opening = line.next()
                tag = line.type()
                line.not_end(opening, "']'")
                line.expect("]", "']'")
            line.expect_end("a [Type] or the end of the line" if kind == "data" else "the end of the line")
        finally:
            section = self.sections[-1]
            section.wires.append(Wire(kind, source, source_pin, target, target_pin, tag))
            section.wire_lines.append(self.number)


class _Line:
    """The tokens of one line with a reading position; an error of the lexer is met where it stands."""

    def __init__(self, tokens: list[Token], error: LineError | None) -> None:
        self.tokens, self.error, self.position = tokens, error, 0

    def peek(self, ahead: int = 0) -> Token:
        index = self.position + ahead
        if index < len(self.tokens):
            return self.tokens[index]
        if self.error is not None:
            raise self.error
        return self.tokens[-1]

    def at(self, kind: str) -> bool:
        return self.peek().kind == kind

    def next(self) -> Token:
        token = self.peek()
        self.position += 1
        return token

    def expect(self, kind: str, expected: str) -> Token:
        if not self.at(kind):
            raise _unexpected(self.peek(), expected)
        return self.next()

    def expect_end(self, expected: str = "the end of the line") -> None:
        token = self.peek()
        if token.kind != "end":
            raise LineError(token.column, f"trailing text {token.text!r}", expected)

    def not_end(self, opening: Token, expected: str) -> None:
        if self.at("end"):
            message = f"unclosed {opening.text!r} from column {opening.column}"
            raise LineError(self.peek().column, message, f"{expected}, then {_CLOSERS[opening.kind]!r}")

    def name(self, expected: str) -> str:
        token = self.peek()
        if token.kind not in ("ident", "string") or not token.text:
            raise _unexpected(token, expected)
        return self.next().text

    def end_point(self, expected: str) -> tuple[str, str]:
        node = self.expect("ident", expected).text
        self.expect(".", "'.' and a pin name")
        return node, self.name("a pin name; in quotes if it is no identifier")

    def type(self) -> str:
        head = self.expect("ident", "a type such as Float or Array<Int>").text
        if not self.at("<"):
            return head
        self.next()
        parts = [self.expect("ident", "an element type").text]
        if self.at(","):
            self.next()
            parts.append(self.expect("ident", "a second element type").text)
        self.expect(">", "'>'")
        return f"{head}<{','.join(parts)}>"

    def value(self, depth: int = 1) -> Value:
        token = self.peek()
        if token.kind == "(":
            if depth > MAX_DEPTH:
                raise LineError(token.column, "struct literals nest too deep", f"at most {MAX_DEPTH} levels")
            return self.struct(depth)
        if token.kind not in _VALUES:
            raise _unexpected(token, "a value: text in quotes, a number, true, false or (Field=value,...)")
        return _VALUES[token.kind](self.next())

    def struct(self, depth: int) -> Struct:
        opening = self.next()
        fields: dict[str, Value] = {}
        while not self.at(")"):
            self.not_end(opening, "a field name")
            token = self.peek()
            name = self.name("a field name")
            self.expect("=", f"'=' and a value for {name}")
            if name in fields:
                raise LineError(token.column, f"field {name!r} is given twice", "each field once")
            fields[name] = self.value(depth + 1)
            self.not_end(opening, "','")
            if not self.at(")"):
                self.expect(",", "',' or ')'")
                self.not_end(opening, "a field name")
                if self.at(")"):
                    raise _unexpected(self.peek(), "a field name after ','")
        self.next()
        return Struct(tuple(fields.items()))


def _number(token: Token) -> Value:
    if any(mark in token.text for mark in ".eE"):
        number = float(token.text)
        if number in (float("inf"), float("-inf")):
            raise LineError(token.column, f"number {token.text} is too large", "a finite number")
        return number
    if len(token.text) > 20 or not -INT_LIMIT <= int(token.text) < INT_LIMIT:
        raise LineError(token.column, f"integer {token.text[:24]} is too large", "at most 64 bits")
    return int(token.text)


def _word(token: Token) -> Value:
    lowered = token.text.lower()
    return lowered == "true" if lowered in ("true", "false") else token.text


_VALUES: dict[str, Callable[[Token], Value]] = {
    "number": _number,
    "ident": _word,
    "string": lambda token: token.text,
}


def _refuse_literal(line: _Line) -> None:
    token = line.peek()
    is_word = token.kind == "ident" and token.text.lower() in ("true", "false") and line.peek(1).kind != "."
    if token.kind in ("number", "string", "(") or is_word:
        message = "a data wire starts at an output pin, not at a literal"
        raise LineError(token.column, message, "a property on the node instead: NODE n2: Type [Pin=value]")


def _unexpected(token: Token, expected: str) -> LineError:
    what = "the line ends too early" if token.kind == "end" else f"unexpected {token.text!r}"
    return LineError(token.column, what, expected)
