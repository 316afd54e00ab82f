"""What a paste defines itself: functions, macros, custom events; and what their calls are in the language."""

from __future__ import annotations

from dataclasses import dataclass, replace

from nightforge.blueprint.catalog import NodeType, Pin, load_catalog
from nightforge.blueprint.catalog_unreal import CALL_CLASS, MACRO_CLASS
from nightforge.blueprint.clipboard.grouping import (
    ENTRY_CLASS,
    RESULT_CLASS,
    TUNNEL_CLASS,
    RawAsset,
    RawGraph,
)
from nightforge.blueprint.clipboard.identity import identify, known_type, macro_reference
from nightforge.blueprint.clipboard.objects import RawObject, RawPin
from nightforge.blueprint.clipboard.pin_types import pin_type
from nightforge.blueprint.clipboard.tokens import unquote
from nightforge.blueprint.graph import PinSpec

_EVENT_CLASS = "K2Node_CustomEvent"
Header = tuple[PinSpec, ...]


@dataclass(frozen=True, slots=True)
class Definitions:
    """The functions and macros of an asset with the pins of their call, and its custom events."""

    asset: str
    functions: dict[str, Header]
    macros: dict[str, Header]
    events: dict[str, Header]

    @classmethod
    def of(cls, asset: RawAsset, names: list[str]) -> Definitions:
        """Collect the definitions of an asset; `names` are those of its graphs."""
        functions: dict[str, Header] = {}
        macros: dict[str, Header] = {}
        events: dict[str, Header] = {}
        for graph, name in zip(asset.graphs, names, strict=True):
            if graph.kind != "graph":
                (functions if graph.kind == "function" else macros)[name] = header_pins(graph)
            for node in graph.nodes:
                if node.class_name == _EVENT_CLASS:
                    outputs = [
                        pin for pin in node.pins if pin.is_output and not pin.hidden and not pin.is_exec
                    ]
                    specs = [_spec(pin, "in") for pin in outputs if pin.category != "delegate"]
                    events[unquote(node.get("CustomFunctionName") or "")] = tuple(specs)
        return cls(asset.place.asset, functions, macros, events)

    def known(self, node: RawObject, graph: RawGraph, header: Header | None) -> tuple[NodeType, bool] | None:
        """Return what the catalog knows of a node, its calls of this paste's own definitions included."""
        if header is not None and node.class_name in (ENTRY_CLASS, RESULT_CLASS, TUNNEL_CLASS):
            return _entry_or_result(node, graph, header), True
        if node.class_name in (ENTRY_CLASS, RESULT_CLASS):
            return None  # outside of a function of its own
        identity = identify(node)
        if identity.node_class == CALL_CLASS:
            reference = identity.members.get("FunctionReference")
            if reference is not None and not reference.owner:
                if reference.name in self.events:
                    return _call(CALL_CLASS, "", self.events[reference.name])
                if reference.name in self.functions:
                    return _call(CALL_CLASS, "function", self.functions[reference.name])
        macro = macro_reference(node)
        if macro is not None and macro[0] in ("", self.asset) and macro[1] in self.macros:
            return _call(MACRO_CLASS, "macro", self.macros[macro[1]])
        found = known_type(identity)
        needs_reference = identity.node_class in (CALL_CLASS, MACRO_CLASS)
        return None if found is not None and needs_reference and not found[1] else found


def header_pins(graph: RawGraph) -> Header:
    """Return the pins of a function's or macro's call: what its entry gives, and what its result takes."""
    pins: dict[tuple[str, str], PinSpec] = {}
    for node in graph.nodes:
        if node.class_name not in (ENTRY_CLASS, RESULT_CLASS, TUNNEL_CLASS):
            continue
        is_macro = node.class_name == TUNNEL_CLASS
        for pin in node.pins:
            if pin.hidden or (pin.is_exec and not is_macro):
                continue
            spec = _spec(pin, "in" if pin.is_output else "out")
            pins.setdefault((spec.direction, spec.name), spec)
    return tuple(sorted(pins.values(), key=lambda pin: pin.direction))


def _spec(pin: RawPin, direction: str) -> PinSpec:
    return PinSpec("in" if direction == "in" else "out", pin.name, pin_type(pin))


def _entry_or_result(node: RawObject, graph: RawGraph, header: Header) -> NodeType:
    """Return the entry or the result with the pins of the header; a macro has its tunnels for them."""
    is_macro = node.class_name == TUNNEL_CLASS
    is_entry = node.class_name == ENTRY_CLASS or (is_macro and any(pin.is_output for pin in node.pins))
    base = load_catalog().by_unreal(ENTRY_CLASS if is_entry else RESULT_CLASS)
    if base is None:
        raise KeyError(f"catalog.json has no {ENTRY_CLASS} or {RESULT_CLASS}")
    if is_macro:
        base = replace(base, inputs=(), outputs=())
    base = replace(base, unreal=replace(base.unreal, function=graph.name))  # what its reference repeats
    pins = [Pin(pin.name, pin.type) for pin in header if pin.direction == ("in" if is_entry else "out")]
    named = base.ue_outputs if is_entry else base.ue_inputs
    taken = {pin.name for pin in (base.outputs if is_entry else base.inputs)}
    pins = [pin for pin in pins if pin.name not in taken]
    same = {pin.name: pin.name for pin in pins}
    if is_entry:
        return replace(base, outputs=(*base.outputs, *pins), ue_outputs={**named, **same})
    return replace(base, inputs=(*base.inputs, *pins), ue_inputs={**named, **same})


def _call(node_class: str, variant: str, pins: Header) -> tuple[NodeType, bool] | None:
    base = load_catalog().by_unreal(node_class, "", variant)
    if base is None:
        return None
    inputs = [Pin(pin.name, pin.type) for pin in pins if pin.direction == "in" and not base.input(pin.name)]
    outputs = [
        Pin(pin.name, pin.type) for pin in pins if pin.direction == "out" and not base.output(pin.name)
    ]
    own = {pin.name: pin.name for pin in (*inputs, *outputs)}
    called = replace(
        base,
        inputs=(*base.inputs, *inputs),
        outputs=(*base.outputs, *outputs),
        ue_inputs={**base.ue_inputs, **own},
        ue_outputs={**base.ue_outputs, **own},
        user_pins=(),
    )
    return called, True
