"""Damage to tables, seeded and told: what goes wrong between machine and file, not in the machine.

A table: a time column first if it has one (`timestamp`), then one column per channel or axis.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import Generator, SeedSequence

from nightforge.anomaly.synthetic_parts import randomness
from nightforge.core.errors import InputError

TIME = "timestamp"
SENSOR_DAMAGE = ("nan_run", "text", "gap")  # in the generated test files: what a usable file survives
VIBRATION_DAMAGE = ("nan_run",)
TEXT = "n/a (sensor)"
SHORT_ROWS = 5  # of a run of missing values or a stretch of text
Told = dict[str, Any]
Damaged = tuple[pd.DataFrame, Told]


def damage(frame: pd.DataFrame, kinds: Sequence[str], seed: SeedSequence) -> tuple[pd.DataFrame, list[Told]]:
    """Return the table with each kind of damage done to it, and what was done. Rows and channels are drawn
    per kind from `seed`, so a kind does the same alone and beside others (rows: of the table it meets).
    """
    told = []
    for kind in kinds:
        if kind not in DAMAGE:
            raise InputError(f"no damage {kind!r}; there are {', '.join(DAMAGE)}")
        frame, what = DAMAGE[kind](frame.copy(), randomness(seed, list(DAMAGE).index(kind)))
        told.append({"kind": kind, **what})
    return frame, told


def _channel(frame: pd.DataFrame, rng: Generator) -> str:
    return str(rng.choice([name for name in frame.columns if name != TIME]))


def _stretch(frame: pd.DataFrame, rng: Generator, size: int) -> tuple[int, int]:
    size = min(size, len(frame))
    first = int(rng.integers(len(frame) - size + 1))
    return first, first + size


def _rows(first: int, end: int, channel: str | None = None) -> Told:
    return {"first": first, "end": end, **({"channel": channel} if channel else {})}


def _nan_run(frame: pd.DataFrame, rng: Generator) -> Damaged:
    name, (first, end) = _channel(frame, rng), _stretch(frame, rng, SHORT_ROWS)
    frame.loc[first : end - 1, name] = np.nan
    return frame, _rows(first, end, name)


def _text(frame: pd.DataFrame, rng: Generator) -> Damaged:
    name, (first, end) = _channel(frame, rng), _stretch(frame, rng, 1)
    frame[name] = frame[name].map(str).astype(object)
    frame.loc[first, name] = TEXT
    return frame, _rows(first, end, name)


def _text_column(frame: pd.DataFrame, rng: Generator) -> Damaged:
    name = _channel(frame, rng)
    frame[name] = "running"
    return frame, _rows(0, len(frame), name)


def _repeated_stamp(frame: pd.DataFrame, rng: Generator) -> Damaged:
    first, end = _stretch(frame, rng, SHORT_ROWS)
    frame.loc[first : end - 1, TIME] = frame.loc[first, TIME]
    return frame, _rows(first, end)


def _backward_stamp(frame: pd.DataFrame, rng: Generator) -> Damaged:
    first, end = _stretch(frame, rng, SHORT_ROWS)
    frame.loc[first : end - 1, TIME] = frame.loc[first : end - 1, TIME].to_numpy()[::-1]
    return frame, _rows(first, end)


def _gap(frame: pd.DataFrame, rng: Generator) -> Damaged:
    """Take rows out, neither the first nor the last; the time runs on."""
    size = max(1, len(frame) // 20)
    first = 1 + int(rng.integers(max(1, len(frame) - size - 1)))
    kept = np.r_[0:first, min(first + size, len(frame) - 1) : len(frame)]
    return frame.iloc[kept].reset_index(drop=True), {"first": first, "rows_missing": len(frame) - len(kept)}


def _mixed_dates(frame: pd.DataFrame, rng: Generator) -> Damaged:
    first = len(frame) // 2
    stamps = pd.to_datetime(frame[TIME].iloc[first:]).dt.strftime("%d.%m.%Y %H:%M:%S")
    frame[TIME] = [*frame[TIME].iloc[:first], *stamps]
    return frame, _rows(first, len(frame))


def _irregular_stamps(frame: pd.DataFrame, rng: Generator) -> Damaged:
    """Move each numeric stamp by up to 0.4 steps; they stay in order."""
    times = frame[TIME].to_numpy(dtype=np.float64)
    frame[TIME] = times + np.median(np.diff(times)) * rng.uniform(-0.4, 0.4, len(times))
    return frame, _rows(0, len(frame))


def _wrong_rate(frame: pd.DataFrame, rng: Generator) -> Damaged:
    frame[TIME] = frame[TIME].to_numpy(dtype=np.float64) * 2.0
    return frame, {"true_rate_times": 0.5}


def _renamed(frame: pd.DataFrame, rng: Generator) -> Damaged:
    name = _channel(frame, rng)
    return frame.rename(columns={name: f"{name}_new"}), {"channel": name, "now": f"{name}_new"}


def _swapped(frame: pd.DataFrame, rng: Generator) -> Damaged:
    """Put the channels in another order, each still under its name."""
    names = [name for name in frame.columns if name != TIME]
    order = [*frame.columns[: len(frame.columns) - len(names)], *names[1:], names[0]]
    return frame[order], {"order": order}


def _missing_column(frame: pd.DataFrame, rng: Generator) -> Damaged:
    name = _channel(frame, rng)
    return frame.drop(columns=name), {"channel": name}


def _unit_switch(frame: pd.DataFrame, rng: Generator) -> Damaged:
    name, first = _channel(frame, rng), len(frame) // 2
    frame.loc[first:, name] = frame.loc[first:, name].astype(np.float64) * 1000.0
    return frame, {**_rows(first, len(frame), name), "times": 1000.0}


def _constant(frame: pd.DataFrame, rng: Generator) -> Damaged:
    name = _channel(frame, rng)
    frame[name] = frame[name].iloc[0]
    return frame, _rows(0, len(frame), name)


def _clipped(frame: pd.DataFrame, rng: Generator) -> Damaged:
    """Cut a channel at one standard deviation around its mean: its extremes repeat."""
    name = _channel(frame, rng)
    mean, sd = frame[name].mean(), frame[name].std()
    frame[name] = frame[name].clip(mean - sd, mean + sd)
    return frame, {**_rows(0, len(frame), name), "low": float(mean - sd), "high": float(mean + sd)}


def _flat(frame: pd.DataFrame, rng: Generator) -> Damaged:
    name, (first, end) = _channel(frame, rng), _stretch(frame, rng, max(1, len(frame) // 2))
    frame.loc[first : end - 1, name] = frame.loc[first, name]
    return frame, _rows(first, end, name)


DAMAGE: dict[str, Callable[[pd.DataFrame, Generator], Damaged]] = {
    "nan_run": _nan_run,
    "text": _text,
    "text_column": _text_column,
    "repeated_stamp": _repeated_stamp,
    "backward_stamp": _backward_stamp,
    "gap": _gap,
    "mixed_dates": _mixed_dates,
    "irregular_stamps": _irregular_stamps,
    "wrong_rate": _wrong_rate,
    "renamed": _renamed,
    "swapped": _swapped,
    "missing_column": _missing_column,
    "unit_switch": _unit_switch,
    "constant": _constant,
    "clipped": _clipped,
    "flat": _flat,
}
