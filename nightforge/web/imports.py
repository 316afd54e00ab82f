"""The imports that are going on: begin, one upload per file, finish or cancel. Data in use stay until finish.

Every import has a folder of its own beside the data, so a finish is a rename. One import at a time fills a
part of a stream, and one file at a time arrives in it. `begin`, `finish` and `cancel` come one after the
other (under the lock of changes); `receive` runs beside them in the thread of its connection.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import sys
import threading
import time
from typing import Any
from urllib.parse import unquote_to_bytes

from nightforge.core.atomic import write_json
from nightforge.core.clock import utc_now
from nightforge.core.errors import from_os_error, is_disk_full
from nightforge.core.paths import Project
from nightforge.core.records import read_object
from nightforge.web import import_place as place
from nightforge.web.import_files import SUFFIXES
from nightforge.web.import_session import ImportLimits, Receiver, Session, need_room
from nightforge.web.messages import Body, CutOff, Refusal

MODES = ("replace", "add")
_QUERY = re.compile(r"import=([0-9a-f]{16})&name=([^&=]{1,1000})")


class Imports:
    """All imports of one server."""

    def __init__(self, project: Project, limits: ImportLimits | None = None) -> None:
        self._project = project
        self._limits = limits or ImportLimits()
        self._lock = threading.Lock()
        self._open: dict[str, Session] = {}
        self._last = project.logs / "last_import.json"

    def limits(self) -> dict[str, Any]:
        """Return the limits a page should know before it sends anything."""
        limits = self._limits
        return {
            "file_bytes": limits.file_bytes,
            "import_files": limits.files,
            "import_bytes": limits.bytes,
            "idle_s": limits.idle_s,
        }

    def status(self) -> dict[str, Any]:
        """Return the imports going on and how the last one ended."""
        with self._lock:
            going = [session.to_dict() for session in self._open.values()]
        return {"open": going, "last": read_object(self._last)}

    def put_right(self) -> None:
        """Clear what an earlier server has left; called once, before the first answer."""
        try:
            told = place.put_right(self._project)
            if told is not None:
                write_json(self._last, told, durable=False)
        except OSError as error:  # the pages must come up all the same; the next import says more
            sys.stderr.write(f"an import that broke off cannot be cleared away: {from_os_error(error)}\n")

    # ---- one after the other, under the lock of changes ----------------------------------------------------

    def begin(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Open an import; raises Refusal."""
        stream = _one_of(fields, "stream", tuple(SUFFIXES))
        part, mode = _one_of(fields, "part", place.PARTS), _one_of(fields, "mode", MODES)
        files = _count(fields, "files", 1, self._limits.files)
        size = _count(fields, "bytes", 0, self._limits.bytes)
        self._refuse_link(stream, part)
        need_room(self._project.data, size, self._limits)
        self._give_way(stream, part)
        name = secrets.token_hex(8)
        folder = self._project.data / "local" / f"{place.PREFIX}{name}"
        session = Session(name, stream, part, mode, files, size, folder, utc_now(), 0.0)
        session.touch()
        if mode == "add":
            kind = place.listing(self._project, stream, part)["kind"]
            session.kind = None if kind == "mixed" else kind
            session.taken = place.names_in(place.target_of(self._project, stream, part))
        session.new.mkdir(parents=True)
        note = {
            key: getattr(session, key) for key in ("stream", "part", "mode", "files", "bytes", "began_at")
        }
        write_json(folder / place.NOTE, note, durable=False)
        with self._lock:
            self._open[name] = session
            return session.to_dict()

    def finish(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Put the files of an import in place; raises Refusal or OSError, and then all is as before."""
        session = self._named(fields)
        skip = fields.get("without_refused", False)
        if not isinstance(skip, bool):
            raise Refusal(400, "without_refused must be true or false")
        with self._lock:
            _check_complete(session, skip)
        self._refuse_link(session.stream, session.part)
        target = place.target_of(self._project, session.stream, session.part)
        if session.mode == "replace":
            place.replace_folder(session.new, target, session.folder / "old")
        else:
            finals = place.add_files(session.new, [entry["name"] for entry in session.saved], target)
            session.saved = [
                {**entry, "name": final} for entry, final in zip(session.saved, finals, strict=True)
            ]
        count = len(session.saved)
        what = (
            f"{count} file{'s' if count > 1 else ''} {'in place' if session.mode == 'replace' else 'added'}"
        )
        return self._end(
            session, "finished", f"{what} in {target.relative_to(self._project.root).as_posix()}"
        )

    def cancel(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Drop an import and everything it brought."""
        return self._end(self._named(fields), "cancelled", "cancelled; the data stay as they were")

    # ---- beside them, one thread per file ------------------------------------------------------------------

    def receive(self, query: str, length: int, body: Body) -> dict[str, Any]:
        """Take one file from `body`; returns what was saved and what was refused. Raises Refusal."""
        session, sent = self._expect(query, length)
        receiver = Receiver(session, self._limits, sent)
        whole = False
        try:
            receiver.take(body)
            whole = True
        except CutOff as error:
            raise Refusal(
                408, f"the upload of {sent[:200]} broke off, nothing of it is kept: {error}"
            ) from error
        except OSError as error:
            cause = from_os_error(error)
            raise Refusal(507 if is_disk_full(error) else 503, cause.message, cause.next_command) from error
        finally:
            if not whole:
                receiver.forget()
            self._received(session, receiver, whole)
        with self._lock:
            told = session.to_dict()
        return {"saved": receiver.taken.saved, "refused": receiver.taken.refused, "import": told}

    def _expect(self, query: str, length: int) -> tuple[Session, str]:
        """Check that this file may come now, and mark it as arriving."""
        match = _QUERY.fullmatch(query)
        if match is None:
            raise Refusal(400, "an upload is sent to ?import=ID&name=NAME, each once and in this order")
        try:
            sent = unquote_to_bytes(match[2]).decode("utf-8")
        except UnicodeDecodeError:
            raise Refusal(400, "the file name is not UTF-8") from None
        need_room(self._project.data, length, self._limits)
        with self._lock:
            session = self._open.get(match[1])
            if session is None:
                raise Refusal(404, "there is no such import, or it is over; begin again")
            if session.receiving is not None:
                raise Refusal(409, f"{session.receiving['name']} is still arriving; send files one by one")
            if session.done_files >= session.files:
                raise Refusal(409, f"all {session.files} announced files have come")
            if length > self._limits.file_bytes or session.done_bytes + length > session.bytes:
                raise Refusal(413, f"{length} bytes are more than was announced, or than one file may have")
            session.receiving = {"name": sent[:200], "bytes": 0, "of_bytes": length}
            session.touch()
        return session, sent

    def _received(self, session: Session, receiver: Receiver, whole: bool) -> None:
        """Write down what became of a file; the folder of an import that was cancelled meanwhile goes."""
        with self._lock:
            arrived, session.receiving = session.receiving, None
            assert arrived is not None  # set by _expect, and nobody else clears it
            session.touch()
            session.broken = [entry for entry in session.broken if entry["name"] != arrived["name"]]
            if whole:
                session.done_files += 1
                session.done_bytes += arrived["of_bytes"]
                session.saved += receiver.taken.saved
                session.refused += receiver.taken.refused
            else:
                session.broken.append(arrived)
            ended = session.ended
        if ended:
            place.remove_folder(session.folder)

    # ---- shared --------------------------------------------------------------------------------------------

    def _named(self, fields: dict[str, Any]) -> Session:
        name = fields.get("import")
        with self._lock:
            session = self._open.get(name) if isinstance(name, str) else None
        if session is None:
            raise Refusal(404, "there is no such import, or it is over; begin again")
        return session

    def _give_way(self, stream: str, part: str) -> None:
        """Refuse a second import into the same place, unless the first has been silent for long."""
        with self._lock:
            going = [entry for entry in self._open.values() if (entry.stream, entry.part) == (stream, part)]
        for session in going:
            if session.receiving or time.monotonic() - session.touched < self._limits.idle_s:
                raise Refusal(
                    409,
                    f"another tab imports here since {session.began_at} ({session.done_files} of "
                    f"{session.files} files have come); wait for it or cancel it",
                    details={"import": session.to_dict()},
                )
            self._end(session, "abandoned", "given up, as nothing came any more; the data stay as they were")

    def _refuse_link(self, stream: str, part: str) -> None:
        link = place.link_on_the_way(self._project, place.target_of(self._project, stream, part))
        if link is not None:
            name = link.relative_to(self._project.root).as_posix()
            raise Refusal(
                409, f"{name} is a link, and files are imported into real folders only; copy them there"
            )

    def _end(self, session: Session, outcome: str, message: str) -> dict[str, Any]:
        with self._lock:
            session.ended = True
            self._open.pop(session.id, None)
            busy = session.receiving is not None
        told = {**session.to_dict(), "outcome": outcome, "at": utc_now(), "message": message}
        with contextlib.suppress(OSError):  # a full disk: the answer tells it, only a later page does not
            write_json(self._last, told, durable=False)
        if not busy:  # else the thread that receives removes it
            place.remove_folder(session.folder)
        return told


def _check_complete(session: Session, skip_refused: bool) -> None:
    """Refuse to finish an import that is not whole."""
    if session.receiving is not None:
        raise Refusal(409, f"{session.receiving['name']} is still arriving")
    missing = session.files - session.done_files
    if missing:
        raise Refusal(
            409,
            f"{missing} of {session.files} files have not arrived; send them or cancel the import",
            details={"missing": missing, "broken": session.broken},
        )
    if session.refused and not skip_refused:
        raise Refusal(
            409,
            f"{len(session.refused)} files were refused; go on without them or cancel the import",
            details={"refused": session.refused},
        )
    if not session.saved:
        raise Refusal(409, "no file of this import is any good; the data stay as they are")


def _one_of(fields: dict[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or value not in known:
        raise Refusal(400, f"{name} must be one of {', '.join(known)}")
    return value


def _count(fields: dict[str, Any], name: str, least: int, most: int) -> int:
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise Refusal(400, f"{name} must be a whole number, {least} or more")
    if value > most:
        raise Refusal(413, f"{value} {name} are more than one import may bring ({most})")
    return value
