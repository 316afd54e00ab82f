"""Stages 10, 14 and 19 by hand: an unused project says what to do, exit codes are right."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from run_records import finished_project

ROOT = Path(__file__).resolve().parents[3]


def prepare(root: Path) -> None:
    shutil.copy(ROOT / "pipeline_config.json", root)
    shutil.copytree(ROOT / "profiles", root / "profiles")


def run(root: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NIGHTFORGE_ROOT": str(root), "PYTHONUTF8": "1"}
    command = [sys.executable, str(ROOT / "scripts" / name), *arguments]
    return subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=60)


def test_nothing_trained_yet_exits_3_and_names_the_first_command(tmp_path: Path) -> None:
    prepare(tmp_path)
    for name in ("19_training_health_monitor.py", "10_training_dashboard.py"):
        done = run(tmp_path, name)
        assert done.returncode == 3 and "python launch_pipeline.py" in done.stderr, done.stderr


@pytest.mark.slow
def test_health_report_and_curves_by_hand(tmp_path: Path) -> None:
    finished_project(tmp_path)
    prepare(tmp_path)
    assert run(tmp_path, "19_training_health_monitor.py", "--version", "v2").returncode == 0
    assert run(tmp_path, "14_update_dashboard.py").returncode == 0
    assert json.loads((tmp_path / "results/dashboard.json").read_text())["champion"]["version"] == "v2"
    assert "loss" in run(tmp_path, "10_training_dashboard.py").stdout
    assert "v1" in run(tmp_path, "10_training_dashboard.py", "--compare", "v1", "v2").stdout
    exported = run(tmp_path, "10_training_dashboard.py", "--export", "curves.csv")
    assert exported.returncode == 0 and (tmp_path / "curves.csv").exists()
    assert run(tmp_path, "19_training_health_monitor.py", "--version", "v9").returncode == 2
