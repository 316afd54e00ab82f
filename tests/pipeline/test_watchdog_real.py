"""A run whose orchestrator and guard were killed is found by script 17 and goes on to its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_project import TinyProject, kill

from nightforge.core.processes import identity_of

FIRST_TIME_ONLY = (
    "if not os.path.exists('first'):\n    open('first', 'w').close()\n    time.sleep(60)\nreturn {}"
)
REAL = Path(__file__).resolve().parents[2] / "scripts" / "17_scheduled_backup.py"


@pytest.mark.slow
def test_a_killed_run_is_started_again_and_a_finished_one_is_not(tiny: TinyProject) -> None:
    tiny.behave("20", FIRST_TIME_ONLY)
    tiny.launch("--data-only")
    tiny.wait(lambda: (tiny.root / "first").exists())
    record = tiny.record()
    guard = json.loads(next(tiny.root.glob("logs/runs/*/attempts/20-1.guard.json")).read_text())["guard"][
        "pid"
    ]
    kill(int(record["pid"]))
    kill(int(guard))
    tiny.wait(lambda: identity_of(int(guard)) is None and identity_of(int(record["pid"])) is None)
    looked = tiny.launch("--check", script=str(REAL))
    assert looked.returncode == 1 and "The run was interrupted" in looked.stdout, looked.stderr
    done = tiny.launch(script=str(REAL))
    assert "An interrupted run was started again" in done.stdout, done.stdout + done.stderr
    assert tiny.wait_ended() == "succeeded"
    assert tiny.state()["run_id"] == record["run_id"]
    after = tiny.launch(script=str(REAL))
    assert after.returncode == 0 and "No run is under way" in after.stdout, after.stdout + after.stderr
