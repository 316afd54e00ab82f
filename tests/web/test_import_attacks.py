"""An import needs every proof, its own place and a free moment; links and odd addresses lead nowhere."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from import_sites import TABLE, WAVE, left_over, limit, names, put_tables
from links import make_link
from web_sites import (
    RUN_ID,
    Site,
    begin,
    begun,
    finish,
    make_project,
    overview,
    put_state,
    recorded,
    serving,
    talk,
    upload,
    upload_head,
)

from nightforge.core.atomic import move, write_json
from nightforge.core.processes import identity_of


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with serving(make_project(tmp_path / "project", recorded("stopped"))) as running:
        yield running


@pytest.fixture
def folder(site: Site) -> Path:
    return put_tables(site)


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
