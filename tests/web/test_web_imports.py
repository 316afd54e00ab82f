"""Files come in whole or not at all, and the data in use stay until the new ones are in place."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from links import make_link
from web_sites import (
    RUN_ID,
    Site,
    ask,
    begin,
    begun,
    finish,
    make_project,
    overview,
    post,
    put_state,
    recorded,
    serving,
    talk,
    upload,
    upload_head,
)

from nightforge.core.atomic import move, write_json
from nightforge.core.processes import identity_of
from nightforge.web.import_session import ImportLimits
from nightforge.web.imports import Imports

TABLE = b"time,a\n0,1\n1,2\n"
WAVE = (
    b"\x93NUMPY\x01\x00"
    + struct.pack("<H", 62)
    + b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".ljust(61)
    + b"\n"
    + bytes(24)
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(make_project(tmp_path / "project", recorded("stopped"))) as running:
        yield running


@pytest.fixture
def folder(site: Site) -> Path:
    """The training tables, with one file in use."""
    path = site.project.data / "local" / "train" / "fdc"
    path.mkdir(parents=True)
    (path / "old.csv").write_bytes(TABLE)
    return path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def left_over(site: Site) -> list[str]:
    return [path.name for path in (site.project.data / "local").glob(".*")]


def limit(site: Site, **changed: int | float) -> None:
    site_imports(site)._limits = replace(ImportLimits(), **changed)


def site_imports(site: Site) -> Imports:
    return site.server.application._parts.imports


def packed(*members: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return made.getvalue()


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


# ---- broken off, slow, too large --------------------------------------------------------------------------


def wait_until(holds) -> None:  # type: ignore[no-untyped-def]
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen within 5 s")


def test_an_upload_that_breaks_off_leaves_nothing_and_says_so(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE))
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection:
        connection.sendall(upload_head(site, number, "a.csv", len(TABLE)) + TABLE[:5])
        wait_until(lambda: (overview(site)["imports"]["open"][0]["receiving"] or {}).get("bytes") == 5)
    wait_until(lambda: overview(site)["imports"]["open"][0]["broken"])
    (broken,) = overview(site)["imports"]["open"][0]["broken"]
    assert broken == {"name": "a.csv", "bytes": 5, "of_bytes": len(TABLE)}
    assert list(folder.parents[1].glob(".import-*/**/*.csv")) == []
    assert json.loads(finish(site, number).body)["error"]["details"]["missing"] == 1
    upload(site, number, "a.csv", TABLE)  # sent again
    assert finish(site, number).status == 200 and names(folder) == ["a.csv"]


def test_other_requests_are_answered_while_a_file_arrives(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE))
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection:
        connection.sendall(upload_head(site, number, "a.csv", len(TABLE)) + TABLE[:5])
        wait_until(lambda: overview(site)["imports"]["open"][0]["receiving"])
        assert ask(site, "/api/status").status == 200
        second = upload(site, number, "b.csv", TABLE)
        assert second.status == 409 and "still arriving" in second.body
        assert finish(site, number).status == 409
        connection.sendall(TABLE[5:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")


def test_a_cancel_ends_the_upload_that_is_arriving(site: Site, folder: Path) -> None:
    number = begin(site, 2_000_000)
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection:
        connection.sendall(upload_head(site, number, "a.csv", 2_000_000) + TABLE)
        wait_until(lambda: overview(site)["imports"]["open"][0]["receiving"])
        assert post(site, "/api/import/cancel", **{"import": number}).status == 200
        connection.sendall(b"x" * 100_000)
        assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
    wait_until(lambda: left_over(site) == [])
    assert names(folder) == ["old.csv"]


def test_a_sender_that_stands_still_or_trickles_is_cut_off(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightforge.web.streaming.READ_TIMEOUT_S", 0.2)
    number = begin(site, 1000)
    still = talk(site.port, upload_head(site, number, "a.csv", 1000) + b"1")
    assert still.status == 408 and "nothing came" in still.body
    monkeypatch.setattr("nightforge.web.streaming.REQUEST_TIMEOUT_S", 0.3)
    with socket.create_connection(("127.0.0.1", site.port), timeout=5) as connection:
        connection.sendall(upload_head(site, number, "a.csv", 1000))
        connection.settimeout(0.05)
        said = b""
        for _ in range(60):
            try:
                connection.sendall(b"1")
                said = connection.recv(65536)
                break
            except TimeoutError:
                continue
    assert said.startswith(b"HTTP/1.1 408 ") and b"bytes came in" in said


def test_a_file_larger_than_announced_or_allowed_is_turned_away_unread(site: Site, folder: Path) -> None:
    limit(site, file_bytes=100)
    assert begun(site, 10**15).status == 413
    assert begun(site, *[1] * 1001).status == 413
    number = begin(site, 5000)
    for length in (101, 5001, 2 * 1024**3 + 1, 10**11):
        assert upload_head_only(site, number, length) == 413


def upload_head_only(site: Site, number: str, length: int) -> int:
    return talk(site.port, upload_head(site, number, "a.csv", length), end=True).status


def test_a_refusal_reaches_a_sender_that_is_still_sending(site: Site, folder: Path) -> None:
    data = b"1,2\n" * 2_000_000
    answer = talk(site.port, upload_head(site, "0" * 16, "a.csv", len(data)) + data)
    assert answer.status == 404 and "no such import" in answer.body


def test_without_room_on_the_disk_nothing_begins(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE))
    limit(site, keep_free_bytes=10**18)
    full = upload(site, number, "a.csv", TABLE)
    assert full.status == 507 and "room" in full.body
    assert begun(site, 100, part="test").status == 507


def test_a_disk_that_fills_up_leaves_nothing(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device", "incoming")

    number = begin(site, len(TABLE))
    monkeypatch.setattr("nightforge.web.import_session._sync", refuse)
    answer = upload(site, number, "a.csv", TABLE)
    assert answer.status == 507 and "no space left" in answer.body
    assert list(folder.parents[1].glob(".import-*/**/*.csv")) == []
    assert overview(site)["imports"]["open"][0]["broken"][0]["name"] == "a.csv"


# ---- who may, and when ------------------------------------------------------------------------------------


def test_of_two_tabs_one_imports_and_the_other_is_told(site: Site, folder: Path) -> None:
    answers = []
    tabs = [threading.Thread(target=lambda: answers.append(begun(site, len(TABLE)))) for _ in range(6)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409, 409, 409]
    assert "another tab imports here" in next(entry.body for entry in answers if entry.status == 409)
    assert begun(site, len(TABLE), part="test").status == 201
    assert begun(site, len(WAVE), stream="swinmae").status == 201


def test_a_tab_that_fell_silent_gives_way(site: Site, folder: Path) -> None:
    first = begin(site, len(TABLE))
    limit(site, idle_s=0.0)
    second = begin(site, len(TABLE))
    assert upload(site, first, "a.csv", TABLE).status == 404
    assert overview(site)["imports"]["last"]["outcome"] == "abandoned"
    assert len(left_over(site)) == 1
    assert upload(site, second, "a.csv", TABLE).status == 200


def test_while_a_run_uses_the_data_nothing_is_put_in_place(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE))
    upload(site, number, "a.csv", TABLE)
    state = recorded("running_training")
    put_state(site.project, {**state, "pipeline": "anomaly"})
    refused = finish(site, number)
    assert refused.status == 409 and "uses the data" in refused.body
    assert begun(site, 1, part="test").status == 409
    shown = overview(site)
    assert shown["can"] == {"train": False, "stop": True, "import": False} and "uses" in shown["blocked"]
    put_state(site.project, {**state, "pipeline": "blueprint"})  # another track's run does not mind
    assert finish(site, number).status == 200 and names(folder) == ["a.csv"]


def test_a_stage_that_outlives_its_orchestrator_still_uses_the_data(site: Site, folder: Path) -> None:
    put_state(site.project, {**recorded("running_training"), "pipeline": "anomaly"})
    gone = {"boot_id": "earlier boot", "pid": 1, "started": 1, "nonce": "n"}
    write_json(site.project.logs / "pipeline.json", {"run_id": RUN_ID, "identity": gone})
    assert begun(site, len(TABLE)).status == 201
    attempts = site.project.run_dir(RUN_ID) / "attempts"
    write_json(attempts / "22-1.order.json", {"stage": "22", "attempt": 1})
    guard = identity_of(os.getpid())
    assert guard is not None
    write_json(attempts / "22-1.guard.json", {"guard": guard.to_dict()})
    assert "uses the data" in begun(site, len(TABLE), part="test").body


def test_a_run_from_the_command_line_that_has_no_state_yet_is_waited_for(site: Site, folder: Path) -> None:
    alive = identity_of(os.getpid())
    assert alive is not None
    record = {"run_id": "20270101-000000-abcd", "identity": alive.to_dict()}
    write_json(site.project.logs / "pipeline.json", record)
    assert "being started" in begun(site, len(TABLE)).body


@pytest.mark.parametrize(
    "fields",
    [
        {"stream": "fdc"},
        {"stream": None},
        {"stream": ["patchtst"]},
        {"part": "../train"},
        {"part": "val"},
        {"mode": "delete"},
        {"files": 0},
        {"files": "3"},
        {"files": True},
        {"bytes": -1},
        {"bytes": 1.5},
        {"evil": 1},
    ],
    ids=range(12),
)
def test_an_import_of_something_unknown_does_not_begin(site: Site, fields: dict[str, object]) -> None:
    assert begun(site, 10, **fields).status == 400
    assert not (site.project.data / "local").exists()


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?name=a.csv",
        "?import={id}",
        "?import={id}&name=",
        "?name=a.csv&import={id}",
        "?import={id}&name=a.csv&name=b.csv",
        "?import={id}&name=a.csv&x=1",
        "?import=..&name=a.csv",
        "?import={id}&name=%ff.csv",
        "?import={id}&name=%zz.csv",
        "?import={id}&name=a/b.csv",
        "?import={id}&name=a b.csv",
    ],
)
def test_an_upload_with_an_odd_address_is_refused(site: Site, query: str) -> None:
    number = begin(site, len(TABLE))
    head = upload_head(site, number, "NAME", len(TABLE))
    target = f"/api/upload{query.replace('{id}', number)}"
    head = target.join(head.decode("latin-1").split(f"/api/upload?import={number}&name=NAME")).encode()
    assert talk(site.port, head + TABLE).status == 400
    assert overview(site)["imports"]["open"][0]["done_files"] == 0


PROOFS = [
    ("no token", {"X_Nightforge_Token": ""}, 403),
    ("wrong token", {"X_Nightforge_Token": "A" * 43}, 403),
    ("foreign origin", {"Origin": "http://evil.example"}, 403),
    ("null origin", {"Origin": "null"}, 403),
    ("foreign host", {"Host": "evil.example"}, 403),
    ("another site", {"Sec_Fetch_Site": "cross-site"}, 403),
    ("a form", {"Content_Type": "multipart/form-data; boundary=x"}, 415),
    ("plain text", {"Content_Type": "text/plain"}, 415),
    ("JSON", {"Content_Type": "application/json"}, 415),
    ("no length", {"Content_Length": ""}, 411),
    ("a negative length", {"Content_Length": "-1"}, 400),
    ("an absurd length", {"Content_Length": "9" * 30}, 400),
    ("chunks", {"Transfer_Encoding": "chunked"}, 411),
    ("expect", {"Expect": "100-continue"}, 417),
]


@pytest.mark.parametrize(("name", "headers", "status"), PROOFS, ids=[row[0] for row in PROOFS])
def test_an_upload_without_every_proof_is_refused(
    site: Site, name: str, headers: dict[str, str], status: int
) -> None:
    number = begin(site, len(TABLE))
    answer = talk(site.port, upload_head(site, number, "a.csv", len(TABLE), **headers) + TABLE)
    assert answer.status == status and json.loads(answer.body)["error"]["message"]
    assert overview(site)["imports"]["open"][0]["saved"] == []


@pytest.mark.parametrize("place", ["data", "data/local", "data/local/train", "data/local/train/fdc"])
def test_a_data_folder_that_is_a_link_is_not_written_through(site: Site, tmp_path: Path, place: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    path = site.project.root / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if not make_link(path, outside, is_folder=True):
        pytest.skip("this system makes no symbolic links")
    answer = begun(site, len(TABLE))
    assert answer.status == 409 and "is a link" in answer.body
    assert names(outside) == []
    assert "is a link" in overview(site)["streams"]["patchtst"]["data"]["train"]["problem"]


def test_a_folder_that_became_a_link_meanwhile_is_not_written_through(
    site: Site, folder: Path, tmp_path: Path
) -> None:
    number = begin(site, len(TABLE), mode="add")
    upload(site, number, "a.csv", TABLE)
    outside = tmp_path / "outside"
    move(folder, outside)
    if not make_link(folder, outside, is_folder=True):
        pytest.skip("this system makes no symbolic links")
    assert finish(site, number).status == 409
    assert names(outside) == ["old.csv"]


# ---- what can go wrong in the swap ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["replace", "add"])
def test_a_rename_that_fails_leaves_all_as_before(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    number = begin(site, len(TABLE), len(TABLE), mode=mode)
    upload(site, number, "a.csv", TABLE)
    upload(site, number, "b.csv", TABLE)
    done = []

    def fail_second(source: Path, target: Path) -> None:
        done.append(source)
        if len(done) == 2:
            raise PermissionError(13, "Permission denied", str(target))
        move(source, target)

    monkeypatch.setattr("nightforge.web.import_place.move", fail_second)
    assert finish(site, number).status == 503
    assert names(folder) == ["old.csv"]
    monkeypatch.undo()
    assert finish(site, number).status == 200  # nothing was lost
    assert set(names(folder)) >= {"a.csv", "b.csv"}


def dead(site: Site, number: str) -> Path:
    """Act as if the server of an import had died: its table of imports is gone, its folder is there."""
    site_imports(site)._open.clear()
    return site.project.data / "local" / f".import-{number}"


def test_what_a_dead_server_left_is_cleared_and_told(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE))
    upload(site, number, "a.csv", TABLE)
    dead(site, number)
    with serving(site.project) as again:
        last = overview(again)["imports"]["last"]
        assert last["outcome"] == "broken" and "as before" in last["message"]
        assert left_over(again) == [] and names(folder) == ["old.csv"]


def test_a_server_that_died_between_the_two_renames_loses_nothing(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE))
    upload(site, number, "a.csv", TABLE)
    waiting = dead(site, number)
    move(folder, waiting / "old")
    with serving(site.project) as again:
        assert names(folder) == ["old.csv"] and left_over(again) == []
        assert overview(again)["imports"]["last"]["outcome"] == "broken"


def test_a_server_that_died_after_the_renames_has_finished(site: Site, folder: Path) -> None:
    number = begin(site, len(TABLE))
    upload(site, number, "a.csv", TABLE)
    waiting = dead(site, number)
    move(folder, waiting / "old")
    move(waiting / "new", folder)
    with serving(site.project) as again:
        assert names(folder) == ["a.csv"] and left_over(again) == []
        assert overview(again)["imports"]["last"]["outcome"] == "finished"


def test_a_foreign_folder_that_looks_like_an_import_harms_nothing(site: Site, tmp_path: Path) -> None:
    local = site.project.data / "local"
    (local / ".import-x").mkdir(parents=True)
    (local / ".import-x" / "import.json").write_text('{"stream": "../../x", "part": ["train"]}')
    outside = tmp_path / "outside"
    outside.mkdir()
    make_link(local / ".import-link", outside, is_folder=True)
    with serving(site.project) as again:
        assert overview(again)["imports"]["last"] is None
    assert outside.is_dir() and not (local / ".import-x").exists()
