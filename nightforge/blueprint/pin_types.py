"""Works out the types that pins really carry: wildcards, variables and Self resolved from the wires."""

from __future__ import annotations

from nightforge.blueprint.catalog import SELF, WILDCARD, NodeType, Pin, load_catalog
from nightforge.blueprint.graph import Blueprint, Graph, Node, Struct, Value, split_type
from nightforge.blueprint.node_types import Definitions, type_of_node

MAX_CHAIN = 100  # wildcard nodes in a row that are followed; longer chains stay unresolved


class PinTypes:
    """Resolved pin types of one graph; node ids that repeat mean their first node."""

    def __init__(self, bp: Blueprint, graph: Graph, definitions: Definitions | None = None) -> None:
        """Index the graph once; nothing is resolved before it is asked for.

        `definitions` are those of the program, collected here where they are not given.
        """
        self.definitions = definitions or Definitions.of(bp)
        self.catalog = load_catalog()
        self.parent = bp.parent
        declared = sorted(
            bp.variables, key=lambda v: v.type, reverse=True
        )  # order must not matter, even repeated
        self.variables = {variable.name: variable.type for variable in declared}
        self.nodes: dict[str, Node] = {}
        self.types: dict[str, NodeType | None] = {}
        for node in graph.nodes:
            if node.id not in self.nodes:
                self.nodes[node.id] = node
                self.types[node.id] = type_of_node(node, graph, self.definitions)
        wires = [wire for wire in graph.wires if wire.kind == "data"]
        self.sources = {(w.target, w.target_pin): (w.source, w.source_pin) for w in wires}
        self._bindings: dict[str, str | None] = {}
        self._depth = 0

    def output(self, node_id: str, pin_name: str) -> str | None:
        """Return the type an output pin carries, "exec" included; None where it cannot be known."""
        node_type = self.types.get(node_id)
        pin = node_type.output(pin_name) if node_type else None
        return self.of_pin(node_id, pin) if pin else None

    def of_pin(self, node_id: str, pin: Pin) -> str | None:
        """Return the type of a pin of a node with wildcards filled in; None where the wildcard is open."""
        if pin.type == SELF:
            return self.parent
        head, arguments = split_type(pin.type)
        if WILDCARD not in (head, *arguments):
            return pin.type
        bound = self.binding(node_id)
        if bound is None or pin.type == WILDCARD:
            return bound
        return None if "<" in bound else pin.type.replace(f"<{WILDCARD}>", f"<{bound}>")

    def binding(self, node_id: str) -> str | None:
        """Return what the wildcard of a node stands for: its variable's type, else what feeds its inputs."""
        if node_id not in self._bindings and self._depth < MAX_CHAIN:
            self._bindings[node_id] = None  # a cycle of wildcards stays open instead of recursing for ever
            self._depth += 1
            self._bindings[node_id] = self._bind(node_id)
            self._depth -= 1
        return self._bindings.get(node_id)

    def _bind(self, node_id: str) -> str | None:
        node_type = self.types.get(node_id)
        if node_type is None:
            return None
        for entry in node_type.properties:
            if entry.role == "variable":
                name = self.nodes[node_id].get(entry.name)
                return self.variables.get(name) if isinstance(name, str) else None
        # Containers decide before plain wildcards: an Array<Float> takes an Int item, never the reverse.
        for pin in sorted(node_type.inputs, key=lambda p: p.type == WILDCARD):
            _, arguments = split_type(pin.type)
            source = self.sources.get((node_id, pin.name))
            if source is None or WILDCARD not in (pin.type, *arguments):
                continue
            fed = self.output(*source)
            if fed is None:
                continue
            if pin.type == WILDCARD:
                return fed
            fed_head, fed_arguments = split_type(fed)
            if fed_head == split_type(pin.type)[0] and len(fed_arguments) == 1:
                return fed_arguments[0]
        return None


def fits(target: str, source: str) -> bool:
    """Say whether a value of one type may go into a pin of another; unknown types may always."""
    types = load_catalog().types
    if target == source or types.accepts(target, source):
        return True
    return types.problem(target) is not None or types.problem(source) is not None


def value_problem(type_name: str, value: Value) -> str | None:
    """Return why a literal cannot stand for a type, or None where it can."""
    types = load_catalog().types
    head, arguments = split_type(type_name)
    if arguments:
        return f"a {head} has no literal; leave it out"
    if head in types.structs:
        return _struct_problem(head, value)
    wanted = _LITERALS.get(head)
    if wanted is not None:
        accepted, words = wanted
        fits = isinstance(value, accepted) and (head == "Bool" or not isinstance(value, bool))
        return None if fits else f"{head} needs {words}"
    if any(types.is_subclass(head, base) for base in ("Actor", "ActorComponent", "Widget")):
        return f"{head} has no literal; wire it from a variable or another node"
    return None if isinstance(value, str) else f"{head} needs the name of an asset in quotes"


def fit_value(type_name: str, value: Value) -> Value:
    """Return the one spelling of a literal for its type: floats for Float, struct fields in order."""
    types = load_catalog().types
    if isinstance(value, int) and not isinstance(value, bool) and type_name == "Float":
        return float(value)
    order = types.structs.get(type_name)
    if order is None or not isinstance(value, Struct):
        return value
    inner = {"Location": "Vector", "Rotation": "Rotator", "Scale": "Vector"} if order[0] == "Location" else {}
    fields = [(name, fit_value(inner.get(name, "Float"), field)) for name, field in value.fields]
    fields.sort(key=lambda item: (order.index(item[0]) if item[0] in order else len(order), item[0]))
    return Struct(tuple(fields))


_LITERALS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "Bool": (bool, "true or false"),
    "Int": (int, "a whole number such as 5"),
    "Float": ((int, float), "a number such as 5.0"),
    "String": (str, "a text in quotes"),
    "Name": (str, "a text in quotes"),
    "Text": (str, "a text in quotes"),
}


def _struct_problem(type_name: str, value: Value) -> str | None:
    order = load_catalog().types.structs[type_name]
    example = "(" + ",".join(f"{name}=..." for name in order) + ")"
    if not isinstance(value, Struct) or not value.fields:
        return f"{type_name} needs {example}"
    for name, field in value.fields:
        if name not in order:
            return f"{type_name} has no field {name!r}; write {example}"
        if type_name == "Transform":
            problem = _struct_problem("Rotator" if name == "Rotation" else "Vector", field)
        else:
            problem = value_problem("Float", field)
        if problem is not None:
            return f"field {name}: {problem}"
    return None
