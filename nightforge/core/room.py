"""Room on disks: how much is free, and a reserve file that is given up when nothing else is. # ops Q2, Q3"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from nightforge.core.failpoints import reach

MB = 2**20
CHUNK_MB = 8  # written per call of `Reserve.grow`: some 20 ms of work


def existing(folder: Path) -> Path:
    """Return `folder` or its nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def free_bytes(folder: Path) -> int:
    """Return the bytes this user may still write on the disk of `folder`, which need not exist yet."""
    return shutil.disk_usage(existing(folder)).free


def free_inodes(folder: Path) -> int | None:
    """Return how many more files the disk of `folder` takes; None where there is no such limit."""
    if not hasattr(os, "statvfs"):
        return None
    found = os.statvfs(existing(folder))
    return found.f_favail if found.f_files else None


def wanted_for_checkpoint(last_bytes: int, margin_bytes: int) -> int:
    """Return the free bytes asked for before a checkpoint is saved. # ops Q3"""
    return int(1.2 * last_bytes) + margin_bytes


class Reserve:
    """A file that only takes room, so that giving it up makes room for state, journal and a last checkpoint.

    Its bytes are random and written out: neither a sparse file nor a compressing or de-duplicating file
    system can make it take less room than it promises, which fallocate alone would not prove.
    """

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size

    @property
    def held(self) -> int:
        """Return the bytes the file takes now."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def missing(self) -> int:
        """Return the bytes that are still to be written; what is there already counts as spent."""
        return max(0, self.size - self.held)

    def grow(self, spare_bytes: int) -> bool:
        """Write the next 8 MiB if `spare_bytes` stay free after it; True when the reserve is whole.

        Raises OSError when the disk refuses; what was written of the chunk stays and counts.
        """
        chunk = min(self.missing(), CHUNK_MB * MB)
        if not chunk:
            return True
        if free_bytes(self.path.parent) - chunk < spare_bytes:
            return False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab", buffering=0) as file:
            reach("reserve.before")
            file.write(os.urandom(chunk))
            os.fsync(file.fileno())
            reach("reserve.after")
        return not self.missing()

    def release(self) -> int:
        """Give the room back; returns the bytes it took. Safe to call twice and from any process."""
        held = self.held
        if held:
            os.truncate(self.path, 0)  # frees the room even where removing a name needs some
            self.path.unlink(missing_ok=True)
        return held
