"""The rehearsal tells from a run's journal what became of each fault; `--rehearse` itself takes minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tiny_project import REPO, TinyProject

from nightforge.config import load_config
from nightforge.core.inject import _FAULT
from nightforge.core.paths import Project
from nightforge.pipeline.classes import POLICIES
from nightforge.pipeline.registry import BLUEPRINT
from nightforge.pipeline.rehearse import _SETTINGS, FAULTS, Fault, outcome

CRASH = Fault("crash", "04", "04:crash@step=12", "killed")


def event(second: int, event_type: str, /, **fields: Any) -> dict[str, Any]:
    return {"time": f"2026-11-22T04:00:{second:02}.000Z", "type": event_type, "stage": "04", **fields}


def journal(*after: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"time": "2026-11-22T04:00:00.000Z", "type": "run_started"},
        event(1, "stage_started", attempt=1),
        event(8, "stage_ended", attempt=1, outcome="failed", kind="oom_train"),
        event(9, "stage_started", attempt=2),
        event(15, "stage_ended", attempt=2, outcome="failed", kind="killed"),
        *after,
    ]


def test_a_fault_that_was_recovered_from() -> None:
    told = outcome(
        CRASH,
        journal(
            event(15, "retry_scheduled", attempt=3, change="starts a fresh process"),
            event(18, "stage_started", attempt=3),
            event(30, "stage_ended", attempt=3, outcome="succeeded"),
        ),
    )
    assert told["recovered"] and told["recognised_s"] == 6 and told["attempt"] == 2
    assert told["followed"] == "attempt 3 after 3 s, starts a fresh process"


def test_a_fault_that_ended_the_run() -> None:
    told = outcome(CRASH, journal())
    assert not told["recovered"] and told["followed"] == "nothing"
    told = outcome(
        CRASH,
        journal(
            event(18, "stage_started", attempt=3),
            event(30, "stage_ended", attempt=3, outcome="failed", kind="unknown"),
        ),
    )
    assert not told["recovered"] and told["followed"] == "attempt 3 after 3 s"


def test_a_fault_taken_for_something_else_is_not_recovered() -> None:
    told = outcome(CRASH._replace(kind="stall"), journal(event(30, "stage_ended", outcome="succeeded")))
    assert not told["recovered"] and told["recognised_s"] is None


def test_faults_and_settings_are_ones_the_program_knows(tmp_path: Path) -> None:
    for fault in FAULTS:
        assert _FAULT.fullmatch(fault.where) and fault.where.startswith(f"{fault.stage}:")
        assert fault.kind in POLICIES and fault.stage in {spec.key for spec in BLUEPRINT}
    assert {fault.where.partition(":")[2].partition("@")[0] for fault in FAULTS} == {
        "crash",
        "hang",
        "oom",
        "disk_full",
    }
    load_config(Project(REPO), "tiny", [f"{name}={value}" for name, value in _SETTINGS.items()])


@pytest.mark.slow
def test_it_is_refused_while_a_run_is_active(tiny: TinyProject) -> None:
    tiny.behave("03", "while not stage.should_stop():\n    time.sleep(0.05)\nreturn {}")
    tiny.launch("--data-only")
    told = tiny.launch("--rehearse")
    assert told.returncode == 75 and "a pipeline is running here" in told.stderr
    tiny.launch("--stop")
    assert tiny.wait_ended() == "stopped"


def test_a_code_folder_that_is_missing_is_named(tiny: TinyProject) -> None:
    told = tiny.launch("--rehearse")
    assert told.returncode == 2 and "is missing" in told.stderr
