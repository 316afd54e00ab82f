"""An import that breaks off, stands still, finds no room or loses its server leaves the data as they were."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_sites import TABLE, left_over, limit, names, put_tables, site_imports
from links import make_link
from web_sites import (
    Site,
    ask,
    begin,
    begun,
    finish,
    make_project,
    overview,
    post,
    recorded,
    serving,
    talk,
    upload,
    upload_head,
)

from nightforge.core.atomic import move


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(make_project(tmp_path / "project", recorded("stopped"))) as running:
        yield running


@pytest.fixture
def folder(site: Site) -> Path:
    return put_tables(site)


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
