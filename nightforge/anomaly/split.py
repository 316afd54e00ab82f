"""Division in time: train, validation, calibration, test, with gaps between them wider than anything that
looks at neighbouring rows. Pure functions; rows are counted from 0, ranges are [first, end).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from nightforge.anomaly.recording import PARTS

WHOLE_RECORDINGS_FROM = 8  # with fewer, a share of recordings would be a matter of luck


@dataclass(frozen=True)
class Shares:
    """Shares of the parts in order of PARTS; they sum to 1. gap_rows lie between two parts of one file."""

    shares: tuple[float, float, float, float]
    window_rows: int
    gap_rows: int


@dataclass(frozen=True)
class FileSplit:
    """Ranges of one file. state: `divided`, `whole` (one part has it all), `partial` (too short for all four
    parts) or `too_short` (no window fits).
    """

    state: str
    ranges: dict[str, tuple[int, int]] = field(default_factory=dict)
    note: str = ""


def shares_of(train: float, val: float, calibrate: float) -> tuple[float, float, float, float]:
    """The four shares; what the first three leave is the test part."""
    return train, val, calibrate, max(0.0, 1.0 - train - val - calibrate)


def in_time(rows: int, plan: Shares) -> FileSplit:
    """Divide one file: each part but the first gives up `gap_rows` at its beginning; a part in which no
    window fits is left out.
    """
    if rows < plan.window_rows:
        return FileSplit(
            "too_short", note=f"{rows} rows are fewer than one window of {plan.window_rows}; it is not used"
        )
    ranges: dict[str, tuple[int, int]] = {}
    done = 0.0
    for part, share in zip(PARTS, plan.shares, strict=True):
        first = round(done * rows) + (plan.gap_rows if ranges or done else 0)
        done += share
        end = rows if part == PARTS[-1] else round(min(done, 1.0) * rows)
        if end - first >= plan.window_rows:
            ranges[part] = (first, end)
    missing = [part for part, share in zip(PARTS, plan.shares, strict=True) if share and part not in ranges]
    if missing:
        note = f"{rows} rows leave no window for {', '.join(missing)}; {rows_needed(plan)} rows would"
        return FileSplit("partial", ranges, note)
    return FileSplit("divided", ranges)


def rows_needed(plan: Shares) -> int:
    """Rows a file must have for every part with a share to hold a window."""
    need = plan.window_rows
    for part, share in zip(PARTS, plan.shares, strict=True):
        if share > 1e-9:
            rows = plan.window_rows + (0 if part == PARTS[0] else plan.gap_rows)
            need = max(need, int(rows / share) + 2)
    return need


def by_recording(lengths: Sequence[int], plan: Shares) -> list[FileSplit]:
    """Give whole recordings, in the order given, to the parts; those shorter than a window to none."""
    usable = [index for index, rows in enumerate(lengths) if rows >= plan.window_rows]
    counts = _counts(len(usable), plan.shares)
    owner = [part for part, count in zip(PARTS, counts, strict=True) for _ in range(count)]
    result = [in_time(rows, plan) for rows in lengths]
    for index, part in zip(usable, owner, strict=True):
        result[index] = FileSplit("whole", {part: (0, lengths[index])})
    return result


def _counts(total: int, shares: Sequence[float]) -> list[int]:
    """Whole numbers near the shares that sum to `total`; a part with a share gets at least one."""
    counts = [max(1, int(total * share)) if share > 1e-9 else 0 for share in shares]
    while sum(counts) > total:
        counts[counts.index(max(counts))] -= 1
    rest = sorted(range(len(shares)), key=lambda i: counts[i] - total * shares[i])
    for index in rest[: total - sum(counts)]:
        counts[index] += 1
    return counts


def divide(lengths: Sequence[int], plan: Shares, whole_recordings: bool) -> list[FileSplit]:
    """Divide all files of a stream; whole recordings where asked for and there are enough of them."""
    usable = sum(rows >= plan.window_rows for rows in lengths)
    if whole_recordings and usable >= WHOLE_RECORDINGS_FROM:
        return by_recording(lengths, plan)
    return [in_time(rows, plan) for rows in lengths]
