"""Fixtures that every layer uses: a project in an empty folder, with the real configuration and profiles."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nightforge.core.paths import Project

ROOT = Path(__file__).resolve().parents[1]
if "PYTEST_XDIST_WORKER" in os.environ:
    # Tests share the cores already; a thread that waits for another would spin and take its core.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An empty project: configuration, profiles and lessons of this checkout, nothing made by a run."""
    shutil.copy(ROOT / "pipeline_config.json", tmp_path)
    for folder in ("profiles", "lessons"):
        if (ROOT / folder).is_dir():
            shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.setenv("NIGHTFORGE_ROOT", str(tmp_path))
    return Project(tmp_path)


@pytest.fixture
def run_script(project: Project) -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """Start a numbered script of this checkout on the empty project, as a user would by hand."""

    def run(name: str, *arguments: str, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "NIGHTFORGE_ROOT": str(project.root), "PYTHONUTF8": "1"}
        command = [sys.executable, str(ROOT / "scripts" / name), *arguments]
        return subprocess.run(
            command, cwd=project.root, env=environment, capture_output=True, text=True, timeout=timeout_s
        )

    yield run
