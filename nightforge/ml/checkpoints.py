"""Checkpoints that are whole or not there: written as `.partial`, hashed, manifest last, then renamed. # ops
C6

A folder without a valid manifest is not a checkpoint. Resume verifies every hash and walks back to the newest
whole one, saying which it skipped.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nightforge.core.atomic import sync_folder
from nightforge.core.errors import InputError
from nightforge.core.failpoints import reach
from nightforge.core.versions import read_manifest, write_manifest

_NAME = re.compile(r"checkpoint-(\d+)")


def step_of(folder: Path) -> int:
    """Read the global step from a folder name such as `checkpoint-120`; -1 for another name."""
    match = _NAME.fullmatch(folder.name)
    return int(match.group(1)) if match else -1


def seal(partial: Path, target: Path, facts: dict[str, Any]) -> None:
    """Make `partial` the finished folder `target`: sync its files, write the manifest, rename.

    `facts` go into the manifest (step, hashes, effective batch). An older `target` is replaced.
    """
    for path in sorted(partial.rglob("*")):
        if path.is_file():
            descriptor = os.open(path, os.O_RDWR)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    reach("checkpoint.before", target.name)
    write_manifest(partial, facts)
    if target.exists():
        shutil.rmtree(target)
    os.replace(partial, target)
    sync_folder(target.parent)
    reach("checkpoint.after", target.name)


def newest_complete(
    folder: Path, facts: dict[str, Any], on_broken: Callable[[str], None] = lambda text: None
) -> Path | None:
    """Return the checkpoint with the highest step whose files match its manifest and whose `facts` match
    ours.

    Each folder passed over is named to `on_broken` with the reason. None when there is nothing to resume
    from.
    """
    if not folder.is_dir():
        return None
    found = sorted((entry for entry in folder.iterdir() if step_of(entry) >= 0), key=step_of, reverse=True)
    for entry in found:
        try:
            manifest = read_manifest(entry, check_hashes=True)
        except InputError as error:
            on_broken(f"{entry.name} is not usable and was skipped: {error.message}")
            continue
        different = [name for name, value in facts.items() if manifest.get(name) != value]
        if different:
            on_broken(
                f"{entry.name} belongs to another training ({', '.join(different)} differ) and was skipped"
            )
            continue
        return entry
    return None


def keep_newest(folder: Path, count: int) -> None:
    """Delete all but the `count` checkpoints with the highest steps, and every unfinished folder."""
    entries = [entry for entry in folder.iterdir() if entry.is_dir()]
    whole = sorted((entry for entry in entries if step_of(entry) >= 0), key=step_of, reverse=True)
    for entry in [*whole[count:], *(entry for entry in entries if entry.name.endswith(".partial"))]:
        shutil.rmtree(entry)


def set_aside_from(folder: Path, step: int) -> None:
    """Rename the checkpoints of `step` and later, so that no resume takes them; `keep_newest` leaves them."""
    for entry in [entry for entry in folder.iterdir() if step_of(entry) >= step]:
        target = entry.with_name(f"bad-{entry.name}")
        shutil.rmtree(target, ignore_errors=True)
        reach("aside.before", entry.name)
        os.replace(entry, target)
        reach("aside.after", entry.name)
