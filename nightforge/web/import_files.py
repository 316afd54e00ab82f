"""Names and contents of imported files: what is taken, under which name, and why not. No sockets, no state.

A name from a browser becomes a file name only if it is harmless on Linux, macOS and Windows alike; a file is
taken only if its first bytes (and for NPY its size) say that the next stage can read it.
"""

from __future__ import annotations

import ast
import os
import re
import struct
import unicodedata
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any

# stream -> suffixes that may be sent; a zip holds files of the others
SUFFIXES: dict[str, tuple[str, ...]] = {
    "patchtst": (".csv", ".parquet", ".pq", ".zip"),
    "swinmae": (".csv", ".npy", ".zip"),
}
NAME_LIMIT = 120  # characters
NAME_BYTES = 240  # most file systems take 255; `_12` and a temporary ending must fit
HEAD_BYTES = 64 * 1024  # of a table, looked at

_FORBIDDEN = re.compile(r'[/\\:*?"<>|]')
_RESERVED = re.compile(
    r"(con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9\xb9\xb2\xb3]|lpt[0-9\xb9\xb2\xb3])\s*(\..*)?", re.I
)
_INVISIBLE = ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp")  # Unicode categories
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_SPLIT = re.compile(r"[;,\t| ]")
_ZIP_TAIL = 22 + 65535  # bytes in which the end record of a zip begins, its comment after it
_ZIP_DIRECTORY = 4 * 1024 * 1024  # bytes; some 20,000 entries. zip64 states 2**32 - 1 here
_NPY_MAGIC = b"\x93NUMPY"
_NPY_HEADER_LIMIT = 10_000  # bytes, as NumPy itself has it
_PLAIN_DTYPE = re.compile(r"[<>|=]?([iuf])(\d{1,2})")


class BadFile(Exception):
    """A file that is not taken, with the reason in words."""


def suffix_of(name: str, stream: str, packed: bool = False) -> str:
    """Return the lower-case suffix of a name; BadFile when the stream does not take such files."""
    suffix = PurePosixPath(name).suffix.lower()
    allowed = tuple(entry for entry in SUFFIXES[stream] if not (packed and entry == ".zip"))
    if suffix not in allowed:
        raise BadFile(f"only {', '.join(allowed)} files are taken here")
    return suffix


def kind_of(suffix: str) -> str:
    """Return the kind of data behind a suffix: csv, parquet, npy or zip."""
    return "parquet" if suffix == ".pq" else suffix.removeprefix(".")


def clean_name(name: str) -> str:
    """Return the name a file gets, normalised; BadFile when it could mean something else to some system."""
    name = unicodedata.normalize("NFC", name)
    if _FORBIDDEN.search(name):
        raise BadFile('a file name must not hold / \\ : * ? " < > |')
    if any(unicodedata.category(letter) in _INVISIBLE for letter in name):
        raise BadFile("the file name holds control or invisible characters")
    if not name or name != name.strip() or name.startswith(".") or name.endswith("."):
        raise BadFile("a file name must not be empty, begin with a dot or blank, or end with one")
    if _RESERVED.fullmatch(name):
        raise BadFile("this name is reserved by Windows; rename the file")
    if len(name) > NAME_LIMIT or len(name.encode("utf-8")) > NAME_BYTES:
        raise BadFile(f"the file name is longer than {NAME_LIMIT} characters or {NAME_BYTES} bytes")
    path = PurePosixPath(name)
    return path.stem + (".parquet" if path.suffix.lower() == ".pq" else path.suffix.lower())


def member_name(name: str) -> str:
    """Return the file's own name of a zip member, whichever slash its maker used."""
    return name.replace("\\", "/").rpartition("/")[2]


def free_name(name: str, taken: set[str]) -> str:
    """Return `name`, or with _1, _2, ... when it is taken; upper and lower case are the same."""
    path, number, candidate = PurePosixPath(name), 0, name
    while folded(candidate) in taken:
        number += 1
        candidate = f"{path.stem}_{number}{path.suffix}"
    return candidate


