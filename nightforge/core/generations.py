"""Small files that matter across runs, with their last generations beside them. # ops A4, A5

    models/champion.json                      the file itself, always replaced whole
    models/.generations/champion.json.1 … .3  what it was before, newest first

An unreadable file is renamed to `NAME.broken-<time>` and the newest readable generation takes its place; it
is never taken for an empty one, and nothing is ever initialised over it.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from nightforge.core.atomic import read_json, sync_folder, write_json
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError
from nightforge.core.failpoints import reach

KEPT = 3
FOLDER = ".generations"
Value = TypeVar("Value")


def generations_of(path: Path) -> list[Path]:
    """Return where the generations of a file are kept, newest first."""
    return [path.parent / FOLDER / f"{path.name}.{number}" for number in range(1, KEPT + 1)]


def write_kept(path: Path, value: Any) -> None:
    """Replace `path` with `value` as JSON; what it held becomes its newest generation.

    A file that cannot be read is put aside first. Raises OSError; the file is then what it was.
    """
    if path.exists():
        try:
            read_json(path)
        except InputError:
            _copy_aside(path)
        else:
            _keep(path)
    write_json(path, value)


def read_kept(
    path: Path, load: Callable[[Path], Value], tell: Callable[[str], None] | None = None
) -> Value | None:
    """Return what `load` makes of the file, or None when there is none and never was a readable one.

    `load` raises InputError for content it cannot use. Then the newest generation it can use takes the
    file's place and `tell` (standard error by default) gets a sentence. Without one the InputError is raised,
    and the broken file stays where it is.
    """
    if not path.exists():
        return None
    try:
        return load(path)
    except InputError as error:
        for generation in generations_of(path):
            value = _usable(generation, load)
            if value is not None:
                _restore(path, generation, error, tell or _say)
                return value
        raise


def _usable(generation: Path, load: Callable[[Path], Value]) -> Value | None:
    try:
        return load(generation) if generation.exists() else None
    except InputError:
        return None


def put_aside(path: Path) -> Path:
    """Rename an unreadable file that has no readable generation to `NAME.broken-<time>`; returns that."""
    aside = _aside(path)
    reach("quarantine.before", path.name)
    os.replace(path, aside)
    reach("quarantine.after", path.name)
    return aside


def _restore(path: Path, generation: Path, error: InputError, tell: Callable[[str], None]) -> None:
    reach("generation.restore.before", path.name)
    aside = _copy_aside(path)
    spare = path.with_name(f".{path.name}.{os.getpid()}.0.tmp")
    shutil.copy2(generation, spare)
    os.replace(spare, path)
    sync_folder(path.parent)
    reach("generation.restore.after", path.name)
    tell(f"{error.message}; it was kept as {aside.name} and its last readable generation is used")


def _aside(path: Path) -> Path:
    stamp = utc_now().replace(":", "").replace("-", "").replace(".", "")
    return path.with_name(f"{path.name}.broken-{stamp}")


def _copy_aside(path: Path) -> Path:
    """Keep an unreadable file under another name as well; it is replaced next, so it is never just gone."""
    aside = _aside(path)
    _duplicate(path, aside)
    return aside


def _duplicate(source: Path, target: Path) -> None:
    """Give a file a second name; costs no room, since these files are only ever replaced."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # FAT has no links
        shutil.copy2(source, target)


def _keep(path: Path) -> None:
    """Let every generation move up by one and make the file itself the newest; the file stays in place."""
    newest, *_ = places = generations_of(path)
    newest.parent.mkdir(parents=True, exist_ok=True)
    fresh = newest.with_name(f".{path.name}.{os.getpid()}.0.tmp")
    reach("generation.keep.before", path.name)
    _duplicate(path, fresh)
    for older, younger in zip(reversed(places), reversed(places[:-1]), strict=False):
        if younger.exists():
            os.replace(younger, older)
    os.replace(fresh, newest)
    reach("generation.keep.after", path.name)


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
