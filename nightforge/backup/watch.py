"""The scheduled look at the backups: one is made if anything has changed, and what is not in order is said.
# ops M8
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from nightforge.backup.history import read_history
from nightforge.backup.mirror import check_mirror, mirror_folder
from nightforge.backup.snapshot import Request, create_backup
from nightforge.backup.store import Store
from nightforge.config.schema import Backup
from nightforge.core.clock import parse_time
from nightforge.core.errors import NightforgeError, NothingNewError, TemporaryError
from nightforge.core.findings import Finding
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

_BY_HAND = "python scripts/16_backup.py"


def make_if_changed(
    project: Project, config: Backup, report: Report, should_stop: Callable[[], bool]
) -> Finding:
    """Make a backup if anything has changed since the last one."""
    if not config.enabled:
        return Finding("ok", "Backups are switched off", "backup.enabled is false")
    try:
        entry = create_backup(project, config, Request(trigger="scheduled"), report, should_stop)
    except NothingNewError as error:
        return Finding("ok", "No backup was needed", error.message)
    except TemporaryError as error:
        return Finding("warning", "No backup could be made now", error.message, _BY_HAND)
    except (NightforgeError, OSError) as error:
        return Finding("critical", "The backup failed", str(error), _BY_HAND)
    if entry["status"] != "ok":
        return Finding("warning", "The backup has warnings", "; ".join(entry["messages"]), _BY_HAND)
    return Finding("ok", "A backup was made", str(entry["label"]))


def look_at_backups(project: Project, config: Backup, now: datetime) -> list[Finding]:
    """Look whether the last verified backup is fresh and its mirror there. `now` carries its time zone."""
    if not config.enabled:
        return []
    found = []
    attempts = read_history(project.backups)
    snapshots = Store(project.backups).listing().snapshots
    if attempts and attempts[-1].get("status") == "failed":
        words = f"the last backup failed: {'; '.join(attempts[-1].get('messages', ()))}"
        found.append(Finding("critical", "The last backup failed", words, _BY_HAND))
    if snapshots:
        hours = (now - parse_time(snapshots[-1].verified_at)).total_seconds() / 3600
        if hours > config.stale_hours and _changed_since(project, snapshots[-1].created_at):
            words = f"the last one is {hours:.0f} hours old (backup.stale_hours is {config.stale_hours})"
            found.append(Finding("warning", "The backup is old", words, _BY_HAND))
    folder = mirror_folder(project, config.mirror)
    refusal = check_mirror(project, folder) if folder is not None else None
    if refusal:
        found.append(Finding("warning", "The mirror is not there", refusal, _BY_HAND))
    return found


def _changed_since(project: Project, created_at: str) -> bool:
    from nightforge.backup.content import select

    made_s = parse_time(created_at).timestamp()
    return any((project.root / path).stat().st_mtime > made_s for path in select(project, frozenset()).paths)
