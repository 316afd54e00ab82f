"""The checks of nodes: types, ids, properties, values, names of things, required inputs, signatures."""

from __future__ import annotations

from collections import Counter

from nightforge.blueprint.catalog import EXEC, NodeType, Pin, load_catalog
from nightforge.blueprint.diagnostics import Severity
from nightforge.blueprint.graph import Node, PinSpec, Value, split_type
from nightforge.blueprint.node_types import ENTRY, RESULT, is_opaque
from nightforge.blueprint.pin_types import value_problem
from nightforge.blueprint.places import Part
from nightforge.blueprint.printer import name_text
from nightforge.blueprint.scope import Findings, Scope, did_you_mean
from nightforge.blueprint.type_names import plain_name

NAMED = {"function": "function", "macro": "macro"}  # role of a property -> kind of graph it names


def check_nodes(scope: Scope, events: Counter[str], findings: Findings) -> None:
    """Check every node of a graph; `events` counts the definitions of each custom event of the program."""
    checker = _NodeCheck(scope, events, findings)
    for node, line in zip(scope.graph.nodes, scope.node_lines, strict=True):
        checker.check(node, line)


def type_problem(type_name: str, findings: Findings) -> tuple[str, str | None] | None:
    """Return what is wrong with a type of the catalog and what may be meant instead, or None."""
    types = load_catalog().types
    message = types.problem(type_name)
    if message is None or "/" in plain_name(type_name):  # paths of the engine are taken as given
        return None
    head, mark, _ = message.partition("; did you mean ")
    near = message[len(head) + len(mark) : -1] if mark else None
    return message, near if near and not split_type(type_name)[1] else None


def check_pin_type(pin: PinSpec, place: tuple[int, Part, int], findings: Findings) -> None:
    """Warn of a type in a signature that the catalog does not know, unless it is a path of the engine."""
    if "/" in plain_name(pin.type) or pin.type == EXEC:
        return
    problem = type_problem(pin.type, findings)
    if problem is not None:
        message = f"pin {pin.name!r}: {problem[0]}"
        findings.say("DSL207", place, message, "a known type", "warning", problem[1])


