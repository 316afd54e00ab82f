"""Reads the editor's text into raw objects: line by line, nested blocks, pins with every field.

Both passes of the editor are understood: a nested block without a class fills the block of that name.
UE4 and UE5 spellings are the same thing here (quoted keys and paths, bare class names, tabs).
"""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import BinaryIO

from nightforge.blueprint.clipboard.errors import ClipboardError
from nightforge.blueprint.clipboard.objects import NO_NAME, Link, RawObject, RawPin, object_path
from nightforge.blueprint.clipboard.tokens import ValueCutError, fields, items, unquote
from nightforge.core.errors import InputError

MAX_BYTES = 32 * 1024 * 1024  # a graph of 40,000 nodes; ten times the largest export seen
MAX_DEPTH = 32  # blocks within blocks

_HEADER = re.compile(r"""\s*(\w+)=((?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^\s"'])*)""")
_BODY = re.compile(r'"?([^\s="][^="]*?)"?\s*=')
_FOREIGN_BLOCKS = ("Begin Map", "Begin Level", "Begin Actor", "Begin Polygon", "Begin Brush")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_PIN = "CustomProperties Pin "
_USER_PIN = "CustomProperties UserDefinedPin "
_CUSTOM = "CustomProperties "


def read_file(path: Path) -> str:
    """Read a clipboard text from a file; raises InputError or ClipboardError."""
    return decode(file_bytes(path))


def file_bytes(path: Path) -> bytes:
    """Read a file; raises InputError where it is missing, ClipboardError where it is too large."""
    if not path.is_file():
        raise InputError(f"{path} is missing")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise _too_large(f"{size / 2**20:.0f} MB")
    return path.read_bytes()


def stream_bytes(stream: BinaryIO) -> bytes:
    """Read a stream such as standard input up to the limit; raises ClipboardError beyond it."""
    data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise _too_large(f"more than {MAX_BYTES // 2**20} MB")
    return data


def decode(data: bytes) -> str:
    """Turn bytes into text: UTF-8 with or without a byte-order mark, or UTF-16; raises ClipboardError."""
    name = next((name for mark, name in _BOMS if data.startswith(mark)), "")
    if not name:
        name = "utf-8"
        if data.startswith(b"B\0"):  # Begin Object without a mark
            name = "utf-16-le"
        elif data.startswith(b"\0B"):
            name = "utf-16-be"
    try:
        text = data.decode(name)
    except UnicodeDecodeError as error:
        message = f"byte {error.start} is no {name.upper()}; save the text as UTF-8"
        raise ClipboardError("CLIP102", message) from error
    if "\0" in text:
        raise ClipboardError("CLIP102", "the file holds zero bytes; it is no text")
    return text


def read_objects(text: str) -> list[RawObject]:
    """Read a whole clipboard text; returns its top-level objects in order, raises ClipboardError."""
    text = text.removeprefix("\ufeff")
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise ClipboardError("CLIP101", "the text is empty; copy nodes in the editor and save them as text")
    reader = _Reader()
    for number, line in enumerate(text.split("\n"), 1):
        reader.line(number, line.strip())
    return reader.finish()


class _Reader:
    """Keeps the open blocks while the lines come in."""

    def __init__(self) -> None:
        self.top: list[RawObject] = []
        self.open: list[RawObject] = []
        self.named: list[dict[str, RawObject]] = [{}]  # the blocks of each open level, by name
        self.last = 0

    def line(self, number: int, line: str) -> None:
        if not line:
            return
        self.last = number
        if self.open and line.startswith(_PIN):
            self.open[-1].pins.append(_pin(line, number))
        elif line.startswith("Begin Object"):
            self._begin(line, number)
        elif line.startswith("End Object"):
            if not self.open:
                raise ClipboardError(
                    "CLIP104", "End Object without Begin Object; the start is missing", number
                )
            self.open.pop().end_line = number
            self.named.pop()
        elif not self.open:
            raise _outside(line, number)
        elif line.startswith(_USER_PIN):
            self.open[-1].user_pins.append(dict(_fields(line, len(_USER_PIN), number)))
        elif line.startswith(_CUSTOM):
            self.open[-1].custom.append(line)
        else:
            self._body(line, number)

    def finish(self) -> list[RawObject]:
        if self.open:
            block = self.open[-1]
            message = f"{block.name} (line {block.line}) has no End Object; the text is cut off"
            raise ClipboardError("CLIP104", message, self.last)
        return self.top

    def _begin(self, line: str, number: int) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise ClipboardError("CLIP108", f"more than {MAX_DEPTH} objects within each other", number)
        found = _header(line, number)
        name = found.get("Name", "")
        if not name:
            raise ClipboardError("CLIP105", "Begin Object has no Name", number)
        if found.get("Class") == "":
            raise ClipboardError("CLIP105", f"object {name} has an empty Class", number)
        if "Class" in found:
            place = found.get("ExportPath", "")
            block = RawObject(_class_path(found["Class"], place), name, place, number)
            (self.open[-1].children if self.open else self.top).append(block)
            self.named[-1][name] = block
        elif name in self.named[-1]:
            block = self.named[-1][name]
        else:
            raise ClipboardError("CLIP105", f"object {name} has no Class", number)
        self.open.append(block)
        self.named.append({child.name: child for child in block.children})

    def _body(self, line: str, number: int) -> None:
        match = _BODY.match(line)
        if match is None:
            shown = line[:40]
            raise ClipboardError("CLIP105", f"{shown!r} is neither Key=Value nor a pin", number)
        self.open[-1].body.append((match[1], line[match.end() :].strip()))


