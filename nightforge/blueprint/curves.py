"""Training curves in a terminal: a plot of characters, one line per version, CSV for other programs."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from nightforge.blueprint.results import Point, TrainingLog, VersionRecords
from nightforge.core.atomic import write_text

_BARS = "▁▂▃▄▅▆▇█"


def plot(curves: Sequence[tuple[str, Sequence[Point]]], width: int = 72, height: int = 16) -> list[str]:
    """Draw curves over the same axes, one mark each in the order given; later ones lie on top.

    `curves`: (mark, points) with a mark of one character. Points that are not finite are left out.
    """
    points = [(x, y) for _, curve in curves for x, y in curve if math.isfinite(y)]
    if not points:
        return ["(no points)"]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    low, high = min(y for _, y in points), max(y for _, y in points)
    grid = [[" "] * width for _ in range(height)]
    for mark, curve in curves:
        for x, y in curve:
            if math.isfinite(y):
                column = _scale(x, left, right, width)
                grid[height - 1 - _scale(y, low, high, height)][column] = mark
    lines = [f"{_label(row, low, high, height):>9} │{''.join(cells)}" for row, cells in enumerate(grid)]
    span = f"{left:g}".ljust(width - len(f"{right:g}")) + f"{right:g}"
    return [*lines, f"{'':>9} └{'─' * width}", f"{'step':>9}  {span}"]


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """A curve in one line: the mean of each part as a bar; empty without finite values."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    width = min(width, len(finite))
    parts = [finite[i * len(finite) // width : (i + 1) * len(finite) // width] for i in range(width)]
    means = [sum(part) / len(part) for part in parts]
    low, high = min(means), max(means)
    return "".join(_BARS[_scale(mean, low, high, len(_BARS))] for mean in means)


def curve_lines(records: VersionRecords) -> list[str]:
    """The loss plot of one version with its legend; says so when there is no training log."""
    log = records.training
    if log is None:
        return [f"v{records.version} has no training log"]
    title = f"v{records.version}: · training loss{_last(log.train)}"
    if log.eval:
        title += f"   o held-out loss{_last(log.eval)}"
    return [title, *plot([("·", log.train), ("o", log.eval)])]


def comparison_lines(records: Sequence[VersionRecords]) -> list[str]:
    """Training losses of several versions over the same axes; the mark is the last digit of the version."""
    curves = [(str(r.version % 10), r.training.train) for r in records if r.training]
    legend = ", ".join(
        f"{r.version % 10} = v{r.version}{_last(r.training.train)}" for r in records if r.training
    )
    return [f"training loss: {legend}", *plot(curves)] if curves else ["(no training log)"]


def summary_lines(records: Sequence[VersionRecords]) -> list[str]:
    """One line per version: rows, steps, time, losses, unseen score, shape of the loss curve."""
    head = f"{'':>5} {'rows':>7} {'steps':>6} {'seconds':>8} {'loss':>7} {'held out':>8} {'unseen':>7}"
    lines = [f"{head}  loss curve"]
    for record in records:
        log = record.training or TrainingLog()
        unseen = record.unseen.score.value if record.unseen and record.unseen.score else None
        cells = (
            f"{'v' + str(record.version):>5}",
            f"{_cell(log.rows, '7,d'):>7}",
            f"{_cell(log.steps, '6,d'):>6}",
            f"{_cell(log.seconds, '8.0f'):>8}",
            f"{_cell(log.final_loss, '7.3f'):>7}",
            f"{_cell(log.final_eval, '8.3f'):>8}",
            f"{_cell(unseen, '7.2f'):>7}",
        )
        lines.append(" ".join(cells) + "  " + sparkline([value for _, value in log.train]))
    return lines


def export_csv(records: Sequence[VersionRecords], path: Path) -> int:
    """Write version, step, loss, eval_loss, lr; a row per version and step. Returns the number of rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["version", "step", "loss", "eval_loss", "lr"])
    count = 0
    for record in records:
        log = record.training or TrainingLog()
        columns = [dict(log.train), dict(log.eval), dict(log.lr)]
        for step in sorted(set().union(*columns)):
            writer.writerow(
                [f"v{record.version}", f"{step:g}", *(column.get(step, "") for column in columns)]
            )
            count += 1
    write_text(path, text.getvalue())
    return count


def _scale(value: float, low: float, high: float, size: int) -> int:
    return 0 if high <= low else min(size - 1, int((value - low) / (high - low) * size))


def _label(row: int, low: float, high: float, height: int) -> str:
    if row in (0, height - 1, height // 2):
        return f"{high - (high - low) * row / (height - 1):.4g}"
    return ""


def _last(points: Sequence[Point]) -> str:
    return f" {points[-1][1]:.3f}" if points else ""


def _cell(value: float | None, spec: str) -> str:
    return "–" if value is None else format(value, spec)
