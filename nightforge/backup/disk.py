"""Every write the backup makes goes through one small object, so a test can make each of them fail in turn.

Only durable primitives live here: what is written is flushed to the device before it is named.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

CHUNK = 1 << 20  # bytes read or written at once
_NO_HARD_LINKS = {
    errno.EPERM,
    errno.EOPNOTSUPP,
    errno.ENOSYS,
    errno.EXDEV,
    errno.EMLINK,
    errno.EACCES,
    errno.EINVAL,
}


class Disk:
    """Durable file operations of one drive. Subclass it in tests to fail at a chosen operation."""

    def make_folder(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)

    def write_chunks(self, path: Path, chunks: Iterator[bytes]) -> str:
        """Write a new file, flush it to the device, return the SHA-256 of the bytes written."""
        digest = hashlib.sha256()
        with path.open("wb") as file:
            for chunk in chunks:
                self.write(file.fileno(), chunk)
                digest.update(chunk)
            self.sync(file.fileno())
        return digest.hexdigest()

    def write(self, descriptor: int, data: bytes) -> None:
        view = memoryview(data)
        while view:  # os.write may take less than it was given, for instance on the last free block
            view = view[os.write(descriptor, view) :]

    def sync(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def sync_folder(self, folder: Path) -> None:
        """Make names in this folder durable; Windows has no such call and needs none."""
        if os.name == "nt":
            return
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            self.sync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        os.replace(source, target)

    def link(self, source: Path, target: Path) -> bool:
        """Hard-link inside the store; False where the file system has no hard links (FAT, exFAT)."""
        try:
            os.link(source, target)
        except OSError as error:
            if error.errno in _NO_HARD_LINKS:
                return False
            raise
        return True

    def remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)

    def remove_tree(self, folder: Path) -> None:
        if folder.exists():
            shutil.rmtree(folder)

    def free_bytes(self, folder: Path) -> int:
        return shutil.disk_usage(folder).free


def read_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file in pieces of at most 1 MiB."""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def hash_from_disk(path: Path) -> str:
    """SHA-256 of what the device holds: the file's page cache is dropped first where that is possible."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
