"""The checks of wires: ends that exist, pins of the right kind, types that fit, no wire too many."""

from __future__ import annotations

from nightforge.blueprint.catalog import NodeType, Pin
from nightforge.blueprint.diagnostics import Severity
from nightforge.blueprint.graph import Wire, split_type
from nightforge.blueprint.node_types import is_opaque
from nightforge.blueprint.pin_types import fits
from nightforge.blueprint.printer import name_text, wire_line
from nightforge.blueprint.scope import Certain, Findings, Scope, did_you_mean


def check_wires(scope: Scope, findings: Findings) -> None:
    """Check every wire of a graph."""
    checker = _WireCheck(scope, findings)
    for wire, line in zip(scope.graph.wires, scope.wire_lines, strict=True):
        checker.check(wire, line)


class _WireCheck:
    """The checks of the wires of one graph, sharing what they have seen."""

    def __init__(self, scope: Scope, findings: Findings) -> None:
        self.scope, self.pins, self.findings = scope, scope.pins, findings
        self.seen: set[tuple[str, str, str, str, str]] = set()
        self.exec_outputs: set[tuple[str, str]] = set()
        self.data_inputs: set[tuple[str, str]] = set()

    def check(self, wire: Wire, line: int) -> None:
        key = (wire.kind, wire.source, wire.source_pin, wire.target, wire.target_pin)
        if key in self.seen:
            message = f"wire {wire_line(wire)} stands twice"
            place = (line, ("statement",), -1)
            self.findings.say("DSL406", place, message, "each wire once", "error", Certain(""))
            return
        self.seen.add(key)
        source = self._end(wire, line, is_source=True)
        target = self._end(wire, line, is_source=False)
        if wire.kind == "exec":
            self._exec_output(wire, line)
        else:
            self._data_input(wire, target, line)
            if source is not None and target is not None:
                self._types(wire, target, line)

    def _exec_output(self, wire: Wire, line: int) -> None:
        out = (wire.source, wire.source_pin)
        if out in self.exec_outputs:
            message = f"exec output {wire.source}.{name_text(wire.source_pin)} leads to two nodes"
            expected = "one wire per exec output; use a Sequence"
            self.findings.say("DSL407", (line, ("source pin",), -1), message, expected)
        self.exec_outputs.add(out)

    def _data_input(self, wire: Wire, target: Pin | None, line: int) -> None:
        into = (wire.target, wire.target_pin)
        if into in self.data_inputs and not self._takes_many(wire, target):
            message = f"input {wire.target}.{name_text(wire.target_pin)} has two wires"
            self.findings.say("DSL408", (line, ("target pin",), -1), message, "one wire per data input")
        self.data_inputs.add(into)

    def _takes_many(self, wire: Wire, target: Pin | None) -> bool:
        """Say whether a pin is the target of a call with exec pins, which the editor runs for each object."""
        node_type = self.pins.types.get(wire.target)
        if target is None or node_type is None or node_type.kind != "exec":
            return False
        if is_opaque(node_type.name):
            return target.name == "self"
        return target.name == "Target" and "K2Node_CallFunction" in node_type.ue_target

    def _end(self, wire: Wire, line: int, is_source: bool) -> Pin | None:
        """Report what is wrong with one end of a wire; return its pin only where kind and direction fit."""
        node_id = wire.source if is_source else wire.target
        pin_name = wire.source_pin if is_source else wire.target_pin
        if node_id not in self.pins.nodes:
            if node_id not in self.scope.lost:
                place = (line, ("source" if is_source else "target",), -1)
                message = f"no node has the id {node_id!r}"
                self.findings.say("DSL401", place, message, "the id of a node of this graph")
            return None
        node_type = self.pins.types[node_id]
        if node_type is None:
            return None
        pin = node_type.output(pin_name) if is_source else node_type.input(pin_name)
        if pin is None:
            if node_id not in self.scope.lost:
                self._no_pin(node_type, is_source, wire, line)
            return None
        if pin.is_exec != (wire.kind == "exec"):
            kind, keyword = ("an exec", "EXEC") if pin.is_exec else ("a data", "DATA")
            place = (line, ("source pin" if is_source else "target pin",), -1)
            message = f"{node_id}.{name_text(pin_name)} is {kind} pin"
            self.findings.say("DSL403", place, message, f"{keyword} for this wire, or another pin")
            return None
        return pin

    def _no_pin(self, node_type: NodeType, is_source: bool, wire: Wire, line: int) -> None:
        pins, side = (node_type.outputs, "output") if is_source else (node_type.inputs, "input")
        pin_name = wire.source_pin if is_source else wire.target_pin
        place = (line, ("source pin" if is_source else "target pin",), -1)
        if wire.kind == "exec" and node_type.kind == "pure":
            message = f"{node_type.name} is a pure node and has no exec pins"
            self.findings.say("DSL404", place, message, "only DATA wires here")
            return
        fitting = [pin.name for pin in pins if pin.is_exec == (wire.kind == "exec")]
        near = self.findings.nearest(pin_name, fitting)
        message = f"{node_type.name} has no {side} pin {pin_name!r}{did_you_mean(near)}"
        expected = ", ".join(fitting) or f"no {wire.kind} {side} exists"
        self.findings.say("DSL402", place, message, expected, "error", name_text(near) if near else None)

    def _types(self, wire: Wire, target: Pin, line: int) -> None:
        given = self.pins.output(wire.source, wire.source_pin)
        wanted = self.pins.of_pin(wire.target, target)
        ends = f"{wire.source}.{name_text(wire.source_pin)} -> {wire.target}.{name_text(wire.target_pin)}"
        if given is not None and wanted is not None and not fits(wanted, given):
            # What the editor lets an unknown class take is for the editor to say.
            severity: Severity = "warning" if self._is_opaque(wire) else "error"
            message = f"{ends} joins {given} to {wanted}"
            place = (line, ("source pin",), -1)
            self.findings.say("DSL405", place, message, f"a source of type {wanted}", severity)
        elif given is not None and wanted is None:
            container, arguments = split_type(target.type)
            if arguments and split_type(given)[0] != container:
                message = f"{ends} joins {given} to {target.type}"
                place = (line, ("source pin",), -1)
                self.findings.say("DSL405", place, message, f"a source of type {target.type}")
        self._tag(wire, given, wanted, line)

    def _is_opaque(self, wire: Wire) -> bool:
        return any(is_opaque(self.pins.nodes[end].type) for end in (wire.source, wire.target))

    def _tag(self, wire: Wire, given: str | None, wanted: str | None, line: int) -> None:
        ends = f"{wire.source}.{name_text(wire.source_pin)} -> {wire.target}.{name_text(wire.target_pin)}"
        if wire.type is None:
            place = (line, ("target pin",), -1)
            fix = Certain(f"{name_text(wire.target_pin)} [{given}]") if given else None
            expected = f"[{given or 'Type'}]"
            self.findings.say("DSL409", place, f"{ends} has no type tag", expected, "warning", fix)
        elif given is not None and wire.type != given:
            severity: Severity = "warning" if wire.type == wanted else "error"
            message = f"{ends} is tagged {wire.type} but carries {given}"
            fix = Certain(given)  # the tag only repeats what the source says
            self.findings.say("DSL410", (line, ("tag",), -1), message, f"[{given}]", severity, fix)
