"""Status says what runs from one file and one look at one process; a dead run never reads as running."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nightforge.core.paths import Project
from nightforge.core.processes import identity_of
from nightforge.core.records import ACTIVE, current_state, running_record
from nightforge.pipeline.status import format_status, page_url, words_for

NOW = datetime(2026, 11, 21, 17, 17, 30, tzinfo=UTC)
STAGE = {
    "id": "04",
    "title": "Train LoRA adapter",
    "status": "running",
    "attempt": 2,
    "max_attempts": 3,
    "progress": {"done": 142, "total": 230, "unit": "steps"},
}
STATE: dict[str, Any] = {
    "run_id": "20261121-171500-3f2a",
    "pipeline": "blueprint",
    "profile": "tiny",
    "mode": "full",
    "status": "running",
    "pid": 7,
    "started_at": "2026-11-21T17:15:00.000Z",
    "updated_at": "2026-11-21T17:17:00.000Z",
    "stages": [{"id": "03", "title": "Data", "status": "succeeded"}, STAGE],
    "eta": {"remaining_s": [60, 95], "done_at": ["2026-11-21T17:18:30.000Z", "2026-11-21T17:19:05.000Z"]},
    "errors": [{"stage": "04", "attempt": 1, "kind": "killed", "message": "killed by signal 9"}],
    "result": None,
}


def place(project: Project, state: dict[str, Any] | str, **record: Any) -> None:
    project.logs.mkdir(parents=True)
    project.live_state.write_text(state if isinstance(state, str) else json.dumps(state))
    (project.logs / "pipeline.json").write_text(json.dumps(record))


def mine() -> dict[str, Any]:
    identity = identity_of(os.getpid())
    assert identity is not None
    return identity.to_dict()


def test_a_running_run_is_told_with_stage_progress_and_time_left() -> None:
    text = format_status(STATE, "http://localhost:8080/dashboard/live.html", NOW)
    for words in (
        "20261121-171500-3f2a  blueprint, profile tiny, full",
        "running (pid 7), for 2 min 30 s",
        "1 of 2 done",
        "04 Train LoRA adapter: running, attempt 2 of 3, 142/230 steps (62%)",
        "1 min 0 s to 1 min 35 s (done between",
        "attempt 1: killed by signal 9",
        "http://localhost:8080/dashboard/live.html",
        "python launch_pipeline.py --stop",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "Watch    save, silent for 1 min 30 s of 30 min 0 s (configured)"),
        (
            {"slow": True, "origin": "learned from 3 runs"},
            "slow: save, silent for 1 min 30 s of 30 min",
        ),
        ({"limit_s": None}, "save, silent for 1 min 30 s (no limit)"),
        ({"phase": "output"}, "no progress counter, no output, silent for 1 min 30 s of"),
    ],
)
def test_the_watch_over_the_running_stage_is_told(changes: dict[str, Any], line: str) -> None:
    watch = {"phase": "save", "quiet_since": "2026-11-21T17:16:00.000Z", "warn_s": 300.0, "limit_s": 1800.0,
             "origin": "configured", "slow": False, **changes}  # fmt: skip
    current = {"stage": "04", "since": "", "last_progress_at": "", "watch": watch}
    assert line in format_status({**STATE, "current": current}, None, NOW)
    assert "Watch" not in format_status({**STATE, "current": {**current, "watch": None}}, None, NOW)


def test_a_first_run_says_so_instead_of_a_number() -> None:
    assert "first run, no estimate" in format_status({**STATE, "eta": None}, None, NOW)


def test_a_wait_and_the_quality_of_forecasts_are_told() -> None:
    waiting = {
        "kind": "waiting_gpu",
        "stage": "04",
        "since": STATE["started_at"],
        "words": "GPU 0, held by x",
    }
    eta = {
        "remaining_s": [60, 90],
        "done_at": [STATE["started_at"]] * 2,
        "retries_s": 12.0,
        "quality": {"count": 10, "inside": 8, "median_error": 0.12},
    }
    said = format_status({**STATE, "waiting": waiting, "eta": eta}, None, NOW)
    assert "for GPU 0, held by x" in said and "Waiting  for " in said
    assert "median error 12%, 8 of 10 ends inside the range" in said
    assert "about 12 s more if attempts fail as often as before" in said


@pytest.mark.parametrize(
    ("status", "command"),
    [("stopped", "--resume"), ("failed", "--resume"), ("interrupted", "--resume"), ("running", "--stop")],
)
def test_each_status_names_the_next_command(status: str, command: str) -> None:
    assert format_status({**STATE, "status": status}, None, NOW).splitlines()[-1].endswith(command)


@pytest.mark.parametrize("status", ACTIVE)
def test_a_run_whose_orchestrator_is_gone_reads_as_interrupted(status: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    place(project, {**STATE, "status": status}, identity={**mine(), "started": 1})
    state = current_state(project)
    assert (state["status"], state["resumable"]) == ("interrupted", True)


def test_a_living_orchestrator_is_found_and_one_that_has_ended_is_not(tmp_path: Path) -> None:
    project = Project(tmp_path)
    place(project, STATE, run_id="r", identity=mine(), ended_at=None)
    assert (running_record(project) or {})["run_id"] == "r"
    assert current_state(project)["status"] == "running"
    (project.logs / "pipeline.json").write_text(json.dumps({"identity": mine(), "ended_at": "2026"}))
    assert running_record(project) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '"x"'])
def test_a_broken_state_file_reads_as_idle_and_raises_nothing(content: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    place(project, content)
    assert current_state(project)["status"] == "idle"


def test_the_page_is_named_only_if_its_server_lives(tmp_path: Path) -> None:
    project = Project(tmp_path)
    assert page_url(project) is None
    project.logs.mkdir()
    project.server_pid.write_text(json.dumps({"identity": mine(), "port": 8081, "host": "127.0.0.1"}))
    assert page_url(project) == "http://localhost:8081/dashboard/live.html"
    project.server_pid.write_text(json.dumps({"identity": {**mine(), "started": 1}, "port": 8081}))
    assert page_url(project) is None


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.4, "0 s"), (59, "59 s"), (125, "2 min 5 s"), (7260, "2 h 1 min")]
)
def test_durations_are_written_as_people_say_them(seconds: float, words: str) -> None:
    assert words_for(seconds) == words


def test_the_class_the_next_attempt_and_what_changes_are_told_in_words() -> None:
    error = {"stage": "04", "attempt": 1, "kind": "oom_train", "message": "a step does not fit\nsecond line"}
    change = {"stage": "04", "setting": "micro-batch x accumulation", "old": "8 x 1", "new": "4 x 2"}
    state = {
        **STATE,
        "status": "retrying",
        "errors": [{**error, "words": "out of memory in training"}],
        "retry": {
            "stage": "04",
            "attempt": 2,
            "max_attempts": 5,
            "next_at": "2026-11-21T17:18:15.000Z",
            "change": "micro-batch x accumulation 8 x 1 to 4 x 2",
        },
        "recoveries": [{**change, "reason": "a step does not fit"}],
    }
    text = format_status(state, None, NOW)
    assert (
        "Error    stage 04, attempt 1 (out of memory in training): a step does not fit\n         second"
        in text
    )
    assert "Retry    attempt 2 of 5 in 45 s; micro-batch x accumulation 8 x 1 to 4 x 2" in text
    assert "Changed  stage 04, micro-batch x accumulation: 8 x 1 -> 4 x 2 (a step does not fit)" in text
