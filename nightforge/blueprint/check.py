"""Checks what a program means: known names, pins, types, legal wiring, declared variables, a place to start.

Implicit conversions follow the engine and stand in catalog.json: Int to Float, simple values and objects to
String, String to and from Name and Text, a class to its ancestors.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from nightforge.blueprint.catalog import NodeType, Pin, load_catalog, suggestion
from nightforge.blueprint.graph import Blueprint, Node, Wire, split_type, writing_places
from nightforge.blueprint.parser import Diagnostic, SourceMap, parse
from nightforge.blueprint.pin_types import PinTypes, value_problem
from nightforge.blueprint.printer import wire_line

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Validation:
    """What strict validation says about a text: valid means it parses and no check reports an error."""

    valid: bool
    blueprint: Blueprint | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Return the diagnostics that make the program invalid."""
        return tuple(d for d in self.diagnostics if d.severity == "error")


def validate(text: str) -> Validation:
    """Parse and check a text; both kinds of findings are reported together, in line order."""
    result = parse(text)
    found = list(result.diagnostics)
    if result.partial is not None:
        found += check(result.partial, result.lines)
    found.sort(key=lambda d: (d.line, d.column, d.message))
    valid = not any(d.severity == "error" for d in found)
    return Validation(valid, result.blueprint, tuple(found))


def check(bp: Blueprint, lines: SourceMap | None = None) -> tuple[Diagnostic, ...]:
    """Return every finding about a program; without `lines` the numbers are those of `to_text(bp)`."""
    lines = lines or _layout(bp)
    findings: list[Diagnostic] = []
    _check_program(bp, lines, findings)
    events = _custom_events(bp)
    for index in range(len(bp.graphs)):
        _GraphCheck(bp, lines, index, findings).run(events)
    return tuple(sorted(findings, key=lambda d: (d.line, d.column, d.message)))


def _layout(bp: Blueprint) -> SourceMap:
    line = 3 if bp.category is None else 4
    variables = tuple(range(line, line + len(bp.variables)))
    line += len(bp.variables)
    graphs, nodes, wires = [], [], []
    for graph in bp.graphs:
        graphs.append(line)
        places = writing_places(graph.nodes, graph.wires)
        before = [bisect_left(places, index) for index in range(len(graph.nodes))]  # wires above each node
        nodes.append(tuple(line + 1 + index + count for index, count in enumerate(before)))
        shift = line + 2 if graph.nodes else line + 1
        wires.append(tuple(shift + place + count for count, place in enumerate(places)))
        line += 1 + len(graph.nodes) + len(graph.wires)
    return SourceMap(variables, tuple(graphs), tuple(nodes), tuple(wires))


def _check_program(bp: Blueprint, lines: SourceMap, findings: list[Diagnostic]) -> None:
    types = load_catalog().types
    if not types.is_class(bp.parent):
        hint = suggestion(bp.parent, list(types.classes))
        message = f"parent class {bp.parent!r} is not in the catalog{hint}"
        findings.append(Diagnostic(lines.parent, 1, message, "", "warning"))
    seen: set[str] = set()
    for variable, line in zip(bp.variables, lines.variables, strict=True):
        if variable.name in seen:
            message = f"variable {variable.name!r} is declared twice"
            findings.append(Diagnostic(line, 1, message, "each name once"))
        seen.add(variable.name)
        problem = types.problem(variable.type)
        if problem is None and variable.default is not None:
            problem = value_problem(variable.type, variable.default)
            problem = f"default of {variable.name}: {problem}" if problem else None
        if problem is not None:
            findings.append(Diagnostic(line, 1, problem, "a known type and a default of that type"))
    repeated = [name for name, count in Counter(graph.name for graph in bp.graphs).items() if count > 1]
    for graph, line in zip(bp.graphs, lines.graphs, strict=True):
        if graph.name in repeated:
            findings.append(Diagnostic(line, 1, f"graph {graph.name!r} is given twice", "one graph per name"))


def _custom_events(bp: Blueprint) -> Counter[str]:
    names: Counter[str] = Counter()
    for node in bp.nodes():
        node_type = load_catalog().lookup(node.type)
        for entry in node_type.properties if node_type else ():
            value = node.get(entry.name)
            if entry.role == "event_definition" and isinstance(value, str):
                names[value] += 1
    return names


