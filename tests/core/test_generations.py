"""Small files that matter keep their last generations; an unreadable one is never taken for an empty one."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest
from disk_faults import Disk, PowerCut, files_below, install, lay_out

from nightforge.core.atomic import read_json, remove_leftovers, write_json
from nightforge.core.errors import InputError
from nightforge.core.fingerprints import Fingerprints
from nightforge.core.generations import KEPT, generations_of, put_aside, read_kept, write_kept

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ERRORS = [errno.ENOSPC, errno.EIO, errno.EACCES]


def test_three_generations_are_kept_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "champion.json"
    for number in range(6):
        write_kept(path, {"n": number})
    assert read_kept(path, read_json) == {"n": 5}
    assert [read_json(kept)["n"] for kept in generations_of(path)] == [4, 3, 2]
    assert len(list((tmp_path / ".generations").iterdir())) == KEPT


@pytest.mark.parametrize("broken", [b"", b'{"n": 4', b"\xff\xfe", b"[]"])
def test_an_unreadable_file_gives_way_to_the_newest_readable_generation(
    tmp_path: Path, broken: bytes
) -> None:
    def load(path: Path) -> int:
        value = read_json(path)
        if not isinstance(value, dict):
            raise InputError(f"{path} holds no object")
        return int(value["n"])

    path, told = tmp_path / "champion.json", list[str]()
    for number in range(4):
        write_kept(path, {"n": number})
    path.write_bytes(broken)
    generations_of(path)[0].write_bytes(b"")  # the newest generation is damaged as well
    assert read_kept(path, load, told.append) == 1
    assert read_kept(path, load, told.append) == 1 and len(told) == 1  # told once, repaired for good
    (aside,) = tmp_path.glob("champion.json.broken-*")
    assert aside.read_bytes() == broken and aside.name in told[0]


def test_without_a_readable_generation_the_file_stays_and_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "pins.json"
    path.write_bytes(b"")
    with pytest.raises(InputError):
        read_kept(path, read_json)
    assert path.read_bytes() == b""
    write_kept(path, {"n": 1})  # somebody has decided what it is to hold now
    assert read_kept(path, read_json) == {"n": 1}
    (aside,) = tmp_path.glob("pins.json.broken-*")
    assert aside.read_bytes() == b"" and not generations_of(path)[0].exists()


def test_a_missing_file_is_none_and_a_file_put_aside_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_kept(path, read_json) is None
    path.write_bytes(b"x")
    assert put_aside(path).read_bytes() == b"x" and read_kept(path, read_json) is None


@linux
@pytest.mark.parametrize("number", ERRORS, ids=errno.errorcode.get)
def test_whatever_operation_fails_the_old_value_or_the_new_one_is_there(tmp_path: Path, number: int) -> None:
    """Fail the n-th operation for n = 1, 2, 3 ... until a clean pass. # ops test 3"""
    for n in range(1, 40):
        folder = tmp_path / str(n)
        path = folder / "champion.json"
        for value in range(3):
            write_kept(path, {"n": value})
        with pytest.MonkeyPatch.context() as patched:
            disk = Disk(fail_at=n, error=number)
            install(patched, disk)
            try:
                write_kept(path, {"n": 3})
                failed = False
            except OSError:
                failed = True
        assert read_kept(path, read_json) in ({"n": 2}, {"n": 3}), (n, disk.log)
        assert failed or read_kept(path, read_json) == {"n": 3}
        assert all(read_json(kept) for kept in generations_of(path) if kept.exists())
        assert not list(folder.glob(".*.tmp"))
        write_kept(path, {"n": 4})
        assert read_kept(path, read_json) == {"n": 4}
        if disk.count < n:
            assert n > 8
            return
    pytest.fail("no clean pass")


@linux
@pytest.mark.parametrize("protocol", [write_json, write_kept])
def test_a_power_cut_at_any_moment_leaves_the_old_value_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: object
) -> None:
    root = tmp_path / "live"
    path = root / "champion.json"
    for value in range(3):
        write_kept(path, {"n": value})
    before, disk = files_below(root), Disk()
    install(monkeypatch, disk)
    protocol(path, {"n": 3})  # type: ignore[operator]
    monkeypatch.undo()
    states = list(PowerCut(before, disk.log).states())
    assert len(states) > 15
    for number, (count, way, files) in enumerate(states):
        place = lay_out(tmp_path / f"cut{number}", root, files)
        value = read_kept(place(path), read_json, lambda _: None)
        assert value in ({"n": 2}, {"n": 3}), (count, way)
        if count == len(disk.log):
            assert value == {"n": 3}, way


def test_leftovers_of_dead_writers_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    dead, living = tmp_path / ".a.json.999999.123.tmp", tmp_path / f".b.json.{os.getpid()}.5.tmp"
    other = tmp_path / ".c.tmp"
    for path in (dead, living, other):
        path.write_text("")
    assert remove_leftovers([tmp_path, tmp_path / "gone"], lambda pid: pid == os.getpid()) == [dead]
    assert living.exists() and other.exists()


def test_generations_are_no_content_of_their_folder(tmp_path: Path) -> None:
    prints = Fingerprints(tmp_path / "cache.json", tmp_path)
    path = tmp_path / "results" / "mastery.json"
    write_kept(path, {"n": 1})
    before = prints.tree(tmp_path, ["results/"])
    for number in (2, 1):
        write_kept(path, {"n": number})
    assert generations_of(path)[1].exists()
    assert prints.tree(tmp_path, ["results/"]) == before
