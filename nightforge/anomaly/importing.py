"""From a table as it was read to a recording that can be used: columns chosen, clock in order, rate right.

All that is found on the way goes into the file's quality record. Letters: T rows, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly import columns
from nightforge.anomaly.quality import FileQuality, counted, measure_channels
from nightforge.anomaly.readers import Source, Table, Tick, digest_of, read_table
from nightforge.anomaly.recording import Recording
from nightforge.anomaly.resampling import Pace, pace_of, resampled
from nightforge.config.anomaly import PatchTst, SwinMae, VibrationData
from nightforge.core.errors import BadDataError

JITTER = 0.1  # of a step: more scatter of a waveform's timestamps is worth a warning


@dataclass(frozen=True)
class Imported:
    """A recording ready to use. breaks: rows at which time has jumped; pace: None without timestamps."""

    recording: Recording
    breaks: list[int] = field(default_factory=list)
    pace: Pace | None = None


def import_file(
    source: Source, settings: PatchTst | SwinMae, quality: FileQuality, tick: Tick
) -> Imported | None:
    """Read a file and say in `quality` what is wrong with it; None when it can't be used at all. `tick` as in
    `read_table`.
    """
    quality.digest = digest_of(source)
    vibration = isinstance(settings, SwinMae)
    try:
        table = read_table(source, settings.data.timestamp_col, short_stamp=vibration, tick=tick)
    except BadDataError as error:
        quality.hard_fails.append(error.message)
        return None
    quality.warnings += table.notes
    if table.ragged:
        quality.warnings.append(f"{counted(table.ragged, 'row')} with more cells than the header left out")
    quality.metrics["row_count"] = len(table.values)
    if len(table.values) < 2:
        quality.hard_fails.append(
            f"{counted(len(table.values), 'row')}; at least 2 are needed, and a window to be judged"
        )
        return None
    wanted = settings.data.timestamp_col
    if wanted is not None and table.time_column is None and table.headed:
        near = columns.closest(wanted, table.columns)
        hint = f"; closest column: {near!r}" if near else ""
        quality.warnings.append(f"there is no timestamp column {wanted!r}{hint}")
    if isinstance(settings, SwinMae):
        return _vibration(table, settings, quality)
    return _sensors(table, settings, quality)


# --- sensor tables -----------------------------------------------------------------------------------------


def _sensors(table: Table, settings: PatchTst, quality: FileQuality) -> Imported | None:
    fail = settings.dqvl.hard_fail
    if not table.headed:
        quality.hard_fails.append(
            "the first row is data; a header row with the names of the channels is needed"
        )
        return None
    if table.times is None and fail.require_timestamp:
        quality.hard_fails.append(
            f"no timestamp column; there are {', '.join(table.columns[:8])} "
            "(name it in patchtst.data.timestamp_col, or set patchtst.dqvl.hard_fail.require_timestamp=false)"
        )
        return None
    kept = _feature_columns(table, settings, quality)
    if not kept:
        quality.hard_fails.append("no column holds measurements")
        return None
    names = tuple(table.columns[i] for i in kept)
    values = table.values if len(kept) == table.values.shape[1] else table.values[:, kept]
    clock = _clock(table, settings, quality)
    if clock is None:
        return None
    times, order = clock
    values = values if order is None else values[order]
    quality.channels = measure_channels(names, values, [table.text[i] for i in kept])
    quality.metrics["channel_count"] = len(names)
    pace = _pace(times, quality)
    epoch = bool(table.times and table.times.epoch)
    recording = Recording(quality.file_id, quality.digest, names, values, times, epoch)
    return Imported(recording, [row for row, _ in pace.gaps] if pace else [], pace)


def _feature_columns(table: Table, settings: PatchTst, quality: FileQuality) -> list[int]:
    ignored = {name.lower() for name in settings.data.ignore_columns}
    kept: list[int] = []
    for index, name in enumerate(table.columns):
        if name.lower() in ignored:
            quality.actions.append(f"column {name!r} left out (patchtst.data.ignore_columns)")
        elif name.startswith("column ") and _is_counter(table.values[:, index]):
            quality.actions.append(f"{name} left out: it has no name and counts the rows")
        else:
            kept.append(index)
    return kept


def _is_counter(column: NDArray[np.float32]) -> bool:
    expected = np.arange(len(column), dtype=np.float32)
    return bool(np.all(column - column[0] == expected)) if len(column) and np.isfinite(column[0]) else False


# --- vibration ---------------------------------------------------------------------------------------------


def _vibration(table: Table, settings: SwinMae, quality: FileQuality) -> Imported | None:
    quality.metrics["raw_shape"] = list(table.values.shape)
    quality.metrics["expected_fs"] = settings.data.fs
    chosen = _axes(table, quality)
    if chosen is None:
        return None
    values = table.values[:, chosen]
    clock = _clock(table, settings, quality)
    if clock is None:
        return None
    times, order = clock
    values = values if order is None else values[order]
    pace = _pace(times, quality)
    quality.channels = measure_channels(columns.AXES, values, [table.text[i] for i in chosen])
    rate = _rate(quality, settings.data, pace)
    quality.metrics["actual_fs"] = rate
    if pace is not None and pace.jitter > JITTER and not pace.rounded:
        quality.warnings.append(
            f"its timestamps scatter by {pace.jitter:.0%} of a step; even steps are assumed"
        )
    epoch = bool(table.times and table.times.epoch)
    breaks = [row for row, _ in pace.gaps] if pace else []
    recording = Recording(quality.file_id, quality.digest, columns.AXES, values, times, epoch, rate)
    return _at_rate(Imported(recording, breaks, pace), settings, quality)


def _axes(table: Table, quality: FileQuality) -> list[int] | None:
    """The columns of x, y, z. Without names, three columns are taken in their order."""
    if not table.headed:
        if table.values.shape[1] == 3:
            return [0, 1, 2]
        quality.hard_fails.append(
            f"shape {tuple(table.values.shape)} without column names; (samples, 3) is needed"
        )
        return None
    found = columns.axis_columns(table.columns)
    missing = [axis for axis in columns.AXES if axis not in found]
    if missing:
        quality.metrics["missing_axes"] = missing
        quality.hard_fails.append(
            f"axis {', '.join(missing)} missing; the columns are {', '.join(table.columns[:12])}"
        )
        return None
    return [found[axis] for axis in columns.AXES]


def _rate(quality: FileQuality, data: VibrationData, pace: Pace | None) -> float | None:
    """Hz: stated for this file, for all files, estimated from its timestamps, or taken for granted."""
    stated = data.actual_fs_by_file.get(quality.file_id)
    if stated is None:
        stated = data.actual_fs_by_file.get(PurePosixPath(quality.file_id).name, data.actual_fs)
    seen = pace.rate_hz if pace else None
    if stated is not None:
        if seen is not None and abs(seen - stated) > 0.01 * stated:
            quality.warnings.append(f"stated to have {stated:g} Hz, but its timestamps say {seen:.6g} Hz")
        return stated
    if seen is not None:
        return seen
    return data.fs if data.assume_actual_fs_equals_config else None


def _at_rate(imported: Imported, settings: SwinMae, quality: FileQuality) -> Imported | None:
    """Bring a recording to the configured rate, or say why it can't be used."""
    recording, fs, fail = imported.recording, settings.data.fs, settings.dqvl.hard_fail
    if recording.fs_hz is None:
        text = "sampling rate unknown: no timestamps, and none is stated (swinmae.data.actual_fs)"
        (quality.hard_fails if fail.missing_fs else quality.warnings).append(text)
        if fail.missing_fs:
            return None
        return replace(imported, recording=replace(recording, fs_hz=fs))
    off = abs(recording.fs_hz - fs) / fs
    if off <= fail.fs_tol:
        times = recording.times_s
        if times is None:
            times = np.arange(len(recording.values)) / recording.fs_hz
        return replace(imported, recording=replace(recording, fs_hz=fs, times_s=times))
    text = f"sampling rate {recording.fs_hz:.6g} Hz, {off:.1%} from swinmae.data.fs {fs:g}"
    text += f" (limit {fail.fs_tol:.1%})"
    if not settings.data.resample.enabled:
        quality.hard_fails.append(
            f"{text}; set swinmae.data.resample.enabled=true to convert it, or correct fs"
        )
        return None
    quality.warnings.append(f"{text}; converted")
    return _converted(imported, fs)