class _NodeCheck:
    """The checks of the nodes of one graph, sharing what they have seen."""

    def __init__(self, scope: Scope, events: Counter[str], findings: Findings) -> None:
        self.scope, self.events, self.findings = scope, events, findings
        self.catalog, self.pins = scope.catalog, scope.pins
        self.ids: set[str] = set()
        self.engine_events: set[str] = set()

    def check(self, node: Node, line: int) -> None:
        if node.id in self.ids:
            message = f"node id {node.id!r} is used twice"
            self.findings.say("DSL303", (line, ("id",), -1), message, "each id once in a graph")
        self.ids.add(node.id)
        here = self.pins.types.get(node.id)
        base = self.catalog.lookup(node.type)
        if is_opaque(node.type):
            self._opaque(node, line)
        elif base is None:
            near = self.findings.nearest(node.type, [*self.catalog.nodes, *self.catalog.aliases])
            message = f"unknown node type {node.type!r}{did_you_mean(near)}"
            place = (line, ("type",), -1)
            self.findings.say("DSL301", place, message, "a node type of the catalog", "error", near)
            return
        node_type = here if here is not None and self.pins.nodes[node.id] is node else base
        if base is not None:
            self._place_of(node, base, line)
            self._signature(node, base, line)
        if node_type is not None:
            self._properties(node, node_type, line)
        if base is not None and node_type is not None:
            self._names(node, base, line)
            if node.id not in self.scope.lost:
                self._required(node, node_type, line)

    def _opaque(self, node: Node, line: int) -> None:
        message = f"node {node.id} is of the class {node.type!r}, which the catalog does not know"
        expected = "a node type of the catalog"
        self.findings.say("DSL302", (line, ("type",), -1), message, expected, self.findings.opaque)

    def _place_of(self, node: Node, base: NodeType, line: int) -> None:
        """Say where a node stands twice or in a graph of the wrong kind."""
        place: tuple[int, Part, int] = (line, ("type",), -1)
        if base.is_entry and not base.properties:
            if node.type in self.engine_events:
                message = f"{node.type} stands twice in one graph"
                self.findings.say("DSL304", place, message, "each engine event once")
            self.engine_events.add(node.type)
        kind = self.scope.graph.kind
        if kind != "graph" and base.is_entry and node.type != ENTRY:
            message = f"{node.type} cannot stand in a {kind}"
            self.findings.say("DSL316", place, message, f"{ENTRY} as the only start of a {kind}")
        elif kind == "graph" and node.type == RESULT:
            message = f"{RESULT} stands outside a FUNCTION or MACRO"
            self.findings.say("DSL316", place, message, "a FUNCTION: line above it")

    def _signature(self, node: Node, base: NodeType, line: int) -> None:
        for index, pin in enumerate(node.pins):
            place: tuple[int, Part, int] = (line, ("pin", index), len(node.pins))
            known = base.input(pin.name) if pin.direction == "in" else base.output(pin.name)
            if known is not None and not known.dynamic:
                message = f"{node.type} has the pin {pin.name!r} anyway"
                self.findings.say("DSL315", place, message, "further pins only")
            check_pin_type(pin, (line, ("pin type", index), len(node.pins)), self.findings)

    def _properties(self, node: Node, node_type: NodeType, line: int) -> None:
        count = len(node.properties)
        for index, (name, value) in enumerate(node.properties):
            key: tuple[int, Part, int] = (line, ("key", index), count)
            if name.startswith("@"):
                self._body_key(name, value, (line, ("value", index), count))
                continue
            pin = node_type.input(name)
            declared = node_type.declared(name)
            if declared is None and (pin is None or pin.is_exec):
                self._no_property(node, node_type, name, key)
                continue
            if not is_opaque(node.type):
                type_name = declared.type if declared else self._literal_type(node, pin)
                self._value(node, name, value, type_name, (line, ("value", index), count))
            if (node.id, name) in self.pins.sources:
                message = f"input {node.id}.{name} is both set and wired"
                self.findings.say("DSL308", key, message, "one of the two")
        for entry in node_type.properties:
            if entry.required and node.get(entry.name) is None and node.id not in self.scope.lost:
                message = f"{node.type} {node.id} needs {entry.name}"
                self.findings.say("DSL309", (line, ("type",), -1), message, f'[{entry.name}="..."]')

    def _body_key(self, name: str, value: Value, place: tuple[int, Part, int]) -> None:
        if not isinstance(value, str):
            message = f"{name} is kept as the editor writes it, which is a text"
            self.findings.say("DSL306", place, message, "a text in quotes")

    def _no_property(self, node: Node, node_type: NodeType, name: str, place: tuple[int, Part, int]) -> None:
        names = node_type.property_names()
        near = self.findings.nearest(name, names)
        message = f"{node.type} has no property {name!r}{did_you_mean(near)}"
        fix = name_text(near) if near else None
        self.findings.say("DSL305", place, message, ", ".join(names) or "none", "error", fix)

    def _value(
        self, node: Node, name: str, value: Value, type_name: str | None, place: tuple[int, Part, int]
    ) -> None:
        problem = value_problem(type_name, value) if type_name else None
        if problem is None or type_name is None:
            return
        message = f"{node.type} {node.id}, {name}: {problem}"
        entries = self.catalog.types.enums.get(type_name)
        if entries is not None and isinstance(value, str):
            near = self.findings.nearest(value, entries)
            fix = f'"{near}"' if near else None
            expected = f"an entry of {type_name}"
            self.findings.say("DSL307", place, message + did_you_mean(near), expected, "error", fix)
            return
        self.findings.say("DSL306", place, message, f"a value of type {type_name}")

    def _literal_type(self, node: Node, pin: Pin | None) -> str | None:
        if pin is None:
            return None
        return self.pins.of_pin(node.id, pin) or (pin.type if split_type(pin.type)[1] else None)

    def _names(self, node: Node, base: NodeType, line: int) -> None:
        """Check what texts in brackets name: variables, custom events, functions, macros."""
        count = len(node.properties)
        for index, (name, value) in enumerate(node.properties):
            role = base.role(name)
            place: tuple[int, Part, int] = (line, ("value", index), count)
            if not isinstance(value, str) or name.startswith("@"):
                continue
            if role == "variable" and value not in self.pins.variables:
                if value not in self.scope.lost_variables:
                    self._undefined("DSL311", place, f"variable {value!r} is not declared", value, "variable")
            elif role == "event_definition" and self.events[value] > 1:
                message = f"custom event {value!r} is defined twice"
                self.findings.say("DSL313", place, message, "each event name once")
            elif role == "event" and value not in self.events:
                declared = base.declared(name) is not None
                message = f"no custom event is named {value!r}"
                self._undefined("DSL312", place, message, value, "event" if declared else "timer")
            elif role in NAMED and value not in self._defined(role):
                message = f"no {NAMED[role]} is named {value!r}"
                # Half a paste: the call brings the pins of what it calls, which stands elsewhere.
                self._undefined("DSL314", place, message, value, "foreign " + role if node.pins else role)

    def _defined(self, role: str) -> dict[str, tuple[PinSpec, ...]]:
        definitions = self.scope.definitions
        return definitions.functions if role == "function" else definitions.macros

    def _undefined(
        self, code: str, place: tuple[int, Part, int], message: str, value: str, what: str
    ) -> None:
        expected = {
            "variable": f"VAR {name_text(value)}: <type>",
            "function": f"FUNCTION: {name_text(value)} (...)",
            "macro": f"MACRO: {name_text(value)} (...)",
        }.get(what, "an Event_CustomEvent")
        known = [*self.pins.variables] if what == "variable" else [*self.events]
        role = what.removeprefix("foreign ")
        near = self.findings.nearest(value, self._defined(role) if role in NAMED else known)
        severity: Severity = "warning" if what == "timer" or what != role else "error"
        fix = f'"{near}"' if near else None
        self.findings.say(code, place, message + did_you_mean(near), expected, severity, fix)

    def _required(self, node: Node, node_type: NodeType, line: int) -> None:
        types, parent = self.catalog.types, self.scope.bp.parent
        place: tuple[int, Part, int] = (line, ("type",), -1)
        for pin in node_type.inputs:
            if pin.is_exec or node.get(pin.name) is not None or (node.id, pin.name) in self.pins.sources:
                continue
            if pin.required:
                message = f"input {node.id}.{pin.name} of {node.type} needs a wire"
                self.findings.say("DSL310", place, message, f"a {pin.type}")
            elif pin.name == "Target" and types.is_class(pin.type) and types.is_class(parent):
                if not types.is_subclass(parent, pin.type):
                    message = f"input {node.id}.Target of {node.type} needs a wire"
                    expected = f"a {pin.type}; the blueprint itself is a {parent}"
                    self.findings.say("DSL310", place, message, expected)
