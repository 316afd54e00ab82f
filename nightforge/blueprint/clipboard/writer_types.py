"""The editor's type of a pin for a type of the language: category, sub-category, object, container."""

from __future__ import annotations

from dataclasses import dataclass

from nightforge.blueprint.catalog import EXEC, SELF, WILDCARDS, load_catalog
from nightforge.blueprint.catalog_types import GENERATED
from nightforge.blueprint.clipboard.objects import object_path
from nightforge.blueprint.graph import split_type
from nightforge.blueprint.type_names import plain_name

CLASS, STRUCT, ENUM = (f"/Script/CoreUObject.{kind}" for kind in ("Class", "ScriptStruct", "Enum"))
GENERATED_CLASS = "/Script/Engine.BlueprintGeneratedClass"
NOTHING = "None"

_PLAIN = {
    EXEC: ("exec", ""),
    "Bool": ("bool", ""),
    "Int": ("int", ""),
    "Int64": ("int64", ""),
    "Byte": ("byte", ""),
    "Float": ("real", "double"),
    "Name": ("name", ""),
    "String": ("string", ""),
    "Text": ("text", ""),
    "Delegate": ("delegate", ""),
    "MulticastDelegate": ("mcdelegate", ""),
    "FieldPath": ("fieldpath", ""),
    SELF: ("object", "self"),
}
_REFERENCES = {
    "Class": "class",
    "SoftObject": "softobject",
    "SoftClass": "softclass",
    "Interface": "interface",
}
_CONTAINERS = ("Array", "Set", "Map")
_KINDS = {"ScriptStruct": "struct", "UserDefinedStruct": "struct", "Enum": "byte", "UserDefinedEnum": "byte"}


@dataclass(frozen=True, slots=True)
class PinType:
    """A type as the editor states it; `object` is a reference in quotes or `None`, `value` that of a map."""

    category: str
    sub_category: str = ""
    object: str = NOTHING
    container: str = NOTHING
    value: PinType | None = None

    def pin_fields(self) -> list[str]:
        """Return the `PinType.` fields of a pin line."""
        return [
            f'PinType.PinCategory="{self.category}"',
            f'PinType.PinSubCategory="{self.sub_category}"',
            f"PinType.PinSubCategoryObject={self.object}",
            "PinType.PinSubCategoryMemberReference=()",
            f"PinType.PinValueType={self._value_text()}",
            f"PinType.ContainerType={self.container}",
            "PinType.bIsReference=False",
            "PinType.bIsConst=False",
            "PinType.bIsWeakPointer=False",
            "PinType.bIsUObjectWrapper=False",
            "PinType.bSerializeAsSinglePrecisionFloat=False",
        ]

    def struct_text(self) -> str:
        """Return the type as one value, `(PinCategory="int")`, as user pins and macros state it."""
        parts = [f'PinCategory="{self.category}"']
        if self.sub_category:
            parts.append(f'PinSubCategory="{self.sub_category}"')
        if self.object != NOTHING:
            parts.append(f"PinSubCategoryObject={self.object}")
        if self.value is not None:
            parts.append(f"PinValueType={self._value_text()}")
        if self.container != NOTHING:
            parts.append(f"ContainerType={self.container}")
        return f"({','.join(parts)})"

    def _value_text(self) -> str:
        if self.value is None:
            return "()"
        inner = self.value
        return (
            f'(TerminalCategory="{inner.category}",TerminalSubCategory="{inner.sub_category}",'
            f"TerminalSubCategoryObject={inner.object})"
        )


def editor_type(type_name: str | None) -> PinType:
    """Return the editor's type of a type of the language; None, an unknown one, becomes a wildcard."""
    if type_name is None:
        return PinType("wildcard")
    head, arguments = split_type(type_name)
    if head in _CONTAINERS and arguments:
        inner = _element(arguments[0])
        value = _element(arguments[1]) if len(arguments) > 1 else None
        return PinType(inner.category, inner.sub_category, inner.object, head, value)
    return _element(type_name)


def class_reference(name: str) -> str:
    """Return the reference of a class, by its name in the language or its path, in quotes."""
    path = load_catalog().types.path(name)
    if path is not None:
        return reference(CLASS, path)
    if "/" not in name:
        return reference(GENERATED_CLASS, name.removesuffix(GENERATED) + GENERATED)
    return reference(CLASS if name.startswith("/Script/") else GENERATED_CLASS, name)


def class_path(name: str) -> str:
    """Return the path of a class as DefaultObject names it; a project class keeps the name it is known by."""
    path = load_catalog().types.path(name)
    if path is not None or "/" in name:
        return path or name
    return name.removesuffix(GENERATED) + GENERATED


def reference(kind: str, path: str) -> str:
    """Return `"Class'Path'"`, or the path alone in quotes where its kind is not known."""
    return f"\"{kind}'{path}'\"" if kind else f'"{path}"'


def _element(type_name: str) -> PinType:
    head, arguments = split_type(type_name)
    if head in _PLAIN:
        return PinType(*_PLAIN[head])
    if head in WILDCARDS:
        return PinType("wildcard")
    if head in _REFERENCES and arguments:
        inner = _element(arguments[0])
        return PinType(_REFERENCES[head], inner.sub_category, inner.object)
    types = load_catalog().types
    name = plain_name(head)
    path = types.path(name)
    if name in types.struct_fields and path is not None:
        return PinType("struct", object=reference(STRUCT, path))
    if name in types.enums and path is not None:
        return PinType("byte", object=reference(ENUM, path))
    if types.is_class(name):
        return PinType("object", object=class_reference(name))
    owner, path = object_path(name)
    if owner or "/" in path:
        kind = owner.rpartition(".")[2]
        return PinType(_KINDS.get(kind, "object"), object=reference(owner, path))
    if name.islower():  # a category of the editor that names no object
        return PinType(name)
    return PinType("object", object=reference("", name))
