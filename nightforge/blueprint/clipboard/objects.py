"""The raw model of a clipboard text: objects, keys in order, pins with all fields. Nothing is interpreted.

Raw values keep the editor's spelling (quotes and escapes included); `tokens.unquote` resolves them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from nightforge.blueprint.clipboard.tokens import unquote

COMMENT_CLASS = "EdGraphNode_Comment"
KNOT_CLASS = "K2Node_Knot"
NO_NAME = ""  # a pin that the engine gave no name


@dataclass(frozen=True, slots=True)
class Link:
    """One entry of a pin's LinkedTo: the other node's name and its PinId."""

    node: str
    pin_id: str


@dataclass(slots=True)
class RawPin:
    """A `CustomProperties Pin (...)` line: all fields raw and in order, the common ones resolved."""

    id: str
    name: str
    is_output: bool
    fields: dict[str, str]
    links: tuple[Link, ...] = ()
    line: int = 0

    def text(self, key: str) -> str:
        """Return a field without quotes and escapes; an absent one is empty."""
        raw = self.fields.get(key, "")
        return unquote(raw) if raw else ""

    @property
    def category(self) -> str:
        """Return the pin category in lower case: exec, object, real, struct ..."""
        return self.text("PinType.PinCategory").lower()

    @property
    def is_exec(self) -> bool:
        """Say whether control runs through the pin."""
        return self.category == "exec"

    @property
    def hidden(self) -> bool:
        """Say whether the editor hides the pin."""
        return self.fields.get("bHidden", "").lower() == "true"


@dataclass(slots=True)
class RawObject:
    """A `Begin Object` block: class path, name, body keys in order, pins, user pins, nested objects."""

    class_path: str
    name: str
    export_path: str
    line: int
    body: list[tuple[str, str]] = field(default_factory=list)
    pins: list[RawPin] = field(default_factory=list)
    user_pins: list[dict[str, str]] = field(default_factory=list)
    custom: list[str] = field(default_factory=list)  # other CustomProperties lines
    children: list[RawObject] = field(default_factory=list)
    end_line: int = 0

    @property
    def class_name(self) -> str:
        """Return the class without its module: `K2Node_Event`."""
        return self.class_path.rsplit(".", 1)[-1]

    @property
    def module(self) -> str:
        """Return the module of the class, `BlueprintGraph`, or an empty text where none is written."""
        head, dot, _ = self.class_path.rpartition(".")
        return head.rsplit("/", 1)[-1] if dot else ""

    def get(self, key: str) -> str | None:
        """Return the raw value of a body key, the last one where it is repeated, or None."""
        for name, value in reversed(self.body):
            if name == key:
                return value
        return None

    def number(self, key: str, default: float = 0.0) -> float:
        """Return a body key as a number; an absent or unreadable one is the default (the editor omits 0)."""
        raw = self.get(key)
        try:
            return float(unquote(raw)) if raw is not None else default
        except ValueError:
            return default


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lives, from its ExportPath: asset and graph path within it; empty if not written."""

    asset: str = ""
    graph: tuple[str, ...] = ()

    @property
    def asset_name(self) -> str:
        """Return the asset without its folder and package: `BP_Lantern`."""
        return self.asset.rsplit("/", 1)[-1].rsplit(".", 1)[-1]


@lru_cache(maxsize=4096)
def object_path(reference: str) -> tuple[str, str]:
    """Split `Class'Path'`, quoted or not, into (class path, path); plain paths have no class."""
    text = unquote(reference.strip())
    head, mark, tail = text.partition("'")
    if not mark:
        return "", text
    return head.strip(), unquote(tail.rstrip().removesuffix("'").strip())


def place_of(export_path: str) -> Place:
    """Read asset and graph from `Class'/Game/Yard/BP_Lantern.BP_Lantern:EventGraph.K2Node_Event_0'`."""
    _, path = object_path(export_path)
    asset, colon, inner = path.partition(":")
    if not colon:
        return Place(asset if "." in asset.rsplit("/", 1)[-1] else "")
    parts = inner.split(".")[:-1]
    if parts[:1] == ["PersistentLevel"]:  # a level Blueprint lives inside its level
        parts = parts[2:]
    return Place(asset, tuple(parts))
