"""Which backup holds a folder or a set of files: read back from the disk now, never believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nightforge.core.atomic import sha256_file
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.records import read_object
from nightforge.core.versions import read_manifest


def verified_snapshots(project: Project) -> list[tuple[str, dict[str, Any]]]:
    """Return label and manifest of the snapshots that were read back when they were made, newest first."""
    found = []
    for path in sorted(project.backups.glob("*/manifest.json"), reverse=True):
        snapshot = read_object(path) or {}
        if snapshot.get("verified_at"):
            found.append((path.parent.name, snapshot))
    return found


def snapshot_with(project: Project, folder: Path) -> str | None:
    """Return the newest snapshot that holds all files of a manifest in `folder`, read back now; or None."""
    try:
        wanted = {name: str(digest) for name, digest in read_manifest(folder)["files"].items()}
    except InputError:
        return None
    place = project.relative(folder)
    for label, snapshot in verified_snapshots(project):
        if holds(project.backups / label, snapshot, place, wanted):
            return label
    return None


def holds(backup: Path, snapshot: dict[str, Any], place: str, wanted: dict[str, str]) -> bool:
    """Tell whether a snapshot has each file `place`/name with the hash wanted, on the disk too."""
    files = snapshot.get("files")
    if not isinstance(files, dict):
        return False
    for name, digest in wanted.items():
        entry, copy = files.get(f"{place}/{name}"), backup / "files" / place / name
        if not isinstance(entry, dict) or entry.get("sha256") != digest:
            return False
        if not copy.is_file() or sha256_file(copy) != digest:
            return False
    return bool(wanted)


def snapshot_with_content(project: Project, digests: set[str]) -> str | None:
    """Return the newest snapshot that has a file of each hash, under any name, read back now; or None."""
    for label, snapshot in verified_snapshots(project):
        listed = snapshot.get("files")
        entries = listed.items() if isinstance(listed, dict) else ()
        names = {entry.get("sha256"): name for name, entry in entries if isinstance(entry, dict)}
        copies = {digest: project.backups / label / "files" / names.get(digest, "") for digest in digests}
        if copies and all(copy.is_file() and sha256_file(copy) == d for d, copy in copies.items()):
            return label
    return None
