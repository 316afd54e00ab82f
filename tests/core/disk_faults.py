"""A disk that fails at the n-th operation, and one that loses what was not synced when the power goes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest


class Watched:
    """A file whose writes, truncations and syncs are told to a disk."""

    def __init__(self, disk: Disk, path: Path, file: Any) -> None:
        self._disk, self._path, self._file = disk, path, file
        disk.files[file.fileno()] = path

    def write(self, data: bytes) -> int:
        text = data.encode() if isinstance(data, str) else bytes(data)
        try:
            self._disk.step("write", self._path, text)
        except OSError:
            self._file.write(data[: len(data) // 2])  # a full disk takes a part
            self._file.flush()
            raise
        written: int = self._file.write(data)
        return written

    def truncate(self, size: int) -> int:
        self._disk.note("truncate", self._path, size)
        cut: int = self._file.truncate(size)
        return cut

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@dataclass
class Disk:
    """Counts operations; raises `error` at operation number `fail_at`; keeps a log of all of them."""

    fail_at: int = 0
    error: int = 28
    count: int = 0
    log: list[tuple[str, Path, Any]] = field(default_factory=list)
    files: dict[int, Path] = field(default_factory=dict)

    def step(self, kind: str, path: Path, value: Any = None) -> None:
        self.count += 1
        if self.count == self.fail_at:
            raise OSError(self.error, os.strerror(self.error), str(path))
        self.note(kind, path, value)

    def note(self, kind: str, path: Path, value: Any = None) -> None:
        self.log.append((kind, path, value))


def install(monkeypatch: pytest.MonkeyPatch, disk: Disk) -> None:
    """Lead every durable operation of the process through `disk`."""
    real_open, real_fsync, real_replace, real_link, real_unlink = (
        Path.open,
        os.fsync,
        os.replace,
        os.link,
        Path.unlink,
    )

    def open_file(self: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        if not set(mode) & set("wa+"):
            return real_open(self, mode, *arguments, **options)
        disk.step("open", self, mode)
        return Watched(disk, self, real_open(self, mode, *arguments, **options))

    def fsync(descriptor: int) -> None:
        folder = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        disk.step("fsync", disk.files.get(descriptor, folder) if not folder.is_dir() else folder)
        real_fsync(descriptor)

    def replace(source: Any, target: Any) -> None:
        disk.step("replace", Path(source), Path(target))
        real_replace(source, target)

    def link(source: Any, target: Any) -> None:
        disk.step("link", Path(source), Path(target))
        real_link(source, target)

    def unlink(self: Path, missing_ok: bool = False) -> None:
        disk.note("unlink", self)
        real_unlink(self, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "open", open_file)
    monkeypatch.setattr(Path, "unlink", unlink)
    for name, function in (("fsync", fsync), ("replace", replace), ("link", link)):
        monkeypatch.setattr(os, name, function)


@dataclass
class _File:
    """What a file holds in memory and on the device."""

    data: bytes = b""
    safe: bytes = b""


class PowerCut:
    """What is left of a recorded protocol after its first operations, by three ways a disk may lose things.

    `synced`: names are there, but files hold only what was synced; `names`: names changed after the last
    sync of their folder are lost; `all`: everything had reached the device.
    """

    def __init__(self, before: dict[Path, bytes], log: list[tuple[str, Path, Any]]) -> None:
        self._before, self._log = before, log

    def states(self) -> Iterator[tuple[int, str, dict[Path, bytes]]]:
        """Yield (number of operations done, way, files) for every prefix and way."""
        for count in range(len(self._log) + 1):
            for way in ("synced", "names", "all"):
                yield count, way, self._after(count, way)

    def _after(self, count: int, way: str) -> dict[Path, bytes]:
        names = {path: _File(data, data) for path, data in self._before.items()}
        durable = dict(names)
        for kind, path, value in self._log[:count]:
            self._apply(names, kind, path, value)
            if kind == "fsync" and path not in names:  # a folder
                durable = {p: f for p, f in durable.items() if p.parent != path}
                durable |= {p: f for p, f in names.items() if p.parent == path}
        seen = durable if way == "names" else names
        return {path: file.data if way == "all" else file.safe for path, file in seen.items()}

    @staticmethod
    def _apply(names: dict[Path, _File], kind: str, path: Path, value: Any) -> None:
        if kind == "open":
            if "w" in value:
                names[path] = _File()
            names.setdefault(path, _File())
        elif kind == "write":
            names[path].data += value
        elif kind == "truncate":
            names[path].data = names[path].data[:value]
        elif kind == "fsync" and path in names:
            names[path].safe = names[path].data
        elif kind == "replace":
            names[value] = names.pop(path)
        elif kind == "link":
            names[value] = names[path]
        elif kind == "unlink":
            names.pop(path, None)


def files_below(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lay_out(folder: Path, root: Path, files: dict[Path, bytes]) -> Callable[[Path], Path]:
    """Write `files`, whose paths lie below `root`, below `folder`; returns where a path is now."""
    for path, data in files.items():
        place = folder / path.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return lambda path: folder / path.relative_to(root)
