"""Plots of the report as SVG: scores with thresholds and event bands, blame per channel. No scripts; colours
are those of the page, so that they follow light and dark.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from nightforge.anomaly.html_page import text

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 1200, 240, 56, 24, 10
_COLOURS = {"normal": "var(--accent)", "warn": "var(--warning)", "anomaly": "var(--failed)"}


def score_plot(chart: dict[str, Any]) -> str:
    """Draw the points of chart_<stream>.json, the two thresholds as lines, the events as bands.

    The height is logarithmic in 1 + score, so that a high peak leaves the thresholds readable.
    """
    points, limits = chart["points"], chart["thresholds"]
    if not points:
        return ""
    first, last = points[0]["index"], max(points[-1]["index"], points[0]["index"] + 1)
    scores = [float(point["score"]) for point in points]
    top, low = max(*scores, float(limits["anomaly"])) * 1.05, min(0.0, *scores)

    def x(index: float) -> float:
        return float(LEFT + (WIDTH - LEFT - 8) * (index - first) / (last - first))

    def y(score: float) -> float:
        share = math.log1p(max(score - low, 0.0)) / max(math.log1p(top - low), 1e-12)
        return float(TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - share))

    parts = [_band(x(event["from"]), x(event["to"]), event["id"]) for event in chart["events"]]
    line = " ".join(f"{x(p['index']):.1f},{y(p['score']):.1f}" for p in points)
    parts.append(f'<polyline points="{line}" style="fill:none;stroke:var(--accent);stroke-width:1"/>')
    for point in points:
        if point["decision"] != "normal":
            words = f"{point['file_id']}, {point['time']}: {point['score']:.4g}"
            parts.append(_dot(x(point["index"]), y(point["score"]), _COLOURS[point["decision"]], words))
    for name in ("warn", "anomaly"):
        at, colour = y(limits[name]), _COLOURS[name]
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{at:.1f}" y2="{at:.1f}" '
            f'style="stroke:{colour};stroke-dasharray:6 4"/>'
        )
        label = at + (12 if name == "warn" else 0)  # apart, also where the thresholds are close
        parts.append(_words(LEFT - 4, label, f"{limits[name]:.3g}", "end", colour))
    for point, anchor in ((points[0], "start"), (points[-1], "end")):
        words = f"window {point['index']:,}: {point['time']}"
        parts.append(_words(x(point["index"]), HEIGHT - 8, words, anchor, "var(--muted)"))
    return _svg(HEIGHT, f"Scores of {chart['stream']} by window", parts)


def blame_plot(events: Sequence[dict[str, Any]]) -> str:
    """Draw the mean share of blame of each channel over all events, the ten largest."""
    sums: dict[str, float] = {}
    for event in events:
        for entry in event["channels"]:
            sums[entry["name"]] = sums.get(entry["name"], 0.0) + entry["share"] / len(events)
    ranked = sorted(sums.items(), key=lambda item: -item[1])[:10]
    parts = []
    for row, (name, share) in enumerate(ranked):
        top, width = 4 + 22 * row, max((WIDTH - 400) * share, 1.0)
        parts.append(_words(240, top + 13, name, "end", "var(--text)"))
        parts.append(f'<rect x="248" y="{top}" width="{width:.1f}" height="16" style="fill:var(--accent)"/>')
        parts.append(_words(254 + width, top + 13, f"{share:.0%}", "start", "var(--muted)"))
    return _svg(8 + 22 * len(ranked), "Share of blame per channel", parts) if ranked else ""


def _band(left: float, right: float, name: str) -> str:
    box = f'x="{left:.1f}" y="{TOP}" width="{max(right - left, 2):.1f}" height="{HEIGHT - TOP - BOTTOM}"'
    return f'<rect {box} style="fill:var(--failed);opacity:.15"><title>{text(name)}</title></rect>'


def _dot(x: float, y: float, colour: str, words: str) -> str:
    place = f'cx="{x:.1f}" cy="{y:.1f}" r="2"'
    return f'<circle {place} style="fill:{colour}"><title>{text(words)}</title></circle>'


def _words(x: float, y: float, words: str, anchor: str, colour: str) -> str:
    style = f"fill:{colour};font-size:12px"
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="{style}">{text(words)}</text>'


def _svg(height: int, title: str, parts: Sequence[str]) -> str:
    look = "width:100%;height:auto;background:var(--panel);border:1px solid var(--line);border-radius:4px"
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{text(title)}" style="{look}">'
        f"<title>{text(title)}</title>{''.join(parts)}</svg>"
    )
