"""One node of a program as an object of the editor's text: class, body keys, pins."""

from __future__ import annotations

from dataclasses import dataclass, field

from nightforge.blueprint.catalog import NodeType, Pin, Property, load_catalog
from nightforge.blueprint.catalog_unreal import GRAPH_MODULE, MACRO_CLASS
from nightforge.blueprint.clipboard.tokens import quoted, unquote
from nightforge.blueprint.clipboard.writer_pins import (
    TARGET,
    GraphPins,
    WrittenPin,
    guid,
    hidden_pin,
    pins_of,
    raw_defaults,
)
from nightforge.blueprint.clipboard.writer_types import (
    CLASS,
    ENUM,
    STRUCT,
    PinType,
    class_path,
    class_reference,
    editor_type,
    reference,
)
from nightforge.blueprint.graph import Node
from nightforge.blueprint.node_types import ENTRY, RESULT, is_opaque
from nightforge.blueprint.type_names import is_identifier

_TUNNEL = "K2Node_Tunnel"
_FROM_PIN, _MEMBER_PARENT = "Pin:", ".MemberParent"
_LIBRARIES = ("Library", "Statics")  # how the classes with static functions end
_ASSET_KINDS = {"InputAction": "/Script/EnhancedInput.InputAction"}
_KEYS = ("InputKey", "InputAxisKey", "AxisKey")  # names of keys stand without quotes
_VARIABLES = ("K2Node_VariableGet", "K2Node_VariableSet")
_WITH_USER_PINS = ("K2Node_CustomEvent", "K2Node_FunctionEntry", "K2Node_FunctionResult")
_WITH_PIN_NAMES = ("K2Node_SwitchString", "K2Node_SwitchName")


@dataclass(slots=True)
class WrittenNode:
    """An object of the text: everything between Begin Object and End Object."""

    id: str
    class_path: str
    name: str = ""
    body: dict[str, str] = field(default_factory=dict)
    pins: list[WrittenPin] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)  # user pins and other lines
    inner: list[str] = field(default_factory=list)  # nested objects, as they were

    def pin(self, name: str, is_output: bool) -> WrittenPin | None:
        """Return the pin of that name in the language."""
        return next((pin for pin in self.pins if pin.name == name and pin.is_output == is_output), None)


def written_node(node: Node, scope: GraphPins, asset: str) -> WrittenNode | None:
    """Return a node as an object without name, place and links; None where its type is unknown.

    asset: the path of the Blueprint, which macros of its own are named with.
    """
    node_type = scope.types.types.get(node.id)
    if node_type is None:
        return None
    if is_opaque(node.type):
        path = node.type if node.type.startswith("/") else GRAPH_MODULE + node.type
        made = WrittenNode(node.id, path, pins=pins_of(node, node_type, scope))
    else:
        made = _known(node, node_type, scope, asset)
    _keep_raw(node, made)
    return made


def _known(node: Node, node_type: NodeType, scope: GraphPins, asset: str) -> WrittenNode:
    target = node_type.unreal
    made = WrittenNode(node.id, target.class_path, pins=pins_of(node, node_type, scope))
    made.body |= _flags(node_type, made)
    made.body |= _references(node_type, scope)
    owners: dict[str, str] = {}  # body key -> the class that a member is looked up in
    for entry in node_type.properties:
        value = node.get(entry.name)
        if not isinstance(value, str):
            continue
        if entry.unreal.startswith(_FROM_PIN):
            made.pins.insert(_behind_control(made), _class_pin(node, node_type, entry, value, scope))
        elif entry.unreal.endswith(_MEMBER_PARENT):
            owners[entry.unreal.removesuffix(_MEMBER_PARENT)] = class_reference(value)
        else:
            key, text = _declared(entry, value, asset, owners)
            made.body[key] = text
    made.body |= dict(target.body)
    _hidden_targets(node, node_type, made, scope)
    _dynamic_keys(node_type, made)
    if node.type in (ENTRY, RESULT) and scope.graph.kind == "macro":
        made.class_path = GRAPH_MODULE + _TUNNEL
        made.body = {"bCanHaveOutputs" if node.type == ENTRY else "bCanHaveInputs": "True"}
    if target.short_class in _WITH_USER_PINS:
        own = {pin.name for pin in (*node_type.inputs, *node_type.outputs)} - _base_pins(node_type)
        made.lines += [_user_pin(pin) for pin in made.pins if pin.name in own]
    _delegate_signatures(node_type, made)
    return made


