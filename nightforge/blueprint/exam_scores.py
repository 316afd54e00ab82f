"""Summaries of exam records: means with 95 % intervals, for all prompts and by exposure, lesson, level, tier,
category, node type.

Shares (valid, exact) get Wilson intervals, means (F1, score) seeded bootstrap intervals over prompts; n
prompts, R resamples. All values are 0..1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nightforge.blueprint.mastery import wilson

Record = dict[str, Any]
MEASURES = ("valid", "exact", "node_f1", "wire_f1", "property_acc", "score")
_SHARES = {"valid", "exact"}
_RESAMPLES = 1000
_SEED = 20_261


def summarize(records: Sequence[Record]) -> dict[str, Any]:
    """Return the `free` section of summary.json for these answers."""
    return {
        "all": scores(records),
        "by_exposure": {name: scores([r for r in records if r["exposure"] == name]) for name in EXPOSURES},
        "by_lesson": _grouped(records, lambda record: record["lesson_id"]),
        "by_level": _grouped(records, lambda record: record["level"]),
        "by_tier": _grouped(records, lambda record: record["tier"] or "unstated"),
        "by_category": _grouped(records, lambda record: record["category"]),
        "by_node_type": by_node_type(records),
    }


EXPOSURES = ("seen", "near", "unseen")


def scores(records: Sequence[Record]) -> dict[str, Any]:
    """Return n and every measure as {value, ci95}; only n when there is no record."""
    if not records:
        return {"n": 0}
    found: dict[str, Any] = {"n": len(records)}
    for name in MEASURES:
        values = [float(record[name]) for record in records]
        interval = wilson(sum(values) / len(values), len(values)) if name in _SHARES else bootstrap(values)
        found[name] = {"value": _round(sum(values) / len(values)), "ci95": [_round(end) for end in interval]}
    return found


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % percentile interval of a mean over prompts, from a fixed seed."""
    array = np.asarray(values)
    draws = np.random.default_rng(_SEED).integers(0, len(array), size=(_RESAMPLES, len(array)))  # (R, n)
    low, high = np.percentile(array[draws].mean(axis=1), [2.5, 97.5])
    return float(low), float(high)


def by_node_type(records: Sequence[Record]) -> dict[str, Any]:
    """Return {type: {n, precision, recall, f1, ci95}}; n counts the prompts that expect the type."""
    counts: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for record in records:
        for name, entry in record["node_types"].items():
            counts[name].append((entry["expected"], entry["matched"], entry["actual"]))
    return {name: _type_scores(np.asarray(entries)) for name, entries in sorted(counts.items())}


def _type_scores(entries: np.ndarray) -> dict[str, Any]:
    """Score one node type from (n, 3) counts: expected, matched, actual."""
    draws = np.random.default_rng(_SEED).integers(0, len(entries), size=(_RESAMPLES, len(entries)))
    resampled = entries[draws].sum(axis=1)  # (R, 3)
    f1 = 2 * resampled[:, 1] / np.maximum(resampled[:, 0] + resampled[:, 2], 1)
    expected, matched, actual = (int(value) for value in entries.sum(axis=0))
    low, high = np.percentile(f1, [2.5, 97.5])
    return {
        "n": int((entries[:, 0] > 0).sum()),
        "precision": _round(matched / actual) if actual else 0.0,
        "recall": _round(matched / expected) if expected else 0.0,
        "f1": _round(2 * matched / (expected + actual)),
        "ci95": [_round(float(low)), _round(float(high))],
    }


def _grouped(records: Sequence[Record], key: Callable[[Record], str]) -> dict[str, Any]:
    groups: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        groups[key(record)].append(record)
    return {name: scores(group) for name, group in sorted(groups.items())}


def _round(value: float) -> float:
    return round(value, 4)
