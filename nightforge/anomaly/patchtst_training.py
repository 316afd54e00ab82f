"""Stage 22: train PatchTST on the normal rows that stage 21 prepared, and keep it as the next version.

Windows begin at every row of a training segment. Checkpoints live outside the run, keyed by data and
settings, so any later start finds them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from nightforge.anomaly.masks import random_masks
from nightforge.anomaly.model_folder import Identity, identify, node, refuse_repetition
from nightforge.anomaly.patchtst import (
    STREAM,
    PatchTstEncoder,
    Recipe,
    active_channels,
    build,
    freeze,
    patches_of,
    save,
)
from nightforge.anomaly.prepared import Prepared, open_prepared
from nightforge.anomaly.recording import STREAMS, Profile, Segment, scaled
from nightforge.anomaly.trained_model import put_away
from nightforge.config import Config
from nightforge.config.anomaly import PatchTst
from nightforge.core.errors import InputError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.ml.self_supervised import Batch, Plan, Task, fit

_JUDGED = 1024  # validation windows at most, spread evenly: they are judged many times
_PREPARE = "python scripts/21_check_sensor_data.py"


class SensorWindows:
    """Every window of some segments, by number; only the rows are kept. Scaled, active channels only."""

    def __init__(self, segments: Sequence[Segment], profile: Profile, recipe: Recipe) -> None:
        self.rows = recipe.patchtst.data.seq_len
        active = active_channels(profile)
        fitting = [segment.values for segment in segments if len(segment.values) >= self.rows]
        self._values = [scaled(profile, values, recipe.clip)[:, active] for values in fitting]
        self._ends = np.cumsum([len(values) - self.rows + 1 for values in fitting], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, index: int) -> Batch:
        return {"past_values": self.__getitems__([index])["past_values"][0]}

    def __getitems__(self, indices: list[int]) -> Batch:
        return {"past_values": torch.from_numpy(np.stack([self._window(index) for index in indices]))}

    def _window(self, index: int) -> NDArray[np.float32]:
        which = int(np.searchsorted(self._ends, index, side="right"))
        first = index - (int(self._ends[which - 1]) if which else 0)
        return self._values[which][first : first + self.rows]


class Spread:
    """At most `count` of some windows, evenly spread."""

    def __init__(self, windows: SensorWindows, count: int) -> None:
        self._windows = windows
        self._chosen = np.unique(np.linspace(0, len(windows) - 1, count).round().astype(np.int64)).tolist()

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> Batch:
        return self._windows[self._chosen[index]]

    def __getitems__(self, indices: list[int]) -> Batch:
        return self._windows.__getitems__([self._chosen[index] for index in indices])


class Hide:
    """Hides patches of a batch at random."""

    def __init__(self, settings: PatchTst) -> None:
        self._patches, self._ratio = patches_of(settings), settings.model.mask_ratio

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        count, _, channels = batch["past_values"].shape
        return {**batch, "hidden": random_masks((count, channels, self._patches), self._ratio, generator)}


def train(
    config: Config,
    project: Project,
    report: Report,
    should_stop: Callable[[], bool],
    *,
    force: bool = False,
    run_id: str | None = None,
) -> dict[str, Any]:
    """Train and save `models/patchtst-vN`; returns version, folder, steps, losses and seconds.

    Raises NothingNewError when data and settings are those of the newest model (unless `force`), InputError
    when the training or the validation part holds no window, StoppedError after saving a checkpoint.
    """
    report.phase("1", "prepared sensor tables")
    prepared = open_prepared(project.anomaly_data / STREAMS[STREAM] / "train")
    recipe = Recipe.of(config)
    identity = _identify(prepared, recipe)
    if not force:
        refuse_repetition(project.models, STREAM, identity)
    with node(report, STREAM, "training on sensor tables"):
        windows, judged = _windows(prepared, recipe)
        report.metric(windows=len(windows), val_windows=len(judged), channels=len(prepared.profile.channels))
        if should_stop():
            raise StoppedError(
                "stopped before the first step", next_command="python launch_pipeline.py --resume"
            )
        report.phase("2", "training loop")
        model = build(recipe.patchtst, len(active_channels(prepared.profile)), recipe.patchtst.seed)
        work_dir = project.models / ".work" / f"{STREAM}-{identity.data_hash[:16]}-{identity.config_hash}"
        plan = Plan.on(recipe.patchtst, work_dir, vars(identity))
        trained = fit(Task(model, windows, judged, Hide(recipe.patchtst)), plan, report, should_stop)
        report.phase("3", "save the model")
        report.watch("save")
        encoder = freeze(model, recipe, prepared.profile)
        result = put_away(project, encoder, partial(save, encoder), trained, identity, run_id)
    shutil.rmtree(work_dir)
    report.metric(**result)
    return result


def train_on(
    segments: Sequence[Segment], profile: Profile, recipe: Recipe, seed: int, work_dir: Path, report: Report
) -> PatchTstEncoder:
    """Train on segments in memory, without a validation part, and return the encoder: for benchmarks.

    Raises InputError when no segment is as long as a window.
    """
    settings = msgspec.structs.replace(recipe.patchtst, seed=seed)
    recipe = msgspec.structs.replace(recipe, patchtst=settings)
    windows = SensorWindows(segments, profile, recipe)
    model = build(settings, len(active_channels(profile)), seed)
    facts = {"profile": profile.hash, "seed": seed}
    fit(Task(model, windows, None, Hide(settings)), Plan.on(settings, work_dir, facts), report, lambda: False)
    return freeze(model, recipe, profile)


def _identify(prepared: Prepared, recipe: Recipe) -> Identity:
    seen = {"seq_len": recipe.patchtst.data.seq_len, "clip": recipe.clip}
    return identify(prepared.hash, recipe.patchtst, **seen)


def _windows(prepared: Prepared, recipe: Recipe) -> tuple[SensorWindows, Spread]:
    """Return the windows to train on and those to judge by; an empty part is refused with its numbers."""
    found = {}
    for part, setting in (("train", "train_ratio"), ("val", "val_ratio")):
        segments = prepared.segments(part)
        found[part] = SensorWindows(segments, prepared.profile, recipe)
        if not len(found[part]):
            data = recipe.patchtst.data
            longest = max((len(segment.values) for segment in segments), default=0)
            raise InputError(
                f"the {part} part of the sensor tables holds no window of {data.seq_len} rows: its "
                f"{len(segments)} pieces without a gap have {longest} rows at most; raise "
                f"patchtst.data.{setting} (now {getattr(data, setting):g}), lower patchtst.data.seq_len, or "
                "bring longer files",
                next_command=_PREPARE,
            )
    return found["train"], Spread(found["val"], _JUDGED)