def _converted(imported: Imported, fs: float) -> Imported:
    recording = imported.recording
    assert recording.fs_hz is not None
    values, breaks = resampled(
        recording.values, np.asarray(imported.breaks, dtype=np.int64), recording.fs_hz, fs
    )
    old = [0, *imported.breaks]
    new = [0, *(int(row) for row in breaks)]
    ends = [*new[1:], len(values)]
    starts = [float(recording.times_s[row]) if recording.times_s is not None else 0.0 for row in old]
    times = np.concatenate(
        [start + np.arange(end - row) / fs for start, row, end in zip(starts, new, ends, strict=True)]
    )
    changed = replace(recording, values=values, times_s=times, fs_hz=fs)
    return replace(imported, recording=changed, breaks=new[1:])


# --- the clock ---------------------------------------------------------------------------------------------

Clock = tuple[NDArray[np.float64] | None, NDArray[np.int64] | None]


def _clock(table: Table, settings: PatchTst | SwinMae, quality: FileQuality) -> Clock | None:
    """(times without holes, the order to put rows in or None); None when the clock makes the file useless."""
    if table.times is None:
        return None, None
    stamps = table.times
    quality.metrics["timestamps"] = stamps.reading
    quality.metrics["invalid_timestamp_count"] = stamps.unreadable
    quality.warnings += stamps.notes
    seconds = _readable(stamps.seconds, stamps.first_unreadable, settings, quality)
    if seconds is None:
        return None
    steps = np.diff(seconds)
    backward, repeated = int((steps < 0).sum()), int((steps == 0).sum())
    quality.metrics["duplicate_timestamp_count"] = repeated
    quality.metrics["out_of_order_count"] = backward
    strict = isinstance(settings, PatchTst)  # a waveform's clock may be written too coarsely
    if not backward and (not repeated or not strict):
        return seconds, None
    found = f"{repeated} repeated and {backward} backward timestamps"
    if not settings.dqvl.allow_sort_fix:
        stream = "patchtst" if strict else "swinmae"
        quality.hard_fails.append(f"{found}; set {stream}.dqvl.allow_sort_fix=true to sort them")
        return None
    order = np.argsort(seconds, kind="stable")
    if strict:
        order = order[np.concatenate([[True], np.diff(seconds[order]) > 0])]
    quality.warnings.append(found)
    quality.actions.append(f"rows sorted by time, {len(seconds) - len(order)} repeated ones left out")
    return seconds[order], order


