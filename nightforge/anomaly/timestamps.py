"""Timestamps read by majority, with a verdict for every row.

A column is what most of its cells are: dates (ISO, day first, month first, with or without a zone; without
one they count as UTC), seconds since 1970 in s, ms, us or ns, or a plain count from wherever the file
begins. A cell of another kind is read if it can mean the same clock, otherwise it is unreadable, and only it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from nightforge.anomaly.columns import unit_of

EMPTY, NUMBER, DATE, BOTH, UNREADABLE = range(5)  # BOTH: a date whose day and month may be swapped
_YEAR_FIRST = r"^(\d{4})[/.](\d{1,2})[/.](\d{1,2})"
_DAY_MONTH = (
    r"^(?P<a>\d{1,2})(?P<mark>[./-])(?P<b>\d{1,2})[./-](?P<year>\d{4}|\d{2})"
    r"(?:[T ,]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2}(?:[.,]\d+)?))?"
    r"\s*(?P<half>[AaPp][Mm])?)?$"
)
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_NAMED_MONTH = (
    r"(?i)^(?P<day>\d{1,2})[-/ .](?P<month>"
    + "|".join(_MONTHS)
    + r")[a-z]*[-/ .,]+(?P<year>\d{4})(?P<rest>.*)$"
)
_EPOCH_FROM = 3e8  # 1979: numbers beyond, close together, are taken for dates


@dataclass(frozen=True)
class Times:
    """seconds: (T,) float64, NaN where unreadable; `epoch`: counted from 1970-01-01 UTC. `reading` says in
    words how the column was read; `notes` what a person should know of it.
    """

    seconds: NDArray[np.float64]
    epoch: bool
    reading: str
    unreadable: int
    first_unreadable: int | None  # row
    notes: tuple[str, ...] = ()


class StampReader:
    """Takes a timestamp column in pieces, so that its text never has to be held as a whole."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._kinds: list[NDArray[np.int8]] = []
        self._seconds: list[NDArray[np.float64]] = []  # numbers as they are, dates in seconds, day first
        self._swapped: list[NDArray[np.float64] | None] = []  # the same cells read month first
        self._dots = 0  # 03.04.2026 is day first wherever it is written

    def feed(self, cells: pd.Series) -> None:
        """Add cells: text, numbers or datetimes."""
        swapped: NDArray[np.float64] | None = None
        if pd.api.types.is_datetime64_any_dtype(cells.dtype):
            seconds = _to_seconds(pd.to_datetime(cells, utc=True))
            kinds = np.where(np.isnan(seconds), EMPTY, DATE).astype(np.int8)
        elif pd.api.types.is_numeric_dtype(cells.dtype):
            seconds = cells.to_numpy(dtype=np.float64, na_value=np.nan)
            kinds = np.where(np.isfinite(seconds), NUMBER, EMPTY).astype(np.int8)
        else:
            kinds, seconds, swapped = self._read_text(cells)
        self._kinds.append(kinds)
        self._seconds.append(seconds)
        self._swapped.append(swapped)

    def _read_text(
        self, cells: pd.Series
    ) -> tuple[NDArray[np.int8], NDArray[np.float64], NDArray[np.float64] | None]:
        text = _named_months(cells.astype("str").str.strip().fillna(""))
        kinds = np.where((text == "").to_numpy(), EMPTY, UNREADABLE).astype(np.int8)
        seconds = np.full(len(text), np.nan)
        self._read_iso(text, kinds, seconds)
        self._read_numbers(text, kinds, seconds)
        open_rows = np.flatnonzero(kinds == UNREADABLE)
        if not open_rows.size:
            return kinds, seconds, None
        parts = text.iloc[open_rows].str.extract(_DAY_MONTH)
        day_first, month_first = _dates(parts, "a", "b"), _dates(parts, "b", "a")
        swapped = seconds.copy()
        seconds[open_rows], swapped[open_rows] = day_first, month_first
        either = np.isfinite(day_first) | np.isfinite(month_first)
        kinds[open_rows[either]] = BOTH
        self._dots += int((parts["mark"].to_numpy()[either] == ".").sum())
        return kinds, seconds, swapped

    @staticmethod
    def _read_iso(text: pd.Series, kinds: NDArray[np.int8], seconds: NDArray[np.float64]) -> None:
        """Fill in what is ISO 8601, also with slashes, a decimal comma or one-digit months."""
        rows = np.flatnonzero((kinds == UNREADABLE) & text.str.match(r"\d{4}[-/.]\d").to_numpy(dtype=bool))
        if not rows.size:
            return
        plain = text.iloc[rows]
        found = _to_seconds(pd.to_datetime(plain, format="ISO8601", errors="coerce", utc=True))
        rest = np.isnan(found)
        if rest.any():
            repaired = plain[rest].str.replace(_YEAR_FIRST, r"\1-\2-\3", regex=True)
            repaired = repaired.str.replace(r"-(\d)(?=\D)", r"-0\1", regex=True).str.replace(",", ".")
            found[rest] = _to_seconds(pd.to_datetime(repaired, format="ISO8601", errors="coerce", utc=True))
        good = np.isfinite(found)
        kinds[rows[good]], seconds[rows[good]] = DATE, found[good]

    @staticmethod
    def _read_numbers(text: pd.Series, kinds: NDArray[np.int8], seconds: NDArray[np.float64]) -> None:
        rows = np.flatnonzero(kinds == UNREADABLE)
        if not rows.size:
            return
        found = pd.to_numeric(text.iloc[rows].str.replace(",", "."), errors="coerce")
        numbers = found.to_numpy(dtype=np.float64, na_value=np.nan)
        good = np.isfinite(numbers)
        kinds[rows[good]], seconds[rows[good]] = NUMBER, numbers[good]

    def finish(self) -> Times:
        """Decide what the column is and return its rows in seconds."""
        kinds = np.concatenate(self._kinds) if self._kinds else np.empty(0, np.int8)
        seconds = np.concatenate(self._seconds) if self._seconds else np.empty(0)
        notes: list[str] = []
        both, numbers = kinds == BOTH, kinds == NUMBER
        reading = "dates"
        if both.any():
            seconds, words = self._day_or_month(kinds, seconds)
            reading, notes = words
        dates = both | (kinds == DATE)
        values, number_words, absolute = _read_numbers(seconds[numbers], unit_of(self.name))
        seconds[numbers] = values
        if int(numbers.sum()) > int(dates.sum()):
            reading = number_words
            epoch = absolute
            lost = np.zeros(0, bool) if epoch else dates
        else:
            epoch = True
            lost = numbers & ~(np.isfinite(seconds) & absolute)
        if lost.any():
            seconds[lost] = np.nan
        bad = ~np.isfinite(seconds)
        seconds[bad] = np.nan
        first = int(np.argmax(bad)) if bad.any() else None
        return Times(seconds, epoch, reading, int(bad.sum()), first, tuple(notes))

    def _day_or_month(
        self, kinds: NDArray[np.int8], day_first: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], tuple[str, list[str]]]:
        """Choose the reading that reads more cells; equal: the one that runs forward more steadily."""
        pairs = zip(self._swapped, self._seconds, strict=True)
        month_first = np.concatenate([plain if other is None else other for other, plain in pairs])
        rows = kinds == BOTH
        by_day, by_month = day_first[rows], month_first[rows]
        count_day, count_month = int(np.isfinite(by_day).sum()), int(np.isfinite(by_month).sum())
        if count_day != count_month:
            use_day, sure = count_day > count_month, True
        else:
            clock = rows | (kinds == DATE)  # dates that can be read in one way only show where time goes
            path_day, path_month = _path(day_first[clock]), _path(month_first[clock])
            use_day = path_day < path_month or (path_day == path_month and self._dots > 0)
            sure = path_day != path_month or self._dots > 0
        name = "dates, day first" if use_day else "dates, month first"
        note = f"day and month could be either way round; read as {name.removeprefix('dates, ')}"
        return (day_first if use_day else month_first), (name, [] if sure else [note])


