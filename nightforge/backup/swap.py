"""Swap restored folders in by rename; what an interruption leaves can always be finished.

A unit is what is swapped as a whole: data/blueprint, lessons, results, profiles, one adapter, or one file.
`backups/restore.json` names the units being swapped; the next backup or restore finishes what was cut off.
Callers hold the store's lock.
"""

import os
from pathlib import Path
from typing import Any

import msgspec

from nightforge.backup.content import is_transient, unit_of
from nightforge.backup.disk import Disk, read_chunks
from nightforge.backup.manifest import Manifest
from nightforge.backup.store import Store
from nightforge.core.atomic import read_json
from nightforge.core.errors import StageError
from nightforge.core.paths import Project

_JOURNAL = "restore.json"
_LIST = "python scripts/18_restore_backup.py --list"


def swap_in(project: Project, source: Store, manifest: Manifest, units: tuple[str, ...], disk: Disk) -> None:
    """Stage the units of a snapshot beside the live ones, then swap them; StageError if a byte differs."""
    _stage(project, source, manifest, units, disk)
    _write_journal(project, {"label": manifest.label, "state": "swapping", "units": list(units)}, disk)
    _finish(project, units, disk)


def recover(project: Project, disk: Disk) -> str | None:
    """Finish or discard an interrupted restore; returns what was done in words, None if there was none."""
    path = project.backups / _JOURNAL
    if not path.exists():
        return None
    journal = read_json(path)
    units = tuple(str(unit) for unit in journal["units"])
    if journal["state"] == "swapping":
        _finish(project, units, disk)
        return f"finished the interrupted restore of {journal['label']}"
    for unit in units:
        _remove(_beside(project, unit, "restoring"), disk)
    disk.remove(path)
    return f"discarded an interrupted restore of {journal['label']}; nothing had been changed"


def _stage(project: Project, source: Store, manifest: Manifest, units: tuple[str, ...], disk: Disk) -> None:
    _write_journal(project, {"label": manifest.label, "state": "staging", "units": list(units)}, disk)
    for unit in units:
        _remove(_beside(project, unit, "restoring"), disk)
    folders: set[Path] = set()
    for path, entry in manifest.files.items():
        unit = unit_of(path)
        if unit not in units:
            continue
        staged = _beside(project, unit, "restoring")
        target = staged / path[len(unit) + 1 :] if path != unit else staged
        disk.make_folder(target.parent)
        if disk.write_chunks(target, read_chunks(source.file(manifest.label, path))) != entry.sha256:
            raise StageError(f"{path} changed in the backup {manifest.label} while it was restored")
        folders |= {target.parent, *(p for p in target.parent.parents if p.is_relative_to(staged))}
    for folder in sorted(folders):
        disk.sync_folder(folder)


def _finish(project: Project, units: tuple[str, ...], disk: Disk) -> None:
    """Swap every staged unit in; each step can be repeated, so this also completes a cut-off swap."""
    for unit in units:
        target = project.root / unit
        staged, old = _beside(project, unit, "restoring"), _beside(project, unit, "replaced")
        if staged.exists():
            if (
                target.exists() and old.exists()
            ):  # something was made there after a crash: it is not in any backup
                raise StageError(f"{target} was written during a restore; move it away", next_command=_LIST)
            if target.exists():
                disk.rename(target, old)
            disk.rename(staged, target)
            disk.sync_folder(target.parent)
        if old.is_dir():
            _carry_over(old, target, disk)
        _remove(old, disk)
    disk.remove(project.backups / _JOURNAL)


def _carry_over(old: Path, new: Path, disk: Disk) -> None:
    """Move what no backup holds (checkpoints, links) from the replaced folder to the restored one."""
    for base, folders, files in os.walk(old):
        for name in [*folders, *files]:
            path = Path(base) / name
            target = new / path.relative_to(old)
            if (is_transient(name) or path.is_symlink()) and not target.exists():
                disk.make_folder(target.parent)
                disk.rename(path, target)
        folders[:] = [name for name in folders if not is_transient(name)]


def _beside(project: Project, unit: str, word: str) -> Path:
    target = project.root / unit
    return target.with_name(f".{word}-{target.name}")


def _remove(path: Path, disk: Disk) -> None:
    if path.is_dir() and not path.is_symlink():
        disk.remove_tree(path)
    else:
        disk.remove(path)


def _write_journal(project: Project, journal: dict[str, Any], disk: Disk) -> None:
    path = project.backups / _JOURNAL
    incoming = path.with_name(f".{_JOURNAL}.tmp")
    disk.write_chunks(incoming, iter([msgspec.json.encode({"schema_version": 1, **journal})]))
    disk.rename(incoming, path)
    disk.sync_folder(path.parent)
