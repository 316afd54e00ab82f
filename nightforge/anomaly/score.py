"""Stage 25: judge every window of the batch, make events of them, say which channels are to blame.

Per stream: calibration and its network, checked against each other -> scores -> p-values and states -> window
records -> events with ranked channels -> drift of the batch. Everything is written to a folder that takes its
name only when it is whole. Scoring draws no random number: judging a batch again gives the same bits.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial as partial_call
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from nightforge.anomaly import calibrated
from nightforge.anomaly.calibrated import Calibration, Limits
from nightforge.anomaly.calibration import drift_warnings, drifts
from nightforge.anomaly.detectors import needs_network
from nightforge.anomaly.events import Stretch, Track, find_events, judge
from nightforge.anomaly.networks import network_of
from nightforge.anomaly.preparation import Env as Importing
from nightforge.anomaly.prepare import prepare_more
from nightforge.anomaly.prepared import Prepared, open_prepared
from nightforge.anomaly.realised import Realised
from nightforge.anomaly.recording import STREAMS, Segment
from nightforge.anomaly.records import Chart, Judged, Writer, write_alarms, write_chart
from nightforge.anomaly.report import write_report
from nightforge.config import Config
from nightforge.core.atomic import sync_folder, write_json
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError, NightforgeError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

AGAIN = "python scripts/25_score_batch.py"
COMPARED_WINDOWS = 100_000  # up to so many, all detectors score the batch; beyond, only the one that decides


@dataclass(frozen=True)
class ByHand:
    """What a person asked for. version: of the calibration, in place of the newest; stream: judge only this
    one; files: globs of files to judge in place of the prepared batch.
    """

    version: int | None = None
    stream: str | None = None
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Env:
    """What all streams share. label: how the folder of decisions will be called."""

    config: Config
    project: Project
    report: Report
    should_stop: Callable[[], bool]
    by_hand: ByHand
    label: str
    folder: Path  # being written


@dataclass
class Batch:
    """One stream on its way through the stage."""

    stream: str
    prepared: Prepared
    calibration: Calibration
    manifest: dict[str, Any]
    folder: str
    detector: str
    compared: tuple[str, ...]
    segments: list[Segment]
    too_short: list[dict[str, Any]]
    flagged: dict[str, list[int]]  # detector -> windows above warn, above anomaly

    @property
    def limits(self) -> Limits:
        return self.calibration.limits[self.detector]


def score_batch(
    config: Config,
    project: Project,
    report: Report,
    should_stop: Callable[[], bool],
    *,
    run_id: str | None = None,
    by_hand: ByHand = ByHand(),
) -> dict[str, Any]:
    """Judge the prepared batch of every enabled stream; returns label, folder and counts per stream.

    Writes results/anomaly/runs/<label>/ and then results/anomaly/latest.json. Raises InputError (exit 2) when
    a calibration is missing or does not belong to model, profile, channels, rate or settings.
    """
    label = run_id or f"by-hand-{utc_now()[:19].replace('-', '').replace(':', '')}Z"
    runs = project.anomaly_results / "runs"
    partial = runs / f"{label}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    env = Env(config, project, report, should_stop, by_hand, label, partial)
    streams = [stream for stream in STREAMS if getattr(config, stream).enabled]
    if by_hand.stream is not None:
        streams = [by_hand.stream]
    report.node("batch-orchestrator", "running", ", ".join(streams))
    try:
        blocks = _node(report, "batch-decision", partial_call(_decide, env, streams))
        summary = _summary(label, run_id, project.relative(runs / label), blocks)
        write_json(partial / "summary.json", summary, durable=False)
        _node(report, "batch-report", partial_call(write_report, partial / "report.html", summary, partial))
    except NightforgeError as error:
        shutil.rmtree(partial, ignore_errors=True)
        report.node("batch-orchestrator", "fail", error.message)
        raise
    shutil.rmtree(runs / label, ignore_errors=True)
    os.replace(partial, runs / label)
    sync_folder(runs)
    write_json(project.anomaly_results / "latest.json", {"label": label, "run_id": run_id})
    report.node("batch-orchestrator", "done", label)
    report.message(f"decisions: {project.relative(runs / label)}/report.html")
    short = {
        stream: {**block["summary"], "detector": block["detector"], "warnings": block["warnings"]}
        for stream, block in blocks.items()
    }
    return {"label": label, "folder": project.relative(runs / label), "streams": short}


def _node(report: Report, name: str, work: Callable[[], Any]) -> Any:
    report.node(name, "running", "")
    try:
        found = work()
    except NightforgeError as error:
        report.node(name, "fail", error.message)
        raise
    report.node(name, "done", "")
    return found


def _decide(env: Env, streams: Sequence[str]) -> dict[str, Any]:
    """Judge each stream in turn; returns what the summary says of each."""
    return {
        stream: _node(env.report, f"batch-{stream}", partial_call(_stream, env, stream)) for stream in streams
    }


def _summary(label: str, run_id: str | None, folder: str, blocks: dict[str, Any]) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "generated_at": utc_now(),
        "label": label,
        "run_id": run_id,
        "stream": "dual" if len(blocks) > 1 else next(iter(blocks)),
        "thresholds_path": {stream: block["calibration"] for stream, block in blocks.items()},
        "score_metadata": {stream: block["bound_to"] for stream, block in blocks.items()},
        "output_dir": folder,
        "streams": blocks,
    }


def _stream(env: Env, stream: str) -> dict[str, Any]:
    env.report.phase("25.1", f"{stream}: calibration and model")
    batch = _open(env, stream)
    env.report.phase("25.2", f"{stream}: score {len(batch.segments)} segments with {batch.detector}")
    counts = [len(batch.calibration.detectors.view.starts(segment)) for segment in batch.segments]
    chart, realised = Chart(sum(counts)), _truth(env.project, batch)
    events: list[dict[str, Any]] = []
    first = 0
    with Writer(env.folder, stream, batch.limits, sum(counts)) as writer:
        for _, group in groupby(batch.segments, key=lambda segment: segment.file_id):
            tracks: list[Judged] = []
            for segment in group:
                tracks.append(_judged(env, batch, segment, first))
                first += len(tracks[-1].track.scores)
                env.report.progress(first, sum(counts), f"{stream} windows")
            for judged in tracks:
                writer.write(judged)
                chart.add(judged)
                if realised:
                    realised.add(judged)
            for stretch in find_events([judged.track for judged in tracks], env.config.anomaly.events):
                events.append(_event(batch, stretch, tracks, len(events)))
    block = _block(env, batch, writer.totals.told() | {"events": len(events)}, events)
    if realised:
        block["realised"] = realised.told(events)
        _tell_realised(env.report, stream, block["realised"])
    write_alarms(env.folder / f"{stream}_alarms.csv", events)
    head = {name: block[name] for name in ("stream", "detector", "thresholds")}
    head["label"] = env.label
    write_chart(env.folder / f"chart_{stream}.json", head, chart, events)
    return block


def _open(env: Env, stream: str) -> Batch:
    version = env.by_hand.version
    prepared = _batch(env, stream)
    folder = calibrated.find(env.project.models, stream, version)
    encoder = network_of(env.project.models, folder, stream, newest_only=version is None)
    calibration, manifest = calibrated.load(folder, prepared.profile, encoder)
    if version is None:
        calibrated.require_settings(folder, manifest, env.config, prepared.profile)
    detector: str = getattr(env.config.anomaly, f"{stream}_detector")
    if detector not in calibration.limits:
        why = " without a network" if needs_network(detector) else ""
        raise InputError(
            f"{folder.name} was calibrated{why} for {', '.join(calibration.limits)}; the settings ask for "
            f"{detector!r}",
            next_command=calibrated.AGAIN,
        )
    rows = calibration.detectors.view.cut.rows
    segments = prepared.segments("all")
    usable = [segment for segment in segments if len(segment.values) >= rows]
    too_short = [
        {"file_id": s.file_id, "first_row": s.first_row, "rows": len(s.values), "state": "too_short"}
        for s in segments
        if len(s.values) < rows
    ]
    windows = sum(len(calibration.detectors.view.starts(segment)) for segment in usable)
    if not windows:
        raise InputError(
            f"{stream}: no file to be judged holds a window of {rows} rows; {len(too_short)} pieces are "
            "shorter",
            next_command="bring longer files, then python scripts/21_check_sensor_data.py",
        )
    names = calibration.detectors.names if windows <= COMPARED_WINDOWS else (detector,)
    flagged = {name: [0, 0] for name in names}
    return Batch(
        stream, prepared, calibration, manifest, folder.name, detector, names, usable, too_short, flagged
    )


def _batch(env: Env, stream: str) -> Prepared:
    """Open the prepared batch, or import the files named by hand."""
    if not env.by_hand.files:
        return open_prepared(env.project.anomaly_data / STREAMS[stream] / "score")
    with ExitStack() as opened:
        importing = Importing(env.config, env.project, env.report, env.should_stop, env.label, opened)
        return open_prepared(prepare_more(importing, stream, env.by_hand.files))


def _truth(project: Project, batch: Batch) -> Realised | None:
    """Return what the generator knows, when it made the batch."""
    path = project.anomaly_data / "synthetic" / STREAMS[batch.stream] / "truth.json"
    made = batch.prepared.dataset.get("source") == "synthetic"
    return Realised.read(path) if made and path.is_file() else None


def _judged(env: Env, batch: Batch, segment: Segment, first: int) -> Judged:
    if env.should_stop():
        raise StoppedError("stopped between two segments; no decision was written", next_command=AGAIN)
    calibration, view = batch.calibration, batch.calibration.detectors.view
    starts = view.starts(segment)
    scores = calibration.detectors.score(segment, batch.compared)
    for name, counts in batch.flagged.items():
        counts[0] += int((scores[name] > calibration.limits[name].warn).sum())
        counts[1] += int((scores[name] > calibration.limits[name].anomaly).sum())
    own = scores[batch.detector]
    p_values = calibration.conformal[batch.detector].p_values(own)
    moved = view.moved(segment, starts)
    constant = np.where(moved, calibration.constant_p_values()[None], 1.0).min(axis=1, initial=1.0)
    raised = constant <= batch.manifest["settings"]["alpha_anomaly"]
    states = judge(own, batch.limits.warn, batch.limits.anomaly, raised)
    track = Track(
        segment,
        starts,
        view.cut.rows,
        own,
        np.minimum(p_values, constant),
        states,
        view.profile.fs_hz,
        view.reach,
    )
    constants = view.profile.constant
    named = {
        int(i): tuple(name for name, there in zip(constants, moved[i], strict=True) if there)
        for i in np.flatnonzero(raised)
    }
    return Judged(track, first, named)


def _event(batch: Batch, stretch: Stretch, tracks: Sequence[Judged], number: int) -> dict[str, Any]:
    """Return one row of the alarms table, with the numbers of its windows in the whole batch."""
    of = {id(judged.track): judged for judged in tracks}
    begin_track, first, _ = stretch.pieces[0]
    end_track, _, last = stretch.pieces[-1]
    peak_track, peak = stretch.peak()
    begin_row, end_row = begin_track.first_row(first), end_track.last_row(last)
    return {
        "event_id": f"{batch.stream}-event-{number + 1:04d}",
        "stream": batch.stream,
        "file": begin_track.segment.file_id,
        "start": begin_track.stamp(begin_row),
        "end": end_track.stamp(end_row),
        "duration_s": round(stretch.end - stretch.begin, 6),
        "peak_score": float(peak_track.scores[peak]),
        "peak_time": peak_track.stamp(peak_track.last_row(peak)),
        "p_min": min(float(t.p_values[a : b + 1].min()) for t, a, b in stretch.pieces),
        "state": "anomaly",
        "channels": _channels(batch, stretch, of),
        "windows": stretch.windows,
        "start_row": begin_track.segment.first_row + begin_row,
        "end_row": end_track.segment.first_row + end_row,
        "first_window": of[id(begin_track)].first + first,
        "last_window": of[id(end_track)].first + last,
    }


def _channels(batch: Batch, stretch: Stretch, of: dict[int, Judged]) -> list[dict[str, Any]]:
    """Rank the channels over the flagged windows of an event; a constant channel that moved comes first."""
    names = batch.calibration.detectors.view.profile.channels
    sums: dict[str, Any] = {}
    moved: set[str] = set()
    total = 0
    for track, first, last in stretch.pieces:
        flagged = [i for i in range(first, last + 1) if track.states[i] > 0]
        found = batch.calibration.attribution.blame(track.segment, track.starts, flagged)
        sums = {kind: sums.get(kind, 0.0) + len(flagged) * blame for kind, blame in found.items()}
        total += len(flagged)
        moved.update(*(of[id(track)].moved.get(i, ()) for i in flagged))
    blame = sums["distance"] / max(total, 1)
    for name in moved:
        blame[names.index(name)] = max(1.0, float(blame.max()))
    order = sorted(range(len(names)), key=lambda i: (names[i] not in moved, -blame[i]))
    whole = max(float(blame.sum()), 1e-12)
    ranked = []
    for i in order:
        entry = {"name": names[i], "share": round(float(blame[i]) / whole, 4), "distance": float(blame[i])}
        if "rebuilding" in sums:
            entry["rebuilding"] = float(sums["rebuilding"][i] / max(total, 1))
        ranked.append(entry)
    return ranked


def _block(env: Env, batch: Batch, told: dict[str, Any], events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what summary.json says of one stream."""
    view = batch.calibration.detectors.view
    found = drifts(view.profile.channels, batch.calibration.reference, view.quantities(batch.segments))
    warnings = drift_warnings(found, "the calibration part", "this batch")
    for text in warnings:
        env.report.alert("warning", f"{batch.stream}: the batch differs from the calibration data", text)
    n = told["window_count"]
    conformal = batch.calibration.conformal[batch.detector]
    return {
        "stream": batch.stream,
        "detector": batch.detector,
        "calibration": batch.folder,
        "bound_to": {
            name: batch.manifest[name]
            for name in ("profile_hash", "data_hash", "channels", "fs_hz", "window", "network")
        },
        "data": {"hash": batch.prepared.hash, "source": batch.prepared.dataset.get("source")},
        "thresholds": {
            "warn": batch.limits.warn,
            "anomaly": batch.limits.anomaly,
            **batch.manifest["settings"],
            "n": len(conformal.scores),
            "n_effective": conformal.effective,
        },
        "summary": told,
        "detectors": {
            name: {
                "warn_share": counts[0] / n,
                "anomaly_share": counts[1] / n,
                "warn": batch.calibration.limits[name].warn,
                "anomaly": batch.calibration.limits[name].anomaly,
            }
            for name, counts in batch.flagged.items()
        },
        "events": events,
        "too_short": batch.too_short,
        "warnings": warnings,
    }


def _tell_realised(report: Report, stream: str, realised: dict[str, Any]) -> None:
    if realised["normal_windows"]:
        report.message(
            f"{stream}: of {realised['normal_windows']} normal windows {realised['far_warn']:.2%} were "
            f"warned or worse, {realised['far_anomaly']:.2%} alarmed; {realised['faults_found']} of "
            f"{realised['faults']} faults were found"
        )
