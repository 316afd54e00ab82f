"""One import that is going on, and how a file gets into it: received, looked at, kept. No locks, no sockets.

Only the thread that receives a file works on the folder of its import; see `imports.py` for who may when.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from nightforge.core import archives
from nightforge.core.atomic import move
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError
from nightforge.core.room import free_bytes
from nightforge.web.import_files import (
    SUFFIXES,
    BadFile,
    check_content,
    clean_name,
    folded,
    free_name,
    kind_of,
    member_name,
    suffix_of,
)
from nightforge.web.messages import UPLOAD_LIMIT, Body, CutOff, Refusal

GB = 1024**3
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class ImportLimits:
    """How much one import may bring."""

    file_bytes: int = UPLOAD_LIMIT
    files: int = 1000  # also those inside zip archives
    bytes: int = 8 * GB
    keep_free_bytes: int = GB // 2  # of the disk, for the run and its state
    idle_s: float = 60.0  # silence after which another tab may take the place


@dataclass
class Session:
    """One import that is going on; times for people in `*_at`, for counting in `touched`."""

    id: str
    stream: str
    part: str
    mode: str
    files: int  # announced
    bytes: int
    folder: Path
    began_at: str
    touched: float
    touched_at: str = ""
    done_files: int = 0
    done_bytes: int = 0
    kind: str | None = None  # of all files of the part
    receiving: dict[str, Any] | None = None
    ended: bool = False
    taken: set[str] = field(default_factory=set)
    saved: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    broken: list[dict[str, Any]] = field(default_factory=list)

    @property
    def new(self) -> Path:
        """Where the files that are good wait."""
        return self.folder / "new"

    def touch(self) -> None:
        """Remember that something came."""
        self.touched, self.touched_at = time.monotonic(), utc_now()

    def progress(self, count: int) -> None:
        """Count bytes that came; raises CutOff when the import has ended meanwhile."""
        self.touch()
        if self.ended:
            raise CutOff("the import was cancelled")
        if self.receiving is not None:
            self.receiving["bytes"] += count

    def to_dict(self) -> dict[str, Any]:
        """Describe the import to a page."""
        names = ("id", "stream", "part", "mode", "began_at", "touched_at", "files", "bytes")
        told = {name: getattr(self, name) for name in (*names, "done_files", "done_bytes")}
        receiving = dict(self.receiving) if self.receiving else None
        lists = {name: list(getattr(self, name)) for name in ("saved", "refused", "broken")}
        return {**told, "receiving": receiving, **lists}


@dataclass
class Taken:
    """What became of one upload: a file, or the files of an archive."""

    saved: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)


class Receiver:
    """Takes one file of an import; `forget` takes back what it has kept of it."""

    def __init__(self, session: Session, limits: ImportLimits, sent: str) -> None:
        self._session = session
        self._limits = limits
        self._sent = sent
        self._kind_before = session.kind
        self.taken = Taken()

    def take(self, body: Body) -> None:
        """Receive the file; a bad one is refused with its reason. Raises CutOff, OSError, Refusal (507)."""
        incoming = self._session.folder / "incoming"
        try:
            name = clean_name(self._sent)
            kind = kind_of(suffix_of(name, self._session.stream))
            if kind != "zip":
                self._same_kind(kind)
            self._receive(incoming, body)
            check_content(incoming, kind, self._session.stream)
            if kind == "zip":
                self._unpack(incoming)
            else:
                self._keep(incoming, name, self._sent)
        except BadFile as reason:
            self.forget()
            self._refuse(self._sent, reason)
            while body.read():
                pass  # what was sent in vain; the next request comes after it
        finally:
            incoming.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what has been kept of this upload."""
        for entry in self.taken.saved:
            (self._session.new / entry["name"]).unlink(missing_ok=True)
            self._session.taken.discard(folded(entry["name"]))
        self.taken = Taken()
        self._session.kind = self._kind_before

    def _receive(self, path: Path, body: Body) -> None:
        with path.open("xb") as file:
            while data := body.read():
                file.write(data)
                self._session.progress(len(data))
            _sync(file)

    def _unpack(self, path: Path) -> None:
        suffixes = tuple(suffix for suffix in SUFFIXES[self._session.stream] if suffix != ".zip")
        limits = archives.Limits(members=self._limits.files, total_bytes=self._limits.bytes)
        try:
            with archives.opened(path, suffixes, limits) as members:
                for member in members:
                    self._take_member(member)
        except InputError as error:
            raise BadFile(error.message.replace(str(path), self._sent)) from error
        if not (self.taken.saved or self.taken.refused):
            raise BadFile(f"the archive holds no {', '.join(suffixes)} file")

    def _take_member(self, member: archives.Member) -> None:
        self._session.progress(0)
        sent = f"{self._sent}/{member.name}"
        path = self._session.folder / "member"
        try:
            name = clean_name(member_name(member.name))
            kind = kind_of(suffix_of(name, self._session.stream, packed=True))
            self._same_kind(kind)
            need_room(path, member.size, self._limits)
            with member.open() as packed, path.open("xb") as file:
                while data := packed.read(_CHUNK):
                    file.write(data)
                    self._session.progress(0)
                _sync(file)
            check_content(path, kind, self._session.stream)
            self._keep(path, name, sent)
        except BadFile as reason:
            self._refuse(sent, reason)
        finally:
            path.unlink(missing_ok=True)

    def _same_kind(self, kind: str) -> None:
        known = self._session.kind
        if known is not None and kind != known:
            raise BadFile(f"this is a {kind} file among {known} files; all files of a part are of one kind")

    def _keep(self, path: Path, name: str, sent: str) -> None:
        if len(self._session.saved) + len(self.taken.saved) >= self._limits.files:
            raise BadFile(f"one import takes {self._limits.files} files at most, those in archives counted")
        final = free_name(name, self._session.taken)
        size = path.stat().st_size
        move(path, self._session.new / final)
        self._session.taken.add(folded(final))
        self._session.kind = kind_of(Path(final).suffix)
        self.taken.saved.append({"name": final, "bytes": size, "from": sent})

    def _refuse(self, sent: str, reason: BadFile) -> None:
        self.taken.refused.append({"name": sent[:300], "reason": str(reason)})


def need_room(path: Path, size: int, limits: ImportLimits) -> None:
    """Refuse (507) what would leave the disk of `path` with too little room."""
    free = free_bytes(path) - limits.keep_free_bytes
    if size > free:
        raise Refusal(507, f"the disk has room for {max(0, free)} bytes, {size} are wanted; free some first")


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())