def _named_months(text: pd.Series) -> pd.Series:
    """Write 09-Mar-2026 10:30 as 2026-03-09 10:30; all else stays."""
    named = text.str.match(_NAMED_MONTH)
    if not named.any():
        return text
    parts = text[named].str.extract(_NAMED_MONTH)
    month = parts["month"].str.lower().map({name: f"{n:02d}" for n, name in enumerate(_MONTHS, 1)})
    iso = parts["year"] + "-" + month + "-" + parts["day"].str.zfill(2) + " " + parts["rest"].str.strip()
    return text.mask(named, iso.str.strip().reindex(text.index)).fillna("")


def _path(seconds: NDArray[np.float64]) -> float:
    """Total way a clock goes, in seconds: wrong readings jump by months."""
    return float(np.abs(np.diff(seconds[np.isfinite(seconds)])).sum())


def _to_seconds(stamps: pd.Series) -> NDArray[np.float64]:
    moments = stamps.dt.tz_convert(None).to_numpy(dtype="datetime64[ns]")
    seconds = moments.astype(np.int64) / 1e9
    seconds[np.isnat(moments)] = np.nan
    return np.asarray(seconds, dtype=np.float64)


def _dates(parts: pd.DataFrame, day: str, month: str) -> NDArray[np.float64]:
    """Seconds since 1970 of (day, month, year, time) columns of text; NaN where that is no date."""
    numbers = {
        name: pd.to_numeric(parts[name].str.replace(",", "."), errors="coerce").to_numpy(np.float64)
        for name in (day, month, "year", "hour", "minute", "second")
    }
    year = np.where(numbers["year"] < 100, numbers["year"] + 2000, numbers["year"])
    hour, minute, second = (np.nan_to_num(numbers[name]) for name in ("hour", "minute", "second"))
    half = parts["half"].str.lower()
    hour = np.where((half == "pm").to_numpy(bool) & (hour < 12), hour + 12, hour)
    hour = np.where((half == "am").to_numpy(bool) & (hour == 12), 0, hour)
    frame = pd.DataFrame({"year": year, "month": numbers[month], "day": numbers[day]})
    days = _to_seconds(pd.to_datetime(frame, errors="coerce", utc=True))
    known = (hour < 24) & (minute < 60) & (second < 61)
    return np.where(known, days + hour * 3600 + minute * 60 + second, np.nan)


