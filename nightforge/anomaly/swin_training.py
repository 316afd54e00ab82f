"""Stage 23: train the Swin masked-image model on the normal vibration that stage 21 prepared.

Windows begin every eighth of their length. Their images are computed once and kept on disk; checkpoints live
outside the run, keyed by data and settings, so any later start finds both.
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

from nightforge.anomaly.image_cache import ImageCache, WindowImages
from nightforge.anomaly.model_folder import identify, node, refuse_repetition
from nightforge.anomaly.prepared import Prepared, open_prepared
from nightforge.anomaly.recording import STREAMS, Profile, Segment
from nightforge.anomaly.scalogram import Scalogram, Standard
from nightforge.anomaly.swin import STREAM, SwinEncoder, build, freeze, random_masks, save, transform_of
from nightforge.anomaly.trained_model import put_away
from nightforge.config import Config
from nightforge.config.anomaly import SwinMae
from nightforge.core.errors import InputError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.ml.self_supervised import Batch, Plan, Task, fit

CACHE = "cache"  # below data/anomaly/swinmae
_PER_WINDOW = 8  # windows to learn from begin within the length of one
_PREPARE = "python scripts/21_check_sensor_data.py"


class StandardImages:
    """Standardised images of windows, by number."""

    def __init__(self, images: WindowImages, standard: Standard) -> None:
        self._images, self._standard = images, standard

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Batch:
        return {"pixel_values": self.__getitems__([index])["pixel_values"][0]}

    def __getitems__(self, indices: list[int]) -> Batch:
        images = np.stack([self._images[index] for index in indices])
        return {"pixel_values": torch.from_numpy(self._standard.apply(images))}


class Hide:
    """Hides blocks of a batch of images at random."""

    def __init__(self, settings: SwinMae) -> None:
        self._settings = settings

    def __call__(self, batch: Batch, generator: torch.Generator) -> Batch:
        masks = random_masks(len(batch["pixel_values"]), self._settings, generator)
        return {**batch, "bool_masked_pos": masks.to(batch["pixel_values"].device)}


def train(
    config: Config,
    project: Project,
    report: Report,
    should_stop: Callable[[], bool],
    *,
    force: bool = False,
    run_id: str | None = None,
) -> dict[str, Any]:
    """Train and save `models/swin-mim-vN`; returns version, folder, steps, losses and seconds.

    Raises NothingNewError when data and settings are those of the newest model (unless `force`), InputError
    when the training or the validation part holds no window, StoppedError after saving a checkpoint.
    """
    report.phase("1", "prepared vibration")
    settings = config.swinmae
    prepared = open_prepared(project.anomaly_data / STREAMS[STREAM] / "train")
    identity = identify(prepared.hash, settings, win_sec=settings.data.win_sec)
    if not force:
        refuse_repetition(project.models, STREAM, identity)
    with node(report, STREAM, "training on vibration"):
        report.phase("2", "images of time and frequency")
        transform = transform_of(settings, prepared.profile)
        cache = ImageCache(project.anomaly_data / STREAM / CACHE, transform)
        train_images, judged = (_images(prepared, part, cache, settings, report) for part in ("train", "val"))
        standard = Standard.fit(train_images.by_block())
        report.metric(windows=len(train_images), val_windows=len(judged), computed_blocks=cache.computed)
        if should_stop():
            raise StoppedError(
                "stopped before the first step", next_command="python launch_pipeline.py --resume"
            )
        report.phase("3", "training loop")
        model = build(settings, len(prepared.profile.channels), settings.seed)
        work_dir = project.models / ".work" / f"{STREAM}-{identity.data_hash[:16]}-{identity.config_hash}"
        task = Task(
            model, StandardImages(train_images, standard), StandardImages(judged, standard), Hide(settings)
        )
        trained = fit(task, Plan.on(settings, work_dir, vars(identity)), report, should_stop)
        report.phase("4", "save the model")
        report.watch("save")
        encoder = freeze(model, settings, prepared.profile, standard)
        result = put_away(project, encoder, partial(save, encoder), trained, identity, run_id)
    shutil.rmtree(work_dir)
    report.metric(**result)
    return result


def train_on(
    segments: Sequence[Segment],
    profile: Profile,
    settings: SwinMae,
    seed: int,
    work_dir: Path,
    report: Report,
) -> SwinEncoder:
    """Train on segments in memory, without a validation part, and return the encoder: for benchmarks.

    Raises InputError when no segment is as long as a window.
    """
    settings = msgspec.structs.replace(settings, seed=seed)
    transform = transform_of(settings, profile)
    images = ImageCache(work_dir / CACHE, transform).images(segments, _stride(transform))
    if not len(images):
        raise InputError(f"no segment is as long as a window of {transform.rows} samples")
    standard = Standard.fit(images.by_block())
    model = build(settings, len(profile.channels), seed)
    facts = {"profile": profile.hash, "seed": seed}
    task = Task(model, StandardImages(images, standard), None, Hide(settings))
    fit(task, Plan.on(settings, work_dir, facts), report, lambda: False)
    return freeze(model, settings, profile, standard)


def _stride(transform: Scalogram) -> int:
    """Samples from one window to learn from to the next."""
    return max(1, transform.rows // _PER_WINDOW)


def _images(
    prepared: Prepared, part: str, cache: ImageCache, settings: SwinMae, report: Report
) -> WindowImages:
    """Return the images of one part; an empty part is refused with its numbers."""
    segments = prepared.segments(part)
    images = cache.images(
        segments,
        _stride(cache.transform),
        lambda done, total: report.progress(done, total, f"{part} images"),
    )
    if not len(images):
        setting = f"{part}_ratio"
        longest = max((len(segment.values) for segment in segments), default=0)
        raise InputError(
            f"the {part} part of the vibration holds no window of {settings.data.win_sec:g} s: its "
            f"{len(segments)} pieces without a gap have {longest} samples at most; raise "
            f"swinmae.data.{setting} (now {getattr(settings.data, setting):g}), lower swinmae.data.win_sec, "
            "or bring longer files",
            next_command=_PREPARE,
        )
    return images
