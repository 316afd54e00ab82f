"""Orchestrator, guard or stage killed at any moment, together or one by one: resuming reaches the same end,
nothing done is done again, nobody is left. NIGHTFORGE_SEEDS=50: 1,000 moments.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time

import pytest
from tiny_project import TinyProject

from nightforge.core.processes import ProcessIdentity, is_alive
from nightforge.core.records import read_object, running_record
from nightforge.pipeline.rebuild import load_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="uses /proc"),
]
KILLS = 20
# Leaves a mark at its start and at its end, 0.3 s apart.
_MARKING = """
with open(stage.paths.root / "marks", "a") as marks:
    marks.write(f"start {stage.stage_key}\\n")
time.sleep(0.3)
stage.report.progress(1, 1, "rows")
return {"key": stage.stage_key}
"""


def victims(tiny: TinyProject) -> dict[str, int]:
    """Return who lives now, by role: orchestrator, guard, stage."""
    found: dict[str, int] = {}
    record = running_record(tiny.project)
    if record is not None:
        found["orchestrator"] = int(record["pid"])
    for path in tiny.project.runs.glob("*/attempts/*.guard.json"):
        told = read_object(path) or {}
        for role in ("guard", "process"):
            identity = ProcessIdentity.from_dict(told.get(role))
            if identity is not None and is_alive(identity):
                found[role] = identity.pid
    return found


@pytest.mark.parametrize("seed", range(int(os.environ.get("NIGHTFORGE_SEEDS", "5"))))
def test_random_kills_lose_nothing_and_repeat_nothing_done(tiny: TinyProject, seed: int) -> None:
    generator = random.Random(seed)
    keys = ["03", "13", "20", "06", "08"]
    for key in keys:
        tiny.behave(key, _MARKING)
    (tiny.root / "marks").touch()
    tiny.launch("--data-only")
    run_id = tiny.record()["run_id"]
    folder = tiny.project.run_dir(run_id)
    for _ in range(KILLS):
        time.sleep(generator.uniform(0, 0.5))
        living = victims(tiny)
        for role in generator.sample(sorted(living), min(len(living), generator.choice((1, 1, 2, 3)))):
            try:
                os.kill(living[role], signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.05)
        json.loads(tiny.project.live_state.read_bytes())
        state, _ = load_run(folder)
        done = {stage.id for stage in state.stages if stage.status == "succeeded"}
        marks_before = (tiny.root / "marks").read_text().splitlines()
        if running_record(tiny.project) is None and len(done) < len(keys):
            resumed = tiny.launch("--resume")
            assert resumed.returncode == 0, (seed, resumed.stderr)
        for key in done:
            again = (tiny.root / "marks").read_text().splitlines()[len(marks_before) :]
            assert f"start {key}" not in again, (seed, key)
    if running_record(tiny.project) is not None:
        tiny.wait_ended()
    if tiny.state()["status"] != "succeeded":
        assert tiny.launch("--resume").returncode == 0
        assert tiny.wait_ended() == "succeeded", seed
    assert tiny.state()["run_id"] == run_id
    assert [stage["result"] for stage in tiny.state()["stages"]] == [{"key": key} for key in keys]
    tiny.wait(lambda: not tiny.own_processes(), 20)
