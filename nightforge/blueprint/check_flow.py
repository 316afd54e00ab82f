"""The checks of paths: no loop of pure nodes, and every node can be reached."""

from __future__ import annotations

from collections import Counter

from nightforge.blueprint.scope import Findings, Scope


def check_flow(scope: Scope, findings: Findings) -> None:
    """Check the paths of a graph."""
    _check_data_cycles(scope, findings)
    _check_reachable(scope, findings)


def _check_data_cycles(scope: Scope, findings: Findings) -> None:
    pure = {i for i, t in scope.pins.types.items() if t is not None and t.kind == "pure"}
    feeds: dict[str, set[str]] = {}
    for wire in scope.graph.wires:
        if wire.kind == "data" and wire.source in pure and wire.target in pure:
            feeds.setdefault(wire.source, set()).add(wire.target)
    waiting = Counter(target for targets in feeds.values() for target in targets)
    ready = [node_id for node_id in pure if not waiting[node_id]]
    while ready:
        for target in feeds.pop(ready.pop(), ()):
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for node, line in zip(scope.graph.nodes, scope.node_lines, strict=True):
        if node.id in feeds:
            message = f"pure node {node.id} lies on a loop of data wires or feeds from one"
            findings.say("DSL411", (line, ("id",), -1), message, "no loop of pure nodes")


def _check_reachable(scope: Scope, findings: Findings) -> None:
    follows: dict[str, list[str]] = {}
    used: set[str] = set(scope.lost)
    for wire in scope.graph.wires:
        used.update((wire.source, wire.target))
        if wire.kind == "exec":
            follows.setdefault(wire.source, []).append(wire.target)
    reached: set[str] = set()
    todo = [node_id for node_id, t in scope.pins.types.items() if t is not None and t.is_entry]
    while todo:
        node_id = todo.pop()
        if node_id not in reached:
            reached.add(node_id)
            todo += follows.get(node_id, ())
    for node, line in zip(scope.graph.nodes, scope.node_lines, strict=True):
        node_type = scope.pins.types[node.id]
        if node_type is None or node.id in scope.lost:
            continue
        place = (line, ("id",), -1)
        if node_type.kind in ("exec", "macro") and node.id not in reached:
            message = f"{node.type} {node.id} is never reached"
            findings.say("DSL501", place, message, "an EXEC wire into it", "warning")
        elif node.id not in used:
            findings.say("DSL502", place, f"{node.type} {node.id} is not connected", "a wire", "warning")
