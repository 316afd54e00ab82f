"""Make one backup: recover, select, store, read back, publish, thin out, mirror, record."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from nightforge.backup import history, retention
from nightforge.backup import manifest as manifests
from nightforge.backup.content import Content, champion_version, select
from nightforge.backup.disk import Disk
from nightforge.backup.manifest import FileEntry, Manifest
from nightforge.backup.mirror import MirrorStatus, mirror_folder, sync_mirror
from nightforge.backup.retention import Keep
from nightforge.backup.store import Store
from nightforge.backup.swap import recover
from nightforge.config.schema import Backup
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError, NightforgeError, NothingNewError, StoppedError, TemporaryError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

_RESERVE = 64 << 20  # bytes left free for the state files of the run
_REASON = 'python scripts/16_backup.py --reason "why it is smaller"'
_SHRINK = 0.5  # less than this share of the bytes of the last snapshot is an alarm


@dataclass(frozen=True)
class Request:
    """One backup to make. now and disks are replaced in tests."""

    trigger: str = "manual"
    run_id: str | None = None
    reason: str | None = None  # why the snapshot may be smaller than the last one
    protect: frozenset[str] = frozenset()  # labels this run must not remove
    also: frozenset[str] = frozenset()  # adapter folders to include besides newest and champion
    now: Callable[[], str] = utc_now
    disk: Disk = field(default_factory=Disk)
    mirror_disk: Disk = field(default_factory=Disk)


def create_backup(
    project: Project,
    config: Backup,
    request: Request,
    report: Report,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, Any]:
    """Make, verify and mirror a snapshot; returns its history entry.

    NothingNewError (3): `scheduled` and no change. TemporaryError (75): disk too full, or another writer.
    """
    if request.trigger not in manifests.TRIGGERS:
        raise InputError(f"unknown trigger {request.trigger!r}; one of {', '.join(manifests.TRIGGERS)}")
    store = Store(project.backups, request.disk)
    with store.locked():
        try:
            return _make(project, config, request, report, should_stop)
        except (NothingNewError, StoppedError):
            raise
        except (OSError, NightforgeError) as error:
            _record_failure(project, request, error)
            raise


def _make(
    project: Project, config: Backup, request: Request, report: Report, should_stop: Callable[[], bool]
) -> dict[str, Any]:
    store = Store(project.backups, request.disk)
    store.clean()
    finished = recover(project, request.disk)
    if finished:
        report.message(finished)
    report.phase("16.1", "choose the files")
    content = select(project, request.also)
    if not content.paths:
        raise NothingNewError("there is nothing to back up yet", next_command="python launch_pipeline.py")
    snapshots = store.listing().snapshots
    previous = snapshots[-1] if snapshots else None
    _require_space(store, content)
    report.phase("16.2", "copy what is new, read everything back")
    report.watch("save")
    draft = _store_files(store, content, request, report, should_stop)
    if request.trigger == "scheduled" and previous is not None and previous.content == draft.content:
        store.collect_garbage()
        raise NothingNewError(f"nothing has changed since {previous.label}; no new backup is needed")
    baseline = next((s for s in reversed(snapshots) if s.reason or not s.warnings), None)
    warnings = [] if request.reason else shrink_warnings(draft.files, baseline)
    draft = msgspec.structs.replace(draft, warnings=warnings)
    done = store.publish(draft, request.now)
    for warning in done.warnings:
        report.alert("warning", "The backup is smaller than the one before", warning, _REASON)
    report.phase("16.3", "thin out old backups")
    keep, reason = (None, None) if done.warnings else _keep_or_reason(project, config, request)
    removed: list[str] = []
    if keep is not None:
        removed, reason = retention.apply(store, keep)
    if reason:
        report.alert("warning", "Old backups were kept", reason, "python scripts/16_backup.py --verify")
    status = _mirror(project, config, request, report, keep)
    return _record_success(project, done, status, removed, [*done.warnings, *([reason] if reason else [])])


def _keep_or_reason(project: Project, config: Backup, request: Request) -> tuple[Keep | None, str | None]:
    # A damaged list of pins must not undo the backup just made; it only means that nothing may be removed.
    try:
        return keep_rules(project, config, request.protect), None
    except InputError as error:
        return None, f"nothing was removed: {error.message}"


def keep_rules(project: Project, config: Backup, protect: frozenset[str] = frozenset()) -> Keep:
    """The retention rules of the configuration, with pins and champion."""
    return Keep(
        config.keep_last,
        config.keep_daily,
        config.keep_weekly,
        retention.read_pins(project.backups) | protect,
        champion_version(project),
    )


def shrink_warnings(files: dict[str, FileEntry], baseline: Manifest | None) -> list[str]:
    """M5: fewer files, or less than half the bytes, than the last snapshot nobody doubted; in words.

    Adapters are compared by presence alone: how many are in a snapshot depends on which one is champion.
    """
    if baseline is None:
        return []
    now, before = _without_adapters(files), _without_adapters(baseline.files)
    found = []
    if len(now) < len(before):
        gone = sorted(before.keys() - now.keys())
        found.append(f"{len(now)} files, {baseline.label} had {len(before)}; missing is {gone[0]}")
    size, size_before = sum(e.size for e in now.values()), sum(e.size for e in before.values())
    if size < _SHRINK * size_before:
        found.append(f"{size:,} bytes, {baseline.label} had {size_before:,}")
    if len(now) == len(files) and len(before) < len(baseline.files):
        found.append(f"no trained adapter, {baseline.label} had one")
    return [f"{text}; old backups stay until a reason is given" for text in found]


def _without_adapters(files: dict[str, FileEntry]) -> dict[str, FileEntry]:
    return {path: entry for path, entry in files.items() if not path.startswith("models/blueprint-lora-")}


def _store_files(
    store: Store, content: Content, request: Request, report: Report, should_stop: Callable[[], bool]
) -> Manifest:
    files: dict[str, FileEntry] = {}
    skipped = dict(content.skipped)
    fresh = 0
    for number, (path, source) in enumerate(sorted(content.paths.items()), 1):
        if should_stop():
            raise StoppedError("the backup was stopped; the last complete one is untouched")
        try:
            files[path], new = store.add(source)
        except FileNotFoundError:
            if source.exists():
                raise
            skipped[path] = "vanished while it was copied"
            continue
        fresh += files[path].size if new else 0
        report.progress(number, len(content.paths), "files")
    if skipped:
        report.alert("info", f"{len(skipped)} files are not in the backup", ", ".join(sorted(skipped)[:5]))
    created = request.now()
    # Only these name the adapter they are about; the manifest knows the newest version in every case.
    named = content.version if request.trigger in {"post_train", "exam"} else None
    return Manifest(
        label=manifests.make_label(created, request.trigger, named, store.labels()),
        trigger=request.trigger,
        version=content.version,
        run_id=request.run_id,
        created_at=created,
        verified_at="",
        content=manifests.content_digest(files),
        bytes=sum(entry.size for entry in files.values()),
        new_bytes=fresh,
        skipped=skipped,
        warnings=[],
        reason=request.reason,
        files=files,
    )


def _require_space(store: Store, content: Content) -> None:
    store.disk.make_folder(store.root)
    # Which files are new is known only after reading them; the largest one is the least that must fit.
    largest = max(path.stat().st_size for path in content.paths.values() if path.exists())
    free = store.disk.free_bytes(store.root)
    if free < largest + _RESERVE:
        raise TemporaryError(
            f"{store.root} has {free >> 20} MiB free, a backup needs {(largest + _RESERVE) >> 20} MiB",
            next_command="free some space, then python scripts/16_backup.py",
        )


def _mirror(
    project: Project, config: Backup, request: Request, report: Report, keep: Keep | None
) -> MirrorStatus:
    folder = mirror_folder(project, config.mirror)
    if folder is None:
        return MirrorStatus(None, "off", "no mirror is configured")
    report.phase("16.4", "second copy")
    store = Store(project.backups, request.disk)
    status = sync_mirror(
        project, folder, store, keep, request.mirror_disk, lambda count: report.watch("save", count)
    )
    if status.status != "ok":
        fix = "python scripts/16_backup.py --init-mirror" if "never set up" in status.message else None
        report.alert(
            "warning", "No second copy was made", status.message, fix or "python scripts/16_backup.py"
        )
    return status


def _record_success(
    project: Project, done: Manifest, mirror: MirrorStatus, removed: list[str], messages: list[str]
) -> dict[str, Any]:
    trouble = messages + ([mirror.message] if mirror.status in {"missing", "failed"} else [])
    entry: dict[str, Any] = {
        "time": done.verified_at,
        "label": done.label,
        "trigger": done.trigger,
        "version": done.version,
        "run_id": done.run_id,
        "files": len(done.files),
        "bytes": done.bytes,
        "new_bytes": done.new_bytes,
        "verified_at": done.verified_at,
        "status": "warning" if trouble else "ok",
        "messages": trouble,
        "mirror": mirror.to_dict(),
        "removed": removed,
    }
    history.record(project.backups, entry)
    return entry


def _record_failure(project: Project, request: Request, error: OSError | NightforgeError) -> None:
    words = error.message if isinstance(error, NightforgeError) else f"{error.strerror or error}"
    entry = {
        "time": request.now(),
        "label": None,
        "trigger": request.trigger,
        "run_id": request.run_id,
        "status": "failed",
        "messages": [words],
    }
    try:
        history.record(project.backups, entry)
    except (OSError, NightforgeError) as second:
        # The disk that refused the backup also refuses its history; the first error tells the user.
        error.add_note(f"the failure could not be recorded either: {second}")
