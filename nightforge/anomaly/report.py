"""The report of one batch as a page of its own: what was decided, when, how sure, and which channels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nightforge.anomaly.html_page import listing, number, page, table, text
from nightforge.anomaly.plots import blame_plot, score_plot
from nightforge.core.atomic import read_json, write_text

_SHOWN = 200  # events on the page; the CSV has all
TITLES = {"patchtst": "Sensors", "swinmae": "Vibration"}


def write_report(path: Path, summary: dict[str, Any], folder: Path) -> None:
    """Write the page of what `summary.json` says; the charts are read from `folder`."""
    lead = f"{summary['label']}, {summary['generated_at']}"
    body: list[str] = []
    for stream, block in summary["streams"].items():
        body += _stream(block, read_json(folder / f"chart_{stream}.json"))
    write_text(path, page("Decisions", lead, body), durable=False)


def _stream(block: dict[str, Any], chart: dict[str, Any]) -> Iterator[str]:
    stream, told, limits = block["stream"], block["summary"], block["thresholds"]
    counts = told["decision_counts"]
    yield f"<h2>{TITLES[stream]} ({text(stream)})</h2>"
    states = (
        f'<span class="{style}">{counts[state]:,} {state}</span>'
        for state, style in (("normal", "keep"), ("warn", "warn"), ("anomaly", "drop"))
    )
    yield (
        f"<p>{told['window_count']:,} windows, judged by <b>{text(block['detector'])}</b>: "
        f"{', '.join(states)}; {told['events']:,} events.</p>"
    )
    rates = f"{limits['alpha_warn']:.1%} and {limits['alpha_anomaly']:.1%}"
    yield (
        f'<p class="muted">Thresholds of {text(block["calibration"])}: warn above {limits["warn"]:.4g}, '
        f"anomaly above {limits['anomaly']:.4g}. At most {rates} of normal windows lie above, as long as "
        f"they are like the {limits['n']:,} calibration windows ({limits['n_effective']:,} without "
        "overlap).</p>"
    )
    yield listing(block["warnings"], "warn")
    yield from _realised(block.get("realised"))
    yield score_plot(chart)
    if block["events"]:
        yield "<h2>Which channels are to blame</h2>" + blame_plot(block["events"])
        yield "<h2>Events</h2>" + _events(block["events"])
    if len(block["events"]) > _SHOWN:
        yield f'<p class="muted">The first {_SHOWN}; {text(stream)}_alarms.csv beside this page has all.</p>'
    yield "<h2>All detectors</h2>" + _detectors(block)
    if block["too_short"]:
        yield "<h2>Too short to be judged</h2>"
        yield listing(
            f"{e['file_id']}, from row {e['first_row']}: {e['rows']} rows" for e in block["too_short"]
        )


def _realised(found: dict[str, Any] | None) -> Iterator[str]:
    if not found or not found["normal_windows"]:
        return
    delay = found["median_delay_rows"]
    yield (
        f"<p>The truth of this batch is known: of {found['normal_windows']:,} normal windows "
        f"{found['far_warn']:.2%} were warned or worse, {found['far_anomaly']:.2%} alarmed; "
        f"{found['faults_found']} of {found['faults']} faults were found"
        + (f", {number(delay)} rows after they began (median)" if delay is not None else "")
        + ".</p>"
    )


def _events(events: list[dict[str, Any]]) -> str:
    heads = ("Event", "File", "Start", "End", "Channels, strongest first", "Duration", "Peak", "p", "Windows")
    rows = (
        [
            text(e["event_id"]),
            text(e["file"]),
            text(e["start"]),
            text(e["end"]),
            text(", ".join(f"{c['name']} {c['share']:.0%}" for c in e["channels"][:3])),
            number(float(e["duration_s"])),
            number(e["peak_score"]),
            number(e["p_min"], 2),
            number(e["windows"]),
        ]
        for e in events[:_SHOWN]
    )
    return table(heads, rows, 4)


def _detectors(block: dict[str, Any]) -> str:
    heads = ("Detector", "Warn threshold", "Anomaly threshold", "Above warn", "Above anomaly")
    rows = (
        [
            text(name) + (" (decides)" if name == block["detector"] else ""),
            number(entry["warn"]),
            number(entry["anomaly"]),
            f"{entry['warn_share']:.2%}",
            f"{entry['anomaly_share']:.2%}",
        ]
        for name, entry in block["detectors"].items()
    )
    return table(heads, rows, 4)
