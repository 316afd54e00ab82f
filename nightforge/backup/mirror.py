"""The second copy on another drive. A marker with a UUID proves that the folder is the one that was set up.

Without it an unmounted drive would look like an empty folder on the system disk, and be filled. # ops M4
"""

import itertools
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec

from nightforge.backup.disk import Disk
from nightforge.backup.manifest import Manifest
from nightforge.backup.retention import Keep, apply
from nightforge.backup.store import Store
from nightforge.backup.verify import verify_snapshot
from nightforge.core.atomic import read_json, write_json
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError, NightforgeError
from nightforge.core.generations import read_kept, write_kept
from nightforge.core.paths import Project

MARKER = ".nightforge-mirror.json"
_INIT = "python scripts/16_backup.py --init-mirror"


@dataclass(frozen=True)
class MirrorStatus:
    """What happened to the second copy. status: off, ok, missing (nothing written), failed."""

    path: str | None
    status: str
    message: str
    copied: tuple[str, ...] = ()
    verified_at: str | None = None

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "copied": list(self.copied)}


class _MirrorGone(NightforgeError):
    """The marker stopped being there between two files."""


def mirror_folder(project: Project, configured: str | None) -> Path | None:
    """The configured mirror as an absolute path; a relative one is meant from the project root."""
    if not configured:
        return None
    return (project.root / Path(configured).expanduser()).resolve()


def init_mirror(project: Project, configured: str | None) -> dict[str, Any]:
    """Mark the configured folder as this project's mirror and remember its UUID in backups/mirror.json.

    A folder that carries a marker already is adopted. InputError if none is configured or it does not exist:
    it is never created here, because a missing folder usually means a drive that is not mounted.
    """
    folder = mirror_folder(project, configured)
    if folder is None:
        raise InputError(
            "backup.mirror is not set in pipeline_config.json",
            next_command=f"set backup.mirror, then {_INIT}",
        )
    if not folder.is_dir():
        raise InputError(
            f"the mirror folder {folder} does not exist; mount the drive or make the folder",
            next_command=_INIT,
        )
    if folder.is_relative_to(project.backups.resolve()):
        raise InputError(
            f"the mirror {folder} lies inside {project.backups}; choose a folder on another drive"
        )
    marker = folder / MARKER
    adopted = marker.exists()
    identity = _marker_uuid(marker) if adopted else str(uuid.uuid4())
    if identity is None:
        raise InputError(f"{marker} holds no UUID; remove it if the folder is meant to be a mirror")
    if not adopted:
        write_json(marker, {"schema_version": 1, "uuid": identity, "created_at": utc_now()})
    write_kept(project.backups / "mirror.json", {"schema_version": 1, "uuid": identity, "path": str(folder)})
    return {"mirror": str(folder), "uuid": identity, "adopted": adopted}


def check_mirror(project: Project, folder: Path) -> str | None:
    """Why nothing may be written to the mirror, in words; None if it is the right one."""
    if not folder.is_dir():
        return f"the mirror folder {folder} is not there"
    expected = read_kept(project.backups / "mirror.json", read_json)
    if expected is None:
        return f"the mirror {folder} was never set up"
    if not (folder / MARKER).exists():
        return f"{folder} has no marker {MARKER}: the drive may not be mounted"
    if _marker_uuid(folder / MARKER) != expected.get("uuid"):
        return f"{folder} carries the marker of another mirror"
    return None


def sync_mirror(
    project: Project,
    folder: Path,
    local: Store,
    keep: Keep | None,
    disk: Disk,
    on_copied: Callable[[int], None] = lambda count: None,
) -> MirrorStatus:
    """Copy every local snapshot the mirror lacks, verify, thin out. A bad mirror is a status, no error.

    `keep` None: nothing is removed. `on_copied` hears how many files are on the mirror by now.
    """
    path = str(folder)
    try:
        refusal = check_mirror(project, folder)
        if refusal:
            return MirrorStatus(path, "missing", f"{refusal}; nothing was written")
        return _sync(project, folder, Store(folder, disk), local, keep, on_copied)
    except (OSError, NightforgeError) as error:
        words = error.message if isinstance(error, NightforgeError) else f"{error.strerror or error}"
        return MirrorStatus(path, "failed", f"the mirror {folder} could not be updated: {words}")


def _sync(
    project: Project,
    folder: Path,
    remote: Store,
    local: Store,
    keep: Keep | None,
    on_copied: Callable[[int], None],
) -> MirrorStatus:
    files = itertools.count(1)

    def before_each_file() -> None:
        refusal = check_mirror(project, folder)
        if refusal:
            raise _MirrorGone(refusal)
        on_copied(next(files))

    copied: list[str] = []
    with remote.locked():
        remote.clean()
        present = {snapshot.label for snapshot in remote.listing().snapshots}
        wanted = [s for s in local.listing().snapshots if s.label not in present]
        for snapshot in wanted:
            if remote.folder(snapshot.label).exists():
                remote.remove(snapshot.label)  # a damaged copy of a snapshot that is good here
            _copy(local, remote, snapshot, before_each_file)
            copied.append(snapshot.label)
        newest = [snapshot.label for snapshot in remote.listing().snapshots][-1:]
        check = verify_snapshot(remote, newest[0]) if newest else None
        if check is not None and not check.ok:
            return MirrorStatus(str(folder), "failed", f"{check.label} on the mirror: {check.problems[0]}")
        if keep is not None:
            apply(remote, keep)
    words = f"{len(copied)} copied and verified" if copied else "up to date, newest verified"
    return MirrorStatus(str(folder), "ok", words, tuple(copied), utc_now())


def _copy(local: Store, remote: Store, snapshot: Manifest, before_each_file: Callable[[], None]) -> None:
    fresh = 0
    for path, entry in snapshot.files.items():
        before_each_file()
        stored, new = remote.add(local.file(snapshot.label, path))
        if stored != entry:
            raise InputError(f"{snapshot.label}: {path} is damaged in {local.root}, so it was not mirrored")
        fresh += entry.size if new else 0
    before_each_file()
    remote.publish(msgspec.structs.replace(snapshot, new_bytes=fresh), utc_now)


def _marker_uuid(path: Path) -> str | None:
    value = read_json(path)
    found = value.get("uuid") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
