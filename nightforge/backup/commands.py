"""What stages 16 and 18 show and ask; each writes lines through the function it is given."""

import sys
from collections.abc import Callable
from typing import Any, TextIO

from nightforge.backup.history import read_history
from nightforge.backup.mirror import check_mirror, mirror_folder
from nightforge.backup.restore import compare
from nightforge.backup.retention import pin, read_pins
from nightforge.backup.store import Store
from nightforge.backup.verify import Verification, verify_all, verify_snapshot
from nightforge.config.schema import Backup
from nightforge.core.errors import InputError, NothingNewError, StageError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

Write = Callable[[str], None]
_SHOWN = 20  # paths listed per heading


def require_enabled(config: Backup, trigger: str) -> None:
    """Backups around training can be switched off; one asked for by hand is always made."""
    if not config.enabled and trigger != "manual":
        raise NothingNewError("backup.enabled is false, so no backup was made")


def source_store(project: Project, config: Backup, from_mirror: bool) -> Store:
    """The store to read from; InputError if the mirror was asked for and is not there."""
    if not from_mirror:
        return Store(project.backups)
    folder = mirror_folder(project, config.mirror)
    if folder is None:
        raise InputError("backup.mirror is not set, so there is no mirror to restore from")
    if not (project.backups / "mirror.json").exists() and folder.is_dir():
        return Store(folder)  # a new machine: the mirror is all there is, and every byte is verified anyway
    refusal = check_mirror(project, folder)
    if refusal:
        raise InputError(refusal, next_command="python scripts/16_backup.py --init-mirror")
    return Store(folder)


def show_list(project: Project, write: Write, store: Store | None = None) -> dict[str, Any]:
    """One line per snapshot, oldest first, and the last mirror result."""
    store = store or Store(project.backups)
    listing = store.listing()
    pins = read_pins(project.backups)
    if not listing.snapshots and not listing.damaged:
        write("no backups yet; next: python scripts/16_backup.py")
    for snapshot in listing.snapshots:
        mark = " pinned" if snapshot.label in pins else ""
        write(
            f"{snapshot.label:<42} {len(snapshot.files):>5} files {_size(snapshot.bytes):>10}"
            f"  verified {snapshot.verified_at[:16].replace('T', ' ')}{mark}"
        )
    for label, why in listing.damaged.items():
        write(f"{label:<42} DAMAGED: {why}")
    mirror = next((e["mirror"] for e in reversed(read_history(project.backups)) if e.get("mirror")), None)
    if mirror and mirror["status"] != "off":
        write(f"mirror {mirror['path']}: {mirror['status']}, {mirror['message']}")
    return {
        "labels": [s.label for s in listing.snapshots],
        "damaged": listing.damaged,
        "pinned": sorted(pins),
    }


def verify(project: Project, config: Backup, label: str | None, write: Write) -> dict[str, Any]:
    """Read back one snapshot or all, on the mirror too where present; StageError (1) if a byte differs."""
    stores = [("", Store(project.backups))]
    folder = mirror_folder(project, config.mirror)
    if folder is not None and check_mirror(project, folder) is None:
        stores.append((" on the mirror", Store(folder)))
    checks: list[tuple[str, Verification]] = []
    for where, store in stores:
        if label is None:
            checks += [(where, check) for check in verify_all(store)]
        elif not where or label in store.labels():
            checks.append((where, verify_snapshot(store, label)))
    for where, check in checks:
        write(f"{check.label}{where}: " + (f"{check.files} files match" if check.ok else "DAMAGED"))
        for problem in check.problems[:_SHOWN]:
            write(f"  {problem}")
    bad = [f"{check.label}{where}" for where, check in checks if not check.ok]
    if bad:
        raise StageError(
            f"{len(bad)} of {len(checks)} backups are damaged: {', '.join(bad)}",
            next_command="python scripts/16_backup.py",
        )
    if not checks:
        raise NothingNewError("there are no backups to verify", next_command="python scripts/16_backup.py")
    return {
        "verified": [check.label for _, check in checks],
        "files": sum(check.files for _, check in checks),
    }


def pin_label(project: Project, label: str, write: Write) -> dict[str, Any]:
    """Keep one snapshot for good."""
    fresh = pin(Store(project.backups), label)
    write(f"{label} is {'now' if fresh else 'already'} pinned")
    return {"pinned": label, "new": fresh}


def show_snapshot(store: Store, label: str, write: Write) -> dict[str, Any]:
    """Times, totals and every file of a snapshot."""
    manifest = store.load(label)
    version = f"v{manifest.version}" if manifest.version else "none"
    write(f"{label}: {len(manifest.files)} files, {_size(manifest.bytes)}, newest adapter {version}")
    write(f"made {manifest.created_at}, verified {manifest.verified_at}, run {manifest.run_id or 'by hand'}")
    for text in (*manifest.warnings, *([f"reason: {manifest.reason}"] if manifest.reason else [])):
        write(text)
    for path, entry in manifest.files.items():
        write(f"  {entry.sha256[:12]} {entry.size:>12,}  {path}")
    return {"label": label, "files": len(manifest.files), "bytes": manifest.bytes}


def show_difference(project: Project, store: Store, label: str, write: Write) -> dict[str, Any]:
    """What a restore would change, bring back and take away."""
    difference = compare(project, store.load(label))
    for title, paths in (
        ("would change", difference.changed),
        ("would come back", difference.missing),
        ("would go (saved in a safety backup)", difference.extra),
    ):
        if paths:
            write(f"{title}: {len(paths)}")
            for path in paths[:_SHOWN]:
                write(f"  {path}")
            if len(paths) > _SHOWN:
                write(f"  and {len(paths) - _SHOWN} more")
    if not difference.units:
        write(f"the project equals {label}")
    return {
        "label": label,
        "changed": len(difference.changed),
        "missing": len(difference.missing),
        "extra": len(difference.extra),
    }


def confirm(label: str, answers: TextIO) -> None:
    """Ask before a restore; without a terminal, InputError names --yes."""
    answer = ""
    if answers.isatty():
        sys.stderr.write(f"Restore {label}? What is there now is saved first. [y/N] ")
        sys.stderr.flush()
        answer = answers.readline()
    if not answer:  # on Windows the empty device passes for a terminal, and ends at once
        raise InputError(
            "a restore without a terminal needs --yes",
            next_command=f"python scripts/18_restore_backup.py --restore {label} --yes",
        )
    if answer.strip().lower() not in {"y", "yes"}:
        raise StoppedError("nothing was restored")


def show_result(entry: dict[str, Any], report: Report) -> None:
    """Say in one sentence what was backed up and where the second copy is."""
    report.message(
        f"{entry['label']}: {entry['files']} files, {_size(entry['bytes'])}"
        f" ({_size(entry['new_bytes'])} new), read back and equal; mirror {entry['mirror']['status']}"
    )


def _size(count: int) -> str:
    """Bytes as people read them: 1 KB is 1,000 bytes."""
    value = float(count)
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"
