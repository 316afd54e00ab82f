"""Time of one 3-axis vibration window of 2 s at 2 kHz as an image: ours, and PyWavelets at the settings of
the original project, side by side in one process.

By hand  OMP_NUM_THREADS=1 python benchmarks/scalogram.py            (about a minute; needs PyWavelets)

Processor time of this process, so that other work on the machine counts as little as possible; the quickest
of several repetitions for both. The original: real Morlet `morl`, 96 linearly spaced frequencies from 0.5 to
1000 Hz, `pywt.cwt` per axis as it comes (facts 1.3); its resizing to 224 pixels is left out.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy is imported: one core for both
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import pywt

from nightforge.anomaly.scalogram import Scalogram
from nightforge.config.anomaly import Image, SwinMae, Transform

FS_HZ = 2000.0
ROWS = 4000
GOAL_MS = 5.0
GOAL_TIMES = 20.0


def quickest_ms(work: Callable[[], object], repeats: int) -> float:
    """Return the least processor time of `work`, milliseconds, after one call that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times) * 1e3


def measure(repeats: int = 5) -> dict[str, float]:
    """Return milliseconds per window: `stft` and `morlet` with the default image, `stft_64`, `stft_224`, ...
    with more pixels, `pywt`.
    """
    window = np.random.default_rng(0).normal(size=(1, ROWS, 3)).astype(np.float32)
    found = {}
    for backend in ("stft", "morlet"):
        for size in (Image().size, 64, 224):
            settings = SwinMae(cwt=Transform(backend=backend, n_freqs=max(64, size)), image=Image(size=size))
            transform = Scalogram(settings, FS_HZ, ROWS)
            name = backend if size == Image().size else f"{backend}_{size}"
            found[name] = quickest_ms(lambda made=transform: made.images(window), 10 * repeats)
    frequencies = np.linspace(0.5, 1000.0, 96)
    scales = pywt.central_frequency("morl") * FS_HZ / frequencies
    found["pywt"] = quickest_ms(
        lambda: [np.abs(pywt.cwt(window[0, :, axis], scales, "morl")[0]) for axis in range(3)], repeats
    )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    found = measure(parser.parse_args().repeats)
    print("| transform | ms per window | times PyWavelets |\n|---|---|---|")
    for name, ms in found.items():
        print(f"| {name} | {ms:.2f} | {found['pywt'] / ms:.1f} |")
    reached = all(
        found[name] <= GOAL_MS and found["pywt"] / found[name] >= GOAL_TIMES for name in ("stft", "morlet")
    )
    print(f"goal {GOAL_MS:g} ms and {GOAL_TIMES:g} times: {'reached' if reached else 'missed'}")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
