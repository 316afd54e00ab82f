"""Which column is what: the timestamp, the three axes, channels; and what a missing name was meant to be."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

AXES = ("x", "y", "z")
# normal form (lower case, letters and digits only) of a timestamp column; the first of these that is there
_STAMPS = ("timestamp", "time", "datetime", "dateandtime", "date")
_UNIT = r"(?:utc)?(?:in)?(seconds|sec|s|milliseconds|msec|ms|microseconds|usec|us|ns)?"
_BEFORE = r"(?:acc|accel|acceleration|accelerometer|vib|vibration|axis|channel|ch|a|g)?"
_AFTER = r"(?:axis|acc|accel|acceleration|value|dir|direction|g|ms2|mps2|mg)?"
_AXIS = re.compile(_BEFORE + "([xyz])" + _AFTER)
_SECONDS = {"s": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9}


def normal_form(name: str) -> str:
    """Reduce a header to lower-case letters and digits: `X-axis [g]` -> `xaxisg`."""
    return re.sub(r"[^a-z0-9]", "", name.lower().replace("µ", "u"))


def stamp_column(names: Sequence[str], wanted: str | None, short: bool = False) -> int | None:
    """Find the timestamp column. A `wanted` one is taken exactly or not at all; otherwise the first of the
    usual names in any spelling, with a unit or not. `short`: a column named `t` counts too.
    """
    if wanted is not None:
        return names.index(wanted) if wanted in names else None
    normal = [normal_form(name) for name in names]
    for stem in (*_STAMPS, *(("t",) if short else ())):
        pattern = re.compile(stem + _UNIT)
        for index, name in enumerate(normal):
            if pattern.fullmatch(name):
                return index
    return None


def clock_columns(names: Sequence[str], wanted: str | None, short: bool = False) -> tuple[int, ...]:
    """Find the columns that tell the time, in the order to read them: one, date and time of day, or none."""
    found = stamp_column(names, wanted, short)
    if found is None:
        return ()
    normal = [normal_form(name) for name in names]
    if wanted is None and normal[found] == "time" and "date" in normal:
        return normal.index("date"), found
    return (found,)


def unit_of(name: str) -> float | None:
    """Return the seconds per unit that a timestamp column's name states (`timestamp_ms`), else None."""
    for stem in (*_STAMPS, "t"):
        match = re.fullmatch(stem + _UNIT, normal_form(name))
        if match and match[1]:
            first = match[1][0]
            return _SECONDS["u" if match[1].startswith("mic") else first]
    return None


def axis_columns(names: Sequence[str]) -> dict[str, int]:
    """Return which column is which axis. A plain `x` wins over `accX`; else the first that fits."""
    found: dict[str, int] = {}
    for index, name in enumerate(names):
        if (plain := normal_form(name)) in AXES:
            found.setdefault(plain, index)
    for index, name in enumerate(names):
        match = _AXIS.fullmatch(normal_form(name))
        if match:
            found.setdefault(match[1], index)
    return found


def closest(name: str, others: Sequence[str]) -> str | None:
    """Return the one of `others` most like `name`, or None when none is."""
    by_normal = {normal_form(other): other for other in others}
    found = difflib.get_close_matches(normal_form(name), list(by_normal), n=1, cutoff=0.5)
    return by_normal[found[0]] if found else None


def missing_text(missing: Sequence[str], there: Sequence[str]) -> str:
    """Say which channels are not there, each with the column that looks most like it."""
    words = []
    for name in missing:
        near = closest(name, there)
        words.append(f"{name!r}" + (f" (closest column: {near!r})" if near else ""))
    return ", ".join(words)


def unique_names(names: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """Strip names, number empty ones and repeat ones; returns them and what was wrong, in words."""
    result: list[str] = []
    notes: list[str] = []
    for index, raw in enumerate(names):
        name = raw.strip() or f"column {index + 1}"
        if name in result:
            fresh = next(f"{name} ({n})" for n in range(2, len(names) + 2) if f"{name} ({n})" not in result)
            notes.append(f"two columns are called {name!r}; the later one is read as {fresh!r}")
            name = fresh
        result.append(name)
    return tuple(result), notes
