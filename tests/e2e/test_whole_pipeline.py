"""From an empty project to a graded, backed-up adapter: every real stage, with small settings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    "synthetic.count=250",
    "model.tiny.pretrain_steps=8",
    "training.max_steps=6",
    "training.eval_steps=3",
    "training.save_steps=3",
    "generation.max_new_tokens=40",
    "exam.limit=8",
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git tracks, as a clone would hold it."""
    target = tmp_path_factory.mktemp("clone")
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listing.splitlines():
        if (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    return target


def launch(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "NIGHTFORGE_ROOT"}
    command = [sys.executable, "launch_pipeline.py", "--foreground", *arguments]
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, timeout=400)


@pytest.mark.slow
def test_a_clone_becomes_a_graded_and_backed_up_adapter(checkout: Path) -> None:
    done = launch(checkout, *(word for setting in SMALL for word in ("--set", setting)))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    state = json.loads((checkout / "logs" / "pipeline_live_state.json").read_text(encoding="utf-8"))
    assert state["status"] == "succeeded"
    assert {stage["status"] for stage in state["stages"]} == {"succeeded"}
    assert state["curve"]["train"], "the loss curve is empty"
    report = (checkout / state["result"]["report"]).read_text(encoding="utf-8")
    for words in (
        "## What was trained",
        "## How it scored",
        "## Backups",
        "## What to do next",
        "base model",
    ):
        assert words in report
    adapter = checkout / "models" / "blueprint-lora-v1"
    assert json.loads((adapter / "manifest.json").read_text(encoding="utf-8"))["run_id"] == state["run_id"]
    summary = json.loads((checkout / "results" / "exams" / "v1" / "summary.json").read_text(encoding="utf-8"))
    assert summary["n_prompts"] == 8
    labels = [path.name for path in (checkout / "backups").iterdir() if (path / "manifest.json").is_file()]
    assert len(labels) == 3


@pytest.mark.slow
def test_the_next_run_keeps_the_base_and_compares_with_the_version_before(checkout: Path) -> None:
    done = launch(checkout, *(word for setting in SMALL for word in ("--set", setting)))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    state = json.loads((checkout / "logs" / "pipeline_live_state.json").read_text(encoding="utf-8"))
    assert {stage["id"]: stage["status"] for stage in state["stages"]}["00"] == "skipped"
    report = (checkout / state["result"]["report"]).read_text(encoding="utf-8")
    assert "v2" in report and "v1" in report
    assert state["curve"]["previous"]["version"], "the curve of the version before is not shown"