def _header(line: str, number: int) -> dict[str, str]:
    found: dict[str, str] = {}
    position = len("Begin Object")
    while position < len(line):
        match = _HEADER.match(line, position)
        if match is None or match.end() == position:
            raise ClipboardError("CLIP105", f"{line[position : position + 40]!r} in Begin Object", number)
        value = match[2]
        found.setdefault(match[1], value if match[1] == "ExportPath" else unquote(value))
        position = match.end()
    return found


def _class_path(text: str, export_path: str) -> str:
    """Return `/Script/Module.Class` however it is quoted; a bare class has its module in the ExportPath."""
    head, mark, tail = text.partition("'")
    name = (tail.rstrip("'").strip('"') if mark else head).strip()
    if "." not in name and export_path:
        whole = object_path(export_path)[0]
        return whole if whole.rpartition(".")[2] == name else name
    return name


def _fields(line: str, start: int, number: int) -> list[tuple[str, str]]:
    start = line.find("(", start)
    if start < 0:
        raise ClipboardError("CLIP105", "a pin without ( ... )", number)
    try:
        pairs, end = fields(line, start)
    except ValueCutError as error:
        raise ClipboardError("CLIP104", f"the pin is cut off or damaged: {error}", number) from error
    if line[end:].strip():
        raise ClipboardError("CLIP105", f"{line[end : end + 20]!r} behind the pin", number)
    return pairs


def _pin(line: str, number: int) -> RawPin:
    found: dict[str, str] = {}
    for key, value in _fields(line, len(_PIN) - 1, number):
        found.setdefault(key, value)
    links = _links(found["LinkedTo"], number) if "LinkedTo" in found else ()
    name = unquote(found.get("PinName", "")) or NO_NAME
    output = unquote(found.get("Direction", "")) in ("EGPD_Output", "Output")
    return RawPin(found.get("PinId", "").upper(), name, output, found, links, number)


def _links(raw: str, number: int) -> tuple[Link, ...]:
    try:
        entries = [entry for entry in items(raw) if entry]
    except ValueCutError as error:
        raise ClipboardError("CLIP104", f"LinkedTo can't be read: {error}", number) from error
    links = []
    for entry in entries:
        node, blank, pin_id = entry.rpartition(" ")
        if not blank:
            raise ClipboardError("CLIP105", f"{entry!r} in LinkedTo is not a node and a PinId", number)
        links.append(Link(unquote(node.strip()), pin_id.strip().upper()))
    return tuple(links)


def _outside(line: str, number: int) -> ClipboardError:
    if line.startswith(_FOREIGN_BLOCKS):
        message = (
            f"{line.split('Name=')[0].strip()!r}: this is a copy from a level, not from a Blueprint graph"
        )
        return ClipboardError("CLIP106", message, number)
    message = f"{line[:40]!r} stands outside of any object; a copy from the editor begins with Begin Object"
    return ClipboardError("CLIP105", message, number)


def _too_large(size: str) -> ClipboardError:
    limit = MAX_BYTES // 2**20
    return ClipboardError(
        "CLIP103", f"the text has {size}, the limit is {limit} MB; copy fewer nodes at once"
    )
