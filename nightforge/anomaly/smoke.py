"""Questions of stage 26 that need the models themselves: do they load, do they score twice the same?"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly import calibrated
from nightforge.anomaly.artifacts import Artifacts
from nightforge.anomaly.detectors import Encoder
from nightforge.anomaly.networks import load_network, network_of
from nightforge.anomaly.prepared import Prepared, open_prepared
from nightforge.anomaly.recording import Segment
from nightforge.anomaly.views import View
from nightforge.config import Config
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.records import read_object

_WINDOWS = 64  # scored twice, at most
_KEPT = ("data.source", "data.path", "training.lr", "training.epochs", "model.mask_ratio", "device.amp")


def load_strictly(stream: Artifacts, model: Path, detectors: Path) -> str:
    """Load network and thresholds as scoring does; returns the network's hash. Raises InputError."""
    encoder = load_network(model, stream.stream)
    manifest = stream.manifest()
    if encoder.hash != manifest.get("model_hash"):
        raise InputError(
            f"{model.name} has hash {encoder.hash}, its manifest says {manifest.get('model_hash')}"
        )
    calibrated.load(detectors, encoder.profile, _network_of(detectors, stream.stream))
    return encoder.hash


def score_twice(config: Config, stream: Artifacts, detectors: Path) -> str:
    """Score windows that no training has seen, twice, everything loaded anew in between. Raises InputError if
    there are none, a score is not a finite number, or one bit differs.
    """
    prepared = open_prepared(stream.train)
    detector = str(getattr(config.anomaly, f"{stream.stream}_detector"))
    first = _scores(prepared, stream.stream, detector, detectors)
    second = _scores(prepared, stream.stream, detector, detectors)
    if not np.isfinite(first).all():
        raise InputError(f"{detector} gives a score that is not a finite number")
    if first.tobytes() != second.tobytes():
        different = int((first != second).sum())
        raise InputError(f"{different} of {len(first)} {detector} scores differ when they are computed again")
    return f"{len(first)} held-out windows, {detector}, bit for bit"


def _network_of(detectors: Path, stream: str) -> Encoder | None:
    return network_of(detectors.parent, detectors, stream, newest_only=True)


def _scores(prepared: Prepared, stream: str, detector: str, detectors: Path) -> NDArray[np.float64]:
    calibration, _ = calibrated.load(detectors, prepared.profile, _network_of(detectors, stream))
    view = calibration.detectors.view
    held_out = _beginning(prepared.segments("test") or prepared.segments("calibrate"), view)
    return calibration.detectors.score(held_out, (detector,))[detector]


def _beginning(segments: list[Segment], view: View) -> Segment:
    """Return the first rows of the first segment that holds a window, enough for _WINDOWS."""
    rows = view.cut.rows + (_WINDOWS - 1) * view.cut.stride
    for segment in segments:
        if len(view.starts(segment)):
            times = segment.times_s[:rows] if segment.times_s is not None else None
            values, observed = segment.values[:rows], segment.observed[:rows]
            return dataclasses.replace(segment, values=values, observed=observed, times_s=times)
    raise InputError("the held-out part holds no window to score")


def check_settings(project: Project, stream: Artifacts) -> str:
    """Make sure the settings beside a model are whole, and those its run was started with."""
    kept: dict[str, Any] = stream.recipe()
    missing = [key for key in _KEPT if _at(kept, key) is None]
    if missing:
        raise InputError(f"the settings kept with the model lack {', '.join(missing)}")
    manifest = stream.manifest()
    if not manifest.get("config_hash") or not manifest.get("data_hash"):
        raise InputError("the manifest of the model names no config_hash or no data_hash")
    words = f"{len(_KEPT)} keys and config_hash {manifest['config_hash']} kept"
    run_id = manifest.get("run_id")
    started = read_object(project.run_dir(str(run_id)) / "config.json") if run_id else None
    if started is None:
        return f"{words}; trained by hand" if not run_id else f"{words}; the records of {run_id} are gone"
    if (started.get("config") or {}).get(stream.stream) != kept:
        raise InputError(f"the model's settings are not those that run {run_id} was started with")
    return f"{words}, equal to those of run {run_id}"


def _at(value: Any, key: str) -> Any:
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
