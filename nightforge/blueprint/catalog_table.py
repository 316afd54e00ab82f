"""Prints the catalog as a table: python -m nightforge.blueprint.catalog_table [--category C] [--format F]."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence

from nightforge.blueprint.catalog import Catalog, NodeType, Pin, load_catalog, suggestion
from nightforge.blueprint.graph import Struct, Value
from nightforge.core.errors import InputError

FORMATS = ("text", "markdown", "json")
COLUMNS = ("type", "category", "kind", "inputs", "outputs", "unreal", "evidence")
_WIDTH = 44  # of a column in text format; longer cells are cut with "..."
_FAMILY_SIGNS = {"number": "0..n", "text": "<text>", "letter": "C..Z"}


def table(category: str | None = None, style: str = "text") -> str:
    """Return the node types of one category, or all, as text, Markdown or JSON; InputError if unknown."""
    catalog = load_catalog()
    nodes = [node for node in catalog.nodes.values() if category in (None, node.category)]
    if not nodes:
        raise InputError(_unknown(catalog, str(category)))
    if style == "json":
        return json.dumps([record(node) for node in nodes], indent=1, ensure_ascii=False) + "\n"
    rows = [_row(node) for node in nodes]
    if style == "markdown":
        return _markdown(rows)
    if style == "text":
        return _text(rows)
    raise InputError(f"unknown format {style!r}; use --format {', '.join(FORMATS)}")


def record(node: NodeType) -> dict[str, object]:
    """Return a node type as plain data."""
    target = node.unreal
    return {
        "type": node.name,
        "category": node.category,
        "kind": node.kind,
        "level": node.level,
        "properties": [entry.name for entry in node.properties],
        "inputs": [pin_note(pin) for pin in node.inputs],
        "outputs": [pin_note(pin) for pin in node.outputs],
        "user_pins": list(node.user_pins),
        "aliases": list(node.aliases),
        "class": target.class_path,
        "owner": target.owner,
        "member": target.member,
        "operation": target.operation,
        "evidence": node.evidence,
        "summary": node.summary,
    }


def pin_note(pin: Pin) -> str:
    """Write a pin with everything the catalog says about it: `Duration: Float = 0.2`, `Array: Array<T> !`."""
    stem = pin.name[:-1] if pin.dynamic else pin.name
    note = f"{stem}{_FAMILY_SIGNS.get(pin.dynamic, '')}: {pin.type}"
    note += (" !" if pin.required else "") + (" ?" if pin.extra else "")
    return note if pin.default is None else f"{note} = {_value(pin.default)}"


def _value(value: Value) -> str:
    if isinstance(value, Struct):
        return "(" + ",".join(f"{name}={_value(inner)}" for name, inner in value.fields) + ")"
    return json.dumps(value, ensure_ascii=False)


def _row(node: NodeType) -> tuple[str, ...]:
    inputs = [f"[{entry.name}]" for entry in node.properties] + [pin_note(pin) for pin in node.inputs]
    outputs = [pin_note(pin) for pin in node.outputs]
    inputs += ["..."] * ("in" in node.user_pins)
    outputs += ["..."] * ("out" in node.user_pins)
    pins = (", ".join(inputs), ", ".join(outputs))
    return (node.name, node.category, node.kind, *pins, node.ue_target, node.evidence)


def _markdown(rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def _text(rows: list[tuple[str, ...]]) -> str:
    short = [
        tuple(cell if len(cell) <= _WIDTH else cell[: _WIDTH - 3] + "..." for cell in row[:5]) for row in rows
    ]
    cells = [COLUMNS, *((*cut, *row[5:]) for cut, row in zip(short, rows, strict=True))]
    widths = [max(len(row[column]) for row in cells) for column in range(len(COLUMNS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([*lines, f"{len(rows)} node types", ""])


def _unknown(catalog: Catalog, category: str) -> str:
    known = list(dict.fromkeys(node.category for node in catalog.nodes.values()))
    return f"no category {category!r}{suggestion(category, known)}; known are {', '.join(known)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; returns the exit code, 2 for an unknown category."""
    parser = argparse.ArgumentParser(prog="python -m nightforge.blueprint.catalog_table", description=__doc__)
    parser.add_argument("--category", help="only the node types of this category")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print (text)")
    options = parser.parse_args(arguments)
    try:
        sys.stdout.write(table(options.category, options.format))
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
