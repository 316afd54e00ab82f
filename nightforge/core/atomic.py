"""Files that are whole or not there: replace with fsync, append-only JSON lines, hashes.

The order is restic's (temp in the same folder, write, flush, fsync, replace, fsync the folder), so a power
cut leaves either the old file or the new one, never a torn one. # ops A1, A3, A4, A5
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from nightforge.core.errors import InputError
from nightforge.core.failpoints import reach

# Windows refuses to replace a file that a reader or a virus scanner holds open; these pass within seconds.
_WINDOWS_BUSY = {5, 32, 33}
_RETRY_S = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.5, 0.5)


def _replace(source: Path, target: Path) -> None:
    for wait_s in (*_RETRY_S, None):
        try:
            os.replace(source, target)
            return
        except PermissionError as error:
            if wait_s is None or getattr(error, "winerror", None) not in _WINDOWS_BUSY:
                raise
            time.sleep(wait_s)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_aside(path: Path) -> None:
    """Put an unreadable file out of the way as `NAME.broken.json`: unreadable is not empty. # ops A5"""
    reach("aside.replace.before")
    os.replace(path, path.with_suffix(f".broken{path.suffix}"))


def write_bytes(path: Path, data: bytes, durable: bool = True) -> None:
    """Replace `path` with `data`; missing parent folders are made.

    `durable` outlives a power cut; without it only processes may die, which is enough for what nobody needs
    after a restart of the computer.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    reach("replace.before", path.name)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        reach("replace.written", path.name)
        _replace(temporary, path)
        reach("replace.after", path.name)
    finally:
        temporary.unlink(missing_ok=True)
    if durable:
        sync_folder(path.parent)


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """Replace `path` with `text` in UTF-8 with LF line ends."""
    write_bytes(path, text.encode("utf-8"), durable)


def write_json(path: Path, value: Any, indent: int | None = 2, durable: bool = True) -> None:
    """Replace `path` with `value` as JSON, non-ASCII characters kept."""
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False) + "\n", durable)


def read_json(path: Path) -> Any:
    """Read a JSON file; a missing or broken one raises InputError with file, line and column."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg})"
        ) from error


def append_jsonl(path: Path, value: Any, sync: bool = True) -> None:
    """Append one JSON line; with `sync` the line is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    reach("append.before", path.name)
    with path.open("ab") as file:
        file.write(json.dumps(value, ensure_ascii=False).encode("utf-8") + b"\n")
        file.flush()
        if sync:
            os.fsync(file.fileno())
    reach("append.after", path.name)


def write_jsonl(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace `path` with one JSON line per row."""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_jsonl(path: Path, repair: bool = False) -> list[dict[str, Any]]:
    """Read JSON lines. With `repair`, a cut last line (power loss) is dropped from the file.

    Raises InputError naming file and line for a missing file or a broken line.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    whole = data if data.endswith(b"\n") or not data else data[: data.rfind(b"\n") + 1]
    if len(whole) != len(data):
        if repair:
            write_bytes(path, whole)
        else:
            whole = data
    rows: list[dict[str, Any]] = []
    for number, line in enumerate(whole.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(f"{path}, line {number}: not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise InputError(f"{path}, line {number}: expected a JSON object, found {type(row).__name__}")
        rows.append(row)
    return rows


def sha256_file(path: Path) -> str:
    """Hash a file's content; returns 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Hash text in UTF-8; returns 64 hex digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
