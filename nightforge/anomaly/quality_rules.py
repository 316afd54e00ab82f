"""The rules of the quality check: what a file's measurements mean, alone and against the training profile.

Letters: T rows, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.profiles import Fitted
from nightforge.anomaly.quality import FileQuality, counted
from nightforge.anomaly.recording import Profile
from nightforge.config.anomaly import PatchTst, SwinMae, VibrationWarn

# A drift is worth a warning when ... of the training data (a batch is never quite like it)
OUTSIDE_RATIO = 0.05  # more rows lie outside its range, widened by a tenth on each side
SHIFT_SCALES = 2.0  # the median has moved by more scales
KS_DISTANCE = 0.5  # the distributions differ by more (Kolmogorov-Smirnov distance, 0 to 1)
KS_ROWS = 4000
STILL_RATIO = 0.2  # of the rows: standing still for longer, or repeating more of them, is worth a warning
PACE_RATIO = (
    1.5  # a file whose rows come so much faster or slower than the training data shows another process
)
_UNIT_FACTORS = (1e-6, 1e-3, 1e-2, 1e-1, 1e1, 1e2, 1e3, 1e6)


def judge_alone(values: NDArray[np.float32], settings: PatchTst | SwinMae, quality: FileQuality) -> None:
    """Apply the rules that need the file only, to its (T, C) channels in use; none where they are off."""
    if not settings.dqvl.enabled:
        return
    missing = float((~np.isfinite(values)).mean()) if values.size else 1.0
    quality.metrics["missing_ratio"] = missing
    fail, warn = settings.dqvl.hard_fail.max_missing_ratio, settings.dqvl.warn.missing_ratio
    if missing > fail:
        quality.hard_fails.append(f"{missing:.1%} of the values are missing, more than {fail:.0%}")
    elif missing > warn:
        quality.warnings.append(f"{missing:.1%} of the values are missing, more than {warn:.0%}")
    used = quality.channels[: values.shape[1]]
    for record in used:
        if record["kind"] != "number":
            found = quality.warnings if isinstance(settings, PatchTst) else quality.hard_fails
            found.append(f"channel {record['name']!r} holds no number in this file")
        elif record["text_cells"]:
            quality.warnings.append(
                f"channel {record['name']!r}: text in {counted(record['text_cells'], 'cell')}"
            )
    if isinstance(settings, PatchTst):
        _stuck(used, len(values), settings.dqvl.warn.stuck_std, quality)
        repeated = _repeated_rows(values)
        quality.metrics["repeated_row_ratio"] = repeated
        if repeated > STILL_RATIO:
            quality.warnings.append(f"{repeated:.0%} of the rows repeat the row before in every channel")
    else:
        _waveform(values, settings.dqvl.warn, quality)


def _stuck(records: Sequence[dict[str, Any]], rows: int, limit: float, quality: FileQuality) -> None:
    stuck = [record["name"] for record in records if record.get("std", math.inf) <= limit]
    quality.metrics["stuck_channels_count"] = len(stuck)
    if stuck:
        quality.warnings.append(f"stuck all the time (deviation at most {limit:g}): {', '.join(stuck)}")
    for record in records:
        still = record.get("longest_stuck_rows", 0)
        if still > STILL_RATIO * rows and not record["switch"]:
            quality.warnings.append(f"channel {record['name']!r} stands still for {still:,} rows")


def _repeated_rows(values: NDArray[np.float32]) -> float:
    """Share of rows equal to the one before in every channel."""
    if len(values) < 2:
        return 0.0
    return float((values[1:] == values[:-1]).all(axis=1).mean())


def _waveform(values: NDArray[np.float32], warn: VibrationWarn, quality: FileQuality) -> None:
    whole = np.isfinite(values).any(axis=0).all()
    rms = np.sqrt(np.nanmean(values.astype(np.float64) ** 2, axis=0)) if whole else None
    steps = np.abs(np.diff(values, axis=0))
    flat = float((steps <= warn.flat_eps).mean(axis=0).max()) if len(steps) else 0.0
    clipped = max(record.get("clipped_ratio", 0.0) for record in quality.channels[: values.shape[1]])
    quality.metrics |= {
        "rms_per_axis": [float(v) for v in rms] if rms is not None else None,
        "flat_ratio": flat,
        "clipping_ratio": clipped,
    }
    if rms is not None and (rms.min() < warn.rms_min or rms.max() > warn.rms_max):
        quality.warnings.append(
            f"root mean square {rms.min():.3g} to {rms.max():.3g} per axis, "
            f"outside {warn.rms_min:g} to {warn.rms_max:g}"
        )
    if flat > warn.flat_ratio:
        quality.warnings.append(
            f"flat: an axis stands still in {flat:.0%} of its steps, more than {warn.flat_ratio:.0%}"
        )
    if clipped > warn.clipping_ratio:
        quality.warnings.append(
            f"clipped: {clipped:.1%} of an axis lies at its extremes, more than {warn.clipping_ratio:.0%}"
        )


def judge(
    values: NDArray[np.float32], fitted: Fitted, settings: PatchTst | SwinMae, quality: FileQuality
) -> None:
    """Apply the rules that compare (T, C) channels with the training data: jumps and drift; none where they
    are off.
    """
    if not settings.dqvl.enabled:
        return
    profile = fitted.profile
    names = [record["name"] for record in quality.channels]
    for index, name in enumerate(profile.channels):
        record = quality.channels[names.index(name)]
        column = values[:, index].astype(np.float64)
        column = column[np.isfinite(column)]
        if column.size < 2:
            continue
        record["drift"] = drift(column, profile, index, fitted.quantiles[:, index])
        if quality.part == "score":
            _warn_of_drift(name, record["drift"], name in profile.constant, quality)
    if isinstance(settings, PatchTst):
        _compare_pace(profile.step_s, quality)
        _jumps(values, profile, settings, quality)


def _compare_pace(usual_s: float | None, quality: FileQuality) -> None:
    """A window is a number of rows, so another pace makes it another stretch of time."""
    step_s = quality.metrics.get("step_s")
    if not step_s or not usual_s or 1 / PACE_RATIO <= step_s / usual_s <= PACE_RATIO:
        return
    text = f"a row every {step_s:.6g} s, in the training data every {usual_s:.6g} s"
    if quality.part == "score":
        quality.hard_fails.append(f"{text}: a window would span another time; bring it to the same rate")
    else:
        quality.warnings.append(text)


def _jumps(values: NDArray[np.float32], profile: Profile, settings: PatchTst, quality: FileQuality) -> None:
    warn = settings.dqvl.warn
    limits = warn.jump_mad * np.asarray(profile.step_mad)
    steps = np.abs(np.diff(values, axis=0))
    ratios = np.where(limits > 0, (steps > limits).mean(axis=0) if len(steps) else 0.0, 0.0)
    by_name = {record["name"]: record for record in quality.channels}
    for name, ratio in zip(profile.channels, ratios, strict=True):
        by_name[name]["jump_ratio"] = float(ratio)
        if ratio > warn.jump_ratio:
            quality.warnings.append(
                f"channel {name!r} jumps in {ratio:.0%} of its steps (more than {warn.jump_mad:g} times the "
                f"usual step), more than {warn.jump_ratio:.0%}"
            )
    quality.metrics["jump_ratio"] = float(ratios.max()) if ratios.size else 0.0


def drift(
    column: NDArray[np.float64], profile: Profile, index: int, quantiles: NDArray[np.float64]
) -> dict[str, Any]:
    """Compare one channel's values with its training data: share outside the range, shift of the median in
    scales, Kolmogorov-Smirnov distance, and a unit factor that would explain it.
    """
    low, high = profile.minimum[index], profile.maximum[index]
    slack = 0.1 * (high - low) or profile.scale[index]
    outside = float(((column < low - slack) | (column > high + slack)).mean())
    middle = float(np.median(column))
    return {
        "outside_ratio": outside,
        "median_shift": (middle - profile.center[index]) / profile.scale[index],
        "ks": ks_distance(column, quantiles),
        "unit_factor": _unit_factor(middle, profile.center[index]) if outside > 0.5 else None,
    }


def ks_distance(column: NDArray[np.float64], quantiles: NDArray[np.float64]) -> float:
    """Largest difference between the two distribution functions; at most KS_ROWS of the column are used."""
    sample = np.sort(column[:: max(1, len(column) // KS_ROWS)])
    grid = np.concatenate([sample, quantiles])
    ours = np.searchsorted(sample, grid, side="right") / len(sample)
    theirs = np.searchsorted(quantiles, grid, side="right") / len(quantiles)
    return float(np.abs(ours - theirs).max())


def _unit_factor(now: float, before: float) -> float | None:
    """The power of ten between two medians, when it is one within a third."""
    if not now or not before or (now < 0) != (before < 0):
        return None
    return next((f for f in _UNIT_FACTORS if abs(math.log(now / before / f)) < 0.3), None)


def _warn_of_drift(name: str, found: dict[str, Any], constant: bool, quality: FileQuality) -> None:
    words = []
    if found["outside_ratio"] > OUTSIDE_RATIO:
        words.append(f"{found['outside_ratio']:.0%} outside the range of the training data")
    if abs(found["median_shift"]) > SHIFT_SCALES:
        words.append(f"median moved by {found['median_shift']:+.1f} scales")
    if found["ks"] > KS_DISTANCE and not constant:
        words.append(f"distribution differs by {found['ks']:.2f} (of 1)")
    if not words:
        return
    factor = found["unit_factor"]
    unit = f"; about {factor:g} times as large: another unit?" if factor else ""
    still = "was constant in training; " if constant else ""
    quality.warnings.append(f"channel {name!r} has drifted: {still}{', '.join(words)}{unit}")