def folded(name: str) -> str:
    """Return what two names share when some file system takes them for the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_content(path: Path, kind: str, stream: str) -> None:
    """Look at the beginning (and end) of a file; BadFile with the reason when it cannot be such a file."""
    if path.stat().st_size == 0:
        raise BadFile("the file is empty")
    if kind == "csv":
        _check_table(path)
    elif kind == "parquet":
        _check_parquet(path)
    elif kind == "npy":
        _check_npy(path)
    elif kind == "zip":
        _check_zip(path)


def _check_zip(path: Path) -> None:
    """Zip: its magic bytes, and a directory small enough to be read into memory at once."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, path.stat().st_size - _ZIP_TAIL))
        tail = file.read(_ZIP_TAIL)
    end = tail.rfind(b"PK\x05\x06")
    if head != b"PK\x03\x04" or end < 0 or len(tail) - end < 22:
        raise BadFile("the file is no zip archive, or its end is missing")
    if struct.unpack_from("<I", tail, end + 12)[0] > _ZIP_DIRECTORY:
        raise BadFile("the archive holds more files than any import takes")


def _check_table(path: Path) -> None:
    """A table: text with at least one line, after a header perhaps, that holds a number."""
    with path.open("rb") as file:
        data = file.read(HEAD_BYTES)
    text = _text(data)
    lines = text.splitlines()
    if len(data) == HEAD_BYTES and len(lines) > 1:
        lines = lines[:-1]  # perhaps cut
    rows = [line for line in lines if line.strip()]
    if len(rows) < 2:
        raise BadFile("the table has no row of values")
    if not any(_has_number(row) for row in rows[1:]):
        raise BadFile("the table holds no number after its header")


def _text(data: bytes) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if b"\x00" in data:
        raise BadFile("the file is not text, so it is no CSV table")
    return data.decode("utf-8-sig", "replace")


def _has_number(row: str) -> bool:
    return any(_NUMBER.fullmatch(cell.strip().strip('"')) for cell in _SPLIT.split(row))


def _check_parquet(path: Path) -> None:
    """Apache Parquet: PAR1 at both ends, and a footer that fits between."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(max(0, size - 8))
        tail = file.read(8)
    if head != b"PAR1" or len(tail) < 8 or tail[4:] != b"PAR1":
        raise BadFile("the file is no Parquet table, or its end is missing")
    if struct.unpack("<I", tail[:4])[0] > size - 12:
        raise BadFile("the Parquet table is damaged: its footer does not fit")


def _check_npy(path: Path) -> None:
    """NumPy array: numbers in rows of three, and exactly as many bytes as its header says."""
    with path.open("rb") as file:
        header, start = _npy_header(file.read(16 + _NPY_HEADER_LIMIT))
    shape, dtype = header.get("shape"), header.get("descr")
    if not isinstance(shape, tuple) or not all(isinstance(side, int) and side >= 0 for side in shape):
        raise BadFile("the NPY header has no shape")
    if len(shape) != 2 or shape[1] != 3 or shape[0] < 1:
        sides = " x ".join(str(side) for side in shape[:4])
        raise BadFile(f"the array is {sides or 'a single number'}; rows of three axes are needed (T x 3)")
    match = _PLAIN_DTYPE.fullmatch(dtype) if isinstance(dtype, str) else None
    if match is None:
        raise BadFile("the array holds no plain numbers")
    wanted = start + prod(shape) * int(match[2])
    if path.stat().st_size != wanted:
        raise BadFile(f"the array should have {wanted} bytes, the file has {path.stat().st_size}")


def _npy_header(data: bytes) -> tuple[dict[str, Any], int]:
    """Read the header of an NPY file (format 1 to 3); returns it and where the numbers begin."""
    if data[:6] != _NPY_MAGIC or len(data) < 12 or data[6] not in (1, 2, 3):
        raise BadFile("the file is no NPY array")
    length_size = 2 if data[6] == 1 else 4
    start = 8 + length_size
    length = int.from_bytes(data[8:start], "little")
    if length > _NPY_HEADER_LIMIT or len(data) < start + length:
        raise BadFile("the NPY header is damaged")
    try:
        header = ast.literal_eval(data[start : start + length].decode("utf-8").strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise BadFile("the NPY header is damaged") from error
    if not isinstance(header, dict):
        raise BadFile("the NPY header is damaged")
    return header, start + length


def is_link(path: Path) -> bool:
    """Tell whether a path is a symbolic link or, on Windows, any kind of junction."""
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return False
    reparse = getattr(facts, "st_file_attributes", 0) & 0x400  # FILE_ATTRIBUTE_REPARSE_POINT
    return bool(reparse) or os.path.islink(path)
