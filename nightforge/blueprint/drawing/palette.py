"""Colours and text styles of a picture: the editor's, with darker ones for light pages.

Class names begin with `bp-`, so that a picture may stand inside a page without touching its style.
"""

from __future__ import annotations

from nightforge.blueprint.catalog import EXEC, load_catalog
from nightforge.blueprint.type_names import split_type

# What a pin carries: its colour on dark and on light ground, each at least 3:1 against the ground.
PIN_COLOURS: dict[str, tuple[str, str]] = {
    "exec": ("#ffffff", "#30343b"),
    "bool": ("#e5484d", "#b4141a"),
    "int": ("#2ee6d6", "#04827a"),
    "float": ("#9bea3a", "#3f7d0a"),
    "string": ("#ff4fd8", "#b8008f"),
    "name": ("#cf9bff", "#7d32c9"),
    "text": ("#f5a3cf", "#a83a7c"),
    "vector": ("#ffcf33", "#8f6a00"),
    "rotator": ("#a9b8ff", "#4658c4"),
    "transform": ("#ff9440", "#b35200"),
    "struct": ("#5c9dff", "#1f5fc4"),
    "enum": ("#35b8a6", "#0b7568"),
    "object": ("#34b4ff", "#0573b5"),
    "class": ("#a982ff", "#6a3fd0"),
    "delegate": ("#ff6b5e", "#b3271b"),
    "unknown": ("#a7adb8", "#656b76"),
}
# Kinds of nodes: the title bar at its left and at its right end; white text reads on both.
BAR_COLOURS: dict[str, tuple[str, str]] = {
    "event": ("#a3181c", "#5e1214"),
    "function": ("#1d6394", "#163f5e"),
    "pure": ("#3c7a3f", "#24502a"),
    "flow": ("#5c636e", "#3a3f48"),
    "variable": ("#2b7a6b", "#1b4f47"),
    "opaque": ("#7a5a1e", "#4f3b16"),
}
_FAMILIES = {
    "Bool": "bool",
    "Int": "int",
    "Int64": "int",
    "Byte": "enum",
    "Float": "float",
    "String": "string",
    "Name": "name",
    "Text": "text",
    "Vector": "vector",
    "Rotator": "rotator",
    "Transform": "transform",
    "Delegate": "delegate",
}
# What the path of a type outside the catalog says about it, as in `/Script/CoreUObject.ScriptStruct'...'`.
_PATHS = {"Struct'": "struct", "Enum'": "enum", "Class'": "object"}
_GROUNDS = {  # class: property, colour on dark, colour on light ground
    "ground": ("fill", "#1a1c20", "#f4f5f7"),
    "grid": ("stroke", "#24272d", "#e6e8ec"),
    "panel": ("fill", "#101216", "#ffffff"),
    "edge": ("stroke", "#000000", "#b9bec8"),
    "ink": ("fill", "#e9ebef", "#1d2026"),
    "soft": ("fill", "#a9b0bc", "#565d69"),
    "box": ("fill", "#23262d", "#eef0f3"),
    "boxedge": ("stroke", "#59606d", "#a2a9b5"),
    "comment": ("fill", "#8d96a8", "#79859c"),
    "commentedge": ("stroke", "#8d96a8", "#79859c"),
}
_FIXED = """.bp{font-family:system-ui,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-size:13px}
.bp-head{font-size:20px;font-weight:600}
.bp-title{font-size:14px;font-weight:600;fill:#fff}
.bp-subtitle{font-size:11px;fill:#e3e6ea}
.bp-value{font-size:12px}
.bp-symbol{font-size:20px;font-weight:600;text-anchor:middle}
.bp-note{font-size:14px;font-weight:600}
.bp-wire{fill:none;stroke-width:2}
.bp-wire.bp-exec{stroke-width:3}
.bp-hollow{fill-opacity:.08}
.bp-veil{fill-opacity:.14}
.bp-veilbar{fill-opacity:.3}
.bp-line{fill:none;stroke-width:1}
.bp-end{text-anchor:end}
.bp-mark{fill:none;stroke-width:2}"""


def pin_family(type_name: str | None) -> str:
    """Return the colour family of a type; containers have that of their (first) element."""
    if type_name is None:
        return "unknown"
    if type_name == EXEC:
        return "exec"
    types = load_catalog().types
    head, arguments = split_type(type_name)
    if head in ("Class", "SoftClass"):
        return "class"
    if arguments:
        return pin_family(arguments[0])
    if head in _FAMILIES:
        return _FAMILIES[head]
    if head in types.structs:
        return "struct"
    if head in types.enums:
        return "enum"
    if types.is_class(head):
        return "object"
    return next((family for mark, family in _PATHS.items() if mark in head), "unknown")


def style() -> str:
    """Return the style sheet of a picture; what is dark turns light with `prefers-color-scheme`."""
    return f"{_FIXED}\n{_scheme(0)}\n@media (prefers-color-scheme:light){{\n{_scheme(1)}\n}}"


def _scheme(place: int) -> str:
    rules = [f".bp-{name}{{{kind}:{colours[place]}}}" for name, (kind, *colours) in _GROUNDS.items()]
    for name, colours in PIN_COLOURS.items():
        rules.append(f".bp-pin.bp-{name}{{fill:{colours[place]};stroke:{colours[place]}}}")
        rules.append(f".bp-wire.bp-{name}{{stroke:{colours[place]}}}")
    return "\n".join(rules)
