"""What a node is, from its references: the function, event, macro, cast target ... they name, exactly."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from nightforge.blueprint.catalog import NodeType, load_catalog
from nightforge.blueprint.catalog_types import GENERATED
from nightforge.blueprint.clipboard.objects import RawObject, object_path
from nightforge.blueprint.clipboard.tokens import ValueCutError, struct, unquote

GRAPH_MODULE = "BlueprintGraph"
AUTOMATIC_NAMES = (
    "BndEvt__",
    "InpAxisEvt_",
    "InpActEvt_",
    "InpAxisKeyEvt_",
)  # named by the editor, not by people
_SELECT = "K2Node_Select"
_ZERO_GUID = "0" * 32

# body keys that hold a member reference, (MemberParent=..,MemberName=..)
_MEMBER_KEYS = ("FunctionReference", "EventReference", "DelegateReference", "VariableReference")
# body keys that name one thing by themselves
_NAME_KEYS = (
    "CustomFunctionName", "DelegatePropertyName", "ComponentPropertyName", "TimelineName",
    "SelectedFunctionName", "InputActionName", "InputAxisName", "InputKey", "AxisKey", "OperationName",
)  # fmt: skip
# body keys that refer to a class, enum, struct or asset
_PATH_KEYS = (
    "TargetType", "CustomClass", "StructType", "Enum", "InputAction", "DelegateOwnerClass", "VariableClass",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Member:
    """A member reference: the declaring class ("" for the Blueprint itself), the name, and the rest."""

    owner: str
    name: str
    self_context: bool = False
    guid: str = ""
    scope: str = ""
    plain: bool = True  # nothing is said beyond parent, name, guid and self context


_NOBODY = Member("", "")


@dataclass(frozen=True, slots=True)
class Identity:
    """A node class with the references that give it meaning.

    members: body key -> reference. candidates: (owner, member) pairs to look up, the most telling first.
    """

    node_class: str
    members: dict[str, Member] = field(default_factory=dict)
    candidates: tuple[tuple[str, str], ...] = ()


def catalog_class(node: RawObject) -> str:
    """Return the class as the language spells it: bare for BlueprintGraph, else the whole path."""
    return node.class_name if node.module in ("", GRAPH_MODULE) else node.class_path


def identify(node: RawObject) -> Identity:
    """Read every reference of a node."""
    members = {key: found for key in _MEMBER_KEYS if (found := member(node.get(key))) is not None}
    if "EventReference" not in members and node.get("EventSignatureName") is not None:  # UE4 before 4.5
        owner = object_path(node.get("EventSignatureClass") or "")[1]
        members["EventReference"] = Member(owner, unquote(node.get("EventSignatureName") or ""))
    candidates: list[tuple[str, str]] = []
    macro = macro_reference(node)
    if macro is not None:
        candidates.append(macro)
    for key in ("FunctionReference", "EventReference", "DelegateReference", "VariableReference"):
        if key in members:
            candidates.append((members[key].owner, members[key].name))
    owner = object_path(node.get("DelegateOwnerClass") or "")[1]
    if owner:
        candidates.append((owner, unquote(node.get("DelegatePropertyName") or "")))
    if members.get("VariableReference", _NOBODY).owner:
        candidates.append(("", "member"))
    if node.class_name == _SELECT:
        candidates += [("", pin.category) for pin in node.pins if pin.name == "Index"]
    for key in ("TargetType", "CustomClass"):
        if node.get(key):
            candidates.append(("", object_path(node.get(key) or "")[1]))
    return Identity(catalog_class(node), members, tuple(dict.fromkeys(candidates)))


@lru_cache(maxsize=4096)
def member(raw: str | None) -> Member | None:
    """Read `(MemberParent="...",MemberName="F",bSelfContext=True)`; None where there is no such thing."""
    if raw is None or not raw.startswith("("):
        return None
    try:
        found = struct(raw)
    except ValueCutError:
        return None
    name = unquote(found.get("MemberName", ""))
    owner = object_path(found.get("MemberParent", ""))[1]
    owner = "" if owner == "None" else owner
    guid = found.get("MemberGuid", "")
    extra = set(found) - {"MemberParent", "MemberName", "MemberGuid", "bSelfContext"}
    return Member(
        owner,
        name,
        found.get("bSelfContext", "").lower() == "true",
        "" if guid == _ZERO_GUID else guid,
        unquote(found.get("MemberScope", "")),
        not extra,
    )


def macro_reference(node: RawObject) -> tuple[str, str] | None:
    """Return (asset, name) of a macro instance, from `MacroGraphReference=(MacroGraph="...:ForLoop'")`."""
    raw = node.get("MacroGraphReference")
    if raw is None:
        raw, graph = node.get("MacroGraph"), node.get("MacroGraph") or ""
    else:
        try:
            graph = struct(raw).get("MacroGraph", "")
        except ValueCutError:
            return None
    if raw is None:
        return None
    asset, _, name = object_path(graph)[1].partition(":")
    return asset, name


def known_type(identity: Identity) -> tuple[NodeType, bool] | None:
    """Return the catalog's node type and whether a reference told it (False: the class alone), or None."""
    catalog = load_catalog()
    for owner, name in identity.candidates:
        found = catalog.by_unreal(identity.node_class, owner, name)
        if found is not None:
            return found, True
    found = catalog.by_unreal(identity.node_class)
    return (found, False) if found is not None else None


def names(node: RawObject) -> list[str]:
    """Return the names in a node that must survive: members, macros, own names, classes and assets."""
    found = [reference.name for reference in identify(node).members.values()]
    macro = macro_reference(node)
    if macro is not None:
        found.append(macro[1])
    found += [unquote(value) for key in _NAME_KEYS if (value := node.get(key))]
    found += [_path(value) for key in _PATH_KEYS if (value := node.get(key))]
    return [n for n in dict.fromkeys(found) if n not in ("", "None") and not n.startswith(AUTOMATIC_NAMES)]


def _path(reference: str) -> str:
    """Return the path of a reference; a class without a folder by the name of its asset."""
    path = object_path(reference)[1]
    return path if "/" in path else path.removesuffix(GENERATED)
