"""Small vibration data for tests: a profile, segments of noise and tones, settings of a tiny network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.recording import Profile, Segment
from nightforge.config.anomaly import (
    Image,
    SwinMae,
    Transform,
    VibrationData,
    VibrationModel,
    VibrationTraining,
)

FS = 400.0
ROWS = 100  # of a window
PROFILE = Profile(
    stream="swinmae", channels=("x", "y", "z"), center=(0.0, 0.0, 9.8), scale=(1.0, 1.0, 1.0),
    fill=(0.0, 0.0, 9.8), minimum=(-4.0, -4.0, 5.0), maximum=(4.0, 4.0, 15.0), fs_hz=FS,
)  # fmt: skip


def settings(seed: int = 4, **training: Any) -> SwinMae:
    steps = {"max_steps": 12, "batch_size": 8, "eval_steps": 4, "save_steps": 4, "warmup_steps": 2}
    return SwinMae(
        seed=seed,
        data=VibrationData(fs=FS, win_sec=ROWS / FS, win_stride_sec=ROWS / FS / 2),
        cwt=Transform(n_freqs=32),
        image=Image(size=32),
        model=VibrationModel(embed_dim=8, num_heads=(1, 2), depths=(1, 1)),
        training=VibrationTraining(**{"epochs": 40, "lr": 2e-3, **steps, **training}),
    )


def signal(samples: int, seed: int = 0) -> NDArray[np.float32]:
    """Return a wandering tone in noise, another strength on each axis. (samples, 3)"""
    rng = np.random.default_rng(seed)
    phase = 2 * np.pi * np.cumsum(40 + rng.normal(scale=2.0, size=samples)) / FS
    tone = np.stack([np.sin(phase), 0.5 * np.cos(phase), 0.2 * np.sin(2 * phase)], axis=1)
    return np.asarray(tone + 0.3 * rng.normal(size=(samples, 3)) + (0.0, 0.0, 9.8), dtype=np.float32)


def segment(samples: int, seed: int = 0) -> Segment:
    return Segment(f"{seed}.csv", 0, signal(samples, seed), np.ones((samples, 3), bool))


def windows(count: int, seed: int = 0) -> NDArray[np.float32]:
    return np.stack([signal(ROWS, 100 * seed + number) for number in range(count)])
