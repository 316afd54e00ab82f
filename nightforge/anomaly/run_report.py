"""report.md of a run of the anomaly track: what was trained, what was found, what to do next. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_TITLES = {"patchtst": "Sensor tables (PatchTST)", "swinmae": "Vibration (Swin masked-image model)"}


def report_text(state: dict[str, Any], run: dict[str, Any]) -> str:
    """Write the report from the dashboard state and, within a run, its live state."""
    lines = [f"# Run {state['meta']['run_id']}", "", *_head(state, run)]
    for stream in state["meta"]["streams"]:
        lines += ["", f"## {_TITLES[stream]}", "", *_stream(state, stream)]
    lines += ["", "## Checks", "", *_checks(state), "", "## What to do next", "", *_next(state), ""]
    troubles = list(_troubles(run))
    if troubles:
        lines += ["## What went wrong on the way", "", *troubles, ""]
    return "\n".join(lines)


def _head(state: dict[str, Any], run: dict[str, Any]) -> Iterator[str]:
    meta = state["meta"]
    yield f"Profile {meta['profile']}, streams {', '.join(meta['streams'])}, written {meta['timestamp']}."
    if meta["label"] and meta["label"] != meta["run_id"]:
        yield f"Nothing it depends on has changed, so the decisions are those of {meta['label']}."
    diff = state["settings"]["diff"]
    if diff:
        changed = ", ".join(f"{entry['key']} {entry['base']} -> {entry['value']}" for entry in diff)
        yield f"Settings other than configured: {changed}."
    kept = [stage["id"] for stage in run.get("stages", []) if stage.get("status") == "skipped"]
    if kept:
        yield f"Kept from earlier runs: stages {', '.join(kept)}."


def _stream(state: dict[str, Any], stream: str) -> Iterator[str]:
    metrics = state["metrics"][stream]
    if metrics["model"] is None:
        yield "Nothing has been trained yet."
        return
    loss, best = metrics["final_val_loss"], metrics["best_val_loss"]
    trained = f"**{metrics['model']}**, {metrics['steps']} steps"
    yield trained + (f", validation loss {loss:.4g} (best {best:.4g})." if loss is not None else ".")
    yield "The loss tells that training went well, not how well anomalies are found: thresholds do."
    yield ""
    yield from _thresholds(state["thresholds"].get(stream) or {})
    yield ""
    yield from _found(state["scores"].get(stream) or {})


def _thresholds(value: dict[str, Any]) -> Iterator[str]:
    chosen = value.get("detector")
    found = (value.get("detectors") or {}).get(chosen)
    if not found:
        yield "No thresholds: nothing has been calibrated."
        return
    yield (
        f"Detector `{chosen}`, calibrated on {found['n']} windows of held-out normal data "
        f"({found['n_effective']} without overlap)."
    )
    yield ""
    yield "| | chosen rate | threshold | seen on the test part |"
    yield "|---|---|---|---|"
    held_out = (value.get("held_out") or {}).get(chosen) or {}
    for name in ("warn", "anomaly"):
        rate = held_out.get(f"far_{name}")
        seen = f"{rate:.2%} of {held_out['n']}" if rate is not None else "no test part"
        yield f"| {name} | {found[f'alpha_{name}']:.2%} | {found[name]:.4g} | {seen} |"
    for words in value.get("warnings") or []:
        yield f"* **Drift**: {words}"


def _found(value: dict[str, Any]) -> Iterator[str]:
    summary = value.get("summary") or {}
    if not summary:
        yield "Nothing has been judged."
        return
    counts = summary.get("decision_counts") or {}
    judged = ", ".join(f"{count:,} {name}" for name, count in counts.items())
    windows, events = summary.get("window_count", 0), summary.get("events", 0)
    yield f"Judged {windows:,} windows: {judged}; **{events} events**."
    realised = value.get("realised")
    if realised:
        yield (
            f"The generator knows the truth: of {realised['normal_windows']:,} normal windows "
            f"{realised['far_warn']:.2%} were warned or worse and {realised['far_anomaly']:.2%} alarmed; "
            f"{realised['faults_found']} of {realised['faults']} faults were found."
        )
    for words in value.get("warnings") or []:
        yield f"* **Drift**: {words}"


def _checks(state: dict[str, Any]) -> Iterator[str]:
    items = state["checklist"]
    if not items:
        yield "Not validated: stage 26 has not run."
        return
    yield "| | check | result | seen |"
    yield "|---|---|---|---|"
    for item in items:
        detail = str(item["detail"]).replace("|", "/").replace("\n", " ")
        yield f"| {item['index']} | {item['title']} | {item['state']} | {detail} |"


def _next(state: dict[str, Any]) -> Iterator[str]:
    failed = [item for item in state["checklist"] if item["state"] == "fail"]
    for item in failed:
        yield f"* {item['title']} failed: `{item['hint']}`"
    if not state["checklist"]:
        yield "* `python launch_pipeline.py --pipeline anomaly` goes on where it was."
    elif not failed:
        folder = f"results/anomaly/runs/{state['meta']['label']}"
        yield f"* Read the events in `{folder}/report.html`; the same as a table: `*_alarms.csv` there."
        yield "* New files to be judged go to `data/local/test/`; then start the pipeline again."
        yield "* More false alarms than stated: the process has drifted; train again on newer normal data."


def _troubles(run: dict[str, Any]) -> Iterator[str]:
    for error in run.get("errors") or []:
        words = error.get("words") or error.get("kind")
        yield f"* stage {error.get('stage')}, attempt {error.get('attempt')}: {words}: {error.get('message')}"
