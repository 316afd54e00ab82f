"""Loaders of SKAB and TEP: read a folder the user names, at any depth, and check shape and columns.

Neither set is part of the product. SKAB: waico/SKAB 0.9, GPL-3.0. TEP: Braatz group, University of Illinois.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from nightforge.anomaly.recording import Profile, Segment
from nightforge.core.errors import BadDataError, InputError

FIT_ROWS = 400  # of each SKAB file, all normal
TEP_ONSET = 160  # row of each `_te` file at which its fault starts
TEP_CHANNELS = 52
HARD_FAULTS = (3, 9, 15)  # of TEP: practically undetectable
SKAB_COLUMNS = (
    "Accelerometer1RMS",
    "Accelerometer2RMS",
    "Current",
    "Pressure",
    "Temperature",
    "Thermocouple",
    "Voltage",
    "Volume Flow RateRMS",
)
_SKAB_DEVELOPMENT = "valve1"


@dataclass(frozen=True)
class Series:
    """One file. values: (T, C) in its own units; labels: (T,); the first `fit` rows are normal."""

    name: str
    values: np.ndarray
    labels: np.ndarray
    fit: int

    def standard(self) -> np.ndarray:
        """Return values less the mean, over the deviation, of the rows to fit on. (T, C) float32"""
        part = self.values[: self.fit]
        return ((self.values - part.mean(axis=0)) / np.maximum(part.std(axis=0), 1e-9)).astype(np.float32)


def skab(folder: Path, held_out: bool) -> list[Series]:
    """Return the valve1 files, or with `held_out` all others whose first FIT_ROWS rows are normal."""
    found = []
    for path in sorted(folder.rglob("*.csv")):
        with path.open(encoding="utf-8") as file:
            head = file.readline().strip().split(";")
        if head[:9] != ["datetime", *SKAB_COLUMNS] or "anomaly" not in head:
            continue  # anomaly-free.csv, or not of this set
        if (path.parent.name == _SKAB_DEVELOPMENT) == held_out:
            continue
        frame = pd.read_csv(path, sep=";")
        labels = frame["anomaly"].to_numpy() > 0
        if labels[:FIT_ROWS].any():
            print(f"left out: {path.parent.name}/{path.name}, its anomaly starts at row {labels.argmax()}")
            continue
        values = frame[list(SKAB_COLUMNS)].to_numpy(np.float64)
        if not np.isfinite(values).all() or len(values) <= FIT_ROWS or labels.all():
            raise BadDataError(f"{path}: expected more than {FIT_ROWS} rows of eight numbers")
        found.append(Series(f"{path.parent.name}/{path.stem}", values, labels, FIT_ROWS))
    if not found:
        which = "valve2 and other" if held_out else _SKAB_DEVELOPMENT
        raise InputError(
            f"no SKAB file of {which} below {folder}; name the folder that holds them with --data"
        )
    return found


def tep(folder: Path, faults: range) -> tuple[np.ndarray, dict[int, Series]]:
    """Return the normal training rows (500, 52) and per fault its test file, scaled by nothing yet."""
    normal = _tep_file(folder, "d00.dat", 500)
    found = {}
    for fault in faults:
        values = _tep_file(folder, f"d{fault:02d}_te.dat", 960)
        found[fault] = Series(f"d{fault:02d}_te", values, np.arange(len(values)) >= TEP_ONSET, TEP_ONSET)
    return normal, found


def _tep_file(folder: Path, name: str, rows: int) -> np.ndarray:
    paths = sorted(folder.rglob(name))
    if not paths:
        raise InputError(f"{name} of TEP is not below {folder}; name the folder that holds it with --data")
    values = np.loadtxt(paths[0])
    values = values.T if values.shape == (TEP_CHANNELS, rows) else values  # d00.dat is transposed
    if values.shape != (rows, TEP_CHANNELS):
        raise BadDataError(f"{paths[0]} has the shape {values.shape}, expected ({rows}, {TEP_CHANNELS})")
    return values


def plain_profile(channels: tuple[str, ...]) -> Profile:
    """Return the profile of values that are scaled already."""
    zeros, ones = (0.0,) * len(channels), (1.0,) * len(channels)
    low = tuple(-one for one in ones)
    return Profile(
        stream="patchtst", channels=channels, center=zeros, scale=ones, fill=zeros, minimum=low, maximum=ones
    )


def segment(name: str, values: np.ndarray) -> Segment:
    """Return rows without a hole as a segment."""
    values = np.ascontiguousarray(values, dtype=np.float32)
    return Segment(name, 0, values, np.ones(values.shape, dtype=np.bool_))
