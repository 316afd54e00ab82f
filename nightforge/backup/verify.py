"""Is every byte of a snapshot still what was written? Found out by reading, not by trusting an exit code."""

import os
from dataclasses import dataclass
from pathlib import Path

from nightforge.backup.disk import hash_from_disk
from nightforge.backup.manifest import MANIFEST_NAME, Manifest
from nightforge.backup.store import Store
from nightforge.core.errors import InputError


@dataclass(frozen=True)
class Verification:
    """Result for one label. problems: sentences that name a file; empty means every byte matched."""

    label: str
    files: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def verify_snapshot(store: Store, label: str) -> Verification:
    """Read back one snapshot and its objects; InputError only for a label that does not exist."""
    store.require(label)
    try:
        manifest = store.load(label)
    except InputError as error:
        return Verification(label, 0, (error.message,))
    hashes: dict[tuple[int, int], str] = {}  # (device, inode) -> hash: a file linked twice is read once
    problems: list[str] = []
    for path, entry in manifest.files.items():
        for what, place in ((path, store.file(label, path)), ("its object", store.object_path(entry.sha256))):
            problem = _problem(place, entry.sha256, hashes)
            if problem:
                problems.append(
                    f"{path}: {problem}" if what == path else f"{path}: the stored object {problem}"
                )
    problems += [f"{path}: not in the manifest" for path in _extra_files(store, manifest)]
    return Verification(label, len(manifest.files), tuple(problems))


def verify_all(store: Store) -> list[Verification]:
    """Verify every label in the store, oldest first."""
    return [verify_snapshot(store, label) for label in sorted(store.labels())]


def _problem(path: Path, expected: str, hashes: dict[tuple[int, int], str]) -> str | None:
    try:
        status = path.stat()
        key = (status.st_dev, status.st_ino)
        if key not in hashes:
            hashes[key] = hash_from_disk(path)
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if hashes[key] == expected else "has changed (SHA-256 differs)"


def _extra_files(store: Store, manifest: Manifest) -> list[str]:
    root = store.folder(manifest.label)
    found: list[str] = []
    for base, _, files in os.walk(root):
        for name in files:
            relative = (Path(base) / name).relative_to(root).as_posix()
            if relative != MANIFEST_NAME and relative.removeprefix("files/") not in manifest.files:
                found.append(relative)
    return sorted(found)
