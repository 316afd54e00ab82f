"""The reading side of stage 21: what it wrote, checked, cut into segments without a gap."""

from __future__ import annotations

import bisect
import itertools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.holes import filled
from nightforge.anomaly.recording import PARTS, Profile, Segment
from nightforge.core.atomic import read_json, sha256_file
from nightforge.core.errors import BadDataError, InputError

_AGAIN = "python scripts/21_check_sensor_data.py"


class Prepared:
    """A prepared data set: `profile`, `split` (the manifest of ranges), `dataset` (dataset.json) and `hash`
    (changes with any row, range or profile).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dataset = _checked(folder)
        self.hash = str(self.dataset["hash"])
        self.split: dict[str, Any] = read_json(folder / "split.json")
        try:
            self.profile = msgspec.json.decode((folder / "profile.json").read_bytes(), type=Profile)
        except msgspec.DecodeError as error:
            raise BadDataError(f"{folder / 'profile.json'}: {error}", next_command=_AGAIN) from error

    @property
    def stream(self) -> str:
        return self.profile.stream

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that hold rows; `all` only, for a set to be judged."""
        named = {part for entry in self.split["files"] for part in entry["ranges"]}
        return tuple(part for part in (*PARTS, "all") if part in named)

    def segments(self, part: str) -> list[Segment]:
        """Return the rows of one part (`train`, `val`, `calibrate`, `test`; `all`: every row of all files) as
        segments that cross no file, no part, no time gap and no masked row. Holes are filled by the profile.

        Rows are those after sorting and conversion to the rate of the profile. Segments may be shorter than a
        window. Raises InputError when an array is damaged.
        """
        if part not in (*PARTS, "all"):
            raise InputError(f"{part!r} is no part of a data set; there are {', '.join(PARTS)} and all")
        result: list[Segment] = []
        for entry in self.split["files"]:
            span = [0, entry["rows"]] if part == "all" else entry["ranges"].get(part)
            if span is not None and entry["array"]:
                result += self._segments(entry, int(span[0]), int(span[1]))
        return result

    def _segments(self, entry: dict[str, Any], first: int, end: int) -> list[Segment]:
        values, times = self._load(entry["array"])
        cuts = pieces(first, end, entry["breaks"], entry["masked"])
        result = []
        for a, b in cuts:
            whole, observed = filled(values[a:b], self.profile.fill)
            stamps = times[a:b] if times is not None else None
            row = entry["first_row"] + a
            result.append(Segment(entry["file_id"], row, whole, observed, stamps, bool(entry["epoch"])))
        return result

    def _load(self, name: str) -> tuple[NDArray[np.float32], NDArray[np.float64] | None]:
        path = self.folder / name
        if sha256_file(path) != self.dataset["hashes"][name]:
            raise BadDataError(f"{path} is not what stage 21 wrote", next_command=_AGAIN)
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["values"], arrays["times_s"] if "times_s" in arrays else None


def pieces(first: int, end: int, breaks: list[int], masked: list[list[int]]) -> list[tuple[int, int]]:
    """Cut [first, end) before each row in `breaks`, and leave out the `masked` ranges."""
    cuts = {first, end, *(row for row in breaks if first < row < end)}
    for a, b in masked:
        cuts |= {row for row in (a, b) if first < row < end}
    edges = sorted(cuts)
    # what is masked begins and ends at a cut, so a piece is hidden as a whole or not at all
    ends = {low: high for low, high in masked}
    lows = sorted(ends)
    result = []
    for a, b in itertools.pairwise(edges):
        before = bisect.bisect_right(lows, a) - 1
        if before < 0 or a >= ends[lows[before]]:
            result.append((a, b))
    return result


def open_prepared(folder: Path) -> Prepared:
    """Open what stage 21 wrote to `data/anomaly/<stream>/train` or `score`.

    Raises InputError naming the folder and the command that makes it when it is missing, unfinished or
    damaged.
    """
    return Prepared(folder)


def _checked(folder: Path) -> dict[str, Any]:
    """Read dataset.json and make sure profile and manifest are those it was written for."""
    path = folder / "dataset.json"
    if not path.is_file():
        raise InputError(f"{folder} holds no prepared data", next_command=_AGAIN)
    dataset = read_json(path)
    if not isinstance(dataset, dict) or not isinstance(dataset.get("hashes"), dict):
        raise BadDataError(f"{path} is not what stage 21 writes", next_command=_AGAIN)
    for name, digest in dataset["hashes"].items():
        if not (folder / name).is_file():
            raise BadDataError(f"{folder / name} is missing", next_command=_AGAIN)
        if name.endswith(".json") and sha256_file(folder / name) != digest:
            raise BadDataError(f"{folder / name} was changed after it was written", next_command=_AGAIN)
    return dataset