def _flags(node_type: NodeType, made: WrittenNode) -> dict[str, str]:
    """Return the keys that say what kind of call this is."""
    target = node_type.unreal
    if target.operation:
        return {"OperationName": quoted(target.operation), "bDefaultsToPureFunc": "True"}
    if target.function and not any(pin.type.category == "exec" for pin in made.pins):
        return {"bDefaultsToPureFunc": "True"}
    if target.event:
        return {"bOverrideFunction": "True"}
    return {}


def _references(node_type: NodeType, scope: GraphPins) -> dict[str, str]:
    """Return the reference to the function, event, macro, delegate or class that the node type stands for."""
    target = node_type.unreal
    if target.function:
        return {"FunctionReference": _member(target.owner, target.function)}
    if target.event:
        return {"EventReference": _member(_event_owner(node_type, scope), target.event)}
    if target.macro:
        return {"MacroGraphReference": _macro(target.owner, target.macro)}
    if target.cast_to:
        return {"TargetType": class_reference(target.cast_to)}
    if target.delegate and target.signature:
        package, _, name = target.signature.rpartition(".")
        parent = reference("/Script/CoreUObject.Package", package)
        return {
            "DelegatePropertyName": quoted(target.delegate),
            "DelegateOwnerClass": reference(CLASS, target.owner),
            "EventReference": f"(MemberParent={parent},MemberName={quoted(name)})",
        }
    if target.delegate:
        return {"DelegateReference": _member(target.owner, target.delegate)}
    return {}


def _event_owner(node_type: NodeType, scope: GraphPins) -> str:
    """Return the class whose event is meant: of several, the one the Blueprint descends from."""
    types = load_catalog().types
    owners = (node_type.unreal.owner, *node_type.unreal.other_owners)
    for owner in owners:
        name = types.name_of(owner)
        if name is not None and types.is_subclass(scope.types.parent, name):
            return owner
    return owners[0]


def _member(owner: str, name: str) -> str:
    return f"(MemberParent={reference(CLASS, owner)},MemberName={quoted(name)})"


def _macro(asset: str, name: str) -> str:
    graph = reference("/Script/Engine.EdGraph", f"{asset}:{name}")
    return f"(MacroGraph={graph},GraphBlueprint={reference('/Script/Engine.Blueprint', asset)})"


def _declared(entry: Property, value: str, asset: str, owners: dict[str, str]) -> tuple[str, str]:
    """Return the body key and its text for a declared property; a member without owner is the Blueprint's."""
    key, _, part = entry.unreal.partition(".")
    if key == "MacroGraphReference":
        return key, _macro(asset, value)
    if part and key in owners:
        return key, f"(MemberParent={owners[key]},MemberName={quoted(value)})"
    if part:
        return key, f"(MemberName={quoted(value)},bSelfContext=True)"
    types = load_catalog().types
    path = types.path(value) or value
    if entry.role == "class":
        return key, class_reference(value)
    if entry.role in ("enum", "struct"):
        kind = ENUM if entry.role == "enum" else STRUCT
        return key, reference(kind if path.startswith("/Script/") else "", path)
    if entry.role == "asset":
        return key, reference(_ASSET_KINDS.get(key, ""), path)
    return key, value if key in _KEYS and is_identifier(value) else quoted(value)


def _class_pin(node: Node, node_type: NodeType, entry: Property, value: str, scope: GraphPins) -> WrittenPin:
    """Return the pin whose chosen class or asset the language shows as a property."""
    name = entry.unreal.removeprefix(_FROM_PIN)
    result = node_type.output("ReturnValue")
    base = scope.types.of_pin(node.id, result) if result else None
    kind = editor_type(f"Class<{base or 'Object'}>" if entry.role == "class" else base)
    made = WrittenPin(entry.name, name, False, kind, guid(scope.key, node.id, "in", name))
    path = class_path(value) if entry.role == "class" else value
    made.defaults = [f"DefaultObject={quoted(path)}"]
    return made


