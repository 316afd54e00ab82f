"""A second, independent look at clipboard text: what every paste must fulfil, checked without our reader."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

GUID = re.compile(r"[0-9A-F]{32}")
HEADER = re.compile(r"Begin Object Class=(/Script/\w+\.\w+) Name=\"(\w+)\" ExportPath=\"([^\"]+)\"")
LINKS = re.compile(r"\((?:\w+ [0-9A-F]{32},)+\)")
PIN = "CustomProperties Pin ("


@dataclass
class Pin:
    """The fields of one pin line, raw."""

    fields: dict[str, str]

    @property
    def id(self) -> str:
        return self.fields["PinId"]

    @property
    def is_output(self) -> bool:
        return "Direction" in self.fields

    @property
    def links(self) -> list[tuple[str, str]]:
        found = re.findall(r"(\w+) ([0-9A-F]{32}),", self.fields.get("LinkedTo", ""))
        return [(node, pin) for node, pin in found]


@dataclass
class Block:
    """One object: its header, body keys and pins."""

    class_path: str
    name: str
    export_path: str
    body: dict[str, str] = field(default_factory=dict)
    pins: list[Pin] = field(default_factory=list)

    @property
    def corner(self) -> tuple[int, int]:
        return int(self.body.get("NodePosX", "0")), int(self.body.get("NodePosY", "0"))


def cut(text: str) -> list[str]:
    """Cut `a=1,b="x,y",c=(d=2,e=3),` at the commas outside of quotes and parentheses."""
    parts, start, depth, quoted, place = [], 0, 0, False, 0
    while place < len(text):
        char = text[place]
        if char == "\\" and quoted:
            place += 1
        elif char == '"':
            quoted = not quoted
        elif not quoted and char in "()":
            depth += 1 if char == "(" else -1
            assert depth >= 0, text
        elif not quoted and char == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
        place += 1
    assert not quoted and depth == 0, text
    return [part for part in (*parts, text[start:]) if part]


def blocks_of(text: str) -> list[Block]:
    """Read the top-level objects; every line must be one that the editor writes."""
    blocks: list[Block] = []
    depth = 0
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("Begin Object"):
            depth += 1
            if depth == 1:
                match = HEADER.fullmatch(line)
                assert match, line
                blocks.append(Block(*match.groups()))
        elif stripped == "End Object":
            depth -= 1
        elif depth == 1 and stripped.startswith(PIN):
            assert stripped.endswith(")")
            pairs = [part.partition("=") for part in cut(stripped[len(PIN) : -1])]
            blocks[-1].pins.append(Pin({key: value for key, _, value in pairs}))
        elif depth == 1 and not stripped.startswith("CustomProperties "):
            key, mark, value = stripped.partition("=")
            assert mark and re.fullmatch(r"\w+(\(\d+\))?", key), line
            assert key not in blocks[-1].body, f"{key} is stated twice"
            blocks[-1].body[key] = value
    assert depth == 0
    return blocks


def check(text: str) -> list[Block]:
    """Assert that a text is consistent; returns its objects."""
    blocks = blocks_of(text)
    by_name = {block.name: block for block in blocks}
    assert len(by_name) == len(blocks), "a name is used twice"
    guids = [block.body["NodeGuid"] for block in blocks]
    assert len(set(guids)) == len(guids) and all(GUID.fullmatch(guid) for guid in guids)
    pins = {(block.name, pin.id): pin for block in blocks for pin in block.pins}
    assert len(pins) == sum(len(block.pins) for block in blocks), "a PinId is used twice in a node"
    for block in blocks:
        assert block.name.rpartition("_")[0] == block.class_path.rpartition(".")[2]
        path = rf"{re.escape(block.class_path)}'/Game/([^.:']+)\.\1:[^.:']+\.{block.name}'"
        assert re.fullmatch(path, block.export_path), block.export_path
        assert all(value % 16 == 0 for value in block.corner)
        for pin in block.pins:
            _check_pin(block, pin, pins)
    return blocks


def _check_pin(block: Block, pin: Pin, pins: dict[tuple[str, str], Pin]) -> None:
    assert GUID.fullmatch(pin.id)
    assert pin.fields.get("Direction", '"EGPD_Output"') == '"EGPD_Output"', "an input states no direction"
    assert pin.fields["PinType.PinCategory"].strip('"') == pin.fields["PinType.PinCategory"][1:-1] != ""
    assert pin.fields["PinType.ContainerType"] in ("None", "Array", "Set", "Map")
    if "LinkedTo" in pin.fields:
        assert LINKS.fullmatch(pin.fields["LinkedTo"]), pin.fields["LinkedTo"]
        assert pin.fields["bHidden"] == "False", "a hidden pin has a wire"
    for end in pin.links:
        other = pins[end]
        assert other.is_output != pin.is_output, "a link joins two pins of one side"
        assert (block.name, pin.id) in other.links, "a link is stated on one end only"
        execs = [p.fields["PinType.PinCategory"] == '"exec"' for p in (pin, other)]
        assert execs[0] == execs[1], "a link joins control and data"
