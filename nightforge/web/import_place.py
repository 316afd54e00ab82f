"""The folders of imported data: what is in them, and how a finished import gets there. No sockets, no state.

`replace` is two renames beside each other (old folder away, new folder in), `add` one rename per file. What a
dead server leaves behind is put right by the next one: see `put_right`.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nightforge.core.atomic import move, sync_folder
from nightforge.core.clock import format_time
from nightforge.core.paths import Project
from nightforge.core.records import read_object
from nightforge.web.import_files import SUFFIXES, folded, free_name, is_link, kind_of

FOLDERS = {"patchtst": "fdc", "swinmae": "vib"}
PARTS = ("train", "test")
PREFIX = ".import-"  # of the folder of an import that is not finished
NOTE = "import.json"  # in it: where its files belong
LISTED = 200  # files named to the page


def target_of(project: Project, stream: str, part: str) -> Path:
    """Return the folder of one part of one stream."""
    return project.data / "local" / part / FOLDERS[stream]


def link_on_the_way(project: Project, target: Path) -> Path | None:
    """Return the first link between the project and `target`: writing through it would reach elsewhere."""
    path = project.root
    for name in target.relative_to(project.root).parts:
        path = path / name
        if is_link(path):
            return path
    return None


def listing(project: Project, stream: str, part: str) -> dict[str, Any]:
    """Describe a part: number, size, kind and names of its files; raises OSError when it cannot be read."""
    target = target_of(project, stream, part)
    found: dict[str, Any] = {"path": target.relative_to(project.root).as_posix(), "problem": None}
    link = link_on_the_way(project, target)
    if link is not None:
        name = link.relative_to(project.root).as_posix()
        found["problem"] = f"{name} is a link; files are imported into real folders only"
    everything = _files(target)
    files = [entry for entry in everything if entry[1] in SUFFIXES[stream]]
    kinds = {kind_of(suffix) for _, suffix, _ in files} - {"zip"}
    return {
        **found,
        "files": len(files),
        "bytes": sum(facts.st_size for _, _, facts in files),
        "kind": None if not kinds else kinds.pop() if len(kinds) == 1 else "mixed",
        "list": [_row(name, facts) for name, _, facts in files[:LISTED]],
        "other": len(everything) - len(files),
    }


def _row(name: str, facts: os.stat_result) -> dict[str, Any]:
    at = format_time(datetime.fromtimestamp(facts.st_mtime, UTC))
    return {"name": name, "bytes": facts.st_size, "at": at}


def _files(folder: Path) -> list[tuple[str, str, os.stat_result]]:
    """Return name, lower-case suffix and facts of the files in a folder, by name; hidden ones left out."""
    try:
        with os.scandir(folder) as entries:
            found = [
                (entry.name, os.path.splitext(entry.name)[1].lower(), entry.stat())
                for entry in entries
                if not entry.name.startswith(".") and entry.is_file()
            ]
    except FileNotFoundError:
        return []
    return sorted(found, key=lambda row: row[0])


def names_in(folder: Path) -> set[str]:
    """Return the names taken in a folder, folded, whatever they are."""
    try:
        return {folded(name) for name in os.listdir(folder)}
    except FileNotFoundError:
        return set()


def replace_folder(new: Path, target: Path, old: Path) -> None:
    """Put `new` in the place of `target`, which becomes `old`; on failure all is as before (OSError)."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        move(target, old)
    try:
        move(new, target)
    except OSError:
        if old.exists():
            move(old, target)
        raise
    sync_folder(target.parent)


def add_files(new: Path, names: list[str], target: Path) -> list[str]:
    """Move files from `new` into `target`, none over another; on failure none stays (OSError).

    Returns the names they got.
    """
    target.mkdir(parents=True, exist_ok=True)
    taken = names_in(target)
    moved: list[tuple[str, str]] = []
    try:
        for name in names:
            final = free_name(name, taken)
            move(new / name, target / final)
            taken.add(folded(final))
            moved.append((name, final))
    except OSError:
        for name, final in moved:
            move(target / final, new / name)
        raise
    sync_folder(target)
    return [final for _, final in moved]


def remove_folder(folder: Path) -> None:
    """Remove the folder of an import; what Windows still holds open is left for the next start."""
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)


def put_right(project: Project) -> dict[str, Any] | None:
    """Clear what a server that died in an import has left; the data it was replacing come back.

    Returns what happened to the last of them, in the shape of a finished import; None when there was none.
    """
    told = None
    local = project.data / "local"
    folders = sorted(local.glob(f"{PREFIX}*")) if not is_link(local) else []
    for folder in folders:
        if not is_link(folder) and folder.is_dir():
            told = _put_one_right(project, folder) or told
            remove_folder(folder)
    return told


def _put_one_right(project: Project, folder: Path) -> dict[str, Any] | None:
    note = read_object(folder / NOTE) or {}
    stream, part = note.get("stream"), note.get("part")
    if stream not in FOLDERS or part not in PARTS:
        return None
    target = target_of(project, stream, part)
    old, new = folder / "old", folder / "new"
    if old.is_dir() and not target.exists():
        move(old, target)
    done = old.is_dir() and not new.exists()  # only the old files were still to be removed
    place = target.relative_to(project.root).as_posix()
    words = "its files are in place" if done else f"the files in {place} are as before"
    if note.get("mode") == "add":
        words = "what had been put in place by then stays"
    return {
        **{name: note.get(name) for name in ("stream", "part", "mode", "files", "bytes")},
        "at": note.get("began_at"),
        "outcome": "finished" if done else "broken",
        "saved": [],
        "refused": [],
        "broken": [],
        "message": f"the server ended during an import into {place}; {words}",
    }
