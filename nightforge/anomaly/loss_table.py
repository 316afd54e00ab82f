"""Losses of a training as a table: what the page draws and what a spreadsheet opens."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from nightforge.core.atomic import write_text

FIELDS = ("step", "epoch", "train_loss", "val_loss")


def loss_rows(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per validation with the training loss logged last before it; without any validation one
    row per logged training loss. `lines` are those of metrics.jsonl.
    """
    judged = any("val_loss" in line for line in lines)
    rows: list[dict[str, Any]] = []
    train: float | None = None
    for line in lines:
        train = line.get("train_loss", train)
        if "val_loss" in line or not judged:
            values = {"train_loss": train, "val_loss": line.get("val_loss")}
            rows.append({"step": line.get("step"), "epoch": line.get("epoch"), **values})
    return rows


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the rows as CSV."""
    text = io.StringIO(newline="")
    table = csv.DictWriter(text, FIELDS, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())
