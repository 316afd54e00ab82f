"""Works out the types that pins really carry: wildcards, variables and Self resolved from the wires."""

from __future__ import annotations

from nightforge.blueprint.catalog import SELF, WILDCARD, WILDCARDS, NodeType, Pin, load_catalog
from nightforge.blueprint.catalog_types import REFERENCES
from nightforge.blueprint.graph import Blueprint, Graph, Node, Struct, Value, split_type
from nightforge.blueprint.node_types import Definitions, type_of_node
from nightforge.blueprint.type_names import type_text

CONTAINERS = ("Array", "Set", "Map")
NAMING = ("variable", "enum", "struct")  # roles of a property whose text says what T stands for
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
        self._wired: dict[str, list[str]] = {}
        for node_id, pin_name in self.sources:
            self._wired.setdefault(node_id, []).append(pin_name)
        self._bindings: dict[str, dict[str, str]] = {}
        self._depth = 0

    def output(self, node_id: str, pin_name: str) -> str | None:
        """Return the type an output pin carries, "exec" included; None where it cannot be known."""
        node_type = self.types.get(node_id)
        pin = node_type.output(pin_name) if node_type else None
        return self.of_pin(node_id, pin) if pin else None

    def of_pin(self, node_id: str, pin: Pin) -> str | None:
        """Return the type of a pin of a node with wildcards filled in; None where a wildcard is open."""
        if pin.type == SELF:
            return self.parent
        if pin.type in WILDCARDS:
            return self.binding(node_id).get(pin.type)
        head, arguments = split_type(pin.type)
        if not any(part in WILDCARDS for part in arguments):
            return pin.type
        bound = [self.binding(node_id).get(part) if part in WILDCARDS else part for part in arguments]
        parts = [part for part in bound if part is not None and split_type(part)[0] not in CONTAINERS]
        return type_text(head, *parts) if len(parts) == len(bound) else None

    def binding(self, node_id: str) -> dict[str, str]:
        """Return what the wildcards of a node stand for: by what it names, else by what feeds its inputs."""
        if node_id not in self._bindings and self._depth < MAX_CHAIN:
            self._bindings[node_id] = {}  # a cycle of wildcards stays open instead of recursing for ever
            self._depth += 1
            self._bindings[node_id] = self._bind(node_id)
            self._depth -= 1
        return self._bindings.get(node_id, {})

    def _bind(self, node_id: str) -> dict[str, str]:
        node_type = self.types.get(node_id)
        if node_type is None:
            return {}
        for entry in node_type.properties:
            if entry.role in NAMING:
                return self._bind_by_name(entry.role, self.nodes[node_id].get(entry.name))
        return self._bind_by_inputs(node_id, node_type)

    def _bind_by_name(self, role: str, name: Value | None) -> dict[str, str]:
        """Return the type of a variable, or the enum or struct that a node names."""
        if not isinstance(name, str):
            return {}
        known = name if self.catalog.types.is_known(name) else None
        found = self.variables.get(name) if role == "variable" else known
        return {WILDCARD: found} if found is not None else {}

    def _bind_by_inputs(self, node_id: str, node_type: NodeType) -> dict[str, str]:
        bound: dict[str, str] = {}
        # Containers decide before plain wildcards: an Array<Float> takes an Int item, never the reverse.
        for pin in sorted(node_type.inputs, key=lambda p: p.type in WILDCARDS):
            head, arguments = split_type(pin.type)
            if not any(part in WILDCARDS for part in (pin.type, *arguments)):
                continue
            for name in self._names(node_id, pin):
                fed = self.output(*self.sources[node_id, name])
                if fed is not None and pin.type in WILDCARDS:
                    bound.setdefault(pin.type, fed)
                elif fed is not None and split_type(fed)[0] == head:
                    for part, given in zip(arguments, split_type(fed)[1], strict=False):
                        bound.setdefault(part, given)
        return bound

    def _names(self, node_id: str, pin: Pin) -> list[str]:
        """Return the wired names of an input, several for a family such as `Option_#`."""
        if not pin.dynamic:
            return [pin.name] if (node_id, pin.name) in self.sources else []
        return [name for name in self._wired.get(node_id, ()) if pin.matches(name)]


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
    if head in REFERENCES and arguments:
        return None if isinstance(value, str) else f"{type_name} needs the name of a class in quotes"
    if arguments:
        return f"a {head} has no literal; leave it out"
    wanted = _LITERALS.get(head)
    if wanted is not None:
        accepted, words = wanted
        fits = isinstance(value, accepted) and (head == "Bool" or not isinstance(value, bool))
        fits = fits and (head != "Byte" or (isinstance(value, int) and 0 <= value <= 255))
        return None if fits else f"{head} needs {words}"
    if head in types.structs:
        return _struct_problem(head, value)
    if head in types.enums:
        return _enum_problem(head, value)
    if head == "Delegate" or any(
        types.is_subclass(head, base) for base in ("Actor", "ActorComponent", "Widget")
    ):
        return f"{head} has no literal; wire it from a variable or another node"
    return None if isinstance(value, str) else f"{head} needs the name of an asset in quotes"


def fit_value(type_name: str, value: Value) -> Value:
    """Return the one spelling of a literal for its type: floats for Float, struct fields in order.

    A literal that fits already is returned itself.
    """
    if isinstance(value, int) and not isinstance(value, bool) and type_name == "Float":
        return float(value)
    typed = load_catalog().types.struct_fields.get(type_name)
    if typed is None or not isinstance(value, Struct):
        return value
    order = list(typed)
    fields = [(name, fit_value(typed.get(name, "Float"), field)) for name, field in value.fields]
    fields.sort(key=lambda item: (order.index(item[0]) if item[0] in order else len(order), item[0]))
    if all(a is b and x is y for (a, x), (b, y) in zip(fields, value.fields, strict=True)):
        return value
    return Struct(tuple(fields))


_LITERALS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "Bool": (bool, "true or false"),
    "Int": (int, "a whole number such as 5"),
    "Int64": (int, "a whole number such as 5"),
    "Byte": (int, "a whole number from 0 to 255"),
    "Float": ((int, float), "a number such as 5.0"),
    "String": (str, "a text in quotes"),
    "Name": (str, "a text in quotes"),
    "Text": (str, "a text in quotes"),
    "Key": (str, 'the name of a key in quotes, such as "SpaceBar"'),
}


def _enum_problem(type_name: str, value: Value) -> str | None:
    entries = load_catalog().types.enums[type_name]
    if isinstance(value, str) and value in entries:
        return None
    written = (
        f"{value!r} is no entry of {type_name}" if isinstance(value, str) else f"{type_name} needs a text"
    )
    return f"{written}; write one of {', '.join(entries)}"


def _struct_problem(type_name: str, value: Value) -> str | None:
    typed = load_catalog().types.struct_fields[type_name]
    if not typed:
        return f"{type_name} has no literal; wire it from a variable or another node"
    example = "(" + ",".join(f"{name}=..." for name in typed) + ")"
    if not isinstance(value, Struct) or not value.fields:
        return f"{type_name} needs {example}"
    for name, field in value.fields:
        if name not in typed:
            return f"{type_name} has no field {name!r}; write {example}"
        problem = value_problem(typed[name], field)
        if problem is not None:
            return f"field {name}: {problem}"
    return None
