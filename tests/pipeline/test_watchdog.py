"""The scheduled look starts what was interrupted, nothing else, and gives up after three tries."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from nightforge.config.schema import Notify
from nightforge.core.errors import InputError
from nightforge.core.findings import Finding
from nightforge.core.paths import Project
from nightforge.core.processes import identity_of
from nightforge.pipeline.watchdog import MAX_STARTS, SILENT_S, conclude, look_at_run

SAVE = "import sys; open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"


def place(root: Path, status: str, done: int = 1, alive: bool = False) -> Project:
    project = Project(root)
    project.logs.mkdir(exist_ok=True)
    stages = [{"id": f"{n:02}", "status": "succeeded" if n < done else "pending"} for n in range(3)]
    project.live_state.write_text(json.dumps({"run_id": "r1", "status": status, "stages": stages}))
    me = identity_of(os.getpid())
    assert me is not None
    identity = {**me.to_dict(), **({} if alive else {"started": 1})}
    record: dict[str, Any] = {"run_id": "r1", "identity": identity}
    (project.logs / "pipeline.json").write_text(json.dumps(record))
    project.heartbeat.touch()
    return project


@pytest.mark.parametrize("status", ["stopped", "failed", "succeeded"])
def test_what_has_ended_is_never_started_again(status: str, tmp_path: Path) -> None:
    starts: list[int] = []
    found = look_at_run(place(tmp_path, status), lambda: starts.append(1) or 0)
    assert (found.level, starts) == ("ok", [])
    assert status in found.detail


def test_nothing_is_found_where_nothing_has_run(tmp_path: Path) -> None:
    assert look_at_run(Project(tmp_path), lambda: 1).level == "ok"


def test_an_interrupted_run_is_started_three_times_unless_it_gets_on(tmp_path: Path) -> None:
    starts: list[int] = []

    def look(done: int) -> str:
        return look_at_run(place(tmp_path, "running", done), lambda: starts.append(1) or 0).title

    again = "An interrupted run was started again"
    assert [look(1) for _ in range(MAX_STARTS)] == [again] * MAX_STARTS
    assert look(1) == "The run is interrupted again and again"
    assert len(starts) == MAX_STARTS
    assert look(2) == again  # another stage was finished


def test_a_look_alone_starts_nothing(tmp_path: Path) -> None:
    found = look_at_run(place(tmp_path, "running"), None)
    assert (found.level, found.next_command) == ("critical", "python launch_pipeline.py --resume")


def test_a_start_that_is_refused_is_told(tmp_path: Path) -> None:
    def refuse() -> int:
        raise InputError("profiles/tiny.json is missing")

    found = look_at_run(place(tmp_path, "running"), refuse)
    assert found.level == "critical" and "profiles/tiny.json is missing" in found.detail
    assert "exit code 1" in look_at_run(place(tmp_path, "running"), lambda: 1).detail


def test_an_orchestrator_without_a_heartbeat_is_told(tmp_path: Path) -> None:
    project = place(tmp_path, "running", alive=True)
    assert look_at_run(project, None).level == "ok"
    late = look_at_run(project, None, time.time() + SILENT_S + 60)
    assert late.level == "critical" and "no sign for 6 min" in late.detail


def test_the_same_words_are_told_once(tmp_path: Path) -> None:
    project = place(tmp_path, "stopped")
    out = tmp_path / "told"
    notify = Notify(command=(sys.executable, "-c", SAVE, str(out)))
    bad = Finding("warning", "The mirror is not there", "/mnt/x is missing")
    good = Finding("ok", "No run is under way", "")
    assert not conclude(project, notify, [good, bad])
    assert not conclude(project, notify, [bad])
    assert conclude(project, notify, [good])
    assert not conclude(project, notify, [bad])
    told = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(message["event"], message["text"]) for message in told] == [("watchdog", bad.detail)] * 2
    assert json.loads((project.logs / "watchdog.json").read_text())["found"][0]["title"] == bad.title
