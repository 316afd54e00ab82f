"""The type of an editor pin in the spelling of the language.

Engine types the catalog knows have their names there; other classes, structs and enums keep their reference,
`"/Script/CoreUObject.ScriptStruct'/Script/Engine.HitResult'"`, which says what kind of thing it is.
"""

from __future__ import annotations

from collections.abc import Callable

from nightforge.blueprint.catalog import EXEC, SELF, WILDCARD, load_catalog
from nightforge.blueprint.clipboard.objects import RawPin, object_path
from nightforge.blueprint.clipboard.tokens import ValueCutError, struct, unquote
from nightforge.blueprint.type_names import type_text

_PLAIN = {
    "exec": EXEC,
    "bool": "Bool",
    "int": "Int",
    "int64": "Int64",
    "real": "Float",
    "float": "Float",
    "double": "Float",
    "name": "Name",
    "string": "String",
    "text": "Text",
    "delegate": "Delegate",
    "mcdelegate": "MulticastDelegate",
    "fieldpath": "FieldPath",
    "wildcard": WILDCARD,
    "": WILDCARD,
}
_REFERENCES = {
    "class": "Class",
    "softobject": "SoftObject",
    "softclass": "SoftClass",
    "interface": "Interface",
}
_NOTHING = ("", "None")


def pin_type(pin: RawPin) -> str:
    """Return the type of a pin, containers with their element types."""
    return _container(lambda key: pin.text("PinType." + key), pin.fields.get("PinType.PinValueType", ""))


def type_of_struct(raw: str) -> str:
    """Return the type that a raw `(PinCategory=...,ContainerType=...)` describes, as user pins have it."""
    try:
        found = struct(raw)
    except ValueCutError:
        return WILDCARD
    return _container(lambda key: unquote(found.get(key, "")), found.get("PinValueType", ""))


def reference_type(reference: str) -> str:
    """Return the type a reference `Class'Path'` means: its catalog name, or the reference; "" for no path."""
    owner, path = object_path(reference)
    if not path:
        return ""
    name = load_catalog().types.name_of(path)
    return name or type_text(f"{owner}'{path}'" if owner else path)


def _container(get: Callable[[str], str], value_type: str) -> str:
    inner = _element(get("PinCategory"), get("PinSubCategory"), get("PinSubCategoryObject"))
    kind = get("ContainerType")
    if kind in _NOTHING:
        kind = next((name for name in ("Array", "Set", "Map") if get(f"bIs{name}").lower() == "true"), "")
    if kind == "Map":
        return f"Map<{inner},{_terminal(value_type)}>"
    return f"{kind}<{inner}>" if kind in ("Array", "Set") else inner


def _terminal(raw: str) -> str:
    """Return the value type of a map, `(TerminalCategory="int",...)`."""
    try:
        found = struct(raw) if raw else {}
    except ValueCutError:
        found = {}
    names = ("TerminalCategory", "TerminalSubCategory", "TerminalSubCategoryObject")
    category, sub, reference = (unquote(found.get(name, "")) for name in names)
    return _element(category, sub, reference)


def _element(category: str, sub: str, reference: str) -> str:
    category = category.lower()
    named = "" if reference in _NOTHING else reference_type(reference)
    if category in _PLAIN:
        return _PLAIN[category]
    if category in _REFERENCES:
        inner = named or (SELF if sub == "self" else "Object")
        return f"{_REFERENCES[category]}<{inner}>"
    if category == "object":
        return named or (SELF if sub == "self" else "Object")
    if category in ("byte", "enum"):
        return named or "Byte"
    if category == "struct":
        return named or type_text("struct")
    return named or type_text(category)