def _behind_control(made: WrittenNode) -> int:
    return sum(pin.type.category == "exec" for pin in made.pins)


def _hidden_targets(node: Node, node_type: NodeType, made: WrittenNode, scope: GraphPins) -> None:
    """Add the target that the editor hides: of a static function, and of a variable of the Blueprint."""
    target = node_type.unreal
    if any(pin.engine_name == TARGET for pin in made.pins):
        return
    pin = None
    if target.function and target.owner.endswith(_LIBRARIES):
        pin = hidden_pin(node, Pin(TARGET, "Object"), scope)
        module, _, name = target.owner.rpartition(".")
        pin.type = PinType("object", object=reference(CLASS, target.owner))
        pin.defaults = [f"DefaultObject={quoted(f'{module}.Default__{name}')}"]
    elif target.short_class in _VARIABLES:
        pin = hidden_pin(node, Pin(TARGET, "Self"), scope)
    if pin is not None:
        made.pins.insert(_behind_control(made), pin)


def _dynamic_keys(node_type: NodeType, made: WrittenNode) -> None:
    """Add the keys that count or list the pins a node has got beyond its usual ones."""
    for family in (*node_type.inputs, *node_type.outputs):
        if not family.dynamic:
            continue
        members = [pin for pin in made.pins if family.matches(pin.name)]
        if family.dynamic == "letter" and members:
            made.body["NumAdditionalInputs"] = str(len(members))
        elif family.dynamic == "text" and node_type.unreal.short_class in _WITH_PIN_NAMES:
            for index, pin in enumerate(members):
                made.body[f"PinNames({index})"] = quoted(pin.engine_name)
    if node_type.unreal.short_class == "K2Node_MakeArray":
        made.body["NumInputs"] = str(sum(not pin.is_output for pin in made.pins))
    if node_type.unreal.short_class == "K2Node_Select":
        options = [pin for pin in made.pins if not pin.is_output]
        made.body["NumOptionPins"] = str(len(options) - 1)
        made.body["IndexPinType"] = next(p.type.struct_text() for p in options if p.name == "Index")
    wild = next((pin for pin in node_type.inputs if pin.type in ("T", "Array<T>")), None)
    if node_type.unreal.node_class == MACRO_CLASS and wild is not None:
        found = made.pin(wild.name, False)
        if found is not None and found.type.category != "wildcard":
            inner = found.type.struct_text().replace(f",ContainerType={found.type.container}", "")
            made.body["ResolvedWildcardType"] = inner


def _base_pins(node_type: NodeType) -> set[str]:
    base = load_catalog().nodes[node_type.name]
    return {pin.name for pin in (*base.inputs, *base.outputs)}


def _user_pin(pin: WrittenPin) -> str:
    direction = "EGPD_Output" if pin.is_output else "EGPD_Input"
    kind = pin.type.struct_text()
    return (
        f"CustomProperties UserDefinedPin (PinName={quoted(pin.engine_name)},PinType={kind},"
        f"DesiredPinDirection={direction})"
    )


def _delegate_signatures(node_type: NodeType, made: WrittenNode) -> None:
    """Say at the delegate output of an event which event it is."""
    for pin in made.pins:
        if pin.is_output and pin.type.category == "delegate" and pin.engine_name == "OutputDelegate":
            own = made.body.get("CustomFunctionName")
            stated = made.body.get("EventReference") if own is None else f"(MemberName={own})"
            pin.member = stated or ""


def _keep_raw(node: Node, made: WrittenNode) -> None:
    """Put back what the language keeps as it stood: body keys, further lines, nested objects."""
    defaults = raw_defaults(node)
    pins = {pin.name for pin in made.pins if not pin.is_output}
    for name, value in node.properties:
        if not name.startswith("@"):
            continue
        key, text = name[1:], str(value)
        pin_name, _, last = key.rpartition(".")
        if pin_name in pins and last in defaults.get(pin_name, {}):
            continue
        if key.startswith("CustomProperties("):
            made.lines.append(text)
        elif key.startswith("UserDefinedPin("):
            made.lines.append(f"CustomProperties UserDefinedPin {text}")
        elif key.startswith("Object("):
            made.inner += unquote(text).split("\n")
        else:
            made.body[key] = text
