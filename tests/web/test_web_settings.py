"""The form shows every setting, its check says all that is wrong, and Train passes on what differs, once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from web_sites import Answer, Site, ask, make_project, overview, post, recorded, serving

from nightforge.config.load import load_config
from nightforge.config.schema import Config
from nightforge.core.atomic import read_jsonl

ROOT = Path(__file__).resolve().parents[2]
LAGS = Config().anomaly.lags  # as configured: no override


class Spawned(list):
    """Records what would have been started; `pid` is that of a launcher that still runs, or of none."""

    pid = 2**22 + 1

    def __call__(self, argv, cwd, log, env):
        self.append(argv[2:])
        return self.pid


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Spawned:
    calls = Spawned()
    monkeypatch.setattr("nightforge.web.changes.spawn_launcher", calls)
    return calls


@pytest.fixture
def site(tmp_path: Path, spawned: Spawned) -> Iterator[Site]:
    project = make_project(tmp_path / "project", recorded("stopped"))
    shutil.copy(ROOT / "pipeline_config.json", project.config_file)
    (project.profiles / "smol.json").write_text('{"patchtst": {"training": {"lr": 0.5}}}')
    with serving(project) as running:
        yield running


def form(site: Site, query: str = "") -> dict[str, Any]:
    answer = ask(site, f"/api/settings/anomaly{query}")
    assert answer.status == 200, answer.body
    value: dict[str, Any] = json.loads(answer.body)
    return value


def check(site: Site, **fields: Any) -> dict[str, Any]:
    answer = post(site, "/api/settings/check", **fields)
    assert answer.status == 200, answer.body
    value: dict[str, Any] = json.loads(answer.body)
    return value


def train(site: Site, **fields: Any) -> Answer:
    return post(site, "/api/train", **{"pipeline": "anomaly", "request_id": os.urandom(8).hex(), **fields})


def test_the_form_has_the_values_a_run_would_use(site: Site) -> None:
    shown = form(site)
    values = {entry["key"]: entry["value"] for entry in shown["fields"]}
    base = load_config(site.project).to_dict()
    assert values["patchtst.training.lr"] == base["patchtst"]["training"]["lr"]
    assert {key.partition(".")[0] for key in values} == {"patchtst", "swinmae", "anomaly"}
    assert sorted(key for group in shown["groups"] for key in group["fields"]) == sorted(values)
    assert shown["problem"] is None and shown["profile"] == "tiny"


def test_the_form_of_another_profile_has_its_values(site: Site) -> None:
    fields = {entry["key"]: entry for entry in form(site, "?profile=smol")["fields"]}
    assert fields["patchtst.training.lr"]["value"] == 0.5
    assert fields["patchtst.training.lr"]["default"] == 0.001
    for query in ("?profile=none", "?profile=", "?x=1", "?profile=tiny&profile=smol", "?profile=..tiny"):
        assert ask(site, f"/api/settings/anomaly{query}").status == 400


def test_the_form_is_sent_once_and_then_only_confirmed(site: Site) -> None:
    tag = ask(site, "/api/settings/anomaly").headers["etag"]
    assert ask(site, "/api/settings/anomaly", If_None_Match=tag).status == 304


def test_a_broken_configuration_is_told_in_the_form(site: Site) -> None:
    site.project.config_file.write_text('{"patchtst": {"epohs": 1}}')
    assert "epohs" in form(site)["problem"]
    answer = post(site, "/api/settings/check", values={})
    assert answer.status == 409 and "epohs" in answer.body
    assert train(site, overrides={}).status == 409


def test_a_check_returns_overrides_diff_and_every_error(site: Site) -> None:
    good = check(site, values={"patchtst.training.lr": "2e-3", "anomaly.lags": str(LAGS)})
    assert good["ok"] and good["overrides"] == {"patchtst.training.lr": 0.002}
    assert good["diff"] == [{"key": "patchtst.training.lr", "base": 0.001, "value": 0.002}]
    bad = check(site, values={"patchtst.training.epochs": 0, "patchtst.model.nhead": 5, "evil": 1})
    assert not bad["ok"] and [error["keys"] for error in bad["errors"]] == [
        ["patchtst.training.epochs"],
        ["evil"],
        ["patchtst.model.d_model", "patchtst.model.nhead"],
    ]
    assert check(site, profile="smol", values={"patchtst.training.lr": 0.5})["overrides"] == {}


@pytest.mark.parametrize(
    "fields",
    [{"values": []}, {"values": "x"}, {"profile": "../x"}, {"profile": 1}, {"profile": []}, {"evil": 1}],
    ids=range(6),
)
def test_a_check_of_something_else_is_refused(site: Site, fields: dict[str, Any]) -> None:
    assert post(site, "/api/settings/check", **fields).status == 400


def test_train_passes_on_what_differs_and_nothing_else(site: Site, spawned: Spawned) -> None:
    overrides = {"patchtst.training.lr": 0.002, "patchtst.data.path": ['a "b"/*.csv'], "anomaly.lags": LAGS}
    answer = train(site, profile="tiny", force=True, streams=["patchtst"], overrides=overrides)
    assert answer.status == 202, answer.body
    assert spawned == [
        [
            *("--pipeline", "anomaly", "--profile", "tiny", "--force"),
            *("--set", 'patchtst.data.path=["a \\"b\\"/*.csv"]'),
            *("--set", "patchtst.training.lr=0.002"),
            *("--set", "swinmae.enabled=false"),
        ]
    ]
    config = load_config(site.project, "tiny", spawned[0][6::2])
    assert config.patchtst.data.path == ('a "b"/*.csv',) and not config.swinmae.enabled


def test_the_launcher_understands_what_train_passes_on(site: Site, spawned: Spawned) -> None:
    train(site, overrides={"patchtst.training.lr": 0.002}, streams=["swinmae"], mode="data-only")
    options = "from nightforge.pipeline.options import parse_options as p; import sys; print(p(sys.argv[1:]))"
    arguments = [argument for argument in spawned[0] if argument not in ("--pipeline", "anomaly")]
    command = [sys.executable, "-c", options, *arguments]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "patchtst.training.lr=0.002" in said and "patchtst.enabled=false" in said


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"pipeline": "evil"}, "no such pipeline"),
        ({"pipeline": ["anomaly"]}, "no such pipeline"),
        ({"pipeline": "blueprint", "overrides": {"patchtst.seed": 1}}, "belong to the pipeline anomaly"),
        ({"pipeline": "blueprint", "streams": ["patchtst"]}, "belong to the pipeline anomaly"),
        ({"streams": []}, "streams must be"),
        ({"streams": ["evil"]}, "streams must be"),
        ({"streams": "patchtst"}, "streams must be"),
        ({"overrides": []}, "overrides must be"),
        ({"overrides": {"training.epochs": 1}}, "no setting of this form"),
        ({"overrides": {"dashboard.host": "0.0.0.0"}}, "no setting of this form"),
        ({"overrides": {"patchtst.training.lr": -1}}, "patchtst.training.lr"),
        ({"overrides": {"patchtst.model.nhead": 7}}, "must divide"),
        ({"force": "yes"}, "true or false"),
        ({"mode": "--force"}, "no such mode"),
    ],
    ids=range(14),
)
def test_train_with_anything_wrong_starts_nothing(
    site: Site, spawned: Spawned, fields: dict[str, Any], words: str
) -> None:
    answer = train(site, **fields)
    assert answer.status == 400 and words in answer.body and spawned == []


def test_wrong_settings_are_told_by_field(site: Site) -> None:
    answer = train(site, overrides={"patchtst.training.lr": -1, "swinmae.seed": "x"})
    errors = json.loads(answer.body)["error"]["details"]["errors"]
    assert [error["keys"] for error in errors] == [["patchtst.training.lr"], ["swinmae.seed"]]


def test_of_many_tabs_pressing_train_at_once_exactly_one_starts_a_run(site: Site, spawned: Spawned) -> None:
    spawned.pid = os.getpid()  # a launcher that is still at work
    answers: list[Answer] = []
    tabs = [threading.Thread(target=lambda: answers.append(train(site))) for _ in range(8)]
    for tab in tabs:
        tab.start()
    for tab in tabs:
        tab.join()
    assert sorted(answer.status for answer in answers) == [202] + [409] * 7
    assert len(spawned) == 1
    assert "already being started" in next(answer.body for answer in answers if answer.status == 409)
    assert overview(site)["can"] == {"train": False, "stop": False, "import": False}
    assert post(site, "/api/import/begin", request_id="begin-0001", stream="patchtst").status == 409
    assert "being started" in post(site, "/api/stop").body


def test_after_a_start_that_failed_train_can_be_pressed_again(site: Site, spawned: Spawned) -> None:
    assert train(site).status == 202  # its launcher has ended already
    assert train(site).status == 202 and len(spawned) == 2


def test_the_settings_of_a_start_are_in_the_record_of_changes(site: Site) -> None:
    train(site, overrides={"patchtst.training.lr": 0.002})
    (line,) = read_jsonl(site.project.logs / "dashboard_changes.jsonl")
    assert line["request"]["overrides"] == {"patchtst.training.lr": 0.002}
    assert "--set patchtst.training.lr=0.002" in line["answer"]["command"]
