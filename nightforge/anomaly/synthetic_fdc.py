"""Seeded sensor tables with known faults: a plant whose channels move in groups through a recipe.

Normal: channels of a group share an AR(1) factor through a fixed mixing matrix; set points step through a
recipe cycle and each channel follows with a lag of its own; each has its own noise, offset and unit. All
files of one plant are independent draws of one law (each starts at a random point of the cycle), so normal
files are exchangeable unless a drift is asked for.

Letters: T rows, C channels, F factors. Amounts are in standard deviations of the channel when normal, "sd".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from nightforge.anomaly.synthetic_parts import (
    Floats,
    child,
    randomness,
    recursion,
    stationary_steps,
    write_table,
    write_truth,
)
from nightforge.core.errors import InputError

QUANTITIES = ("temperature", "pressure", "flow", "current", "voltage", "level", "speed", "torque")
# kind -> magnitudes, easy last, at which a lagged PCA reaches an AUROC between about .8 and .97
# (tests/anomaly/test_synthetic_fdc.py). Units: sd; gain: share of the deviation added; decoupling: share of
# the group's movement (as an amplitude) that the channel replaces by its own; stuck: has none.
LEVELS: dict[str, tuple[float, ...]] = {
    "step": (0.8, 1.0, 1.2),
    "ramp": (2.5, 3.5, 5.0),
    "stuck": (1.0,),
    "noise": (0.7, 0.8, 1.0),
    "spike": (2.5, 3.5, 5.0),
    "decoupling": (1.0,),
    "gain": (0.7, 1.0, 1.4),
}
KINDS = tuple(LEVELS)
SPIKE_ROWS = 8  # one spike among so many rows
REJOIN_ROWS = 20  # over so many rows, the last of its fault, a decoupled channel returns to its group
_DWELL_ROWS = (50, 110)  # how long a set point is held
_SET_POINTS = 5
_MODE_ROWS = 1000  # how long a load mode is held on average


@dataclass(frozen=True)
class Fault:
    """Something wrong with one channel in rows [first, end). magnitude: see LEVELS."""

    kind: str
    channel: int
    first: int
    end: int
    magnitude: float


@dataclass(frozen=True)
class Plant:
    """What all files of one seed have in common."""

    seed: SeedSequence
    names: tuple[str, ...]
    mixing: Floats  # (C, F), sd; a channel has an entry for the factor of its group only
    factor: Floats  # (F,), AR(1) coefficients
    levels: Floats  # (R,), set point of each row of one recipe cycle
    lag: Floats  # (C,), AR(1) coefficient with which a channel follows the set point
    recipe: Floats  # (C,), sd
    level_mean: Floats  # (C,), of the lagged set point
    level_sd: Floats  # (C,)
    noise: Floats  # (C,), sd
    offset: Floats  # (C,), in the channel's unit
    unit: Floats  # (C,), one sd in the channel's unit
    drift: float  # sd per 1,000 rows, the same in every file
    mode: Floats  # (C,), sd by which the second load mode differs; zeros: one mode only


def make_plant(channels: int, seed: int, *, drift: float = 0.0, modes: int = 1) -> Plant:
    """Return the plant of `seed`. modes: 1, or 2 normal load modes."""
    if channels < 1:
        raise InputError(f"the generator needs at least one channel, not {channels}")
    root = SeedSequence(seed)
    rng = randomness(root, 0)
    factors = max(1, channels // 4)
    owner = np.arange(channels) * factors // channels  # (C,), the group of a channel
    mixing = np.where(owner[:, None] == np.arange(factors), _signed(rng, (channels, factors), 0.5, 1.0), 0.0)
    recipe = _signed(rng, (channels,), 0.2, 0.4)
    noise = rng.uniform(0.35, 0.4, channels)
    mixing *= (np.sqrt(1.0 - recipe**2 - noise**2) / np.sqrt((mixing**2).sum(axis=1)))[:, None]
    levels = np.concatenate(
        [np.full(rng.integers(*_DWELL_ROWS), rng.uniform(-1.0, 1.0)) for _ in range(_SET_POINTS)]
    )
    lag = np.exp(-1.0 / rng.uniform(3.0, 8.0, channels))
    settled = np.stack([_follow(np.tile(levels, 3), a)[-len(levels) :] for a in lag], axis=1)
    unit = 10.0 ** rng.uniform(-1.5, 2.5, channels)
    return Plant(
        seed=root,
        names=tuple(f"{QUANTITIES[c % 8]}_{c // 8 + 1}" for c in range(channels)),
        mixing=mixing,
        factor=rng.uniform(0.9, 0.96, factors),
        levels=levels,
        lag=lag,
        recipe=recipe,
        level_mean=settled.mean(axis=0),
        level_sd=settled.std(axis=0),
        noise=noise,
        offset=unit * rng.uniform(-20.0, 20.0, channels),
        unit=unit,
        drift=drift,
        mode=_signed(rng, (channels,), 1.0, 2.0) * (modes > 1),
    )


def _signed(rng: Generator, shape: tuple[int, ...], low: float, high: float) -> Floats:
    return np.asarray(rng.uniform(low, high, shape) * rng.choice([-1.0, 1.0], shape))


def _follow(level: Floats, lag: float) -> Floats:
    """Return a first-order lag's answer to a level, settled at the first row. (T,)"""
    inputs = (1.0 - lag) * level
    inputs[0] = level[0]
    return recursion(inputs, lag)


