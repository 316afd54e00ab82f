"""Checks catalog.json against catalog.schema.json: the part of JSON Schema that the file needs, no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "null": type(None),
}
UNDERSTOOD = frozenset(
    {"$ref", "type", "enum", "const", "pattern", "required", "properties", "patternProperties"}
    | {"additionalProperties", "items", "minItems", "uniqueItems"}
)
SILENT = frozenset({"$schema", "$defs", "title", "description"})


def problems(document: Any, schema: dict[str, Any]) -> list[str]:
    """Return every breach of the schema with its place; ValueError for an unknown word in the schema."""
    return list(_breaches(document, schema, schema["$defs"], "catalog.json"))


def _breaches(value: Any, schema: dict[str, Any], shared: dict[str, Any], place: str) -> Iterator[str]:
    unknown = set(schema) - UNDERSTOOD - SILENT
    if unknown:
        raise ValueError(
            f"catalog.schema.json uses {sorted(unknown)}, which catalog_schema.py does not check"
        )
    if "$ref" in schema:
        yield from _breaches(value, shared[schema["$ref"].removeprefix("#/$defs/")], shared, place)
        return
    kind = schema.get("type")
    if kind is not None and (
        not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")
    ):
        yield f"{place}: {value!r} is no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is none of {', '.join(map(str, schema['enum']))}"
    if "const" in schema and value != schema["const"]:
        yield f"{place}: {value!r} is not {schema['const']!r}"
    if isinstance(value, str) and "pattern" in schema and re.search(schema["pattern"], value) is None:
        yield f"{place}: {value!r} does not match {schema['pattern']}"
    if isinstance(value, dict):
        yield from _object_breaches(value, schema, shared, place)
    if isinstance(value, list):
        yield from _array_breaches(value, schema, shared, place)


def _object_breaches(
    value: dict[str, Any], schema: dict[str, Any], shared: dict[str, Any], place: str
) -> Iterator[str]:
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{place}: {name!r} is missing"
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, inner in value.items():
        below = f"{place}, {name}"
        rules = [named[name]] if name in named else []
        rules += [rule for pattern, rule in patterns.items() if re.search(pattern, name)]
        for rule in rules:
            yield from _breaches(inner, rule, shared, below)
        if not rules and schema.get("additionalProperties") is False:
            yield f"{place}: {name!r} is not known here"


def _array_breaches(
    value: list[Any], schema: dict[str, Any], shared: dict[str, Any], place: str
) -> Iterator[str]:
    if len(value) < schema.get("minItems", 0):
        yield f"{place}: {len(value)} entries, at least {schema['minItems']} are needed"
    if schema.get("uniqueItems") and len({repr(item) for item in value}) != len(value):
        yield f"{place}: an entry stands twice"
    for index, item in enumerate(value):
        named = item.get("name") if isinstance(item, dict) else None
        yield from _breaches(item, schema.get("items", {}), shared, f"{place}, {named or index + 1}")
