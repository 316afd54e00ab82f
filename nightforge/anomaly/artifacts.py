"""What stages 21 to 25 have left behind, stream by stream, read without torch. Anything may be missing."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.anomaly.recording import STREAMS
from nightforge.config import Config
from nightforge.core import versions
from nightforge.core.atomic import read_jsonl
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.records import read_object

METRICS, RECIPE, PROFILE, THRESHOLDS = "metrics.jsonl", "recipe.json", "profile.json", "thresholds.json"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Artifacts:
    """One stream's: folders are None where nothing complete is there."""

    stream: str
    train: Path  # data/anomaly/...: the prepared training set
    model: Path | None
    detectors: Path | None
    quality: Path  # results/anomaly/quality/<fdc or vib>.json

    def manifest(self) -> dict[str, Any]:
        """Return the manifest of the model; empty without one."""
        return (read_object(self.model / versions.MANIFEST) if self.model else None) or {}

    def recipe(self) -> dict[str, Any]:
        """Return the resolved settings of the stream that the model was trained with; empty without any."""
        recipe = (read_object(self.model / RECIPE) if self.model else None) or {}
        settings = recipe.get(self.stream, recipe)  # PatchTST keeps more beside them
        return settings if isinstance(settings, dict) else {}

    def thresholds(self) -> dict[str, Any]:
        """Return the thresholds as they were written; empty without any."""
        return (read_object(self.detectors / THRESHOLDS) if self.detectors else None) or {}

    def metrics(self) -> list[dict[str, Any]]:
        """Return the logged losses of the training, oldest first; empty when there are none to be read."""
        try:
            return read_jsonl(self.model / METRICS) if self.model else []
        except (InputError, OSError):
            return []


def enabled(config: Config) -> list[str]:
    """Return the streams that take part, in the order of STREAMS."""
    return [stream for stream in STREAMS if getattr(config, stream).enabled]


def artifacts_of(project: Project, stream: str) -> Artifacts:
    """Find the newest of everything that belongs to a stream."""
    return Artifacts(
        stream=stream,
        train=project.anomaly_data / STREAMS[stream] / "train",
        model=_newest(project.models, versions.MODEL_PREFIX[stream]),
        detectors=_newest(project.models, versions.DETECTOR_PREFIX[stream]),
        quality=project.anomaly_results / "quality" / f"{STREAMS[stream]}.json",
    )


def _newest(models: Path, prefix: str) -> Path | None:
    version = versions.latest(models, prefix)
    return None if version is None else versions.adapter_dir(models, version, prefix)


def decisions(project: Project, run_id: str | None) -> tuple[str, Path] | None:
    """Return label and folder of a run's decisions, or of the newest where it has none of its own: a run
    keeps decisions whose inputs have not changed. None where nothing was ever judged.
    """
    runs = project.anomaly_results / "runs"
    if run_id and (runs / run_id / "summary.json").is_file():
        return run_id, runs / run_id
    label = str((read_object(project.anomaly_results / "latest.json") or {}).get("label") or "")
    return (label, runs / label) if label and (runs / label / "summary.json").is_file() else None
