"""Seeded vibration of a machine with a shaft, a rolling bearing and a gear, three axes, with known faults.

Normal: shaft orders 1 to 3 with a slowly wandering speed, the gear's mesh tone, load that scales and slowly
modulates them, broadband noise, a fixed 3x3 mixing to the axes and gravity as an offset. Bearing faults are
trains of impulses at BPFO = n/2 f (1 - d/D cos phi) or BPFI = n/2 f (1 + d/D cos phi) with 1 % slip, each
ringing a decaying resonance (Randall and Antoni, Mechanical Systems and Signal Processing 25, 2011); at low
strength they leave the root mean square of a file inside its normal scatter.

Letters: T samples. Sources (T, 3): horizontal, vertical, axial, before the mixing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from nightforge.anomaly.synthetic_parts import Floats, child, randomness, slow_noise, write_table, write_truth
from nightforge.core.errors import InputError

AXES = ("x", "y", "z")
# kind -> strengths, easy last: root mean square of what is added over that of the normal sources at the same
# load; gain: share by which everything grows.
LEVELS: dict[str, tuple[float, ...]] = {
    "bearing_outer": (0.15, 0.2, 0.3),
    "bearing_inner": (0.15, 0.2, 0.3),
    "gear": (0.15, 0.2, 0.3),
    "unbalance": (0.3, 0.6, 1.0),
    "misalignment": (0.2, 0.4, 0.6),
    "looseness": (0.05, 0.1, 0.15),
    "gain": (0.3, 0.5, 0.8),
}
KINDS = tuple(LEVELS)
LOADS = (0.4, 1.0)  # a recording's load is drawn evenly from here
FILE_S = 4.0  # length of a written file
_SCATTER = (
    0.15  # by which amplitudes differ from recording to recording (mounting, temperature): no law of load
)
_SLIP = 0.01  # standard deviation of the time from one impulse to the next, as a share
_DIRECTIONS: dict[str, Floats] = {  # how strongly a fault acts on the three sources
    "bearing_outer": np.array([0.5, 1.0, 0.2]),
    "bearing_inner": np.array([1.0, 0.7, 0.2]),
    "gear": np.array([0.7, 0.7, 0.7]),
    "unbalance": np.array([1.0, 1.0, 0.1]),
    "misalignment": np.array([0.4, 0.4, 1.0]),
    "looseness": np.array([0.3, 1.0, 0.2]),
}


@dataclass(frozen=True)
class Fault:
    """Something wrong with the machine in samples [first, end). magnitude: see LEVELS."""

    kind: str
    magnitude: float
    first: int = 0
    end: int | None = None  # None: until the end of the file


@dataclass(frozen=True)
class Machine:
    """What all recordings of one seed have in common. Frequencies in Hz."""

    seed: SeedSequence
    fs_hz: float
    shaft_hz: float  # at medium load
    orders: Floats  # (3 orders, 3 sources), amplitudes
    phases: Floats  # (3, 3), radians
    teeth: int
    mesh: Floats  # (3,), amplitudes of the mesh tone
    noise: float
    mixing: Floats  # (3 axes, 3 sources)
    gravity: Floats  # (3,)
    balls: int
    ball_over_pitch: float  # d / D
    contact_rad: float
    resonance_hz: float
    damping: float  # of critical

    @property
    def bpfo_hz(self) -> float:
        """Return how often per second a ball passes a defect of the outer ring, at medium load."""
        return self.shaft_hz * self.balls / 2 * (1 - self.ball_over_pitch * math.cos(self.contact_rad))

    @property
    def bpfi_hz(self) -> float:
        """Return how often per second a ball passes a defect of the inner ring, at medium load."""
        return self.shaft_hz * self.balls / 2 * (1 + self.ball_over_pitch * math.cos(self.contact_rad))


def make_machine(fs: float, seed: int) -> Machine:
    """Return the machine of `seed`, whose frequencies suit recordings at `fs` Hz."""
    root = SeedSequence(seed)
    rng = randomness(root, 0)
    return Machine(
        seed=root,
        fs_hz=fs,
        shaft_hz=fs / 80.0 * rng.uniform(0.95, 1.05),
        orders=np.array([[1.0, 0.9, 0.2], [0.35, 0.35, 0.3], [0.15, 0.15, 0.1]])
        * rng.uniform(0.8, 1.2, (3, 3)),
        phases=rng.uniform(0.0, 2.0 * np.pi, (3, 3)),
        teeth=int(rng.integers(15, 20)),
        mesh=rng.uniform(0.3, 0.5, 3),
        noise=0.25,
        mixing=np.eye(3) + rng.uniform(-0.25, 0.25, (3, 3)),
        gravity=np.array([0.0, 0.0, 9.81]) + rng.uniform(-0.5, 0.5, 3),
        balls=int(rng.integers(7, 10)),
        ball_over_pitch=rng.uniform(0.2, 0.3),
        contact_rad=np.deg2rad(rng.uniform(0.0, 15.0)),
        resonance_hz=fs * rng.uniform(0.29, 0.33),
        damping=0.05,
    )


def draw_load(machine: Machine, number: int) -> float:
    """Return the load of recording `number`, a share of full load."""
    return float(randomness(child(machine.seed, 1, number), 0).uniform(*LOADS))


def record(
    machine: Machine, samples: int, number: int, faults: Sequence[Fault] = (), load: float | None = None
) -> NDArray[np.float32]:
    """Return recording `number` at `load` (default: its own random one). (T, 3) float32, m/s2.

    The same number gives the same normal samples with and without faults.
    """
    seed = child(machine.seed, 1, number)
    used = draw_load(machine, number) if load is None else load
    turns = _turns(machine, samples, used, randomness(seed, 1))
    normal = _normal(machine, turns, used, seed)
    rms = float(np.sqrt(np.mean(normal**2)))
    sources = normal.copy()
    for k, fault in enumerate(faults):
        if fault.kind not in KINDS:
            raise InputError(f"no fault kind {fault.kind!r}; there are {', '.join(KINDS)}")
        part = slice(fault.first, fault.end)
        sources[part] += _added(machine, fault, turns, normal, rms, randomness(seed, 3, k))[part]
    return np.asarray(sources @ machine.mixing.T + machine.gravity, dtype=np.float32)


def _turns(machine: Machine, samples: int, load: float, rng: Generator) -> Floats:
    """Return how far the shaft has turned at each sample, in turns: the speed sinks by 2 % towards full load
    and wanders by 0.5 %. (T,)
    """
    memory = np.exp(-1.0 / (0.5 * machine.fs_hz))  # half a second
    wander = 1.0 + 0.005 * slow_noise(rng, samples, memory) - 0.02 * (load - 0.7)
    return np.asarray(rng.uniform() + np.cumsum(machine.shaft_hz * wander) / machine.fs_hz)


def _normal(machine: Machine, turns: Floats, load: float, seed: SeedSequence) -> Floats:
    """Return the sources of the healthy machine. (T, 3)"""
    count = len(turns)
    memory = np.exp(-1.0 / (0.2 * machine.fs_hz))
    swing = 1.0 + 0.1 * slow_noise(randomness(seed, 2, 0), count, memory)  # load, modulating the amplitudes
    out = np.zeros((count, 3))
    scatter = np.exp(_SCATTER * randomness(seed, 2, 4).standard_normal((4, 3)))  # (orders and mesh, sources)
    for source in range(3):
        for order in range(3):
            phase = 2.0 * np.pi * (order + 1) * turns + machine.phases[order, source]
            out[:, source] += scatter[order, source] * machine.orders[order, source] * np.sin(phase)
        mesh = scatter[3, source] * machine.mesh[source] * np.sin(2.0 * np.pi * machine.teeth * turns)
        out[:, source] = swing * (out[:, source] * (0.6 + 0.4 * load) + mesh * load)
        noise = randomness(seed, 2, 1 + source).standard_normal(count)
        out[:, source] += machine.noise * (0.5 + 0.5 * load) * noise
    return out


def _added(
    machine: Machine, fault: Fault, turns: Floats, normal: Floats, rms: float, rng: Generator
) -> Floats:
    """Return what a fault adds to the sources. (T, 3)"""
    if fault.kind == "gain":
        return fault.magnitude * normal
    shape = _shape(machine, fault.kind, turns, rng)
    added = shape[:, None] * _DIRECTIONS[fault.kind]
    return np.asarray(added * (fault.magnitude * rms / np.sqrt(np.mean(added**2))))


def _shape(machine: Machine, kind: str, turns: Floats, rng: Generator) -> Floats:
    """Return a fault's waveform, of any size. (T,)"""
    angle = 2.0 * np.pi * turns
    start = rng.uniform(0.0, 2.0 * np.pi)
    if kind == "unbalance":
        return np.asarray(np.sin(angle + start))
    if kind == "misalignment":
        return np.asarray(np.sin(2.0 * angle + start) + 0.3 * np.sin(angle))
    if kind == "looseness":
        orders = (0.5, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0)
        return np.asarray(sum(np.sin(k * angle + rng.uniform(0.0, 2.0 * np.pi)) for k in orders))
    if kind == "gear":  # one worn tooth: the mesh tone bursts once a turn
        burst = np.exp(-0.5 * ((turns + start) % 1.0 - 0.5) ** 2 / 0.05**2)
        return np.asarray(burst * np.sin(machine.teeth * angle + start))
    return _bearing(machine, kind == "bearing_inner", turns, rng)


