"""A page can ask for two things, once each: stop what runs, start what does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from web_sites import RUN_ID, Site, ask, make_project, post, recorded, serving

from nightforge.core.atomic import read_json, read_jsonl


class Spawned(list):
    """Records what would have been started."""

    def __call__(self, argv, cwd, log, env):
        self.append((argv[1:], env["NIGHTFORGE_ROOT"]))
        log.write_text("no space left\n", newline="\n")
        return 4242


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Spawned:
    calls = Spawned()
    monkeypatch.setattr("nightforge.web.changes.spawn_launcher", calls)
    return calls


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Site]:
    with serving(make_project(tmp_path / "project", recorded("running_training"))) as site:
        yield site


@pytest.fixture
def idle(tmp_path: Path, spawned: Spawned) -> Iterator[Site]:
    with serving(make_project(tmp_path / "project", recorded("stopped"))) as site:
        yield site


def test_stop_writes_the_same_request_as_the_command_line(running: Site) -> None:
    answer = post(running, "/api/stop", run_id=RUN_ID)
    assert answer.status == 200
    request = read_json(running.project.stop_request)
    assert (request["run_id"], request["by"], request["id"]) == (RUN_ID, "page", "request-0001")


def test_the_same_request_id_gets_the_same_answer(running: Site) -> None:
    first = post(running, "/api/stop", run_id=RUN_ID)
    running.project.stop_request.unlink()
    second = post(running, "/api/stop", run_id=RUN_ID)
    assert first.body == second.body and not running.project.stop_request.exists()


def test_asking_twice_to_stop_keeps_the_first_request(running: Site) -> None:
    post(running, "/api/stop", run_id=RUN_ID)
    post(running, "/api/stop", run_id=RUN_ID, request_id="request-0002")
    assert read_json(running.project.stop_request)["id"] == "request-0001"


def test_a_stop_for_a_run_that_is_over_does_not_stop_the_next_one(running: Site) -> None:
    answer = post(running, "/api/stop", run_id="20200101-000000-aaaa")
    assert answer.status == 409 and "is over" in answer.body
    assert not running.project.stop_request.exists()


def test_there_is_nothing_to_stop_when_nothing_runs(idle: Site) -> None:
    assert post(idle, "/api/stop").status == 409


def test_train_starts_the_launcher_of_the_command_line(idle: Site, spawned: Spawned) -> None:
    answer = post(idle, "/api/train", profile="smol", mode="data-only")
    assert answer.status == 202
    ((argv, root),) = spawned
    assert Path(argv[0]).name == "launch_pipeline.py" and argv[1:] == ["--profile", "smol", "--data-only"]
    assert root == str(idle.project.root)
    assert json.loads(answer.body)["command"] == "python launch_pipeline.py --profile smol --data-only"


def test_train_can_resume(idle: Site, spawned: Spawned) -> None:
    assert post(idle, "/api/train", resume=True).status == 202
    assert spawned[0][0][1:] == ["--resume"]


@pytest.mark.parametrize(
    "fields",
    [
        {"profile": "../x"},
        {"profile": "unknown"},
        {"profile": 1},
        {"mode": "--force"},
        {"mode": []},
        {"resume": "yes"},
        {"x": 1},
    ],
)
def test_train_with_anything_unknown_starts_nothing(
    idle: Site, spawned: Spawned, fields: dict[str, object]
) -> None:
    assert post(idle, "/api/train", **fields).status == 400
    assert spawned == []


def test_train_while_a_run_goes_starts_nothing(running: Site, spawned: Spawned) -> None:
    answer = post(running, "/api/train")
    assert answer.status == 409 and "already going" in answer.body
    assert spawned == []


def test_what_the_launcher_said_is_shown(idle: Site) -> None:
    post(idle, "/api/train")
    last = json.loads(ask(idle, "/api/status").body)["last_train"]
    assert last["said"] == "no space left\n" and last["by"] == "page"


def test_every_change_is_recorded_with_its_source(running: Site) -> None:
    post(running, "/api/stop", run_id=RUN_ID)
    (line,) = read_jsonl(running.project.logs / "dashboard_changes.jsonl")
    assert (line["by"], line["action"], line["request"]["request_id"]) == ("page", "stop", "request-0001")
    assert running.token not in json.dumps(line)


def test_a_read_only_logs_folder_gives_words(running: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system", str(running.project.stop_request))

    monkeypatch.setattr("nightforge.web.changes.write_stop_request", refuse)
    answer = post(running, "/api/stop", run_id=RUN_ID)
    assert answer.status == 503 and "read-only disk" in answer.body


def test_buttons_follow_the_server(running: Site) -> None:
    assert json.loads(ask(running, "/api/status").body)["can"] == {"train": False, "stop": True}
    state = recorded("stopping")
    running.project.live_state.write_text(json.dumps(state))
    assert json.loads(ask(running, "/api/status").body)["can"] == {"train": False, "stop": False}


def test_a_run_whose_orchestrator_is_gone_can_be_started_over(running: Site, spawned: Spawned) -> None:
    gone = {"boot_id": "earlier boot", "pid": 1, "started": 1, "nonce": "n"}
    (running.project.logs / "pipeline.json").write_text(json.dumps({"run_id": RUN_ID, "identity": gone}))
    assert json.loads(ask(running, "/api/status").body)["can"] == {"train": True, "stop": False}
    assert post(running, "/api/stop", run_id=RUN_ID).status == 409
    assert post(running, "/api/train", resume=True, request_id="request-0002").status == 202
