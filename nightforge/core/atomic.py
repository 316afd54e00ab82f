"""Files that are whole or not there: replace with fsync, append-only JSON lines, hashes.

The order is restic's (temp in the same folder, write, flush, fsync, replace, fsync the folder), so a power
cut leaves either the old file or the new one, never a torn one. # ops A1, A3, A4, A5
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterable
from io import FileIO
from pathlib import Path
from typing import Any

from nightforge.core.errors import BadDataError, EncodingError, InputError
from nightforge.core.failpoints import reach

# Windows refuses to replace a file that a reader or a virus scanner holds open; these pass within seconds.
_WINDOWS_BUSY = {5, 32, 33}
_TEMPORARY = re.compile(r"\..+\.(\d+)\.\d+\.tmp")  # as named by write_bytes: .NAME.PID.NS.tmp
_RETRY_S = (0.02, 0.05, 0.1, 0.2, 0.35, *(0.5,) * 8)
_READ_RETRY_S = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2)


def move(source: Path, target: Path) -> None:
    """Rename a file (over another) or a folder; on Windows what is held open for a moment is waited for."""
    for wait_s in (*_RETRY_S, None):
        try:
            os.replace(source, target)
            return
        except PermissionError as error:
            if wait_s is None or getattr(error, "winerror", None) not in _WINDOWS_BUSY:
                raise
            time.sleep(wait_s)


def read_bytes(path: Path) -> bytes:
    """Read a whole file; on Windows a file that is just being replaced refuses for a moment. # ops A3"""
    for wait_s in _READ_RETRY_S if os.name == "nt" else ():
        try:
            return path.read_bytes()
        except PermissionError:
            time.sleep(wait_s)
    return path.read_bytes()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable; Windows has no such call and needs none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        move(temporary, path)
        reach("replace.after", path.name)
    except OSError as error:
        error.filename = error.filename or str(path)  # a refused write does not tell where
        raise
    finally:
        temporary.unlink(missing_ok=True)
    if durable:
        sync_folder(path.parent)


def remove_leftovers(folders: Iterable[Path], alive: Callable[[int], bool]) -> list[Path]:
    """Remove the temporary files of writers that died, directly in `folders`; returns them. # ops A4

    `alive` tells whether a pid is in use: its file stays until nobody can be writing it.
    """
    removed: list[Path] = []
    for folder in folders:
        for path in folder.glob(".*.tmp") if folder.is_dir() else ():
            match = _TEMPORARY.fullmatch(path.name)
            if match and not alive(int(match[1])):
                path.unlink(missing_ok=True)
                removed.append(path)
    return removed


def write_text(path: Path, text: str, durable: bool = True) -> None:
    """Replace `path` with `text` in UTF-8 with LF line ends."""
    write_bytes(path, text.encode("utf-8"), durable)


def write_json(path: Path, value: Any, indent: int | None = 2, durable: bool = True) -> None:
    """Replace `path` with `value` as JSON, non-ASCII characters kept."""
    write_text(path, json.dumps(value, indent=indent, ensure_ascii=False) + "\n", durable)


def read_json(path: Path) -> Any:
    """Read a JSON file; a missing or broken one raises InputError with file, line and column."""
    try:
        return json.loads(read_bytes(path).decode("utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} is missing") from None
    except UnicodeDecodeError as error:
        raise EncodingError(f"{path} is not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise BadDataError(
            f"{path}, line {error.lineno}, column {error.colno}: not valid JSON ({error.msg})"
        ) from error


def append_jsonl(path: Path, value: Any, sync: bool = True) -> None:
    """Append one JSON line; with `sync` the line is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    reach("append.before", path.name)
    with path.open("ab", buffering=0) as file:
        append_whole(file, json.dumps(value, ensure_ascii=False).encode("utf-8") + b"\n", sync)
    reach("append.after", path.name)


def append_whole(file: FileIO, data: bytes, sync: bool) -> None:
    """Append all of `data` to an unbuffered file or nothing; raises OSError.

    What a full disk let through is taken back, so the next line never continues a cut one.
    """
    start = file.seek(0, os.SEEK_END)
    try:
        written = file.write(data)
        if written != len(data):
            written += file.write(data[written:])  # the second call tells why the first was short
        if written != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(file.name))
        reach("append.written", Path(str(file.name)).name)
        if sync:
            os.fsync(file.fileno())
    except OSError as error:
        file.truncate(start)
        error.filename = error.filename or str(file.name)  # a refused write does not tell where
        raise


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
            raise BadDataError(f"{path}, line {number}: not valid JSON ({error})") from error
        if not isinstance(row, dict):
            raise BadDataError(f"{path}, line {number}: expected a JSON object, found {type(row).__name__}")
        rows.append(row)
    return rows


def sha256_file(path: Path) -> str:
    """Hash a file's content; returns 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Hash text in UTF-8; returns 64 hex digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
