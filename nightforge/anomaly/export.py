"""Stage 27: what a run has made, gathered for the page: state, history, and the run's report.

Works on whatever is there, also after a run that failed: what is missing is said to be missing. The keys are
the original's and more: `quality`, `scores`, `thresholds`, `settings`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.anomaly import history
from nightforge.anomaly.artifacts import (
    METRICS,
    PROFILE,
    WEIGHTS,
    Artifacts,
    artifacts_of,
    decisions,
    enabled,
)
from nightforge.anomaly.loss_table import loss_rows, write_table
from nightforge.anomaly.nodes import NODES
from nightforge.anomaly.run_report import report_text
from nightforge.anomaly.validate import BUNDLE, CHECKLIST
from nightforge.config import Config, load_config
from nightforge.core.atomic import write_json, write_text
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.records import read_object
from nightforge.core.reporting import Report
from nightforge.core.snapshots import verified_snapshots

STATE = "dashboard-state.json"
_SECTIONS = ("patchtst", "swinmae", "anomaly")
_MOST_ROWS = 400  # of a loss table on the page


@dataclass(frozen=True)
class Sources:
    """What is exported: streams that take part, the decisions, the run's folder (None by hand)."""

    config: Config
    project: Project
    streams: tuple[Artifacts, ...]
    label: str | None
    results: Path | None  # results/anomaly/runs/<label>
    run_dir: Path | None

    @property
    def run_id(self) -> str:
        """The run's id; by hand the label of the decisions."""
        return self.run_dir.name if self.run_dir else self.label or "by-hand"


def export(
    config: Config, project: Project, report: Report, *, run_dir: Path | None = None
) -> dict[str, Any]:
    """Write state, snapshot, index and report.md; returns their paths. Raises InputError when nothing of the
    track has been made yet.
    """
    sources = gather(config, project, run_dir)
    report.phase("27.1", "gather what the run has made")
    report.node("batch-bridge", "running", "gathering")
    for stream in sources.streams:
        if stream.model is not None and sources.results is not None:
            write_table(sources.results / f"{stream.stream}_loss.csv", loss_rows(stream.metrics()))
    state = dashboard_state(sources)
    report.phase("27.2", "state of the page and history")
    index = _write_state(sources, state)
    report.node("batch-bridge", "done", project.relative(project.anomaly_results / STATE))
    report.phase("27.3", "report of the run")
    report.node("report", "running", "report.md")
    path = (run_dir or project.anomaly_results) / "report.md"
    write_text(path, report_text(state, _run_state(run_dir)))
    report.node("report", "done", project.relative(path))
    report.node("run-summary", "done", sources.run_id)
    return {
        "report": project.relative(path),
        "state": project.relative(project.anomaly_results / STATE),
        "index": project.relative(index),
        "label": sources.label,
    }


def export_failed(config: Config, project: Project, run_dir: Path | None) -> None:
    """Write the state of a run whose validation has failed: no stage comes after it that would."""
    sources = gather(config, project, run_dir)
    _write_state(sources, dashboard_state(sources))


def gather(config: Config, project: Project, run_dir: Path | None) -> Sources:
    """Find what there is to export."""
    found = decisions(project, run_dir.name if run_dir else None)
    label, results = found or (None, None)
    streams = tuple(artifacts_of(project, stream) for stream in enabled(config))
    if found is None and not any(stream.model or stream.train.is_dir() for stream in streams):
        raise InputError(
            "there is nothing of the anomaly track to export yet",
            next_command="python launch_pipeline.py --pipeline anomaly",
        )
    return Sources(config, project, streams, label, results, run_dir)


def _write_state(sources: Sources, state: dict[str, Any]) -> Path:
    project = sources.project
    folder = project.anomaly_results / "history"
    paths = {
        "snapshot_path": project.relative(history.snapshot_path(folder, sources.run_id)),
        "index_path": project.relative(folder / history.INDEX),
    }
    state["meta"]["run_history"] = paths
    write_json(project.anomaly_results / STATE, state)
    return history.keep(folder, sources.run_id, state, sources.config.anomaly.history_limit)


