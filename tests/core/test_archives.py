"""A zip file from a stranger can neither leave its place nor outgrow its limits."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest

from nightforge.core.archives import Limits, members
from nightforge.core.errors import BadDataError, InputError


def packed(path: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def test_members_come_in_order_of_name_and_can_be_read_again(tmp_path: Path) -> None:
    path = packed(
        tmp_path / "a.zip",
        {"b/two.CSV": b"2", "a.csv": b"1", "note.txt": b"-", "__MACOSX/a.csv": b"x", "b/._two.csv": b"x"},
    )
    seen = []
    for member in members(path, (".csv",)):
        with member.open() as first, member.open() as second:
            seen.append((member.name, member.size, first.read(), second.read()))
    assert seen == [("a.csv", 1, b"1", b"1"), ("b/two.CSV", 1, b"2", b"2")]


@pytest.mark.parametrize("name", ["../out.csv", "/etc/x.csv", "a/../../x.csv", "C:/x.csv", "..\\x.csv"])
def test_a_member_that_points_outside_is_refused(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / "a.zip", {"good.csv": b"1", name: b"2"})
    with pytest.raises(InputError, match="outside the archive"):
        list(members(path, (".csv",)))


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        (Limits(members=2), "holds 3 files"),
        (Limits(total_bytes=100), "would unpack to"),
        (Limits(ratio=20.0), "zip bomb"),
    ],
)
def test_an_archive_beyond_its_limits_is_refused_before_it_is_read(
    tmp_path: Path, limits: Limits, words: str
) -> None:
    path = packed(tmp_path / "a.zip", {"a.csv": bytes(2_000_000), "b.csv": b"1", "c.csv": b"1"})
    with pytest.raises(InputError, match=words):
        next(members(path, (".csv",), limits))


def test_a_member_that_holds_more_than_it_states_is_damaged(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a.csv": b"x" * 1000}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, directory + 24, 10)  # the size it states
    path.write_bytes(bytes(data))
    with pytest.raises(BadDataError, match="a.csv"):
        for member in members(path, (".csv",)):
            with member.open() as file:
                file.read()


def test_damage_inside_a_member_is_named(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", {"a.csv": bytes(range(256)) * 50})
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(BadDataError, match="a.csv"):
        for member in members(path, (".csv",)):
            with member.open() as file:
                file.read()


def test_a_file_that_is_no_zip_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"not a zip")
    with pytest.raises(BadDataError, match="not a zip file"):
        next(members(path, (".csv",)))


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("a.csv", b"1")
        archive.writestr("a.csv", b"2")
    with pytest.raises(BadDataError, match="twice"):
        next(members(path, (".csv",)))
