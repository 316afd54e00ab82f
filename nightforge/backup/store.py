"""A content store on one drive: objects named by SHA-256, snapshots made of hard links to them.

    backups/.objects/ab/ab12…            every distinct file once
    backups/<label>/files/<path>         hard link to its object (a copy where links do not exist)
    backups/<label>/manifest.json        last; without it the snapshot does not exist
    backups/.partial-<label>/            being written; removed by the next run if its writer died

Links exist only inside the store: a link to a live file would let an in-place write destroy the backup.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from nightforge.backup import manifest as manifests
from nightforge.backup.disk import Disk, hash_from_disk, read_chunks
from nightforge.backup.lock import exclusive
from nightforge.backup.manifest import FileEntry, Manifest
from nightforge.core.atomic import sha256_file
from nightforge.core.errors import InputError, StageError

OBJECTS = ".objects"
PARTIAL = ".partial-"
TRASH = ".trash-"
_INCOMING = ".incoming-"


@dataclass(frozen=True)
class Listing:
    """Snapshots of a store, oldest first; damaged: folder whose manifest is missing or broken -> why."""

    snapshots: tuple[Manifest, ...]
    damaged: dict[str, str] = field(default_factory=dict)


@dataclass
class Store:
    """One backup root, `backups/` or the mirror folder."""

    root: Path
    disk: Disk = field(default_factory=Disk)
    _serial: int = 0

    def folder(self, label: str) -> Path:
        return self.root / label

    def file(self, label: str, path: str) -> Path:
        return self.root / label / "files" / path

    def object_path(self, sha256: str) -> Path:
        return self.root / OBJECTS / sha256[:2] / sha256

    def locked(self) -> AbstractContextManager[None]:
        """Hold the store for one writer; TemporaryError (75) if another process is writing."""
        return exclusive(
            self.root / ".lock",
            f"another backup or restore is writing in {self.root}",
            "python scripts/16_backup.py --list",
        )

    def listing(self) -> Listing:
        """Read every manifest below the root."""
        found: list[Manifest] = []
        damaged: dict[str, str] = {}
        if self.root.is_dir():
            for entry in sorted(self.root.iterdir()):
                if not entry.is_dir() or not manifests.is_label(entry.name):
                    continue
                try:
                    found.append(manifests.load(entry))
                except InputError as error:
                    damaged[entry.name] = error.message
        found.sort(key=lambda snapshot: (snapshot.created_at, snapshot.serial))
        return Listing(tuple(found), damaged)

    def labels(self) -> set[str]:
        """Every label in use, complete or damaged."""
        if not self.root.is_dir():
            return set()
        return {entry.name for entry in self.root.iterdir() if manifests.is_label(entry.name)}

    def require(self, label: str) -> None:
        """InputError with the list command if there is no such label."""
        if not manifests.is_label(label) or not self.folder(label).is_dir():
            raise InputError(
                f"there is no backup {label!r} in {self.root}",
                next_command="python scripts/18_restore_backup.py --list",
            )

    def load(self, label: str) -> Manifest:
        """One manifest by label; InputError for an unknown label or a broken manifest."""
        self.require(label)
        return manifests.load(self.folder(label))

    def clean(self) -> list[str]:
        """Remove what an interrupted writer left behind; returns the names."""
        if not self.root.is_dir():
            return []
        stale = [p for p in self.root.iterdir() if p.name.startswith((PARTIAL, TRASH))]
        stale += list((self.root / OBJECTS).glob(f"{_INCOMING}*"))
        for path in stale:
            if path.is_dir():
                self.disk.remove_tree(path)
            else:
                self.disk.remove(path)
        return sorted(path.name for path in stale)

    def add(self, source: Path) -> tuple[FileEntry, bool]:
        """Put a file's bytes in the store; returns its entry and whether the object is new.

        An object that is already there but no longer has its own hash is replaced: a damaged object must not
        spread into new snapshots.
        """
        known = sha256_file(source)
        target = self.object_path(known)
        if target.exists() and hash_from_disk(target) == known:
            return FileEntry(known, target.stat().st_size), False
        self.disk.make_folder(self.root / OBJECTS)
        self._serial += 1
        incoming = self.root / OBJECTS / f"{_INCOMING}{self._serial}"
        written = self.disk.write_chunks(incoming, read_chunks(source))
        target = self.object_path(written)  # the file may have changed since it was hashed
        self.disk.make_folder(target.parent)
        self.disk.rename(incoming, target)
        self.disk.sync_folder(target.parent)
        return FileEntry(written, target.stat().st_size), True

    def publish(self, draft: Manifest, now: Callable[[], str]) -> Manifest:
        """Turn stored objects into a snapshot: link, read back, write the manifest, rename into place.

        `verified_at` is set after every linked file was read back and matched. StageError if one did not.
        """
        staging = self.root / f"{PARTIAL}{draft.label}"
        self.disk.remove_tree(staging)
        folders = {staging / "files"}
        for path, entry in draft.files.items():
            target = staging / "files" / path
            self.disk.make_folder(target.parent)
            folders.add(target.parent)
            if not self.disk.link(self.object_path(entry.sha256), target):
                self.disk.write_chunks(target, read_chunks(self.object_path(entry.sha256)))
        broken = [
            p for p, entry in draft.files.items() if hash_from_disk(staging / "files" / p) != entry.sha256
        ]
        if broken:
            raise StageError(
                f"{len(broken)} of {len(draft.files)} files read back differently, first {broken[0]};"
                f" the disk of {self.root} may be failing",
                next_command="python scripts/16_backup.py --verify",
            )
        return self._commit(staging, folders, draft, now())

    def _commit(self, staging: Path, folders: set[Path], draft: Manifest, verified_at: str) -> Manifest:
        sealed = manifests.seal(msgspec.structs.replace(draft, verified_at=verified_at))
        raw = manifests.render(sealed)
        self.disk.write_chunks(staging / manifests.MANIFEST_NAME, iter([raw]))
        if (staging / manifests.MANIFEST_NAME).read_bytes() != raw:
            raise StageError(f"the manifest of {draft.label} read back differently after writing")
        for folder in sorted(
            folders | {parent for f in folders for parent in f.parents if staging in parent.parents}
        ):
            self.disk.sync_folder(folder)
        self.disk.sync_folder(staging)
        self.disk.rename(staging, self.folder(draft.label))
        self.disk.sync_folder(self.root)
        return sealed

    def remove(self, label: str) -> None:
        """Delete one snapshot; it is gone in one step, interrupted or not."""
        trash = self.root / f"{TRASH}{label}"
        self.disk.remove_tree(trash)
        self.disk.rename(self.folder(label), trash)
        self.disk.sync_folder(self.root)
        self.disk.remove_tree(trash)

    def collect_garbage(self) -> int:
        """Delete objects no snapshot names; returns how many bytes were freed.

        Does nothing while a snapshot is damaged: its manifest may name objects that are worth keeping.
        """
        listing = self.listing()
        objects = self.root / OBJECTS
        if listing.damaged or not objects.is_dir():
            return 0
        used = {entry.sha256 for snapshot in listing.snapshots for entry in snapshot.files.values()}
        freed = 0
        for path in sorted(objects.glob("??/*")):
            if path.name not in used:
                freed += path.stat().st_size
                self.disk.remove(path)
        return freed
