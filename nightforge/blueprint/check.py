"""Checks what a program means: known names, pins, types, legal wiring, declared variables, a place to start.

Implicit conversions follow the engine and stand in catalog.json: Int to Float, simple values and objects to
String, String to and from Name and Text, a class to its ancestors.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from nightforge.blueprint.catalog import EXEC, load_catalog
from nightforge.blueprint.check_flow import check_flow
from nightforge.blueprint.check_nodes import check_nodes, check_pin_type, type_problem
from nightforge.blueprint.check_wires import check_wires
from nightforge.blueprint.diagnostics import Diagnostic, Severity, in_order
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.node_types import ENTRY, Definitions, named
from nightforge.blueprint.parser import parse
from nightforge.blueprint.pin_types import value_problem
from nightforge.blueprint.scope import Findings, Scope, did_you_mean
from nightforge.blueprint.source_map import SourceMap, layout


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


def validate(text: str, opaque: Severity = "warning") -> Validation:
    """Parse and check a text; both kinds of findings are reported together, in line order.

    `opaque` says what a node of a K2 class outside the catalog is: a warning for what comes from the editor,
    an error for what a model is asked to write.
    """
    result = parse(text)
    found = list(result.diagnostics)
    if result.partial is not None:
        found += check(result.partial, result.lines, opaque)
    found = in_order(found)
    valid = not any(d.severity == "error" for d in found)
    return Validation(valid, result.blueprint, tuple(found))


def check(
    bp: Blueprint, lines: SourceMap | None = None, opaque: Severity = "warning"
) -> tuple[Diagnostic, ...]:
    """Return every finding about a program; without `lines` the places are those in `to_text(bp)`."""
    lines = lines or layout(bp)
    findings = Findings(bp, lines.text, opaque)
    definitions = Definitions.of(bp)
    _check_program(bp, lines, findings)
    events = Counter(name for node in bp.nodes() if (name := named(node, "event_definition")) is not None)
    for index in range(len(bp.graphs)):
        scope = Scope(bp, index, lines, definitions)
        _check_graph(scope, findings)
        check_nodes(scope, events, findings)
        check_wires(scope, findings)
        check_flow(scope, findings)
    return tuple(findings.all())


def _check_program(bp: Blueprint, lines: SourceMap, findings: Findings) -> None:
    types = load_catalog().types
    if not types.is_class(bp.parent) and "PARENT" in dict(lines.header):
        near = findings.nearest(bp.parent, types.classes)
        message = f"parent class {bp.parent!r} is not in the catalog{did_you_mean(near)}"
        expected = "a class such as Actor, or one of the project (BP_..., WBP_...)"
        findings.say("DSL204", (lines.parent, ("name",), -1), message, expected, "warning", near)
    seen: set[str] = set()
    for variable, line in zip(bp.variables, lines.variables, strict=True):
        if variable.name in seen:
            message = f"variable {variable.name!r} is declared twice"
            findings.say("DSL205", (line, ("name",), -1), message, "each name once")
        seen.add(variable.name)
        problem = type_problem(variable.type, findings)
        if problem is not None:
            findings.say("DSL207", (line, ("type",), -1), problem[0], "a known type", "error", problem[1])
        elif variable.default is not None:
            wrong = value_problem(variable.type, variable.default)
            if wrong is not None:
                message = f"default of {variable.name}: {wrong}"
                place = (line, ("default",), -1)
                findings.say("DSL208", place, message, f"a value of type {variable.type}")
    _check_names_of_graphs(bp, lines, findings)


def _check_names_of_graphs(bp: Blueprint, lines: SourceMap, findings: Findings) -> None:
    repeated = {name for name, count in Counter(graph.name for graph in bp.graphs).items() if count > 1}
    for graph, line in zip(bp.graphs, lines.graphs, strict=True):
        if graph.name in repeated:
            message = f"graph {graph.name!r} is given twice"
            findings.say("DSL206", (line, ("name",), -1), message, "one graph per name")


def _check_graph(scope: Scope, findings: Findings) -> None:
    """Check the header and the comment boxes of a graph, and that control can start in it."""
    graph = scope.graph
    for index, pin in enumerate(graph.pins):
        place = (scope.line, ("pin", index), len(graph.pins))
        if graph.kind == "function" and pin.type == EXEC:
            message = f"pin {pin.name!r}: a function has its exec pins anyway"
            findings.say("DSL211", place, message, "value pins only")
        elif pin.type != EXEC:
            check_pin_type(pin, (scope.line, ("pin type", index), len(graph.pins)), findings)
    entries = [t for t in scope.pins.types.values() if t is not None and t.is_entry]
    needs_none = graph.kind == "macro" and not any(pin.type == EXEC for pin in graph.pins)
    if not entries and not needs_none:
        expected = "an event node such as Event_BeginPlay" if graph.kind == "graph" else f"a {ENTRY} node"
        message = f"graph {graph.name!r} has no event to start from"
        findings.say("DSL209", (scope.line, ("name",), -1), message, expected)
    known = scope.pins.nodes
    for comment, line in zip(graph.comments, scope.comment_lines, strict=True):
        for index, node_id in enumerate(comment.nodes):
            if node_id not in known and node_id not in scope.lost:
                place = (line, ("member", index), len(comment.nodes))
                message = f"no node has the id {node_id!r}"
                findings.say("DSL210", place, message, "ids of nodes of this graph")