def _bearing(machine: Machine, inner: bool, turns: Floats, rng: Generator) -> Floats:
    per_turn = (machine.bpfi_hz if inner else machine.bpfo_hz) / machine.shaft_hz
    count = int((turns[-1] - turns[0]) * per_turn) + 2
    steps = (1.0 + _SLIP * rng.standard_normal(count)) / per_turn
    at = turns[0] + rng.uniform() / per_turn + np.cumsum(steps)
    hit = np.searchsorted(turns, at[at < turns[-1]])
    train = np.zeros(len(turns))
    # a defect of the inner ring turns with the shaft through the loaded side
    strength = 0.5 + 0.5 * np.cos(2.0 * np.pi * turns[hit]) if inner else np.ones(len(hit))
    np.add.at(train, hit, strength * rng.uniform(0.8, 1.2, len(hit)))
    decay = 2.0 * np.pi * machine.damping * machine.resonance_hz / machine.fs_hz  # per sample
    age = np.arange(int(np.ceil(7.0 / decay)))
    ring = np.exp(-decay * age) * np.sin(2.0 * np.pi * machine.resonance_hz / machine.fs_hz * age)
    return np.convolve(train, ring)[: len(turns)]


def write_files(folder: Path, *, fs: float, samples: int, seed: int) -> None:
    """Write train/ (normal files of 4 s each, `samples` in all), test/ (four normal files, one per kind of
    fault and one whose data is damaged but usable) and truth.json. Loads differ from file to file.
    """
    import pandas as pd

    from nightforge.anomaly.synthetic_defects import VIBRATION_DAMAGE, damage

    machine = make_machine(fs, seed)
    length = min(samples, round(FILE_S * fs))
    files = max(1, samples // length)
    told: dict[str, dict[str, object]] = {}

    def write(name: str, number: int, faults: list[Fault], defects: tuple[str, ...]) -> None:
        frame = pd.DataFrame(record(machine, length, number, faults), columns=list(AXES))
        frame.insert(0, "timestamp", [f"{k / fs:.9f}" for k in range(length)])
        frame, found = damage(frame, defects, child(machine.seed, 2, number))
        write_table(folder / name, frame)
        told[name] = {
            "rows": length,
            "fs_hz": fs,
            "load": draw_load(machine, number),
            "faults": [{**asdict(f), "end": f.end or length} for f in faults],
            "defects": found,
        }

    for number in range(files):
        write(f"train/normal_{number:03d}.csv", number, [], ())
    for number in range(4):
        write(f"test/normal_{number:03d}.csv", files + number, [], ())
    for number, kind in enumerate(KINDS, files + 4):
        write(f"test/{kind}_000.csv", number, [Fault(kind, LEVELS[kind][-1])], ())
    write("test/damaged_000.csv", files + 4 + len(KINDS), [], VIBRATION_DAMAGE)
    frequencies = {"shaft": machine.shaft_hz, "bpfo": machine.bpfo_hz, "bpfi": machine.bpfi_hz}
    mesh = machine.teeth * machine.shaft_hz
    write_truth(folder, "synthetic_vib", seed, fault_hz={**frequencies, "mesh": mesh}, files=told)
