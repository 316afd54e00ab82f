"""A stage that hangs in a whole run is ended by its guard, told in the state and tried again."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from tiny_project import REPO, TinyProject

if sys.platform != "win32":  # where it is the only test of a stall in a whole run
    pytestmark = pytest.mark.slow

HANGS_ONCE = """
mark = stage.paths.root / "first"
stage.report.progress(1, 2, "rows")
if not mark.exists():
    mark.write_text("")
    time.sleep(120)
return {}
"""


def test_a_stage_that_stalls_in_a_run_is_ended_and_tried_again(tiny: TinyProject) -> None:
    tiny.configure(
        {
            "dashboard": {"autostart": False},
            "stall_detection": {"stall_warn_seconds": 4, "stall_kill_seconds": 6},
        }
    )
    tiny.behave("20", HANGS_ONCE)
    code = (
        f"import sys; sys.path.insert(0, {str(REPO)!r})\n"
        "from nightforge.core.paths import Project\n"
        "from nightforge.pipeline.options import parse_options\n"
        "from nightforge.pipeline.orchestrator import orchestrate\n"
        "from nightforge.pipeline.retry import WAITS_S\n"
        "from nightforge.pipeline.runner import Policy\n"
        "from nightforge.pipeline.supervise import Grace\n"
        "waits = {kind: (0.1,) * len(table) for kind, table in WAITS_S.items()}\n"
        "policy = Policy(waits_s=waits, grace=Grace(0.5))\n"
        "sys.exit(orchestrate(Project.find(), parse_options(['--data-only']), policy=policy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=tiny.environment, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    (stage,) = [stage for stage in tiny.state()["stages"] if stage["id"] == "20"]
    assert (stage["status"], stage["attempt"]) == ("succeeded", 2)
    assert "no progress" in tiny.state()["errors"][0]["message"]
    folder = tiny.project.run_dir(tiny.state()["run_id"])
    stacks = (folder / "20.stacks.txt").read_text()
    assert stacks.count("in run") >= 2  # on Windows by the clock, elsewhere as the guard asked
    signs = (folder / "attempts" / "20-1.signs.jsonl").read_text().splitlines()
    (asked,) = [sign for sign in map(json.loads, signs) if sign["type"] == "asked"]
    assert asked["equal"] is True  # it stood at the same place twice
    assert not tiny.own_processes()
