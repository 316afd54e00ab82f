"""The folder of one calibration, `models/anomaly-<stream>-vN/`: fitted detectors, their thresholds, and what
they are bound to. Written once, never edited; whatever does not match at scoring time is an error.

detectors.npz    fitted arrays, calibration scores, units of attribution, the reference of the drift test
thresholds.json  per detector alpha, n, effective n, warn, anomaly, held-out false alarms; drift
manifest.json    last: hashes of the files, of model, data and profile, channels, rate, window
"""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.attribution import Attribution
from nightforge.anomaly.calibration import Conformal
from nightforge.anomaly.detectors import Detectors, Encoder
from nightforge.anomaly.recording import Profile
from nightforge.anomaly.views import Cut, View
from nightforge.config import Config
from nightforge.core import versions
from nightforge.core.atomic import read_json, write_bytes, write_json
from nightforge.core.errors import InputError
from nightforge.ml.checkpoints import seal

ARRAYS, THRESHOLDS = "detectors.npz", "thresholds.json"
AGAIN = "python scripts/24_calibrate_thresholds.py"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Limits:
    """Scores strictly above are flagged."""

    warn: float
    anomaly: float


@dataclass(frozen=True)
class Calibration:
    """Detectors of one stream with thresholds. reference: (n, C) quantities of the calibration windows, what
    a batch is compared with; constant_hits: in how many calibration windows each constant channel moved.
    """

    detectors: Detectors
    attribution: Attribution
    conformal: dict[str, Conformal]
    limits: dict[str, Limits]
    reference: Floats
    constant_hits: NDArray[np.int64]

    def constant_p_values(self) -> Floats:
        """Return, for each constant channel, the p-value of having moved."""
        n = len(next(iter(self.conformal.values())).scores)
        return np.asarray((1.0 + self.constant_hits) / (n + 1.0))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all of it as plain arrays."""
        scores = {f"scores.{name}": found.scores for name, found in self.conformal.items()}
        own = {"reference": self.reference, "constant_hits": self.constant_hits}
        return self.detectors.arrays() | self.attribution.arrays() | scores | own


def bound_to(profile: Profile, encoder: Encoder | None, cut: Cut) -> dict[str, Any]:
    """Return the part of the manifest that scoring is held to."""
    network = {"name": encoder.name, "hash": encoder.hash} if encoder else None
    return {
        "profile_hash": profile.hash,
        "channels": list(profile.channels),
        "fs_hz": profile.fs_hz,
        "window": asdict(cut),
        "network": network,
    }


def settings_of(config: Config) -> dict[str, Any]:
    """Return the settings thresholds depend on beside the window."""
    chosen = config.anomaly
    return {"alpha_warn": chosen.alpha_warn, "alpha_anomaly": chosen.alpha_anomaly, "seed": chosen.seed}


def cut_of(config: Config, stream: str, profile: Profile) -> Cut:
    """Return how the settings cut segments of a stream into windows."""
    clip = config.anomaly.lag_clip
    if stream == "patchtst":
        data = config.patchtst.data
        return Cut(data.seq_len, data.seq_stride, config.anomaly.lags, clip)
    vibration, fs = config.swinmae.data, profile.fs_hz or config.swinmae.data.fs
    return Cut(max(1, round(vibration.win_sec * fs)), max(1, round(vibration.win_stride_sec * fs)), 1, clip)


def save(
    models: Path, stream: str, calibration: Calibration, thresholds: dict[str, Any], facts: dict[str, Any]
) -> Path:
    """Write the next version's folder and return it; the manifest comes last, then the folder is renamed."""
    version, partial, target = versions.begin(models, versions.DETECTOR_PREFIX[stream])
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **calibration.arrays())
    write_bytes(partial / ARRAYS, buffer.getvalue(), durable=False)  # `seal` makes it last
    write_json(partial / THRESHOLDS, {"schema_version": 1, **thresholds}, durable=False)
    seal(partial, target, {"version": version, "stream": stream, **facts})
    return target


def find(models: Path, stream: str, version: int | None = None) -> Path:
    """Return the folder of a version, by default the newest. Raises InputError when there is none."""
    prefix = versions.DETECTOR_PREFIX[stream]
    known = versions.list_versions(models, prefix)
    if not known or (version is not None and version not in known):
        wanted = f"{prefix}{version}" if version is not None else f"{prefix}N"
        have = (
            f"there are {', '.join(f'{prefix}{n}' for n in known)}" if known else "nothing is calibrated yet"
        )
        raise InputError(f"{models / wanted} is missing; {have}", next_command=AGAIN)
    return versions.adapter_dir(models, version or known[-1], prefix)


def load(folder: Path, profile: Profile, encoder: Encoder | None) -> tuple[Calibration, dict[str, Any]]:
    """Load a calibration for data of `profile`; returns it with its manifest.

    Raises InputError when a file is damaged, or profile, channels, rate or network are not those it was made
    with.
    """
    manifest = versions.read_manifest(folder, check_hashes=True)
    cut = Cut(**manifest["window"])
    _require_bound(folder, manifest, bound_to(profile, encoder, cut))
    with np.load(folder / ARRAYS, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    thresholds = read_json(folder / THRESHOLDS)["detectors"]
    detectors = Detectors.from_arrays(arrays, View(profile, cut), encoder)
    conformal = {
        name: Conformal(arrays[f"scores.{name}"], int(entry["n_effective"]))
        for name, entry in thresholds.items()
    }
    limits = {name: Limits(entry["warn"], entry["anomaly"]) for name, entry in thresholds.items()}
    attribution = Attribution.from_arrays(arrays, detectors)
    return (
        Calibration(detectors, attribution, conformal, limits, arrays["reference"], arrays["constant_hits"]),
        manifest,
    )


def _require_bound(folder: Path, manifest: dict[str, Any], found: dict[str, Any]) -> None:
    """Compare what a calibration is bound to with what is there, the plainest difference first."""
    name = folder.name
    if manifest["channels"] != found["channels"]:
        raise InputError(
            f"{name} was calibrated for the channels {', '.join(manifest['channels'])}; the data have "
            f"{', '.join(found['channels'])}",
            next_command=AGAIN,
        )
    if manifest["fs_hz"] != found["fs_hz"]:
        raise InputError(
            f"{name} was calibrated at {manifest['fs_hz']} Hz; the data have {found['fs_hz']} Hz",
            next_command=AGAIN,
        )
    if manifest["network"] != found["network"]:
        raise InputError(
            f"{name} holds the thresholds of another model: {_words(manifest['network'])}; the model "
            f"given is {_words(found['network'])}",
            next_command=AGAIN,
        )
    if manifest["profile_hash"] != found["profile_hash"]:
        raise InputError(
            f"{name} was calibrated for another channel profile (scaling, fill or range differ)",
            next_command=AGAIN,
        )


def _words(network: dict[str, Any] | None) -> str:
    return f"{network['name']} {network['hash']}" if network else "none"


def require_settings(folder: Path, manifest: dict[str, Any], config: Config, profile: Profile) -> None:
    """Refuse thresholds that were made with other settings than the configuration has."""
    now = settings_of(config) | asdict(cut_of(config, manifest["stream"], profile))
    then = manifest["settings"] | manifest["window"]
    different = [f"{key} was {then[key]}, is {now[key]}" for key in now if then.get(key) != now[key]]
    if different:
        raise InputError(
            f"{folder.name} was calibrated with other settings: {'; '.join(different)}", next_command=AGAIN
        )
