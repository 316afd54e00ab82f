"""logs/step_timing_history.json: how the last ten successes of each stage went, per profile, and what retries
have cost.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from nightforge.core.atomic import write_json
from nightforge.core.errors import InputError
from nightforge.core.generations import put_aside, read_kept, write_kept
from nightforge.pipeline.pace import Part, Took

KEPT = 10  # attempts per stage and profile, and runs whose losses count
_SCHEMA = 2
_WRITE_S = 10.0  # at the end of a run at once


class Timings(Struct):
    """One profile: attempts by stage key, and of each run (seconds lost to retries, seconds of work)."""

    stages: dict[str, list[Took]] = {}
    losses: list[tuple[float, float]] = []


class _File(Struct):
    schema_version: int = _SCHEMA
    profiles: dict[str, Timings] = {}


class TimingHistory:
    """What one profile has taken so far."""

    def __init__(self, path: Path, profile: str) -> None:
        self._path = path
        self._write_at = float("-inf")
        self._file = _load(path)
        self._timings = self._file.profiles.setdefault(profile, Timings())

    @property
    def stages(self) -> dict[str, list[Took]]:
        """Return the last successes by stage key, newest last."""
        return self._timings.stages

    @property
    def retry_share(self) -> float:
        """Return the seconds lost to retries per second of work. # ops E4"""
        work = sum(useful for _, useful in self._timings.losses)
        return sum(lost for lost, _ in self._timings.losses) / work if work else 0.0

    def add(self, key: str, took: Took) -> None:
        """Remember a success."""
        self._timings.stages[key] = [*self._timings.stages.get(key, ()), took][-KEPT:]
        if time.monotonic() >= self._write_at:  # of a killed run the timings of some seconds are lost
            self._write()

    def add_losses(self, lost_s: float, useful_s: float) -> None:
        """Remember what retries have cost a run."""
        self._timings.losses = [*self._timings.losses, (round(lost_s, 1), round(useful_s, 1))][-KEPT:]
        self._write()

    def _write(self) -> None:
        """Write the file; on a full disk the next success writes it."""
        self._write_at = time.monotonic() + _WRITE_S
        with contextlib.suppress(OSError):  # the journal meets the same disk and raises the alert
            write_kept(self._path, msgspec.to_builtins(self._file))


def _load(path: Path) -> _File:
    try:
        return read_kept(path, load_history) or _File()
    except InputError:
        put_aside(path)  # unreadable is not empty: kept for a look; durations come back with every run
        return _File()


def load_history(path: Path) -> _File:
    """Read and check the file; raises InputError."""
    try:
        return _decode(path.read_bytes())
    except msgspec.MsgspecError as error:
        raise InputError(f"{path} is not a timing history ({error})") from error


def _decode(data: bytes) -> _File:
    """Read this format or the first one, which had only seconds; raises MsgspecError for anything else."""
    if msgspec.json.decode(data, type=_Version).schema_version == _SCHEMA:
        return msgspec.json.decode(data, type=_File)
    old = msgspec.json.decode(data, type=_FirstFormat)
    profiles = {name: Timings(_from_seconds(stages)) for name, stages in old.profiles.items()}
    return _File(profiles=profiles)


class _Version(Struct):
    schema_version: int


class _FirstFormat(Struct):
    profiles: dict[str, dict[str, list[float]]]


def _from_seconds(stages: dict[str, list[float]]) -> dict[str, list[Took]]:
    return {key: [Took((Part("", value),)) for value in values] for key, values in stages.items()}


# ---- forecasts and what came out -------------------------------------------------------------------------

FORECASTS_KEPT = 200  # per profile


class Forecast(Struct, frozen=True):
    """What was said at `lived_s` of a run, and what was left in the end; all in seconds. # ops E5"""

    run_id: str
    lived_s: float
    low_s: float
    middle_s: float
    high_s: float
    widen: float = 1.0  # how much wider than drawn the range was shown
    actual_s: float = 0.0


class ForecastLog:
    """logs/eta_forecasts.json: forecasts of runs that succeeded, with their outcome."""

    def __init__(self, path: Path, profile: str) -> None:
        self._path = path
        self._profile = profile
        self._all = _load_forecasts(path)

    @property
    def known(self) -> list[Forecast]:
        """Return the forecasts of this profile, newest last."""
        return self._all.get(self._profile, [])

    def add(self, forecasts: list[Forecast]) -> None:
        """Remember the forecasts of a run that has ended."""
        self._all[self._profile] = [*self.known, *forecasts][-FORECASTS_KEPT:]
        value: dict[str, Any] = {"schema_version": 1, "profiles": self._all}
        with contextlib.suppress(OSError):  # only how good they were is lost
            write_json(self._path, msgspec.to_builtins(value), indent=None)


class _ForecastFile(Struct):
    profiles: dict[str, list[Forecast]]


def _load_forecasts(path: Path) -> dict[str, list[Forecast]]:
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=_ForecastFile).profiles
    except (msgspec.MsgspecError, OSError):
        put_aside(path)
        return {}
