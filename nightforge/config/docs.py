"""docs/config.md, generated from the schema, so that page and program cannot disagree."""

from __future__ import annotations

import inspect
import json
from typing import Any, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from nightforge.config.schema import Config

HEAD = """# Configuration

`pipeline_config.json` is the one configuration. A profile (`profiles/<name>.json`) lies over it, and
`--set section.key=value` over both. The names below are all there are: an unknown key, a wrong type or a
value out of range stops the start with exit code 2 and says where. `"// anything"` keys are comments.

Made from `nightforge/config/schema.py`; a test holds it true. To make it again:
`python -c "from nightforge.config.docs import render; print(render(), end='')" > docs/config.md`
"""


def render() -> str:
    """Return the whole page: one table per section, with default, type, unit and meaning of every key."""
    parts = [HEAD]
    for field in msgspec.structs.fields(Config):
        if _is_struct(field.type):
            parts.append(_section(field.name, getattr(Config(), field.name)))
    return "\n".join(parts)


def _section(name: str, values: Struct) -> str:
    """Write the table of one section from its default `values`: two of one type may differ in them."""
    struct = type(values)
    lines = [
        f"## {name}",
        "",
        inspect.cleandoc(struct.__doc__ or ""),  # Python 3.13 has taken the indentation off already
        "",
        "| key | default | type | meaning |",
        "|---|---|---|---|",
    ]
    nested: list[str] = []
    for field in msgspec.structs.fields(struct):
        if _is_struct(field.type):
            nested.append(_section(f"{name}.{field.name}", getattr(values, field.name)))
            continue
        default = f"`{json.dumps(getattr(values, field.name))}`"
        lines.append(f"| `{field.name}` | {default} | {_type_words(field.type)} | {_meaning(field.type)} |")
    return "\n".join([*lines, "", *nested])


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _metas(kind: Any) -> list[Meta]:
    return [entry for entry in getattr(kind, "__metadata__", ()) if isinstance(entry, Meta)]


def _meaning(kind: Any) -> str:
    return "; ".join(meta.description for meta in _metas(kind) if meta.description).replace("|", "\\|")


def _type_words(kind: Any) -> str:
    metas = _metas(kind)
    if metas:
        bounds = [f"{sign} {value:g}" for meta in metas for sign, value in _bounds(meta)]
        return " ".join([_type_words(kind.__origin__), *bounds]).strip()
    if get_origin(kind) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(kind))
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", type(None): "null"}
    if kind in names:
        return names[kind]
    if get_origin(kind) is tuple:
        return f"list of {_type_words(get_args(kind)[0])}"
    return " or ".join(_type_words(part) for part in get_args(kind))


def _bounds(meta: Meta) -> list[tuple[str, float]]:
    signs = (("≥", meta.ge), (">", meta.gt), ("≤", meta.le), ("<", meta.lt))
    return [(sign, value) for sign, value in signs if value is not None]
