"""Writes texts as the editor puts them into the clipboard, for tests; every name here is invented."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

FUNCTIONS = "/Script/Engine.KismetSystemLibrary"
MATHS = "/Script/Engine.KismetMathLibrary"
MACROS = "/Engine/EditorBlueprintResources/StandardMacros.StandardMacros"


def guid(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest().upper()


@dataclass
class Pin:
    """A pin; `fields` are further raw fields such as `DefaultValue="5"`."""

    name: str | None
    category: str = "exec"
    output: bool = False
    fields: dict[str, str] = field(default_factory=dict)
    id: str = ""
    links: list[str] = field(default_factory=list)


def pin(name: str | None, category: str = "exec", output: bool = False, id: str = "", **fields: str) -> Pin:
    return Pin(name, category, output, {key.replace("__", "."): value for key, value in fields.items()}, id)


def out(name: str | None, category: str = "exec", id: str = "", **fields: str) -> Pin:
    return pin(name, category, True, id, **fields)


def execs() -> list[Pin]:
    return [pin("execute"), out("then")]


@dataclass
class Block:
    """A node of a paste."""

    cls: str
    name: str
    body: list[str]
    pins: list[Pin]
    place: tuple[float, float]
    inner: list[str] = field(default_factory=list)
    graph: str | None = None

    def pin(self, name: str | None, output: bool | None = None) -> Pin:
        found = [p for p in self.pins if p.name == name and (output is None or p.output == output)]
        assert len(found) == 1, (self.name, name, len(found))
        return found[0]


class Paste:
    """Nodes of one asset; `text` writes them in the spelling of UE5 or, with `old`, of UE4."""

    def __init__(
        self, asset: str | None = "/Game/Yard/BP_Lantern.BP_Lantern", graph: str = "EventGraph"
    ) -> None:
        self.asset, self.graph = asset, graph
        self.blocks: list[Block] = []

    def add(
        self, cls: str, *body: str, pins: list[Pin] | None = None, at: tuple[float, float] = (0, 0)
    ) -> Block:
        cls = cls if "." in cls else f"/Script/BlueprintGraph.K2Node_{cls}"
        short = cls.rsplit(".", 1)[-1]
        name = f"{short}_{sum(block.name.startswith(short) for block in self.blocks)}"
        block = Block(cls, name, list(body), pins or [], at)
        for index, entry in enumerate(block.pins):
            entry.id = entry.id or guid(f"{self.asset}.{name}.{index}")
        self.blocks.append(block)
        return block

    def call(self, function: str, *pins: Pin, owner: str = FUNCTIONS, pure: bool = False) -> Block:
        parent = f"MemberParent=\"/Script/CoreUObject.Class'{owner}'\","
        reference = f'FunctionReference=({parent}MemberName="{function}")'
        body = [reference, "bDefaultsToPureFunc=True"] if pure else [reference]
        return self.add("CallFunction", *body, pins=[*([] if pure else execs()), *pins])

    def event(self, name: str = "ReceiveBeginPlay", *pins: Pin, owner: str = "/Script/Engine.Actor") -> Block:
        parent = f"MemberParent=\"/Script/CoreUObject.Class'{owner}'\""
        reference = f'EventReference=({parent},MemberName="{name}")'
        delegate = out("OutputDelegate", "delegate")
        return self.add("Event", reference, "bOverrideFunction=True", pins=[delegate, out("then"), *pins])

    def macro(self, name: str, *pins: Pin) -> Block:
        graph = f"\"/Script/Engine.EdGraph'{MACROS}:{name}'\""
        blueprint = f"\"/Script/Engine.Blueprint'{MACROS}'\""
        reference = (
            f"MacroGraphReference=(MacroGraph={graph},GraphBlueprint={blueprint},GraphGuid={guid(name)})"
        )
        return self.add("MacroInstance", reference, pins=list(pins))

    def variable(self, name: str, category: str, kind: str = "Get", **fields: str) -> Block:
        reference = f'VariableReference=(MemberName="{name}",MemberGuid={guid(name)},bSelfContext=True)'
        hidden = pin("self", "object", bHidden="True")
        if kind == "Get":
            return self.add("VariableGet", reference, pins=[out(name, category, **fields), hidden])
        both = [pin(name, category, **fields), out("Output_Get", category), hidden]
        return self.add("VariableSet", reference, pins=[*execs(), *both])

    def knot(self, category: str = "exec") -> Block:
        return self.add("Knot", pins=[pin("InputPin", category), out("OutputPin", category)])

    def link(self, source: Block, output: str | None, target: Block, into: str | None) -> None:
        a, b = source.pin(output, True), target.pin(into, False)
        a.links.append(f"{target.name} {b.id}")
        b.links.append(f"{source.name} {a.id}")

    def text(self, old: bool = False, indent: str = "   ", order: list[int] | None = None) -> str:
        blocks = self.blocks if order is None else [self.blocks[index] for index in order]
        return "".join(self._block(block, old, indent) for block in blocks)

    def _block(self, block: Block, old: bool, indent: str) -> str:
        cls = block.cls.rsplit(".", 1)[-1] if old and "K2Node_" in block.cls else block.cls
        head = f'Begin Object Class={cls} Name="{block.name}"'
        if self.asset:
            path = f"{self.asset}:{block.graph or self.graph}.{block.name}"
            head += f" ExportPath={block.cls}'\"{path}\"'" if old else f" ExportPath=\"{block.cls}'{path}'\""
        x, y = block.place
        keys = [*block.body, *([f"NodePosX={x}"] if x else []), *([f"NodePosY={y}"] if y else [])]
        keys.append(f"NodeGuid={guid(block.name)}")
        if old:
            keys = [
                entry if entry.startswith("Custom") else '"{}"={}'.format(*entry.split("=", 1))
                for entry in keys
            ]
        lines = [head, *block.inner, *keys, *(self._pin(entry) for entry in block.pins)]
        return lines[0] + "\n" + "".join(f"{indent}{line}\n" for line in lines[1:]) + "End Object\n"

    def _pin(self, entry: Pin) -> str:
        found = {"PinId": entry.id}
        if entry.name is not None:
            found["PinName"] = f'"{entry.name}"'
        if entry.output:
            found["Direction"] = '"EGPD_Output"'
        found["PinType.PinCategory"] = f'"{entry.category}"'
        found["PinType.PinSubCategory"] = '""'
        found["PinType.PinSubCategoryObject"] = "None"
        found["PinType.ContainerType"] = "None"
        found["bHidden"] = "False"
        found.update(entry.fields)
        if entry.links:
            found["LinkedTo"] = "(" + "".join(f"{link}," for link in entry.links) + ")"
        return "CustomProperties Pin (" + ",".join(f"{key}={value}" for key, value in found.items()) + ",)"


def reference(cls: str, path: str) -> str:
    return f"\"/Script/CoreUObject.{cls}'{path}'\""
