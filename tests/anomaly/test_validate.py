"""What stage 26 can prove without a model: the split manifest, and the bundle it makes and reads back."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from nightforge.anomaly.bundle import create_bundle, verify_bundle
from nightforge.anomaly.validate import proven_split
from nightforge.core.atomic import write_json
from nightforge.core.errors import BadDataError, InputError

RANGES = {"train": [0, 60], "val": [64, 70], "calibrate": [74, 85], "test": [89, 100]}


def split(folder: Path, ranges: dict[str, list[int]], gap: int = 4, rows: int = 100) -> Path:
    entry: dict[str, Any] = {"file_id": "a.csv", "rows": rows, "ranges": ranges}
    write_json(folder / "split.json", {"gap_rows": gap, "files": [entry]})
    return folder / "split.json"


def test_a_split_with_gaps_is_proven_in_numbers(tmp_path: Path) -> None:
    words = proven_split(split(tmp_path, RANGES))
    assert "train 60, val 6, calibrate 11, test 11" in words
    assert "at least 4 rows" in words


def test_whole_recordings_need_no_gap(tmp_path: Path) -> None:
    files = [{"file_id": part, "rows": 9, "ranges": {part: [0, 9]}} for part in RANGES]
    write_json(tmp_path / "split.json", {"gap_rows": 4, "files": files})
    assert "whole recordings" in proven_split(tmp_path / "split.json")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"val": [63, 70]}, "3 rows lie between train and val, 4 must"),
        ({"val": [50, 70]}, "rows lie between train and val"),
        ({"test": [89, 101]}, "outside the file's rows"),
        ({"train": [80, 85], "calibrate": [0, 20]}, "not in order of time"),
    ],
)
def test_a_split_that_shares_rows_is_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        proven_split(split(tmp_path, {**RANGES, **change}))


def test_a_split_without_calibration_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no rows for calibrate"):
        proven_split(split(tmp_path, {"train": [0, 60]}))


def test_equal_files_make_equal_bundles_and_damage_is_found(tmp_path: Path) -> None:
    files = {}
    for name in ("models/a.bin", "results/b.json"):
        files[name] = tmp_path / name.replace("/", "-")
        files[name].write_bytes(name.encode() * 1000)
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    create_bundle(one, files)
    create_bundle(two, dict(reversed(files.items())))
    assert one.read_bytes() == two.read_bytes()
    assert verify_bundle(one) == 2
    with zipfile.ZipFile(one, "a") as archive:
        archive.writestr("results/late.json", "{}")
    with pytest.raises(BadDataError, match="does not hold the files it lists"):
        verify_bundle(one)
    two.write_bytes(two.read_bytes()[:-40])
    with pytest.raises(BadDataError, match="not a whole bundle"):
        verify_bundle(two)


def test_a_bundle_that_cannot_be_finished_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        create_bundle(tmp_path / "one.zip", {"a": tmp_path / "missing"})
    assert list(tmp_path.iterdir()) == []
