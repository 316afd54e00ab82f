"""The quality report of one stream: JSON for programs, one HTML page for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from nightforge.anomaly.html_page import listing, number, page, table, text
from nightforge.anomaly.quality import SCHEMA_VERSION, FileQuality, counted
from nightforge.core.atomic import write_json, write_text
from nightforge.core.clock import utc_now

DETAILED = 200  # files whose channels are shown on the page, those with findings first; JSON has all
_SET = {"train": "Training files", "score": "Files to be judged"}
_HEADS = ("Channel", "Kind", "Missing", "Longest hole", "Stuck rows", "Clipped", "Jumps", "Min", "Median")
_DRIFT = ("Max", "Outside range", "Median shift", "KS")


def write_report(
    path: Path, stream: str, run_id: str, files: Sequence[FileQuality], facts: dict[str, Any]
) -> dict[str, Any]:
    """Write PATH.json and PATH.html and return the record. `facts`: source, ignored files, channels left out,
    error.
    """
    kept = sum(quality.decision == "keep" for quality in files)
    record = {
        "schema_version": SCHEMA_VERSION,
        "generated_at": utc_now(),
        "run_id": run_id,
        "stream": stream,
        **facts,
        "summary": {
            "files": len(files),
            "kept": kept,
            "dropped": len(files) - kept,
            "warnings": sum(len(quality.warnings) for quality in files),
        },
        "files": [quality.record(run_id) for quality in files],
    }
    write_json(path.with_name(path.name + ".json"), record)
    write_text(path.with_name(path.name + ".html"), render(record))
    return record


def render(record: dict[str, Any]) -> str:
    """The record as a page."""
    summary = record["summary"]
    lead = (
        f"run {record['run_id']}, {record['generated_at']}; source {record['source'] or 'none'}; "
        f"{summary['files']} files, {summary['kept']} kept, {summary['dropped']} dropped, "
        f"{summary['warnings']} warnings"
    )
    return page(f"Data quality: {record['stream']}", lead, _body(record))


def _body(record: dict[str, Any]) -> Iterator[str]:
    if record.get("error"):
        yield f'<p class="drop">Stopped: {text(record["error"])}</p>'
    if record["dropped_channels"]:
        yield "<h2>Channels left out</h2>"
        yield listing((f"{entry['name']}: {entry['reason']}" for entry in record["dropped_channels"]), "warn")
    if record["ignored_files"]:
        yield "<h2>Files of another kind, not read</h2>" + listing(record["ignored_files"])
    for part, title in _SET.items():
        files = [entry for entry in record["files"] if entry["part"] == part]
        if files:
            yield f"<h2>{title}</h2>"
            yield _overview(files)
    detailed = sorted(record["files"], key=lambda entry: (entry["decision"] == "keep", not entry["warnings"]))
    if detailed:
        yield "<h2>File by file</h2>"
    yield from (_details(entry) for entry in detailed[:DETAILED])
    if len(detailed) > DETAILED:
        more = len(detailed) - DETAILED
        yield f'<p class="muted">and {more} more files in the JSON report beside this page</p>'


def _overview(files: Sequence[dict[str, Any]]) -> str:
    heads = ("File", "Decision", "State", "Findings", "Rows", "Missing", "Gaps", "Rate Hz")
    return table(heads, (_overview_row(entry) for entry in files), 4)


def _overview_row(entry: dict[str, Any]) -> list[str]:
    metrics = entry["metrics"]
    step = metrics.get("step_s")
    rate = metrics.get("actual_fs") or (1.0 / step if step else None)
    missing = metrics.get("missing_ratio")
    return [
        text(entry["file_id"]),
        f'<span class="{entry["decision"]}">{entry["decision"]}</span>',
        text(entry["state"].replace("_", " ")),
        listing(entry["hard_fails"], "drop") + listing(entry["warnings"], "warn"),
        number(metrics.get("row_count")),
        "–" if missing is None else f"{missing:.2%}",
        number(metrics.get("gap_count")),
        number(rate, 6),
    ]


def _details(entry: dict[str, Any]) -> str:
    metrics = ((name, value) for name, value in entry["metrics"].items() if not isinstance(value, dict))
    found = "; ".join(f"{name} {_shown(value)}" for name, value in metrics)
    count = len(entry["hard_fails"]) + len(entry["warnings"])
    rows = (_channel_row(channel) for channel in entry["channels"])
    channels = table((*_HEADS, *_DRIFT), rows, len(_HEADS) + len(_DRIFT) - 2) if entry["channels"] else ""
    title = f"{entry['file_id']} ({_SET[entry['part']].lower()}, {counted(count, 'finding')})"
    return (
        f"<details><summary>{text(title)}</summary>{listing(entry['hard_fails'], 'drop')}"
        f"{listing(entry['warnings'], 'warn')}{listing(entry['actions'])}"
        f'<p class="muted">{text(found)}</p>{channels}</details>'
    )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_shown(one) for one in value) + "]"
    return number(value) if isinstance(value, float | int) else str(value)


def _channel_row(channel: dict[str, Any]) -> list[str]:
    drift = channel.get("drift") or {}
    return [
        text(channel["name"]),
        text(channel["kind"]) + (f" ({channel['text_cells']} text)" if channel["text_cells"] else ""),
        f"{channel['missing_ratio']:.2%}",
        number(channel["longest_hole_rows"]),
        number(channel.get("longest_stuck_rows")),
        _percent(channel.get("clipped_ratio")),
        _percent(channel.get("jump_ratio")),
        *(number(channel.get(name)) for name in ("minimum", "median", "maximum")),
        _percent(drift.get("outside_ratio")),
        number(drift.get("median_shift"), 2),
        number(drift.get("ks"), 2),
    ]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