def record(plant: Plant, rows: int, number: int, faults: Sequence[Fault] = ()) -> NDArray[np.float32]:
    """Return file `number` of the plant, with faults if any. (T, C) float32 in the channels' units.

    The same number gives the same normal rows with and without faults.
    """
    seed = child(plant.seed, 1, number)
    rng, channels = randomness(seed, 0), len(plant.names)
    steps = np.stack(
        [stationary_steps(randomness(seed, 1, f), rows, a) for f, a in enumerate(plant.factor)], axis=1
    )
    factors = np.stack([recursion(steps[:, f], a) for f, a in enumerate(plant.factor)], axis=1)
    values = (
        factors @ plant.mixing.T + _recipe(plant, rows, rng) + _load(plant, rows, rng)[:, None] * plant.mode
    )
    values += plant.drift * np.arange(rows)[:, None] / 1000.0
    for c in range(channels):
        values[:, c] += plant.noise[c] * randomness(seed, 2, c).standard_normal(rows)
    for k, fault in enumerate(faults):
        _check(plant, rows, fault)
        _apply(plant, values, steps, fault, randomness(seed, 3, k))
    return np.asarray(plant.offset + plant.unit * values, dtype=np.float32)


def _recipe(plant: Plant, rows: int, rng: Generator) -> Floats:
    cycle = len(plant.levels)
    start = int(rng.integers(cycle))
    level = plant.levels[(start + np.arange(cycle + rows)) % cycle]  # one cycle to settle in
    lagged = np.stack([_follow(level, a)[cycle:] for a in plant.lag], axis=1)
    return np.asarray(plant.recipe * (lagged - plant.level_mean) / plant.level_sd)


def _load(plant: Plant, rows: int, rng: Generator) -> Floats:
    """Return the load mode of each row, 0 or 1 with a lag between them. (T,)"""
    if not plant.mode.any():
        return np.zeros(rows)
    switched = np.cumsum(rng.random(rows) < 1.0 / _MODE_ROWS) + rng.integers(2)
    return _follow(np.asarray(switched % 2, dtype=np.float64), 0.8)


def _check(plant: Plant, rows: int, fault: Fault) -> None:
    if fault.kind not in KINDS:
        raise InputError(f"no fault kind {fault.kind!r}; there are {', '.join(KINDS)}")
    if not (0 <= fault.channel < len(plant.names) and 0 <= fault.first < fault.end <= rows):
        raise InputError(f"{fault} is outside of {rows} rows and {len(plant.names)} channels")
    if fault.kind == "decoupling" and not has_company(plant, fault.channel):
        raise InputError(f"channel {fault.channel} is alone in its group, so it cannot be decoupled from it")


def has_company(plant: Plant, channel: int) -> bool:
    """Tell whether another channel shares a factor with this one."""
    shared = (plant.mixing[:, plant.mixing[channel] != 0.0] != 0.0).any(axis=1)
    return int(shared.sum()) > 1


def _apply(plant: Plant, values: Floats, steps: Floats, fault: Fault, rng: Generator) -> None:
    """Change rows of `values` (T, C; sd) as the fault says. steps: (T, F), of the factors."""
    part, size = values[fault.first : fault.end, fault.channel], fault.end - fault.first
    if fault.kind == "step":
        part += fault.magnitude
    elif fault.kind == "ramp":
        part += fault.magnitude * np.arange(1, size + 1) / size
    elif fault.kind == "stuck":
        part[:] = part[0]
    elif fault.kind == "noise":
        part += fault.magnitude * rng.standard_normal(size)
    elif fault.kind == "spike":
        hit = rng.random(size) < 1.0 / SPIKE_ROWS
        part += np.where(hit, fault.magnitude * rng.choice([-1.0, 1.0], size), 0.0)
    elif fault.kind == "gain":
        part *= 1.0 + fault.magnitude
    else:
        part += _own_way(plant, steps, fault, rng)


