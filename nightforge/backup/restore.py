"""Put a snapshot back: verify it, save what is there, stage beside, swap by rename, compare."""

from dataclasses import dataclass
from typing import Any

from nightforge.backup import swap
from nightforge.backup.content import select, unit_of
from nightforge.backup.disk import Disk
from nightforge.backup.lock import exclusive
from nightforge.backup.manifest import Manifest
from nightforge.backup.snapshot import Request, create_backup
from nightforge.backup.store import Store
from nightforge.backup.verify import verify_snapshot
from nightforge.config.schema import Backup
from nightforge.core.atomic import sha256_file
from nightforge.core.errors import NothingNewError, StageError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

_LIST = "python scripts/18_restore_backup.py --list"


@dataclass(frozen=True)
class Difference:
    """A snapshot against the project now. missing: only in the snapshot; extra: only in the project."""

    changed: tuple[str, ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]

    @property
    def units(self) -> tuple[str, ...]:
        """Units that a restore would swap."""
        return tuple(sorted({unit_of(path) for path in (*self.changed, *self.missing, *self.extra)}))


def compare(project: Project, manifest: Manifest) -> Difference:
    """Hash the project's files in the snapshot's units and compare them."""
    units = {unit_of(path) for path in manifest.files}
    selected = select(project, _adapters(manifest)).paths
    now = {path: file for path, file in selected.items() if unit_of(path) in units}
    changed = [
        p for p in manifest.files.keys() & now.keys() if sha256_file(now[p]) != manifest.files[p].sha256
    ]
    return Difference(
        tuple(sorted(changed)),
        tuple(sorted(manifest.files.keys() - now.keys())),
        tuple(sorted(now.keys() - manifest.files.keys())),
    )


def restore(
    project: Project,
    config: Backup,
    label: str,
    report: Report,
    source: Store | None = None,
    disk: Disk | None = None,
) -> dict[str, Any]:
    """Bring the project back to a snapshot; returns the safety backup's label and the swapped units.

    `source` is the store to restore from (default: backups/). Nothing is touched before all bytes verify.
    InputError: unknown label. StageError: damaged. TemporaryError: a run is active.
    """
    disk = disk or Disk()
    local = Store(project.backups, disk)
    source = source or local
    source.require(label)
    busy = "a run is active; a restore would pull its files away"
    with exclusive(project.lock, busy, "python launch_pipeline.py --stop"):
        with local.locked():
            done = swap.recover(project, disk)
        if done:
            report.message(done)
        report.phase("18.1", "verify the backup")
        check = verify_snapshot(source, label)
        if not check.ok:
            raise StageError(
                f"{label} is damaged and was not restored: {check.problems[0]}"
                + (f" and {len(check.problems) - 1} more" if len(check.problems) > 1 else ""),
                next_command="python scripts/16_backup.py --verify",
            )
        manifest = source.load(label)
        units = compare(project, manifest).units
        if not units:
            raise NothingNewError(f"the project already equals {label}")
        report.phase("18.2", "save what is there now")
        safety = _safety_backup(project, config, manifest, report)
        report.phase("18.3", "stage and swap")
        with local.locked():
            swap.swap_in(project, source, manifest, units, disk)
        left = compare(project, manifest).units
        if left:
            raise StageError(f"after restoring {label}, {left[0]} still differs", next_command=_LIST)
        # The restored state becomes the new baseline, so that "smaller than before" does not raise an alarm.
        protect = frozenset({label, safety or label})
        after = Request(trigger="manual", reason=f"restored from {label}", protect=protect)
        create_backup(project, config, after, report)
    return {"label": label, "safety_backup": safety, "units": list(units), "files": len(manifest.files)}


def _safety_backup(project: Project, config: Backup, target: Manifest, report: Report) -> str | None:
    request = Request(
        trigger="pre_restore",
        reason=f"before restoring {target.label}",
        protect=frozenset({target.label}),
        also=_adapters(target),
    )
    try:
        entry = create_backup(project, config, request, report)
    except NothingNewError:  # an empty project: there is nothing to lose
        return None
    return str(entry["label"])


def _adapters(manifest: Manifest) -> frozenset[str]:
    # Adapters that are neither newest nor champion are not selected by default; a restore may replace them.
    return frozenset(u for u in map(unit_of, manifest.files) if u.startswith("models/blueprint-lora-"))
