"""A real run whose stage hangs in a save: shown as slow, looked into, ended, tried again."""

from __future__ import annotations

import json
import sys
import threading
from typing import Any

import pytest
from tiny_project import TinyProject

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="stacks are taken by a signal")
DATA = ["03", "13", "20", "06", "08"]


@pytest.mark.slow
def test_a_stuck_save_is_shown_looked_into_ended_and_tried_again(tiny: TinyProject) -> None:
    stall = {"stall_kill_seconds_save": 5, "stall_warn_seconds": 2}
    tiny.configure({"dashboard": {"autostart": False}, "stall_detection": stall})
    tiny.behave(
        "20",
        """
tried = stage.paths.root / "tried"
stage.report.watch("save")
if not tried.exists():
    tried.write_text("")
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.read(os.pipe()[0], 1)
time.sleep(1.2)
return {}
""",
    )
    seen: list[dict[str, Any]] = []
    ended: list[int] = []
    run = threading.Thread(target=lambda: ended.append(tiny.orchestrate("--data-only").returncode))
    run.start()

    def slow() -> bool:
        watch = (tiny.state().get("current") or {}).get("watch")
        seen.append(watch or {})
        return bool(watch and watch["slow"])

    tiny.wait(slow)
    assert (seen[-1]["phase"], seen[-1]["limit_s"], seen[-1]["origin"]) == ("save", 5, "configured")
    told = tiny.launch("--status").stdout
    assert "Watch    slow: save, silent for " in told and "of 5 s (configured)" in told
    run.join(60)
    assert ended == [0]
    state = tiny.state()
    assert [(error["stage"], error["kind"]) for error in state["errors"]] == [("20", "stall")]
    folder = tiny.project.run_dir(state["run_id"])
    assert (folder / "20.stacks.txt").read_text().count("in run") >= 2
    assert "20_deduplicate_dataset.py" in (folder / "20.snapshot.txt").read_text()
    learned = json.loads(tiny.project.stall_limits.read_text())["entries"]
    assert [entry["stage"] for entry in learned] == ["20"]  # the others never took a second
    saved = learned[0]["phases"]["save"]
    assert (
        saved["runs"] == 1 and 1 < saved["longest_s"] < 2.5
    )  # what the attempt that hung has seen teaches nothing
