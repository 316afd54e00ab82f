"""Which snapshots stay: the newest few, one a day, one a week, pinned ones, the champion's.

The decision is a pure function; it is applied only after a verified snapshot, on each drive by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nightforge.backup.manifest import Manifest, is_label
from nightforge.backup.store import Store
from nightforge.backup.verify import verify_snapshot
from nightforge.core.atomic import read_json
from nightforge.core.clock import parse_time
from nightforge.core.errors import InputError
from nightforge.core.generations import read_kept, write_kept


@dataclass(frozen=True)
class Keep:
    """Newest snapshots, days and weeks to keep; pinned labels; version whose newest snapshot stays."""

    last: int
    daily: int
    weekly: int
    pinned: frozenset[str] = frozenset()
    champion: int | None = None


def to_remove(snapshots: tuple[Manifest, ...], keep: Keep) -> list[str]:
    """Labels no rule keeps, oldest first. `snapshots` is ordered oldest first. The newest always stays."""
    newest_first = list(reversed(snapshots))
    kept = {snapshot.label for snapshot in newest_first[: max(1, keep.last)]} | set(keep.pinned)
    kept |= _newest_per(newest_first, keep.daily, lambda s: parse_time(s.created_at).date())
    kept |= _newest_per(newest_first, keep.weekly, lambda s: parse_time(s.created_at).isocalendar()[:2])
    if keep.champion is not None:
        prefix = f"models/blueprint-lora-v{keep.champion}/"
        kept |= {s.label for s in [s for s in newest_first if any(p.startswith(prefix) for p in s.files)][:1]}
    return [snapshot.label for snapshot in snapshots if snapshot.label not in kept]


def apply(store: Store, keep: Keep) -> tuple[list[str], str | None]:
    """Remove what `to_remove` names, if the newest survivor verifies now.

    Returns the removed labels and, when nothing may be removed, the reason in words.
    """
    listing = store.listing()
    doomed = to_remove(listing.snapshots, keep)
    if not doomed:
        return [], None
    survivor = [snapshot.label for snapshot in listing.snapshots if snapshot.label not in doomed][-1]
    check = verify_snapshot(store, survivor)
    if not check.ok:
        return [], f"nothing was removed: the newest backup {survivor} does not verify ({check.problems[0]})"
    for label in doomed:
        store.remove(label)
    store.collect_garbage()
    return doomed, None


def read_pins(backups: Path) -> frozenset[str]:
    """Labels the user pinned; InputError if the file is broken."""
    return read_kept(backups / "pins.json", _load_pins) or frozenset()


def _load_pins(path: Path) -> frozenset[str]:
    value = read_json(path)
    labels = value.get("pinned") if isinstance(value, dict) else None
    if not isinstance(labels, list) or not all(
        isinstance(label, str) and is_label(label) for label in labels
    ):
        raise InputError(
            f"{path} must hold a list of labels under 'pinned'",
            next_command="python scripts/16_backup.py --list",
        )
    return frozenset(labels)


def pin(store: Store, label: str) -> bool:
    """Keep one snapshot for good; False if it was pinned already. InputError for an unknown label."""
    store.load(label)
    pins = read_pins(store.root)
    if label in pins:
        return False
    write_kept(store.root / "pins.json", {"schema_version": 1, "pinned": sorted(pins | {label})})
    return True


def _newest_per(newest_first: list[Manifest], count: int, period: Callable[[Manifest], object]) -> set[str]:
    seen: dict[object, str] = {}
    for snapshot in newest_first:
        seen.setdefault(period(snapshot), snapshot.label)
    return set(list(seen.values())[:count])
