"""backups/history.jsonl: one line per backup attempt, and what the pages and the report read from it."""

from pathlib import Path
from typing import Any

from nightforge.backup.store import Store
from nightforge.core.atomic import append_jsonl, read_jsonl
from nightforge.core.errors import InputError
from nightforge.core.paths import Project


def record(backups: Path, entry: dict[str, Any]) -> None:
    """Append one attempt. A cut last line is dropped; a damaged file is set aside, never overwritten."""
    path = backups / "history.jsonl"
    if path.exists():
        try:
            read_jsonl(path, repair=True)
        except InputError as error:
            number = len(list(backups.glob("history.damaged-*.jsonl"))) + 1
            aside = path.rename(backups / f"history.damaged-{number}.jsonl")
            note = f"{error.message}; it was set aside as {aside.name}"
            entry = {**entry, "status": "warning", "messages": [*entry.get("messages", []), note]}
    append_jsonl(path, entry)


def read_history(backups: Path) -> list[dict[str, Any]]:
    """All attempts, oldest first; empty before the first."""
    path = backups / "history.jsonl"
    if not path.exists():
        return []
    if not path.read_bytes().endswith(b"\n"):
        return read_jsonl(path, repair=True)
    return read_jsonl(path)


def hub_status(project: Project) -> dict[str, Any] | None:
    """The hub's backup card: newest good snapshot, its mirror, and whether the last attempt failed.

    status: ok; warning (mirror missing or failed, smaller than before); failed. None: no attempt yet.
    """
    attempts = read_history(project.backups)
    snapshots = Store(project.backups).listing().snapshots
    if not snapshots and not attempts:
        return None
    last = attempts[-1] if attempts else {}
    mirror = next((a["mirror"] for a in reversed(attempts) if isinstance(a.get("mirror"), dict)), None)
    status = {
        "status": last.get("status", "ok"),
        "message": "; ".join(str(text) for text in last.get("messages", [])),
        "mirror": mirror or {"path": None, "status": "off", "message": "no mirror is configured"},
    }
    if not snapshots:
        return {"label": None, "created_at": None, "verified_at": None, "files": 0, "bytes": 0, **status}
    newest = snapshots[-1]
    return {
        "label": newest.label,
        "created_at": newest.created_at,
        "verified_at": newest.verified_at,
        "files": len(newest.files),
        "bytes": newest.bytes,
        **status,
    }