def _readable(
    seconds: NDArray[np.float64],
    first_bad: int | None,
    settings: PatchTst | SwinMae,
    quality: FileQuality,
) -> NDArray[np.float64] | None:
    """Stamps with the unreadable ones put between their neighbours; None when too many are unreadable."""
    bad = ~np.isfinite(seconds)
    if first_bad is None:
        return seconds
    share, limit = float(bad.mean()), settings.dqvl.warn.missing_ratio
    text = f"{int(bad.sum())} of {len(bad)} timestamps are unreadable (first in data row {first_bad + 1})"
    drops = not isinstance(settings, PatchTst) or settings.dqvl.hard_fail.invalid_timestamp
    if bad.all() or (share > limit and drops):
        quality.hard_fails.append(f"{text}, more than {limit:.0%}")
        return None
    quality.warnings.append(text)
    quality.actions.append("unreadable timestamps put between their neighbours")
    known = np.flatnonzero(~bad)
    if len(known) < 2:
        quality.hard_fails.append(f"{text}; at least two are needed")
        return None
    step = (seconds[known[-1]] - seconds[known[0]]) / (known[-1] - known[0])
    rows = np.arange(len(seconds))
    between = np.interp(rows, known, seconds[known])
    before, after = rows < known[0], rows > known[-1]
    between[before] -= (known[0] - rows[before]) * step
    between[after] += (rows[after] - known[-1]) * step
    return between


def _pace(times: NDArray[np.float64] | None, quality: FileQuality) -> Pace | None:
    pace = pace_of(times) if times is not None else None
    if pace is None:
        return None
    quality.metrics |= {
        "step_s": pace.step_s,
        "jitter": pace.jitter,
        "gap_count": len(pace.gaps),
        "longest_gap_s": max((seconds for _, seconds in pace.gaps), default=0.0),
    }
    if pace.gaps:
        longest = max(pace.gaps, key=lambda gap: gap[1])
        quality.warnings.append(
            f"{counted(len(pace.gaps), 'gap')} in time, the longest {longest[1]:.6g} s "
            f"before data row {longest[0] + 1}; no window crosses them"
        )
    if pace.rounded:
        quality.warnings.append("several rows share each timestamp; they were written too coarsely")
    return pace
