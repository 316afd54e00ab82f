"""logs/step_timing_history.json: how long each stage took the last ten times, per profile."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from nightforge.core.atomic import read_json
from nightforge.core.errors import InputError
from nightforge.core.generations import put_aside, read_kept, write_kept
from nightforge.pipeline.eta import remember


class TimingHistory:
    """Durations of one profile, in seconds per stage key."""

    def __init__(self, path: Path, profile: str) -> None:
        self._path = path
        self._profile = profile
        self._all = _load(path)

    def of_stages(self) -> dict[str, list[float]]:
        """Return stage key -> seconds of its last successes."""
        return self._all["profiles"].get(self._profile, {})  # type: ignore[no-any-return]

    def remember(self, key: str, seconds: float) -> None:
        """Add a success and write the file; on a full disk the next success writes it."""
        self._all["profiles"][self._profile] = remember(self.of_stages(), key, seconds)
        with contextlib.suppress(OSError):  # the journal meets the same disk and raises the alert
            write_kept(self._path, self._all)


def _load(path: Path) -> dict[str, Any]:
    try:
        found = read_kept(path, load_history)
    except InputError:
        put_aside(path)  # unreadable is not empty: kept for a look; durations come back with every run
        found = None
    return found or {"schema_version": 1, "profiles": {}}


def load_history(path: Path) -> dict[str, Any]:
    """Read and check the file; raises InputError."""
    value = read_json(path)
    if not _is_history(value):
        raise InputError(f"{path} is not a timing history")
    return dict(value)


def _is_history(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("profiles"), dict)
        and all(
            isinstance(stages, dict)
            and all(
                isinstance(durations, list) and all(isinstance(second, (int, float)) for second in durations)
                for durations in stages.values()
            )
            for stages in value["profiles"].values()
        )
    )
