"""The end of a training, the same for both streams: weights, losses and manifest in a folder of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nightforge.anomaly.model_folder import Identity
from nightforge.core import versions
from nightforge.core.atomic import write_jsonl
from nightforge.core.clock import utc_now
from nightforge.core.paths import Project
from nightforge.ml.checkpoints import seal
from nightforge.ml.self_supervised import METRICS, Trained

if TYPE_CHECKING:  # the detectors need scikit-learn, a training does not
    from nightforge.anomaly.detectors import Encoder


def put_away(
    project: Project,
    encoder: Encoder,
    save: Callable[[Path], None],
    trained: Trained,
    identity: Identity,
    run_id: str | None,
) -> dict[str, Any]:
    """Make the next version's folder: `save` fills it, losses and last the manifest join it, then it is
    renamed and read back. Returns version, folder, steps, losses and seconds.
    """
    prefix = versions.MODEL_PREFIX[encoder.stream]
    version, partial, target = versions.begin(project.models, prefix)
    save(partial)
    write_jsonl(partial / METRICS, trained.lines)
    figures = _figures(trained)
    facts = {
        "version": version,
        "stream": encoder.stream,
        "created_at": utc_now(),
        "run_id": run_id,
        **vars(identity),
        "model_hash": encoder.hash,
        "profile_hash": encoder.profile.hash,
        "channels": list(encoder.profile.channels),
        **figures,
    }
    seal(partial, target, facts)
    versions.read_manifest(target, check_hashes=True)
    return {"version": f"v{version}", "model": project.relative(target), **figures}


def _figures(trained: Trained) -> dict[str, Any]:
    losses = [line["train_loss"] for line in trained.lines if "train_loss" in line]
    return {
        "steps": trained.steps,
        "loss": losses[-1] if losses else None,
        "val_loss": trained.best_loss,
        "best_step": trained.best_step,
        "seconds": round(trained.seconds, 1),
    }