def _own_way(plant: Plant, steps: Floats, fault: Fault, rng: Generator) -> Floats:
    """Return what a channel that leaves its group adds to itself: its factors go on from where they are, with
    steps of the same size that are (partly) its own. So its distribution and its course stay those of a
    normal channel, and only the relation to the others is lost. (rows of the fault,)
    """
    size, own = fault.end - fault.first, fault.magnitude
    total = np.zeros(size)
    for f in np.flatnonzero(plant.mixing[fault.channel]):
        given = steps[fault.first : fault.end, f]
        new = rng.standard_normal(size) * np.sqrt(1.0 - plant.factor[f] ** 2)
        changed = (np.sqrt(1.0 - own**2) - 1.0) * given + own * new
        total += plant.mixing[fault.channel, f] * recursion(changed, plant.factor[f])
    if fault.end < len(steps):
        back = min(REJOIN_ROWS, size // 4)
        total[size - back :] *= np.linspace(1.0, 0.0, back + 1)[1:]
    return total


def labels(rows: int, faults: Sequence[Fault]) -> NDArray[np.bool_]:
    """Return which rows are inside a fault. (T,)"""
    out = np.zeros(rows, dtype=np.bool_)
    for fault in faults:
        out[fault.first : fault.end] = True
    return out


def random_fault(plant: Plant, kind: str, rows: int, number: int, level: int = -1) -> Fault:
    """Return a fault of a kind at a random channel, from a random row of the second quarter on, lasting a
    third of the file. level: which of LEVELS[kind], the easiest by default.
    """
    rng = randomness(plant.seed, 2, number, KINDS.index(kind))
    able = [c for c in range(len(plant.names)) if kind != "decoupling" or has_company(plant, c)]
    if not able:
        raise InputError(f"no channel of {len(plant.names)} can be decoupled: each is alone in its group")
    first = int(rng.integers(rows // 4, rows // 2 + 1))
    return Fault(
        kind, int(rng.choice(able)), first, min(rows, first + max(1, rows // 3)), LEVELS[kind][level]
    )


def write_files(folder: Path, *, channels: int, rows: int, seed: int, files: int) -> None:
    """Write train/ (`files` normal files), test/ (a normal file, one per kind of fault, and one whose data is
    damaged but usable) and truth.json. Test files have a quarter of the rows, 200 at least if `rows` allows.
    """
    import pandas as pd

    from nightforge.anomaly.synthetic_defects import SENSOR_DAMAGE, damage

    plant = make_plant(channels, seed)
    told: dict[str, dict[str, object]] = {}

    def write(name: str, number: int, count: int, faults: list[Fault], defects: tuple[str, ...]) -> None:
        start = pd.Timestamp("2026-01-01") + pd.Timedelta(days=number)
        times = pd.date_range(start, periods=count, freq="1s").strftime("%Y-%m-%d %H:%M:%S")
        frame = pd.DataFrame(record(plant, count, number, faults), columns=list(plant.names))
        frame.insert(0, "timestamp", times)
        frame, found = damage(frame, defects, child(plant.seed, 3, number))
        write_table(folder / name, frame)
        shown = [{**asdict(f), "channel": plant.names[f.channel]} for f in faults]
        told[name] = {"rows": len(frame), "faults": shown, "defects": found}

    for number in range(files):
        write(f"train/normal_{number:03d}.csv", number, rows, [], ())
    short = max(rows // 4, min(rows, 200))
    write("test/normal_000.csv", files, short, [], ())
    kinds = [k for k in KINDS if k != "decoupling" or has_company(plant, 0)]
    for place, kind in enumerate(kinds, files + 1):
        write(f"test/{kind}_000.csv", place, short, [random_fault(plant, kind, short, place)], ())
    write("test/damaged_000.csv", files + len(kinds) + 1, short, [], SENSOR_DAMAGE)
    write_truth(folder, "synthetic_fdc", seed, channels=list(plant.names), step_s=1.0, files=told)
