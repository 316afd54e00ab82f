"""Finds a part of a statement in its line, so that a finding about a program points at the word it means."""

from __future__ import annotations

from functools import lru_cache

from nightforge.blueprint.lexer import Token, tokenize

# What a finding may point at: ("name",) of a header, graph or variable; ("id",), ("type",), ("key", i),
# ("value", i), ("pin", i) and ("pin type", i) of a node; ("source",), ("source pin",), ("target",),
# ("target pin",), ("tag",) and ("statement",) of a wire; ("default",) of a variable; ("member", i) of a
# comment box.
Part = tuple[str] | tuple[str, int]
_BRACKETS = {"key": "[", "value": "[", "pin": "(", "pin type": "(", "member": "("}


@lru_cache(maxsize=4)  # findings come line by line, and a line can have many
def _tokens(line: str) -> list[Token]:
    return tokenize(line)[0][:-1]


@lru_cache(maxsize=4)
def _list_items(line: str, opening: str) -> list[list[Token]]:
    return _items(_tokens(line), opening)


def locate(line: str, part: Part, count: int = -1) -> tuple[int, int]:
    """Return column (from 1) and length of a part of a statement; (1, 0) where the line does not show it.

    `count` is how many items the list should hold: a line with another number lost some; no place is sure.
    """
    tokens = _tokens(line)
    try:
        found = _find_item(line, part[0], part[1], count) if len(part) == 2 else _find(tokens, part[0])
    except IndexError:
        found = []
    if not found:
        return (tokens[0].column if tokens else 1), 0
    return found[0].column, found[-1].end - found[0].column


def _find_item(line: str, kind: str, index: int, count: int) -> list[Token]:
    items = _list_items(line, _BRACKETS[kind])
    if count not in (-1, len(items)):
        return []
    item = items[index]
    return {"key": item[:1], "value": item[2:], "pin": item[1:2], "pin type": item[3:]}.get(kind, item)


def _find(tokens: list[Token], kind: str) -> list[Token]:
    if kind == "statement":
        return tokens
    is_variable = tokens[0].text == "VAR"
    if kind == "name":
        return [tokens[1 if is_variable else 2]]
    if kind == "type" and is_variable:
        ends = [place for place, token in enumerate(tokens) if token.kind == "="] or [len(tokens)]
        return tokens[3 : ends[0]]
    if kind == "default":
        return tokens[next(place for place, token in enumerate(tokens) if token.kind == "=") + 1 :]
    if kind in ("id", "type", "source", "source pin"):
        return [tokens[{"id": 1, "source": 1}.get(kind, 3)]]
    arrow = next((place for place, token in enumerate(tokens) if token.kind == "arrow"), len(tokens))
    if kind == "target":
        return [tokens[arrow + 1]]
    if kind == "target pin":
        return [tokens[arrow + 3]]
    return tokens[arrow + 5 : -1] if kind == "tag" else []


def _items(tokens: list[Token], opening: str) -> list[list[Token]]:
    """Return the items of the bracket of a kind that stands at the outer level, cut at its outer commas."""
    items: list[list[Token]] = []
    depth = 0
    inside = False
    for token in tokens:
        if token.kind in "])>":
            depth -= 1
            if inside and not depth:
                return items
        if inside and depth == 1 and token.kind == ",":
            items.append([])
        elif inside:
            items[-1].append(token)
        if token.kind in "[(<":
            if not depth and token.kind == opening:
                inside, items = True, [[]]
            depth += 1
    return items