def _read_numbers(
    numbers: NDArray[np.float64], unit_s: float | None
) -> tuple[NDArray[np.float64], str, bool]:
    """Numbers -> (seconds, how they were read, whether they count from 1970).

    Epoch numbers are scaled by their own size, row by row, so that a file may change its unit on the way.
    """
    if not numbers.size:
        return numbers, "numbers", True
    size = np.abs(numbers)
    scale = np.select(
        [size < _EPOCH_FROM, size < 1e11, size < 1e13, size < 1e14, size < 1e16, size < 1e19],
        [np.nan, 1.0, 1e-3, np.nan, 1e-6, 1e-9],
        np.nan,
    )
    seconds = numbers * scale
    compact = (size >= 1e13) & (size < 1e14)  # 20261122103000
    if compact.any():
        text = pd.Series(numbers[compact].astype(np.int64).astype(str))
        seconds[compact] = _to_seconds(pd.to_datetime(text, format="%Y%m%d%H%M%S", errors="coerce", utc=True))
    known = seconds[np.isfinite(seconds)]
    low, high = np.quantile(known, [0.25, 0.75]) if known.size else (1.0, 2.0)
    if known.size * 2 < numbers.size or high > 1.5 * low:  # a count runs from its start to many times that
        return numbers * (unit_s or 1.0), f"a count in {_name(unit_s or 1.0)}", False
    units = sorted({float(s) for s in scale[np.isfinite(scale)]}, reverse=True)
    words = "dates of 14 digits" if not units else f"{' and '.join(_name(s) for s in units)} since 1970"
    return seconds, words, True


def _name(unit_s: float) -> str:
    return {1.0: "seconds", 1e-3: "milliseconds", 1e-6: "microseconds", 1e-9: "nanoseconds"}[unit_s]
