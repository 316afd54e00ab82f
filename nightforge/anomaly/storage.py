"""The writing side of stage 21: recordings put aside while all files are looked at, and finished data sets.

A data set is a folder built beside its place and renamed into it; dataset.json is written last. Holes stay
NaN in the arrays and are filled when they are read, by the profile's rule.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.importing import Imported
from nightforge.anomaly.profiles import Fitted
from nightforge.anomaly.quality import FileQuality
from nightforge.anomaly.split import FileSplit, Shares
from nightforge.core.atomic import sha256_file, sha256_text, sync_folder, write_json

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Stored:
    """An imported file whose rows lie in `array` until it is decided what is used of it."""

    quality: FileQuality
    array: Path
    channels: tuple[str, ...]
    rows: int
    breaks: list[int]
    masked: list[list[int]]
    epoch: bool
    first_time: float | None
    step_s: float | None

    @property
    def file_id(self) -> str:
        return self.quality.file_id


@dataclass(frozen=True)
class Entry:
    """A file of a data set: which of its rows [first, end) are kept, and how they are divided."""

    stored: Stored
    split: FileSplit
    first: int = 0
    end: int | None = None  # None: the last row


@dataclass(frozen=True)
class DataSet:
    """All that is written of one set. `facts` go into dataset.json."""

    fitted: Fitted
    entries: Sequence[Entry]
    plan: Shares
    facts: dict[str, Any] = field(default_factory=dict)


def put_aside(imported: Imported, quality: FileQuality, masked: list[list[int]], array: Path) -> Stored:
    """Write a recording's rows to `array` and return what else is needed of it."""
    recording = imported.recording
    arrays: dict[str, NDArray[Any]] = {"values": recording.values}
    if recording.times_s is not None:
        arrays["times_s"] = recording.times_s
    np.savez(array, allow_pickle=False, **arrays)
    times = recording.times_s
    return Stored(
        quality=quality,
        array=array,
        channels=recording.channels,
        rows=len(recording.values),
        breaks=imported.breaks,
        masked=masked,
        epoch=recording.epoch,
        first_time=float(times[0]) if times is not None and len(times) else None,
        step_s=imported.pace.step_s if imported.pace else None,
    )


def load(stored: Stored, channels: Sequence[str]) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
    """Read a stored file's rows, its channels in the order given: ((T, C), (T,) or None)."""
    with np.load(stored.array, allow_pickle=False) as arrays:
        values, times = arrays["values"], arrays["times_s"] if "times_s" in arrays else None
    if tuple(channels) != stored.channels:
        values = values[:, [stored.channels.index(name) for name in channels]]
    return values, times


def write_set(target: Path, data: DataSet) -> str:
    """Write a data set to `target`, replacing an older one as a whole; returns its hash."""
    fresh = target.with_name(f".{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    (fresh / "rows").mkdir(parents=True)
    profile = data.fitted.profile
    listing = []
    for number, entry in enumerate(data.entries):
        name = f"rows/{number:03d}.npz" if entry.split.ranges else None
        listing.append(_listed(entry, name))
        if name is not None:
            _write_rows(fresh / name, entry, profile.channels)
    (fresh / "profile.json").write_bytes(msgspec.json.format(msgspec.json.encode(profile), indent=2) + b"\n")
    np.save(fresh / "quantiles.npy", data.fitted.quantiles, allow_pickle=False)
    split = {
        "schema_version": SCHEMA_VERSION,
        "stream": profile.stream,
        "window_rows": data.plan.window_rows,
        "gap_rows": data.plan.gap_rows,
        "shares": list(data.plan.shares),
        "files": listing,
    }
    write_json(fresh / "split.json", split)
    paths = sorted(path for path in fresh.rglob("*") if path.is_file())
    hashes = {path.relative_to(fresh).as_posix(): sha256_file(path) for path in paths}
    whole = sha256_text("\n".join(f"{name} {digest}" for name, digest in hashes.items()))
    facts = {
        "schema_version": SCHEMA_VERSION,
        "stream": profile.stream,
        **data.facts,
        "files": len(listing),
        "channels": list(profile.channels),
        "profile_hash": profile.hash,
        "hash": whole,
        "hashes": hashes,
    }
    write_json(fresh / "dataset.json", facts)
    _replace(fresh, target)
    return whole


def _listed(entry: Entry, array: str | None) -> dict[str, Any]:
    """A file's entry in the manifest; all rows but `first_row` are counted within the array."""
    stored, first = entry.stored, entry.first
    end = stored.rows if entry.end is None else entry.end
    inside = [[max(a, first) - first, min(b, end) - first] for a, b in stored.masked if a < end and b > first]
    return {
        "file_id": stored.file_id,
        "digest": stored.quality.digest,
        "array": array,
        "rows": end - first,
        "first_row": first,
        "state": entry.split.state,
        "note": entry.split.note,
        "ranges": {part: list(span) for part, span in entry.split.ranges.items()},
        "breaks": [row - first for row in stored.breaks if first < row < end],
        "masked": inside,
        "epoch": stored.epoch,
    }


def _write_rows(path: Path, entry: Entry, channels: Sequence[str]) -> None:
    values, times = load(entry.stored, channels)
    rows = slice(entry.first, entry.end)
    arrays: dict[str, NDArray[Any]] = {"values": values[rows]}
    if times is not None:
        arrays["times_s"] = times[rows]
    np.savez(path, allow_pickle=False, **arrays)


def _replace(fresh: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        os.replace(target, old)
    os.replace(fresh, target)
    sync_folder(target.parent)
    shutil.rmtree(old, ignore_errors=True)