class _GraphCheck:
    """The checks of one graph, sharing its index."""

    def __init__(self, bp: Blueprint, lines: SourceMap, index: int, findings: list[Diagnostic]) -> None:
        graph = bp.graphs[index]
        self.bp, self.graph, self.findings = bp, graph, findings
        self.catalog = load_catalog()
        self.pins = PinTypes(bp, graph)
        self.graph_line = lines.graphs[index]
        self.node_lines, self.wire_lines = lines.nodes[index], lines.wires[index]

    def run(self, events: Counter[str]) -> None:
        if not any(t is not None and t.is_entry for t in self.pins.types.values()):
            message = f"graph {self.graph.name!r} has no event to start from"
            self._say(self.graph_line, message, "an event node such as Event_BeginPlay")
        self._check_nodes(events)
        self._check_wires()
        self._check_data_cycles()
        self._check_reachable()

    def _say(self, line: int, message: str, expected: str = "", severity: Severity = "error") -> None:
        self.findings.append(Diagnostic(line, 1, message, expected, severity))

    # nodes

    def _check_nodes(self, events: Counter[str]) -> None:
        ids: set[str] = set()
        engine_events: set[str] = set()
        for node, line in zip(self.graph.nodes, self.node_lines, strict=True):
            if node.id in ids:
                self._say(line, f"node id {node.id!r} is used twice", "each id once in a graph")
            ids.add(node.id)
            node_type = self.catalog.lookup(node.type)
            if node_type is None:
                hint = self.catalog.suggest(node.type)
                self._say(line, f"unknown node type {node.type!r}{hint}", "a node type of the catalog")
                continue
            if node_type.is_entry and not node_type.properties:
                if node.type in engine_events:
                    self._say(line, f"{node.type} stands twice in one graph", "each engine event once")
                engine_events.add(node.type)
            self._check_properties(node, node_type, line)
            self._check_names(node, node_type, line, events)
            self._check_required(node, node_type, line)

    def _check_properties(self, node: Node, node_type: NodeType, line: int) -> None:
        names = node_type.property_names()
        for name, value in node.properties:
            if name not in names:
                known = ", ".join(names) or "none"
                self._say(line, f"{node.type} has no property {name!r}{suggestion(name, list(names))}", known)
                continue
            pin = node_type.input(name)
            declared = node_type.declared(name)
            type_name = declared.type if declared else self._literal_type(node, pin)
            problem = value_problem(type_name, value) if type_name else None
            if problem is not None:
                self._say(line, f"{node.type} {node.id}, {name}: {problem}", f"a value of type {type_name}")
            if (node.id, name) in self.pins.sources:
                self._say(line, f"input {node.id}.{name} is both set and wired", "one of the two")
        for entry in node_type.properties:
            if entry.required and node.get(entry.name) is None:
                self._say(line, f"{node.type} {node.id} needs {entry.name}", f'[{entry.name}="..."]')

    def _literal_type(self, node: Node, pin: Pin | None) -> str | None:
        if pin is None:
            return None
        return self.pins.of_pin(node.id, pin) or (pin.type if split_type(pin.type)[1] else None)

    def _check_names(self, node: Node, node_type: NodeType, line: int, events: Counter[str]) -> None:
        for name, value in node.properties:
            role = node_type.role(name)
            if not isinstance(value, str) or role in ("literal", "action", "class"):
                continue
            if role == "variable" and value not in self.pins.variables:
                hint = suggestion(value, list(self.pins.variables))
                self._say(line, f"variable {value!r} is not declared{hint}", f"VAR {value}: <type>")
            elif role == "event_definition" and events[value] > 1:
                self._say(line, f"custom event {value!r} is defined twice", "each event name once")
            elif role == "event" and value not in events:
                severity: Severity = "error" if node_type.declared(name) else "warning"
                hint = suggestion(value, list(events))
                self._say(line, f"no custom event is named {value!r}{hint}", "an Event_CustomEvent", severity)

    def _check_required(self, node: Node, node_type: NodeType, line: int) -> None:
        types = self.catalog.types
        for pin in node_type.inputs:
            if pin.is_exec or node.get(pin.name) is not None or (node.id, pin.name) in self.pins.sources:
                continue
            if pin.required:
                self._say(line, f"input {node.id}.{pin.name} of {node.type} needs a wire", f"a {pin.type}")
            elif pin.name == "Target" and types.is_class(pin.type) and types.is_class(self.bp.parent):
                if not types.is_subclass(self.bp.parent, pin.type):
                    message = f"input {node.id}.Target of {node.type} needs a wire"
                    self._say(line, message, f"a {pin.type}; the blueprint itself is a {self.bp.parent}")

    # wires

    def _check_wires(self) -> None:
        seen: set[tuple[str, str, str, str, str]] = set()
        exec_outputs: set[tuple[str, str]] = set()
        data_inputs: set[tuple[str, str]] = set()
        for wire, line in zip(self.graph.wires, self.wire_lines, strict=True):
            key = (wire.kind, wire.source, wire.source_pin, wire.target, wire.target_pin)
            if key in seen:
                self._say(line, f"wire {wire_line(wire)} stands twice", "each wire once")
                continue
            seen.add(key)
            source = self._end(wire, line, is_source=True)
            target = self._end(wire, line, is_source=False)
            if wire.kind == "exec":
                out = (wire.source, wire.source_pin)
                if out in exec_outputs:
                    message = f"exec output {wire.source}.{wire.source_pin} leads to two nodes"
                    self._say(line, message, "one wire per exec output; use a Sequence")
                exec_outputs.add(out)
            else:
                into = (wire.target, wire.target_pin)
                if into in data_inputs:
                    message = f"input {wire.target}.{wire.target_pin} has two wires"
                    self._say(line, message, "one wire per data input")
                data_inputs.add(into)
                if source is not None and target is not None:
                    self._check_data_types(wire, target, line)

    def _end(self, wire: Wire, line: int, is_source: bool) -> Pin | None:
        """Report what is wrong with one end of a wire; return its pin only where kind and direction fit."""
        node_id = wire.source if is_source else wire.target
        pin_name = wire.source_pin if is_source else wire.target_pin
        if node_id not in self.pins.nodes:
            self._say(line, f"no node has the id {node_id!r}", "the id of a node of this graph")
            return None
        node_type = self.pins.types[node_id]
        if node_type is None:
            return None
        pin = node_type.output(pin_name) if is_source else node_type.input(pin_name)
        if pin is None:
            self._say_no_pin(node_type, pin_name, is_source, wire, line)
            return None
        if pin.is_exec != (wire.kind == "exec"):
            kind, keyword = ("an exec", "EXEC") if pin.is_exec else ("a data", "DATA")
            self._say(line, f"{node_id}.{pin_name} is {kind} pin", f"{keyword} for this wire, or another pin")
            return None
        return pin

    def _say_no_pin(self, node_type: NodeType, pin_name: str, is_source: bool, wire: Wire, line: int) -> None:
        pins, side = (node_type.outputs, "output") if is_source else (node_type.inputs, "input")
        if wire.kind == "exec" and node_type.kind == "pure":
            self._say(line, f"{node_type.name} is a pure node and has no exec pins", "only DATA wires here")
            return
        fitting = [pin.name for pin in pins if pin.is_exec == (wire.kind == "exec")]
        message = f"{node_type.name} has no {side} pin {pin_name!r}{suggestion(pin_name, fitting)}"
        self._say(line, message, ", ".join(fitting) or f"no {wire.kind} {side} exists")

    def _check_data_types(self, wire: Wire, target: Pin, line: int) -> None:
        types = self.catalog.types
        given = self.pins.output(wire.source, wire.source_pin)
        wanted = self.pins.of_pin(wire.target, target)
        ends = f"{wire.source}.{wire.source_pin} -> {wire.target}.{wire.target_pin}"
        if given is not None and wanted is not None and not types.accepts(wanted, given):
            self._say(line, f"{ends} joins {given} to {wanted}", f"a source of type {wanted}")
        elif given is not None and wanted is None:
            container, arguments = split_type(target.type)
            if arguments and split_type(given)[0] != container:
                self._say(line, f"{ends} joins {given} to {target.type}", f"a source of type {target.type}")
        if wire.type is None:
            self._say(line, f"{ends} has no type tag", f"[{given or 'Type'}]", "warning")
        elif given is not None and wire.type != given:
            severity: Severity = "warning" if wire.type == wanted else "error"
            self._say(line, f"{ends} is tagged {wire.type} but carries {given}", f"[{given}]", severity)

    # paths

    def _check_data_cycles(self) -> None:
        pure = {i for i, t in self.pins.types.items() if t is not None and t.kind == "pure"}
        feeds: dict[str, set[str]] = {}
        for wire in self.graph.wires:
            if wire.kind == "data" and wire.source in pure and wire.target in pure:
                feeds.setdefault(wire.source, set()).add(wire.target)
        waiting = Counter(target for targets in feeds.values() for target in targets)
        ready = [node_id for node_id in pure if not waiting[node_id]]
        while ready:
            for target in feeds.pop(ready.pop(), ()):
                waiting[target] -= 1
                if not waiting[target]:
                    ready.append(target)
        for node, line in zip(self.graph.nodes, self.node_lines, strict=True):
            if node.id in feeds:
                message = f"pure node {node.id} lies on a loop of data wires or feeds from one"
                self._say(line, message, "no loop of pure nodes")

    def _check_reachable(self) -> None:
        follows: dict[str, list[str]] = {}
        used: set[str] = set()
        for wire in self.graph.wires:
            used.update((wire.source, wire.target))
            if wire.kind == "exec":
                follows.setdefault(wire.source, []).append(wire.target)
        reached: set[str] = set()
        todo = [node_id for node_id, t in self.pins.types.items() if t is not None and t.is_entry]
        while todo:
            node_id = todo.pop()
            if node_id not in reached:
                reached.add(node_id)
                todo += follows.get(node_id, ())
        for node, line in zip(self.graph.nodes, self.node_lines, strict=True):
            node_type = self.pins.types[node.id]
            if node_type is None:
                continue
            if node_type.kind in ("exec", "macro") and node.id not in reached:
                self._say(line, f"{node.type} {node.id} is never reached", "an EXEC wire into it", "warning")
            elif node.id not in used:
                self._say(line, f"{node.type} {node.id} is not connected", "a wire", "warning")
