"""Files come in whole or not at all, and the data in use stay until the new ones are in place."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_sites import TABLE, WAVE, left_over, limit, names, packed, put_tables
from web_sites import Site, begin, finish, make_project, overview, post, recorded, serving, upload


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(make_project(tmp_path / "project", recorded("stopped"))) as running:
        yield running


@pytest.fixture
def folder(site: Site) -> Path:
    return put_tables(site)


# ---- the ordinary way -------------------------------------------------------------------------------------


def test_a_replacement_is_in_place_at_finish_and_not_before(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE), len(TABLE))
    first = upload(site, number, "Line 1 – north.csv", TABLE)
    assert first.status == 200 and json.loads(first.body)["refused"] == []
    upload(site, number, "b.CSV", TABLE)
    assert names(folder) == ["old.csv"]
    answer = finish(site, number)
    assert answer.status == 200 and json.loads(answer.body)["import"]["outcome"] == "finished"
    assert names(folder) == ["Line 1 – north.csv", "b.csv"]
    assert (folder / "b.csv").read_bytes() == TABLE
    assert left_over(site) == []


def test_an_addition_joins_what_is_there_and_replaces_nothing(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE) + 4, len(TABLE), mode="add")
    upload(site, number, "OLD.csv", TABLE + b"2,3\n")
    upload(site, number, "new.csv", TABLE)
    assert finish(site, number).status == 200
    assert names(folder) == ["OLD_1.csv", "new.csv", "old.csv"]
    assert (folder / "old.csv").read_bytes() == TABLE


def test_an_addition_gives_way_to_a_file_that_was_put_there_meanwhile(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE), mode="add")
    upload(site, number, "new.csv", TABLE)
    (folder / "NEW.csv").write_bytes(b"by hand")
    answer = finish(site, number)
    assert json.loads(answer.body)["import"]["saved"][0]["name"] == "new_1.csv"
    assert (folder / "NEW.csv").read_bytes() == b"by hand"


def test_the_first_import_makes_the_folders(site: Site) -> None:
    number = begin(site, len(WAVE), stream="swinmae", part="test")
    upload(site, number, "run.npy", WAVE)
    assert finish(site, number).status == 200
    found = overview(site)["streams"]["swinmae"]["data"]["test"]
    assert (found["files"], found["bytes"], found["kind"]) == (1, len(WAVE), "npy")
    assert [entry["name"] for entry in found["list"]] == ["run.npy"]


def test_the_page_sees_how_far_an_import_is_and_how_the_last_one_ended(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE), len(TABLE))
    upload(site, number, "a.csv", TABLE)
    (going,) = overview(site)["imports"]["open"]
    assert (going["id"], going["done_files"], going["files"]) == (number, 1, 2)
    post(site, "/api/import/cancel", **{"import": number})
    imports = overview(site)["imports"]
    assert imports["open"] == [] and imports["last"]["outcome"] == "cancelled"
    assert names(folder) == ["old.csv"] and left_over(site) == []


def test_finish_pressed_twice_is_answered_alike(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE))
    upload(site, number, "a.csv", TABLE)
    first = finish(site, number, request_id="finish-0001")
    assert finish(site, number, request_id="finish-0001").body == first.body
    assert finish(site, number, request_id="finish-0002").status == 404


# ---- files that are no good -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.csv", b"\x00\x01\x02", "not text"),
        ("a.parquet", TABLE, "no Parquet"),
        ("a.npy", WAVE, "only .csv"),
        ("a.exe", TABLE, "only .csv"),
        ("../../../a.csv", TABLE, "must not hold"),
        ("..\\a.csv", TABLE, "must not hold"),
        ("C:evil.csv", TABLE, "must not hold"),
        ("NUL.csv", TABLE, "reserved by Windows"),
        ("a\u202ecsv.csv", TABLE, "invisible"),
        ("a\0b.csv", TABLE, "control"),
        (".htaccess.csv", TABLE, "begin with a dot"),
        ("x" * 130 + ".csv", TABLE, "longer than"),
    ],
    ids=range(12),
)
def test_a_bad_file_is_refused_with_the_reason_and_the_others_go_on(
    site: Site, folder: Path, name: str, data: bytes, words: str
) -> None:
    number = begin(site, len(data), len(TABLE))
    answer = upload(site, number, name, data)
    told = json.loads(answer.body)
    assert answer.status == 200 and told["saved"] == [] and words in told["refused"][0]["reason"]
    upload(site, number, "good.csv", TABLE)
    stopped = finish(site, number)
    assert stopped.status == 409 and len(json.loads(stopped.body)["error"]["details"]["refused"]) == 1
    assert names(folder) == ["old.csv"]
    assert finish(site, number, without_refused=True).status == 200
    assert names(folder) == ["good.csv"]
    assert names(site.project.root.parent) == ["project"]


def test_files_of_two_kinds_do_not_mix(site: Site, folder: Path) -> None:
    table = b"PAR1" + b"x" * 20 + struct.pack("<I", 10) + b"PAR1"
    number = begin(site, len(table), mode="add")
    refused = json.loads(upload(site, number, "a.pq", table).body)["refused"]
    assert "a parquet file among csv files" in refused[0]["reason"]
    assert finish(site, number, without_refused=True).status == 409  # nothing would be left


def test_nothing_good_replaces_nothing(site: Site, folder: Path) -> None:
    number = begin(site, 3)
    upload(site, number, "a.csv", b"abc")
    assert finish(site, number, without_refused=True).status == 409
    assert names(folder) == ["old.csv"]


# ---- archives ---------------------------------------------------------------------------------------------


def test_an_archive_is_unpacked_flat_and_equal_names_get_numbers(site: Site, folder: Path) -> None:
    data = packed(
        ("run1/a.csv", TABLE), ("run2/A.CSV", TABLE), ("run2/notes.txt", b"x"), ("deep/er/b.csv", TABLE)
    )
    number = begin(site, len(data))
    saved = json.loads(upload(site, number, "runs.zip", data).body)["saved"]
    assert sorted(entry["name"] for entry in saved) == ["A_1.csv", "a.csv", "b.csv"]
    assert {entry["from"] for entry in saved} >= {"runs.zip/run1/a.csv", "runs.zip/deep/er/b.csv"}
    finish(site, number)
    assert names(folder) == ["A_1.csv", "a.csv", "b.csv"]


def bomb() -> bytes:
    return packed(("a.csv", b"1,1\n" * 4_000_000))


def encrypted() -> bytes:
    data = bytearray(packed(("a.csv", TABLE)))
    data[6] |= 1  # the flag of the local header, then that of the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def damaged() -> bytes:
    data = bytearray(packed(("good.csv", TABLE), ("z.csv", bytes(range(48, 58)) * 400)))
    at = data.index(b"z.csv") + 12
    data[at : at + 4] = b"\xff\xff\xff\xff"
    return bytes(data)


ARCHIVES = [
    (packed(("../../evil.csv", TABLE)), "outside the archive"),
    (packed(("/etc/evil.csv", TABLE)), "outside the archive"),
    (packed(("..\\evil.csv", TABLE)), "archive"),
    (bomb(), "zip bomb"),
    (encrypted(), "encrypted"),
    (damaged(), "damaged"),
    (packed(("notes.txt", b"x")), "holds no .csv"),
    (packed(("inner.zip", packed(("a.csv", TABLE)))), "holds no .csv"),
    (packed(*[(f"{number}.csv", TABLE) for number in range(30)]), "holds 30 files"),
    (b"PK\x03\x04" + b"x" * 100, "its end is missing"),
    (b"PK\x03\x04" + b"x" * 100 + b"PK\x05\x06" + bytes(8) + b"\x09" + bytes(9), "damaged"),
]


@pytest.mark.parametrize(("data", "words"), ARCHIVES, ids=[row[1] for row in ARCHIVES])
def test_a_hostile_or_broken_archive_is_refused_as_a_whole(
    site: Site, folder: Path, data: bytes, words: str
) -> None:
    limit(site, files=20)
    number = begin(site, len(data))
    told = json.loads(upload(site, number, "runs.zip", data).body)
    assert told["saved"] == [] and words in told["refused"][0]["reason"]
    assert str(site.project.root) not in json.dumps(told)
    assert list(folder.parents[1].glob(".import-*/new/*")) == []
    assert names(site.project.root.parent) == ["project"]


def test_bad_members_are_refused_one_by_one(site: Site, folder: Path) -> None:
    data = packed(("good.csv", TABLE), ("CON.csv", TABLE), ("empty.csv", b""))
    number = begin(site, len(data))
    told = json.loads(upload(site, number, "runs.zip", data).body)
    assert [entry["name"] for entry in told["saved"]] == ["good.csv"]
    assert [entry["name"] for entry in told["refused"]] == ["runs.zip/CON.csv", "runs.zip/empty.csv"]
