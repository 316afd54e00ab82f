"""Reads the parts of one line from its tokens: names, types, values, brackets with properties, signatures.

An error inside a list is reported and the list is read on behind it, so that one line can report several.
"""

from __future__ import annotations

from collections.abc import Callable, Sized

from nightforge.blueprint.graph import INT_LIMIT, MAX_DEPTH, MAX_ITEMS, PinSpec, Struct, Value
from nightforge.blueprint.lexer import MAX_LINE_ERRORS, Edit, LineError, Token, quote, tokenize
from nightforge.blueprint.type_names import MAX_TYPE_DEPTH, type_text

_CLOSERS = {"(": ")", "[": "]"}
_BEHIND_WORDS = ("end", "arrow", "[", "]", ",", ")")  # where bare words that belong together may end


class SkipLine(Exception):
    """The rest of a part cannot be read, and what is wrong with it is reported already."""


class LineReader:
    """The tokens of one line with a reading position; `errors` gathers what is wrong with the line."""

    def __init__(self, line: str) -> None:
        """Cut the line into tokens; errors of the lexer come first."""
        self.line = line
        self.tokens, self.errors = tokenize(line)
        self.position = 0

    # tokens

    def peek(self, ahead: int = 0) -> Token:
        """Return a token without taking it; behind the last one stands the end for ever."""
        return self.tokens[min(self.position + ahead, len(self.tokens) - 1)]

    def at(self, kind: str) -> bool:
        """Say whether the next token is of a kind."""
        return self.tokens[self.position].kind == kind

    def next(self) -> Token:
        """Take the next token; the end is never used up."""
        token = self.tokens[self.position]
        if token.kind != "end":
            self.position += 1
        return token

    def expect(self, kind: str, expected: str) -> Token:
        """Take a token of a kind; raises LineError for another one, SkipLine for one that is reported."""
        token = self.tokens[self.position]
        if token.kind != kind:
            raise self.unexpected(expected)
        return self.next()

    def expect_end(self, expected: str = "the end of the line") -> None:
        """Refuse anything that still stands on the line."""
        token = self.peek()
        if token.kind == "bad":
            raise SkipLine
        if token.kind != "end":
            raise LineError("DSL109", token.column, f"trailing text {token.text!r}", expected)

    def unexpected(self, expected: str) -> Exception:
        """Return the error for the next token."""
        token = self.peek()
        if token.kind == "bad":
            return SkipLine()
        if token.kind == "end":
            return LineError("DSL108", token.column, "the line ends too early", expected)
        return LineError("DSL107", token.column, f"unexpected {token.text!r}", expected)

    def not_end(self, opening: Token, expected: str) -> None:
        """Refuse the end of the line inside brackets."""
        if self.at("end"):
            closer = _CLOSERS[opening.kind]
            message = f"unclosed {opening.text!r} from column {opening.column}"
            column = self.peek().column
            raise LineError(
                "DSL110", column, message, f"{expected}, then {closer!r}", Edit(column, 0, closer)
            )

    def _skip_item(self, start: int, closer: str) -> None:
        """Go on from the error to the next comma or closer outside the brackets opened since `start`."""
        depth = 0
        for token in self.tokens[start : self.position]:
            depth += (token.kind in "(<") - (token.kind in ")>")
        while not self.at("end"):
            kind = self.peek().kind
            if depth <= 0 and kind in (",", closer):
                return
            depth += (kind in "(<") - (kind in ")>")
            self.next()

    # names and types

    def name(self, expected: str) -> str:
        """Read a name, in quotes or bare, that is not empty."""
        if not self.peek().text:
            raise self.unexpected(expected)
        return self.pin_name(expected)

    def pin_name(self, expected: str) -> str:
        """Read a name, in quotes or bare; in quotes it may be empty, as some pins of the editor are."""
        if self.peek().kind not in ("ident", "string"):
            raise self.unexpected(expected)
        return self.next().text

    def no_words_behind(self, first: Token, expected: str) -> None:
        """Refuse bare words that follow a bare word `first` up to a mark: they stand in quotes together."""
        place = self.position
        while self.tokens[place].kind in ("ident", "number"):
            place += 1
        if place == self.position or first.kind != "ident" or self.tokens[place].kind not in _BEHIND_WORDS:
            return
        text = self.line[first.column - 1 : self.tokens[place - 1].end - 1]
        fix = Edit(first.column, len(text), quote(text), safe=True)
        token = self.peek()
        message = (
            f"trailing text {token.text!r}" if place == len(self.tokens) - 1 else f"unexpected {token.text!r}"
        )
        expected = f"{expected}; a text with blanks stands in quotes: {fix.text}"
        raise LineError("DSL109", token.column, message, expected, fix)

    def end_point(self, expected: str) -> tuple[str, str]:
        """Read one end of a wire, `n1.Then`."""
        node = self.expect("ident", expected).text
        self.expect(".", "'.' and a pin name")
        return node, self.pin_name("a pin name; in quotes if it is no identifier")

    def type(self, depth: int = 1) -> str:
        """Read a type and return its one spelling."""
        token = self.peek()
        if depth > MAX_TYPE_DEPTH:
            raise LineError("DSL113", token.column, "types nest too deep", f"at most {MAX_TYPE_DEPTH} levels")
        head = self.name("a type such as Float or Array<Int>" if depth == 1 else "an element type")
        if not self.at("<"):
            return type_text(head)
        self.next()
        parts = [self.type(depth + 1)]
        if self.at(","):
            self.next()
            parts.append(self.type(depth + 1))
        self.expect(">", "'>'")
        return type_text(head, *parts)

    # values

    def value(self, depth: int = 1) -> Value:
        """Read a literal."""
        token = self.peek()
        if token.kind == "(":
            if depth > MAX_DEPTH:
                expected = f"at most {MAX_DEPTH} levels"
                raise LineError("DSL113", token.column, "struct literals nest too deep", expected)
            return self.struct(depth)
        if token.kind not in _VALUES:
            raise self.unexpected("a value: text in quotes, a number, true, false or (Field=value,...)")
        return _VALUES[token.kind](self.next())

    def struct(self, depth: int) -> Struct:
        """Read `(Field=value,...)`."""
        opening = self.next()
        fields: dict[str, Value] = {}
        while not self.at(")"):
            self.not_end(opening, "a field name")
            token = self.peek()
            name = self.pin_name("a field name")
            self.expect("=", f"'=' and a value for {name}")
            if name in fields:
                raise LineError("DSL111", token.column, f"field {name!r} is given twice", "each field once")
            _check_count(fields, token)
            fields[name] = self.value(depth + 1)
            self.not_end(opening, "','")
            if not self.at(")"):
                self.expect(",", "',' or ')'")
                self.not_end(opening, "a field name")
                if self.at(")"):
                    raise self.unexpected("a field name after ','")
        self.next()
        return Struct(tuple(fields.items()))

    # lists

    def properties(self) -> tuple[tuple[str, Value], ...]:
        """Read `[Name=value, ...]`; what cannot be read is reported and left out."""
        found: dict[str, Value] = {}
        opening = self.next()
        self._list(opening, lambda: self._property(opening, found))
        return tuple(found.items())

    def signature(self) -> tuple[PinSpec, ...]:
        """Read `(in Name: Type, out Name: Type, ...)`; what cannot be read is reported and left out."""
        found: dict[tuple[str, str], PinSpec] = {}
        opening = self.next()
        if self.at(")"):
            self.next()
        else:
            self._list(opening, lambda: self._pin(opening, found))
        return tuple(found.values())

    def ids(self) -> tuple[str, ...]:
        """Read `(n1, n2, ...)`; what cannot be read is reported and left out."""
        found: dict[str, None] = {}
        opening = self.next()
        if self.at(")"):
            self.next()
        else:
            self._list(opening, lambda: self._id(opening, found))
        return tuple(found)

    def _list(self, opening: Token, item: Callable[[], None]) -> None:
        """Read items up to the closing bracket; behind a broken item the next one is tried."""
        closer = _CLOSERS[opening.kind]
        while True:
            broken, start = True, self.position
            try:
                item()
                self.not_end(opening, f"',' or {closer!r}")
                if not self.at(closer) and not self.at(","):
                    raise self.unexpected(f"',' or {closer!r}")
                broken = False
            except LineError as error:
                self.errors.append(error)
            except SkipLine:
                pass  # among the errors already
            if len(self.errors) >= MAX_LINE_ERRORS:
                raise SkipLine
            if broken:
                self._skip_item(start, closer)
            if self.next().kind != ",":
                return

    def _property(self, opening: Token, found: dict[str, Value]) -> None:
        self.not_end(opening, "a property name")
        token = self.peek()
        name = "@" + self.next().text[1:] if token.kind == "key" else self.pin_name("a property name")
        self.not_end(opening, "'=' and a value")
        self.expect("=", f"'=' and a value for {name}")
        self.not_end(opening, "a value")
        first = self.peek()
        value = self.value()
        self.no_words_behind(first, "',' or ']'")
        if name in found:
            message = f"property {name!r} is given twice"
            raise LineError("DSL111", token.column, message, "each property once")
        _check_count(found, token)
        found[name] = value

    def _pin(self, opening: Token, found: dict[tuple[str, str], PinSpec]) -> None:
        self.not_end(opening, "'in' or 'out'")
        token = self.peek()
        if token.kind != "ident" or token.text not in ("in", "out"):
            raise self.unexpected("'in' or 'out', then a pin name")
        direction = self.next().text
        self.not_end(opening, "a pin name")
        name = self.pin_name("a pin name; in quotes if it is no identifier")
        self.not_end(opening, "':' and a type")
        self.expect(":", "':' and a type")
        self.not_end(opening, "a type")
        pin = PinSpec("in" if direction == "in" else "out", name, self.type())
        if (direction, name) in found:
            message = f"pin {direction} {name!r} is given twice"
            raise LineError("DSL111", token.column, message, "each pin once")
        _check_count(found, token)
        found[direction, name] = pin

    def _id(self, opening: Token, found: dict[str, None]) -> None:
        self.not_end(opening, "a node id")
        token = self.expect("ident", "a node id such as n1")
        if token.text in found:
            raise LineError("DSL111", token.column, f"node {token.text!r} is given twice", "each node once")
        found[token.text] = None


def _check_count(items: Sized, token: Token) -> None:
    """Refuse one more item than a list may have."""
    if len(items) >= MAX_ITEMS:
        raise LineError("DSL113", token.column, "the list is too long", f"at most {MAX_ITEMS} items")


def _number(token: Token) -> Value:
    if any(mark in token.text for mark in ".eE"):
        number = float(token.text)
        if number in (float("inf"), float("-inf")):
            message = f"number {token.text[:24]} is too large"
            raise LineError("DSL105", token.column, message, "a finite number")
        return number
    if len(token.text) > 20 or not -INT_LIMIT <= int(token.text) < INT_LIMIT:
        raise LineError("DSL105", token.column, f"integer {token.text[:24]} is too large", "at most 64 bits")
    return int(token.text)


def _word(token: Token) -> Value:
    lowered = token.text.lower()
    return lowered == "true" if lowered in ("true", "false") else token.text


_VALUES: dict[str, Callable[[Token], Value]] = {
    "number": _number,
    "ident": _word,
    "string": lambda token: token.text,
}
