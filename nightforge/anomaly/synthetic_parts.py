"""What both generators share: seeds that depend on their place only, slow random signals, files and truth.

Letters: T rows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator, SeedSequence
from numpy.typing import NDArray

from nightforge.core.atomic import write_bytes, write_json

if TYPE_CHECKING:
    import pandas as pd

VERSION = 1  # of both generators; goes up with any change of what a seed gives
Floats = NDArray[np.float64]


def child(seed: SeedSequence, *place: int) -> SeedSequence:
    """Return the seed at `place` below `seed`, the same however often and in whatever order it is asked for
    (SeedSequence.spawn counts its calls).
    """
    return SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *place))


def randomness(seed: SeedSequence, *place: int) -> Generator:
    """Return the random generator at `place` below `seed`."""
    return np.random.Generator(np.random.PCG64(child(seed, *place)))


def recursion(inputs: Floats, factor: float) -> Floats:
    """Return y with y[t] = factor * y[t - 1] + inputs[t], y[-1] = 0. (T,), 0 <= factor < 1.

    Doubling: after k passes every y[t] holds its last 2**k inputs; the rest is below a double's last digit.
    """
    out: Floats = inputs.copy()
    shift, weight = 1, factor
    while shift < len(out) and weight > 1e-17:
        out[shift:] = out[shift:] + weight * out[:-shift]
        shift, weight = 2 * shift, weight * weight
    return out


def slow_noise(rng: Generator, rows: int, factor: float) -> Floats:
    """Return a stationary AR(1) of standard deviation 1. (T,)"""
    return recursion(stationary_steps(rng, rows, factor), factor)


def stationary_steps(rng: Generator, rows: int, factor: float) -> Floats:
    """Return the steps that `recursion` makes a stationary AR(1) of standard deviation 1 of. (T,)"""
    steps: Floats = rng.standard_normal(rows) * np.sqrt(1.0 - factor**2)
    steps[0] /= np.sqrt(1.0 - factor**2)
    return steps


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a table as CSV with as many digits as its numbers need, LF line ends."""
    write_bytes(path, frame.to_csv(index=False, lineterminator="\n").encode(), False)


def write_truth(folder: Path, generator: str, seed: int, **content: Any) -> None:
    """Write truth.json beside the files: what made them and what is wrong in each. Written last."""
    write_json(folder / "truth.json", {"generator": generator, "version": VERSION, "seed": seed, **content})
