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
from nightforge.core.errors import DiskFullError, InputError, is_disk_full
from nightforge.core.failpoints import reach
from nightforge.core.room import MB, Reserve, free_bytes, wanted_for_checkpoint
from nightforge.core.versions import read_manifest, write_manifest

_FULL_BYTES = MB
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


def size_of(folder: Path) -> int:
    """Add up the files of one checkpoint, bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def last_bytes(folder: Path) -> int:
    """Return the size of the newest checkpoint below `folder`; 0 before the first."""
    newest = max((entry for entry in folder.glob("checkpoint-*")), key=step_of, default=None)
    return size_of(newest) if newest else 0


def room_to_save(folder: Path, expected_bytes: int, reserve: Reserve | None) -> bool:
    """Make sure the next checkpoint fits; True when there is room to go on after it as well. # ops Q2, Q3

    With less than 1.2 x its size free the reserve is given up for it. Raises DiskFullError when even that is
    not enough; nothing has been written then.
    """
    margin = reserve.size if reserve else 0
    if free_bytes(folder) >= wanted_for_checkpoint(expected_bytes, margin):
        return True
    if free_bytes(folder) < wanted_for_checkpoint(expected_bytes, 0) and reserve:
        reserve.release()
    free = free_bytes(folder)
    if free < wanted_for_checkpoint(expected_bytes, 0):
        raise DiskFullError(
            f"{folder} has {free >> 20} MB free, the next checkpoint needs about {expected_bytes >> 20} MB; "
            "the training goes on from its last checkpoint",
            next_command="free some space; the run goes on by itself",
        )
    return False


def full_disk(error: Exception, folder: Path) -> DiskFullError | None:
    """Tell whether saving has failed for want of room, whatever the library that wrote calls it."""
    words = str(error).lower()
    if is_disk_full(error) or "no space left" in words or free_bytes(folder) < _FULL_BYTES:
        return DiskFullError(f"no space left on the disk while saving a checkpoint in {folder} ({error})")
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
