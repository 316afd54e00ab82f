"""A tiny real project: the scripts of the registry as fast real stages; a test may replace what they do."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from nightforge.core.paths import Project
from nightforge.core.processes import ProcessIdentity, is_alive
from nightforge.core.records import last_record, read_object
from nightforge.pipeline.registry import BLUEPRINT
from nightforge.pipeline.retry import WAITS_S

REPO = Path(__file__).resolve().parents[2]

# Runs behaviour/<key>.py, which may define run(stage); without it the stage is done at once.
_SCRIPT = f"""
import runpy, sys
sys.path.insert(0, {str(REPO)!r})
from nightforge.stage import stage_main

def arguments(parser):
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--trigger")
    parser.add_argument("--plan-next", action="store_true")
    parser.add_argument("--force", action="store_true")

def run(stage):
    behaviour = stage.paths.root / "behaviour" / (stage.stage_key + ".py")
    if behaviour.exists():
        return runpy.run_path(str(behaviour))["run"](stage)
    stage.report.progress(1, 1, "rows")
    return {{}}

if __name__ == "__main__":
    sys.exit(stage_main(run, "A stage of the tests.", arguments))
"""


class TinyProject:
    """A project folder with fast stages and the commands of the real launcher."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.project = Project(root)
        self.environment = {**os.environ, "NIGHTFORGE_ROOT": str(root)}
        (root / "scripts").mkdir(parents=True)
        (root / "behaviour").mkdir()
        (root / "profiles").mkdir()
        (root / "profiles" / "tiny.json").write_text('{"disk": {"reserve_mb": 1}}')
        self.configure({"dashboard": {"autostart": False}})
        for script in {stage.script for stage in BLUEPRINT}:
            (root / script).write_text(_SCRIPT)

    def configure(self, values: dict[str, Any]) -> None:
        self.project.config_file.write_text(json.dumps(values))

    def behave(self, key: str, body: str) -> None:
        """Give stage `key` a body; `stage` is in scope and the text must return a dict."""
        lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
        (self.root / "behaviour" / f"{key}.py").write_text(f"import os, sys, time\ndef run(stage):\n{lines}")

    def command(self, *arguments: str, script: str = "launch_pipeline.py") -> list[str]:
        return [sys.executable, str(REPO / script), *arguments]

    def launch(self, *arguments: str, script: str = "launch_pipeline.py") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments, script=script),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def orchestrate(
        self, *arguments: str, waits_s: float = 0.1, small_disk: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run the orchestrator attached, with short waits; `small_disk`: without counting room first."""
        waits = {kind: (waits_s,) * len(table) for kind, table in WAITS_S.items()}
        code = (
            f"import sys; sys.path.insert(0, {str(REPO)!r})\n"
            "from nightforge.core.paths import Project\n"
            "from nightforge.pipeline.options import parse_options\n"
            "from nightforge.pipeline.orchestrator import orchestrate\n"
            "from nightforge.pipeline.runner import Policy\n"
            f"policy = Policy(waits_s={waits!r})\n"
            + ("from nightforge.pipeline import preflight\n" if small_disk else "")
            + ("preflight.disk_budget = lambda *_: []\n" if small_disk else "")
            + "sys.exit(orchestrate(Project.find(), parse_options(sys.argv[1:]), policy=policy))"
        )
        command = [sys.executable, "-c", code, *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)

    def state(self) -> dict[str, Any]:
        return read_object(self.project.live_state) or {"status": "none", "stages": []}

    def statuses(self) -> dict[str, str]:
        return {stage["id"]: stage["status"] for stage in self.state()["stages"]}

    def record(self) -> dict[str, Any]:
        value = last_record(self.project)
        assert value is not None
        return value

    def wait(self, what: Callable[[], bool], limit_s: float = 40.0) -> None:
        """Wait for a fact about real processes; fails with the log when it does not come true."""
        deadline = time.monotonic() + limit_s
        while not what():
            if time.monotonic() > deadline:
                log = self.project.live_log.read_text() if self.project.live_log.exists() else "no log"
                pytest.fail(f"did not come true within {limit_s} s; {self.statuses()}\n{log}")
            time.sleep(0.02)

    def wait_ended(self) -> str:
        """Wait until the orchestrator has gone; returns the status of the run."""
        identity = ProcessIdentity.from_dict(self.record()["identity"])
        assert identity is not None
        self.wait(lambda: not is_alive(identity))
        return str(self.state()["status"])

    def end_everything(self) -> None:
        for pid in self.own_processes():
            kill(pid)

    def own_processes(self) -> list[int]:
        """List living processes that belong to this project, by the root in their environment."""
        found = []
        for pid in psutil.pids():
            try:
                if psutil.Process(pid).environ().get("NIGHTFORGE_ROOT") == str(self.root):
                    found.append(pid)
            except (psutil.Error, OSError):
                continue
        return [pid for pid in found if pid != os.getpid()]


def kill(pid: int) -> None:
    """End a process by force, on any system; one that has left already is fine."""
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).kill()


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[TinyProject]:
    project = TinyProject(tmp_path / "project")
    yield project
    project.end_everything()
