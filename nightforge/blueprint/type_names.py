"""Names and types as text: `Float`, `Array<Int>`, `Map<Name,Class<Actor>>`, `"/Script/Engine.HitResult"`.

The text of a type is its one spelling: no blanks, and a part that is no identifier stands in quotes.
"""

from __future__ import annotations

import re

from nightforge.blueprint.lexer import LineError, quote, unescape

MAX_TYPE_DEPTH = 4  # Map<Name,Array<...>> has depth 2; nothing in the engine needs more than 3
_IDENTIFIER = re.compile(r"[^\W\d]\w*")
TYPE_NAME = re.compile(r"[^\W\d]\w*(?:<[^\W\d]\w*(?:,[^\W\d]\w*)?>)?")
_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^"<>,]+|[<>,]')


def is_identifier(text: str) -> bool:
    """Say whether a text can be written without quotes: a letter or underscore, then word characters."""
    return _IDENTIFIER.fullmatch(text) is not None


def type_text(head: str, *arguments: str) -> str:
    """Build a type from a plain head name and argument types: `type_text("Array", "Int")` is `Array<Int>`.

    The head is a name as it is, an engine path for instance, and gets quotes where it needs them; the
    arguments are types already.
    """
    name = head if is_identifier(head) else quote(head)
    return f"{name}<{','.join(arguments)}>" if arguments else name


def plain_name(type_name: str) -> str:
    """Return the name that a type without arguments stands for: without its quotes, if it has them."""
    return unescape(type_name[1:-1]) if type_name.startswith('"') else type_name


def split_type(type_name: str) -> tuple[str, tuple[str, ...]]:
    """Split `Map<String,Class<Actor>>` into ("Map", ("String", "Class<Actor>")); a plain type has none."""
    if "<" not in type_name:
        return type_name, ()
    if '"' not in type_name:
        head, _, rest = type_name.partition("<")
        if "<" not in rest:
            return head, tuple(rest[:-1].split(","))
    parts = _PART.findall(type_name)
    if len(parts) == 1:
        return type_name, ()
    arguments, depth = [""], 0
    for part in parts[2:-1]:
        depth += {"<": 1, ">": -1}.get(part, 0)
        if part == "," and not depth:
            arguments.append("")
        else:
            arguments[-1] += part
    return parts[0], tuple(arguments)


def is_type(text: str) -> bool:
    """Say whether a text is a type in its one spelling."""
    if TYPE_NAME.fullmatch(text):
        return True
    tokens = _PART.findall(text)
    if "".join(tokens) != text:
        return False
    end = _read_type(tokens, 0, 1)
    return end == len(tokens)


def _read_type(tokens: list[str], start: int, depth: int) -> int:
    """Return the index behind the type that starts at a token, or -1 where there is none."""
    if depth > MAX_TYPE_DEPTH or start >= len(tokens) or not _is_part(tokens[start]):
        return -1
    place = start + 1
    if place == len(tokens) or tokens[place] != "<":
        return place
    for _ in range(2):
        place = _read_type(tokens, place + 1, depth + 1)
        if place < 0 or place == len(tokens) or tokens[place] not in (",", ">"):
            return -1
        if tokens[place] == ">":
            return place + 1
    return -1


def _is_part(token: str) -> bool:
    if not token.startswith('"'):
        return is_identifier(token)
    try:
        name = unescape(token[1:-1])
    except LineError:
        return False
    return bool(name) and not is_identifier(name) and quote(name) == token
