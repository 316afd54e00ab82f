"""Which trained network a stream has, and loading it; torch is imported only here, and only when asked."""

from __future__ import annotations

from pathlib import Path

from nightforge.anomaly.detectors import NEURAL, TRAINED_BY, Encoder, needs_network
from nightforge.anomaly.prepared import Prepared
from nightforge.core import versions
from nightforge.core.errors import InputError
from nightforge.core.reporting import Report


def load_network(folder: Path, stream: str) -> Encoder:
    """Load a trained network strictly, its files checked against the manifest."""
    if stream == "patchtst":
        from nightforge.anomaly.patchtst import load_encoder as load_patchtst

        return load_patchtst(folder)
    from nightforge.anomaly.swin import load_encoder as load_swin

    return load_swin(folder)


def newest_network(models: Path, stream: str) -> Path | None:
    """Return the folder of the newest complete network of a stream, or None."""
    prefix = versions.MODEL_PREFIX[stream]
    version = versions.latest(models, prefix)
    return None if version is None else versions.adapter_dir(models, version, prefix)


def network_for(models: Path, prepared: Prepared, detector: str, report: Report) -> Encoder | None:
    """Return the newest network, which must have been trained on this prepared data.

    Without one, detectors that need none go on alone, and that is said; the others are an InputError.
    """
    stream = prepared.stream
    again = f"python scripts/{TRAINED_BY[stream]}"
    folder = newest_network(models, stream)
    problem = f"no {NEURAL[stream]} model is trained"
    if folder is not None:
        if versions.read_manifest(folder).get("data_hash") == prepared.hash:
            return load_network(folder, stream)
        problem = f"{folder.name} was trained on other rows than those prepared now"
    if needs_network(detector):
        raise InputError(f"{stream}: {problem}, and the detector {detector!r} needs one", next_command=again)
    report.message(f"{stream}: {problem}; only the detectors that need none are used")
    return None


def network_of(models: Path, calibration: Path, stream: str, newest_only: bool) -> Encoder | None:
    """Load the network that a calibration was made with; None when it was made without one.

    newest_only: a network trained since is an InputError, because its thresholds are not these.
    """
    name = versions.read_manifest(calibration).get("network_folder")
    if name is None:
        return None
    newest = newest_network(models, stream)
    if newest_only and newest is not None and newest.name != name:
        raise InputError(
            f"{calibration.name} holds the thresholds of another model: {name}; the newest is {newest.name}",
            next_command="python scripts/24_calibrate_thresholds.py",
        )
    if not (models / name).is_dir():
        raise InputError(
            f"{models / name} is missing, with which {calibration.name} was made",
            next_command="python scripts/24_calibrate_thresholds.py",
        )
    return load_network(models / name, stream)
