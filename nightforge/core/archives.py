"""Zip files from strangers, read safely: no path leaves the archive, and no archive outgrows its limits.

Members are opened as streams and never extracted by name. The sizes an archive states are checked before
anything is read, and what is read is counted, because a stated size may be a lie. Standard library only.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from nightforge.core.errors import BadDataError, InputError

MB = 1024 * 1024
_SMALL = MB  # a member below this may be packed as tightly as it likes: zeros do compress a thousandfold


@dataclass(frozen=True)
class Limits:
    """How much one archive may hold: members of any kind, bytes unpacked, unpacked bytes per packed byte."""

    members: int = 10_000
    total_bytes: int = 4 * 1024 * MB
    ratio: float = 100.0


class Member(NamedTuple):
    """A file inside an archive. `open` starts reading it from its beginning, as often as it is called."""

    name: str  # path inside the archive, forward slashes
    size: int
    open: Callable[[], IO[bytes]]


def members(path: Path, suffixes: tuple[str, ...], limits: Limits | None = None) -> Iterator[Member]:
    """Yield the members whose names end in one of `suffixes` (lower case), in order of their names; each must
    be read before the iterator ends. Raises as `opened` does, before anything is yielded.
    """
    with opened(path, suffixes, limits) as found:
        yield from found


@contextmanager
def opened(
    path: Path, suffixes: tuple[str, ...], limits: Limits | None = None
) -> Iterator[tuple[Member, ...]]:
    """Hold an archive open and give its members with one of `suffixes`, in order of their names.

    BadDataError for a file that is no zip, is damaged or encrypted, or holds a name twice; InputError for a
    member that would leave the archive and for an archive beyond `limits`.
    """
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        raise BadDataError(f"{path} is not a zip file or is damaged ({error})") from error
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        _check_limits(path, infos, limits or Limits())
        for info in infos:
            if info.filename.startswith(("/", "\\")) or ".." in _parts(info.filename) or ":" in info.filename:
                raise InputError(f"{path}: the member {info.filename!r} points outside the archive; refused")
        wanted = sorted(
            (info for info in infos if _is_wanted(info.filename, suffixes)), key=lambda info: info.filename
        )
        _check_members(path, wanted)
        yield tuple(Member(info.filename, info.file_size, _opener(archive, info, path)) for info in wanted)


def _is_wanted(name: str, suffixes: tuple[str, ...]) -> bool:
    parts = _parts(name)
    hidden = "__MACOSX" in parts or (bool(parts) and parts[-1].startswith("."))  # what macOS adds
    return name.lower().endswith(suffixes) and not hidden


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.replace("\\", "/")).parts


def _check_limits(path: Path, infos: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(infos) > limits.members:
        raise InputError(f"{path} holds {len(infos)} files, more than {limits.members}; pack fewer of them")
    total = sum(info.file_size for info in infos)
    if total > limits.total_bytes:
        raise InputError(
            f"{path} would unpack to {total / MB:.0f} MiB, more than {limits.total_bytes / MB:.0f} MiB; "
            f"put the files into a folder instead"
        )
    for info in infos:
        if info.file_size > _SMALL and info.file_size > limits.ratio * max(info.compress_size, 1):
            ratio = info.file_size / max(info.compress_size, 1)
            raise InputError(
                f"{path}: {info.filename!r} unpacks to {ratio:.0f} times its packed size, more than "
                f"{limits.ratio:g} times: this looks like a zip bomb and was not read"
            )


def _check_members(path: Path, infos: list[zipfile.ZipInfo]) -> None:
    seen: set[str] = set()
    for info in infos:
        name = info.filename
        if info.flag_bits & 0x1:
            raise BadDataError(f"{path}: {name!r} is encrypted; pack it again without a password")
        if name in seen:
            raise BadDataError(f"{path} holds {name!r} twice; which one counts is not clear")
        seen.add(name)


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Callable[[], IO[bytes]]:
    def open_member() -> IO[bytes]:
        try:
            raw = archive.open(info)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError) as error:
            raise BadDataError(f"{path}: {info.filename!r} can't be unpacked ({error})") from error
        return io.BufferedReader(_Counted(raw, info, path), buffer_size=MB)

    return open_member


class _Counted(io.RawIOBase):
    """A member's bytes; ends with BadDataError when it is damaged (its checksum is looked at) or when more
    comes out than was stated.
    """

    def __init__(self, raw: IO[bytes], info: zipfile.ZipInfo, path: Path) -> None:
        self._raw, self._info, self._path = raw, info, path
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            data = self._raw.read(len(buffer))
        except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
            raise BadDataError(f"{self._path}: {self._info.filename!r} is damaged ({error})") from error
        except Exception as error:  # noqa: BLE001  zlib.error, lzma.LZMAError: one class per method
            raise BadDataError(f"{self._path}: {self._info.filename!r} is damaged ({error})") from error
        self._read += len(data)
        if self._read > self._info.file_size:
            raise BadDataError(f"{self._path}: {self._info.filename!r} holds more than its stated size")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._raw.close()
        super().close()