def dashboard_state(sources: Sources) -> dict[str, Any]:
    """Return the whole object; reads files, writes none."""
    checklist = _of_results(sources, CHECKLIST)
    items: list[dict[str, Any]] = checklist.get("items") or []
    summary = _of_results(sources, "summary.json")
    return {
        "schema_version": 1,
        "meta": {
            "run_id": sources.run_id,
            "label": sources.label,
            "timestamp": utc_now(),
            "repo_root": str(sources.project.root),
            "layout_path": "nightforge/anomaly/nodes.py",
            "profile": sources.config.profile,
            "streams": [stream.stream for stream in sources.streams],
        },
        "nodes": _nodes(sources, items),
        "checklist": items,
        "metrics": {stream.stream: _metrics(sources, stream) for stream in sources.streams},
        "artifacts": _artifacts(sources, items),
        "quality": {stream.stream: _quality(stream) for stream in sources.streams},
        "scores": _scores(summary),
        "thresholds": {stream.stream: _short(stream.thresholds()) for stream in sources.streams},
        "settings": _settings(sources),
    }


def _of_results(sources: Sources, name: str) -> dict[str, Any]:
    return (read_object(sources.results / name) if sources.results else None) or {}


def _run_state(run_dir: Path | None) -> dict[str, Any]:
    return (read_object(run_dir / "state.json") if run_dir else None) or {}


def _short(value: dict[str, Any]) -> dict[str, Any]:
    """Leave long lists out at any depth: scores of every calibration window are no matter of the page."""
    result: dict[str, Any] = {}
    for name, entry in value.items():
        if isinstance(entry, dict):
            result[name] = _short(entry)
        elif not (isinstance(entry, list) and len(entry) > 64):
            result[name] = entry
    return result


def _quality(stream: Artifacts) -> dict[str, Any]:
    """Return the counts of the quality report and what was said of each file that is not as it should be."""
    value = read_object(stream.quality) or {}
    told = ("file_id", "part", "decision", "hard_fails", "warnings")
    files = [
        {name: entry.get(name) for name in told}
        for entry in value.get("files") or []
        if entry.get("hard_fails") or entry.get("warnings")
    ]
    return {**{name: entry for name, entry in value.items() if name != "files"}, "files": files}


