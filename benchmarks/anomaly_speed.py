"""Speed: scalograms beside PyWavelets' plain transform, windows scored per second, cost by number of rows."""

import os
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from anomaly_data import segment
from anomaly_frame import Recipe, Results, table

from nightforge.anomaly import synthetic_fdc as fdc
from nightforge.anomaly import synthetic_vib as vib
from nightforge.anomaly.calibrated import cut_of
from nightforge.anomaly.detectors import Detectors
from nightforge.anomaly.patchtst import untrained_encoder
from nightforge.anomaly.profiles import fit_profile
from nightforge.anomaly.scalogram import Scalogram
from nightforge.anomaly.views import View

FS_HZ, SECONDS = 2000.0, 2.0
# the original's transform: real Morlet, 96 evenly spaced frequencies from 0.5 to 1000 Hz
ORIGINAL_HZ = np.linspace(0.5, 1000.0, 96)
CHANNELS, FIT_ROWS = 8, 4000


def _best(work: Callable[[], object], times: int) -> float:
    """Return the shortest of several runs, CPU seconds of this process."""
    taken = []
    for _ in range(times):
        began = time.process_time()
        work()
        taken.append(time.process_time() - began)
    return min(taken)


def scalogram_section(recipe: Recipe, rows: int, results: Results) -> None:
    """Time one 3-axis window of 2 s at 2 kHz on one core, ours and PyWavelets'."""
    import pywt

    samples = round(FS_HZ * SECONDS)
    window = vib.record(vib.make_machine(FS_HZ, 0), samples, 0)[None]
    ours = Scalogram(recipe["vibration"].swinmae, FS_HZ, samples)
    ours.images(window)  # tables are made once
    scales = pywt.central_frequency("morl") * FS_HZ / ORIGINAL_HZ

    def plain() -> None:
        for axis in range(3):
            pywt.cwt(window[0, :, axis], scales, "morl", sampling_period=1.0 / FS_HZ)

    mine_s, plain_s = _best(partial(ours.images, window), 50), _best(plain, 3)
    print("\n## Scalogram of one 3-axis window of 2 s at 2 kHz, one core\n")
    backend = recipe["vibration"].swinmae.cwt.backend
    table(
        ["transform", "ms"],
        [[f"ours, {backend}", f"{1e3 * mine_s:.2f}"], ["PyWavelets cwt", f"{1e3 * plain_s:.1f}"]],
    )
    results.add(f"scalogram ({backend})", f"{1e3 * mine_s:.2f} ms", "at most 5 ms", mine_s <= 5e-3)
    results.add(
        "scalogram, PyWavelets' cwt over ours",
        f"{plain_s / mine_s:.0f}x",
        "at least 20x",
        plain_s >= 20 * mine_s,
    )


def scoring_section(recipe: Recipe, rows: int, results: Results) -> None:
    """Time the default detector on ever longer tables. The weights of a network do not change its speed."""
    torch.set_num_threads(min(2, os.cpu_count() or 1))
    config = recipe["generator"]
    plant = fdc.make_plant(CHANNELS, 0)
    train = fdc.record(plant, FIT_ROWS, 0)
    profile = fit_profile(
        "patchtst", plant.names, [train], config.patchtst.data.normalization, (1.0, 1.0)
    ).profile
    name = config.anomaly.patchtst_detector
    view = View(profile, cut_of(config, profile.stream, profile))
    encoder = untrained_encoder(config, profile, 0)
    detectors = Detectors.fit([segment("train", train)], view, encoder, config.anomaly.seed)
    lengths = [count for count in (10_000, 100_000, 1_000_000, 10_000_000) if count <= rows] or [rows]
    block = fdc.record(plant, 10_000, 1)
    every = f"windows of {view.cut.rows} rows every {view.cut.stride}"
    print(f"\n## Scoring with {name}, {CHANNELS} channels, {every}\n")
    shown, rates = [], []
    for count in lengths:
        part = segment("long", np.tile(block, (-(-count // len(block)), 1))[:count])
        began, began_cpu = time.perf_counter(), time.process_time()
        windows = len(detectors.score(part, [name])[name])
        taken, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        rates.append(windows / cpu)
        told = (f"{windows:,}", f"{taken:.1f}", f"{cpu:.1f}", f"{rates[-1]:.0f}", f"{1e6 * cpu / count:.0f}")
        shown.append([f"{count:,}", *told])
    head = ["rows", "windows", "seconds", "CPU seconds", "windows per CPU second", "CPU microseconds per row"]
    table(head, shown)
    results.add(
        f"scoring ({name}), windows per CPU second", f"{min(rates):.0f}", "at least 500/s", min(rates) >= 500
    )
    growth = rates[0] / rates[-1]
    results.add(
        f"scoring, cost per row at {lengths[-1]:,} rows over that at {lengths[0]:,}",
        f"{growth:.2f}",
        "linear: at most 1.5; up to 10 million rows with --rows 10000000",
        growth <= 1.5,
    )
