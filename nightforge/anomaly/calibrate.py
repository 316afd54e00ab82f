"""Stage 24: fit every detector on the training part, and take thresholds from the calibration part.

Per stream: fit -> score the calibration part -> conformal thresholds -> false alarms on the test part, which
is normal and nothing was chosen on -> drift from training to calibration -> a new version of the folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nightforge.anomaly.attribution import Attribution
from nightforge.anomaly.calibrated import (
    AGAIN,
    Calibration,
    Limits,
    bound_to,
    cut_of,
    find,
    load,
    require_settings,
    save,
    settings_of,
)
from nightforge.anomaly.calibration import Conformal, drift_warnings, drifts, windows_needed
from nightforge.anomaly.detectors import Detectors, Encoder
from nightforge.anomaly.networks import network_for, network_of, newest_network
from nightforge.anomaly.preparation import Env as Importing
from nightforge.anomaly.prepare import prepare_more
from nightforge.anomaly.prepared import Prepared, open_prepared
from nightforge.anomaly.recording import STREAMS, Segment
from nightforge.anomaly.views import View
from nightforge.config import Config
from nightforge.core import versions
from nightforge.core.atomic import sha256_text
from nightforge.core.errors import InputError, NightforgeError, NothingNewError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.core.versions import read_manifest

_BOUND = (  # what a new calibration of the same detectors keeps
    "profile_hash",
    "channels",
    "fs_hz",
    "window",
    "network",
    "network_folder",
    "data_hash",
    "settings",
    "detector",
)
_MOST_RATIO = 0.3  # a larger share for calibration is not advised; more data is


@dataclass(frozen=True)
class Env:
    """What all streams share."""

    config: Config
    project: Project
    report: Report
    should_stop: Callable[[], bool]
    run_id: str | None

    def go_on(self) -> None:
        """Leave between two steps when a stop was asked for; nothing is half-written then."""
        if self.should_stop():
            raise StoppedError("stopped between two steps of the calibration", next_command=AGAIN)


def calibrate(
    config: Config,
    project: Project,
    report: Report,
    should_stop: Callable[[], bool],
    *,
    force: bool = False,
    run_id: str | None = None,
) -> dict[str, Any]:
    """Calibrate every enabled stream; returns folder, detector and thresholds per stream.

    Raises InputError (exit 2) when data, a network or enough calibration windows are missing, NothingNewError
    when no stream has anything new.
    """
    env = Env(config, project, report, should_stop, run_id)
    streams = [stream for stream in STREAMS if getattr(config, stream).enabled]
    result: dict[str, Any] = {}
    report.node("calibrate", "running", "fitting detectors")
    try:
        for stream in streams:
            done = _stream(env, stream, force)
            if done is not None:
                result[stream] = done
    except NightforgeError as error:
        report.node("calibrate", "fail", error.message)
        raise
    report.node("calibrate", "done", ", ".join(result) or "nothing new")
    if not result:
        raise NothingNewError(
            "these models, data and settings are calibrated already", next_command=f"{AGAIN} --force"
        )
    return result


def _stream(env: Env, stream: str, force: bool) -> dict[str, Any] | None:
    """Calibrate one stream; None when its newest calibration has the same inputs."""
    prepared = open_prepared(env.project.anomaly_data / STREAMS[stream] / "train")
    chosen: str = getattr(env.config.anomaly, f"{stream}_detector")
    encoder = network_for(env.project.models, prepared, chosen, env.report)
    view = View(prepared.profile, cut_of(env.config, stream, prepared.profile))
    facts = bound_to(prepared.profile, encoder, view.cut) | {
        "data_hash": prepared.hash,
        "settings": settings_of(env.config),
        "detector": chosen,
    }
    folder = newest_network(env.project.models, stream)
    facts["network_folder"] = folder.name if encoder is not None and folder is not None else None
    facts["inputs"] = sha256_text(json.dumps(facts, sort_keys=True))[:16]
    if not force and _is_current(env.project, stream, facts["inputs"]):
        env.report.message(f"{stream}: calibrated already with these models, data and settings")
        return None
    calibration = _fit_and_calibrate(env, stream, prepared, view, encoder)
    env.go_on()
    return _finish(env, prepared, calibration, facts)


def _finish(env: Env, prepared: Prepared, calibration: Calibration, facts: dict[str, Any]) -> dict[str, Any]:
    """Look at held-out data and drift, write the new version, and tell what the stage returns."""
    stream, chosen = prepared.stream, str(facts["detector"])
    env.report.phase("24.3", f"{stream}: held-out normal data and drift")
    thresholds = _thresholds(env, prepared, calibration, chosen)
    folder = save(env.project.models, stream, calibration, thresholds, facts | {"run_id": env.run_id})
    found = thresholds["detectors"][chosen]
    env.report.message(
        f"{stream}: {folder.name}, {chosen} decides; warn above {found['warn']:.4g}, anomaly above "
        f"{found['anomaly']:.4g}, from {found['n']} windows ({found['n_effective']} without overlap)"
    )
    return {
        "folder": env.project.relative(folder),
        "detector": chosen,
        "warn": found["warn"],
        "anomaly": found["anomaly"],
        "n": found["n"],
        "n_effective": found["n_effective"],
        "held_out": thresholds["held_out"].get(chosen),
        "warnings": thresholds["warnings"],
    }


def _is_current(project: Project, stream: str, inputs: str) -> bool:
    prefix = versions.DETECTOR_PREFIX[stream]
    version = versions.latest(project.models, prefix)
    if version is None:
        return False
    return read_manifest(versions.adapter_dir(project.models, version, prefix)).get("inputs") == inputs


def _fit_and_calibrate(
    env: Env, stream: str, prepared: Prepared, view: View, encoder: Encoder | None
) -> Calibration:
    held = prepared.segments("calibrate")
    _require_enough(env.config, stream, view.effective(held), view.cut.rows)
    env.report.phase("24.1", f"{stream}: fit detectors")
    detectors = Detectors.fit(prepared.segments("train"), view, encoder, env.config.anomaly.seed)
    env.go_on()
    return _calibrated(env, stream, detectors, held)


def _calibrated(env: Env, stream: str, detectors: Detectors, held: Sequence[Segment]) -> Calibration:
    """Take thresholds and units of fitted detectors from normal segments they have not seen."""
    view, anomaly = detectors.view, env.config.anomaly
    env.report.phase("24.2", f"{stream}: calibrate {', '.join(detectors.names)}")
    scores = score_all(detectors, held, env)
    conformal = {name: Conformal.of(found, view.effective(held)) for name, found in scores.items()}
    limits = {
        name: Limits(found.threshold(anomaly.alpha_warn), found.threshold(anomaly.alpha_anomaly))
        for name, found in conformal.items()
    }
    moved = [view.moved(segment, view.starts(segment)).sum(axis=0) for segment in held]
    hits = np.asarray(np.sum(moved, axis=0), dtype=np.int64)
    attribution = Attribution.calibrate(detectors, held)
    return Calibration(detectors, attribution, conformal, limits, view.quantities(held), hits)


def recalibrate(
    config: Config,
    project: Project,
    report: Report,
    should_stop: Callable[[], bool],
    stream: str,
    files: tuple[str, ...],
) -> dict[str, Any]:
    """Take new thresholds for the newest calibration's detectors from files a person says are normal.

    The detectors stay as they are; the result is a new version. Raises InputError as `calibrate` does.
    """
    env = Env(config, project, report, should_stop, None)
    train = open_prepared(project.anomaly_data / STREAMS[stream] / "train")
    folder = find(project.models, stream)
    encoder = network_of(project.models, folder, stream, newest_only=True)
    old, manifest = load(folder, train.profile, encoder)
    require_settings(folder, manifest, config, train.profile)
    with ExitStack() as opened:
        importing = Importing(config, project, report, should_stop, "calibration by hand", opened)
        normal = open_prepared(prepare_more(importing, stream, files))
    held = normal.segments("all")
    view = old.detectors.view
    _require_enough(config, stream, view.effective(held), view.cut.rows)
    calibration = _calibrated(env, stream, old.detectors, held)
    kept = {name: manifest[name] for name in _BOUND}
    inputs = sha256_text(json.dumps([manifest["inputs"], normal.hash]))[:16]
    facts = kept | {"inputs": inputs, "calibrated_on": normal.hash}
    return {stream: _finish(env, train, calibration, facts)}


def score_all(detectors: Detectors, segments: Sequence[Segment], env: Env) -> dict[str, Any]:
    """Score all windows of all segments by every detector: detector -> (n,)."""
    parts = []
    for number, segment in enumerate(segments):
        env.go_on()
        parts.append(detectors.score(segment, detectors.names))
        env.report.progress(number + 1, len(segments), "segments")
    return {name: np.concatenate([part[name] for part in parts]) for name in detectors.names}


def _require_enough(config: Config, stream: str, effective: int, rows: int) -> None:
    """Refuse when the calibration part cannot support the asked rates, with the numbers that would help."""
    alpha = config.anomaly.alpha_anomaly
    needed = windows_needed(alpha)
    if effective >= needed:
        return
    ratio = getattr(config, stream).data.calibrate_ratio
    wanted = ratio * needed / max(effective, 1) * 1.05
    ways = [f"bring at least {needed / max(effective, 1):.1f} times as much data"]
    if wanted <= _MOST_RATIO:
        ways.append(f"set {stream}.data.calibrate_ratio to {wanted:.2f} (it is {ratio:g})")
    if effective > windows_needed(config.anomaly.alpha_warn):
        ways.append(f"set anomaly.alpha_anomaly to {1.02 / (effective + 1):.2g} or more")
    raise InputError(
        f"{stream}: a false-alarm rate of {alpha:g} needs at least {needed} calibration windows that do not "
        f"overlap ({needed * rows:,} rows); the calibration part has {effective}. Either "
        + ", or ".join(ways),
        next_command="change it, then python scripts/21_check_sensor_data.py",
    )


def _thresholds(env: Env, prepared: Prepared, calibration: Calibration, chosen: str) -> dict[str, Any]:
    """Return the content of thresholds.json; warnings are said aloud."""
    stream, anomaly = prepared.stream, env.config.anomaly
    view = calibration.detectors.view
    entries = {
        name: {
            "alpha_warn": anomaly.alpha_warn,
            "alpha_anomaly": anomaly.alpha_anomaly,
            "n": len(found.scores),
            "n_effective": found.effective,
            "warn": calibration.limits[name].warn,
            "anomaly": calibration.limits[name].anomaly,
        }
        for name, found in calibration.conformal.items()
    }
    held_out = _held_out(env, prepared.segments("test"), calibration)
    before = view.quantities(prepared.segments("train"))
    found = drifts(prepared.profile.channels, before, calibration.reference)
    warnings = drift_warnings(found, "the training part", "the calibration part")
    warnings += _unsteady(calibration)
    for text in warnings:
        env.report.alert("warning", f"{stream}: the calibration may not hold", text)
    if chosen in held_out:
        rates = held_out[chosen]
        env.report.metric(
            **{f"{stream}_far_warn": rates["far_warn"], f"{stream}_far_anomaly": rates["far_anomaly"]}
        )
    return {
        "stream": stream,
        "detector": chosen,
        "detectors": entries,
        "held_out": held_out,
        "drift": [asdict(entry) for entry in found],
        "warnings": warnings,
    }


def _held_out(env: Env, segments: Sequence[Segment], calibration: Calibration) -> dict[str, Any]:
    """Return the realised false-alarm rates on the test part of the training files; empty without one."""
    usable = [segment for segment in segments if len(calibration.detectors.view.starts(segment))]
    if not usable:
        return {}
    effective = calibration.detectors.view.effective(usable)
    return {
        name: {
            "n": len(scores),
            "n_effective": effective,
            "far_warn": float(np.mean(scores > calibration.limits[name].warn)),
            "far_anomaly": float(np.mean(scores > calibration.limits[name].anomaly)),
        }
        for name, scores in score_all(calibration.detectors, usable, env).items()
    }


def _unsteady(calibration: Calibration) -> list[str]:
    """Say which constant channels moved although all was normal."""
    constants = calibration.detectors.view.profile.constant
    return [
        f"{name} never moved in training, but did in {hits} windows of the calibration part; it counts for "
        "less there"
        for name, hits in zip(constants, calibration.constant_hits, strict=True)
        if hits
    ]
