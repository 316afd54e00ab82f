"""What a node type is in Unreal: the K2Node class and the function, event or macro that gives it meaning."""

from __future__ import annotations

from dataclasses import dataclass

from nightforge.blueprint.catalog_pins import Pin

GRAPH_MODULE = "/Script/BlueprintGraph."
STANDARD_MACROS = "/Engine/EditorBlueprintResources/StandardMacros.StandardMacros"
CALL_CLASS = "K2Node_CallFunction"
OPERATOR_CLASS = "K2Node_PromotableOperator"
COMMUTATIVE_CLASS = "K2Node_CommutativeAssociativeBinaryOperator"
MACRO_CLASS = "K2Node_MacroInstance"
CAST_CLASS = "K2Node_DynamicCast"


@dataclass(frozen=True, slots=True)
class UnrealTarget:
    """The Unreal identity of a node type.

    node_class: `K2Node_X` of BlueprintGraph, otherwise the path (`/Script/UMGEditor.K2Node_CreateWidget`).
    owner: class path that declares the function, event or delegate, or the asset of the macro; "" = none.
    other_owners: further classes that declare an event of the same name and meaning.
    function, event, macro, delegate: the member that is meant; at most one is set (operators: function).
    operation: OperationName of a promotable operator.
    cast_to: path of the class a cast leads to.
    variant: what tells apart node types of one class, such as the index type of a Select.
    signature: the delegate signature a component event is bound to, as `/Script/Engine.Name`.
    hidden: pins the engine has and the language does not show, under their engine names.
    body: body lines every such node has, (key, raw value).
    """

    node_class: str
    owner: str = ""
    other_owners: tuple[str, ...] = ()
    function: str = ""
    event: str = ""
    macro: str = ""
    delegate: str = ""
    operation: str = ""
    cast_to: str = ""
    variant: str = ""
    signature: str = ""
    hidden: tuple[Pin, ...] = ()
    body: tuple[tuple[str, str], ...] = ()

    @property
    def class_path(self) -> str:
        """Return the whole path of the K2Node class."""
        return self.node_class if self.node_class.startswith("/") else GRAPH_MODULE + self.node_class

    @property
    def short_class(self) -> str:
        """Return the name of the K2Node class without its module."""
        return self.node_class.rpartition(".")[2]

    @property
    def member(self) -> str:
        """Return the name that tells node types of one K2Node class and owner apart, or ""."""
        named = (self.function, self.event, self.macro, self.delegate, self.cast_to, self.variant)
        return next((name for name in named if name), "")

    def text(self) -> str:
        """Return the identity in one line for tables and pages."""
        parts = [self.short_class, self.operation]
        if self.macro:
            parts.append(f"{self.owner.rpartition('.')[2]}:{self.macro}")
        elif self.cast_to:
            parts.append(f"TargetType={self.cast_to.rpartition('.')[2]}")
        elif self.operation:
            parts.append(f"{self.owner.rpartition('.')[2]}:{self.member}")
        elif self.member:
            parts.append(f"{self.owner}:{self.member}" if self.owner else self.member)
        return " ".join(part for part in parts if part)

    def keys(self) -> list[tuple[str, str, str]]:
        """Return every (class, owner, member) that means this node type in an export, the usual one first."""
        found = [(self.node_class, owner, self.member) for owner in (self.owner, *self.other_owners)]
        if self.node_class in (OPERATOR_CLASS, COMMUTATIVE_CLASS):
            # Older editors used the other classes, and called the reals of today floats.
            names = (self.function, self.function.replace("Double", "Float"))
            classes = (self.node_class, COMMUTATIVE_CLASS, CALL_CLASS)
            found += [(kind, self.owner, name) for name in names for kind in classes]
        return list(dict.fromkeys(found))


def bare_class(node_class: str) -> str:
    """Return a K2Node class as the catalog spells it: without the module where that is BlueprintGraph."""
    return node_class.removeprefix(GRAPH_MODULE)