def _metrics(sources: Sources, stream: Artifacts) -> dict[str, Any]:
    settings = stream.recipe() or sources.config.to_dict()[stream.stream]
    data, training = settings.get("data") or {}, settings.get("training") or {}
    rows = loss_rows(stream.metrics())
    judged = [row["val_loss"] for row in rows if row["val_loss"] is not None]
    manifest = stream.manifest()
    return {
        "loss": rows[:: max(1, -(-len(rows) // _MOST_ROWS))],
        "final_val_loss": judged[-1] if judged else None,
        "best_val_loss": min(judged, default=None),
        "model": stream.model.name if stream.model else None,
        "detectors": stream.detectors.name if stream.detectors else None,
        "steps": manifest.get("steps"),
        "run_id": manifest.get("run_id"),
        "config": {
            "config_path": sources.project.relative(stream.model / "recipe.json") if stream.model else None,
            "source": data.get("source"),
            "fs": data.get("fs"),
            "lr": training.get("lr"),
            "epochs": training.get("epochs"),
            "mask_ratio": (settings.get("model") or {}).get("mask_ratio"),
            "amp": (settings.get("device") or {}).get("amp"),
        },
    }


def _artifacts(sources: Sources, items: list[dict[str, Any]]) -> dict[str, Any]:
    passed = {item["index"]: bool(item["passed"]) for item in items}
    details = {item["index"]: item["detail"] for item in items}
    names = ("checkpoints", "scaler", "logs", "configs", "backup", "smoke", "split_policy")
    scalers = {s.stream: _file(sources, s.model, PROFILE, details.get(2)) for s in sources.streams}
    snapshots = verified_snapshots(sources.project)
    bundle = sources.results / BUNDLE if sources.results else None
    files = [f"backups/{snapshots[0][0]}"] if snapshots else []
    files += [sources.project.relative(bundle)] if bundle is not None and bundle.is_file() else []
    loss = {stream.stream: _loss_file(sources, stream.stream) for stream in sources.streams}
    return {
        "readiness": {f"{name}_ready": passed.get(index, False) for index, name in enumerate(names, 1)},
        "checkpoints": {s.stream: _file(sources, s.model, WEIGHTS, details.get(1)) for s in sources.streams},
        "scaler": {**next(iter(scalers.values()), {}), "streams": scalers},
        "logs": {
            **{stream.stream: _log(sources, stream) for stream in sources.streams},
            "detail": details.get(3, "not validated"),
        },
        "backup": {"found": bool(files), "detail": details.get(5, "not validated"), "files": files},
        "loss_files": loss,
    }


def _file(sources: Sources, folder: Path | None, name: str, detail: str | None) -> dict[str, Any]:
    path = folder / name if folder else None
    exists = path is not None and path.is_file()
    return {
        "path": sources.project.relative(path) if path else None,
        "exists": exists,
        "size_bytes": path.stat().st_size if path and exists else 0,
        "detail": detail or "not validated",
    }


def _log(sources: Sources, stream: Artifacts) -> dict[str, Any]:
    path = stream.model / METRICS if stream.model else None
    exists = path is not None and path.is_file()
    name = sources.project.relative(path) if path else None
    return {"path": name, "exists": exists, "event_files": [name] if exists else []}


def _loss_file(sources: Sources, stream: str) -> dict[str, Any]:
    path = sources.results / f"{stream}_loss.csv" if sources.results else None
    exists = path is not None and path.is_file()
    name = sources.project.relative(path) if path else None
    return {"csv_path": name, "csv_exists": exists, "png_path": None, "png_exists": False}


def _scores(summary: dict[str, Any]) -> dict[str, Any]:
    """Return what the decisions of each stream come to: counts, spread of scores, detector, drift."""
    streams = summary.get("streams")
    if not isinstance(streams, dict):
        return {}
    return {
        stream: _short({name: entry for name, entry in value.items() if name not in ("records", "events")})
        for stream, value in streams.items()
    }


def _settings(sources: Sources) -> dict[str, Any]:
    """Return the resolved settings, and how they differ from those of the configuration and the profile."""
    own = sources.config.to_dict()
    base = load_config(sources.project, sources.config.profile).to_dict()
    now, before = (dict(_flat(value)) for value in (own, base))
    diff = [
        {"key": key, "base": before.get(key), "value": value}
        for key, value in now.items()
        if key.startswith(tuple(f"{section}." for section in _SECTIONS)) and before.get(key) != value
    ]
    return {**{section: own[section] for section in _SECTIONS}, "diff": diff}


def _flat(value: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, entry in value.items():
        if isinstance(entry, dict) and entry:
            yield from _flat(entry, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", entry


def _nodes(sources: Sources, items: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Return every box of the graph: as the run has shown it, or by hand what its artifacts say."""
    at = utc_now()
    nodes = {
        name: {"status": status, "message": "", "updated_at": at} for name, status in _seen(sources, items)
    }
    shown = _run_state(sources.run_dir).get("nodes") or {}
    nodes |= {name: node for name, node in shown.items() if name in nodes}
    if sources.run_dir is not None:  # this stage is the last: what it still has to do is done with this file
        failed = any(node["status"] == "fail" for node in nodes.values())
        for name in ("batch-bridge", "report", "run-summary"):
            nodes[name] = {"status": "done", "message": sources.run_id, "updated_at": at}
        nodes["orchestrator"] = {"status": "fail" if failed else "done", "message": "", "updated_at": at}
    return nodes


def _seen(sources: Sources, items: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    passed = {item["index"]: item["state"] == "pass" for item in items}
    own = {stream.stream: stream for stream in sources.streams}
    prepared = bool(own) and all((stream.train / "dataset.json").is_file() for stream in own.values())
    judged = sources.results is not None
    gates = {"checkpoint-check": 1, "scaler-check": 2, "runs-check": 3, "config-check": 4}
    whole = all(ok for index, ok in passed.items() if index != 5)  # noqa: PLR2004
    for name in NODES:
        if name in gates or name in ("validation-gate", "release-ready"):
            good = passed.get(gates[name]) if name in gates else whole
            yield name, "idle" if not items else "done" if good else "fail"
        elif name in ("data-prep", "dqvl"):
            yield name, "done" if prepared else "idle"
        elif name.removeprefix("batch-") in ("patchtst", "swinmae"):
            stream = own.get(name.removeprefix("batch-"))
            made = stream is not None and (judged if name.startswith("batch-") else stream.model is not None)
            yield name, "done" if made else "idle"
        elif name in ("calibrate", "artifact-save"):
            yield name, "done" if own and all(stream.detectors for stream in own.values()) else "idle"
        else:
            yield name, "done" if judged else "idle"
