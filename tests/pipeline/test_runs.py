"""A run's folder explains the run, and a resumed run is exactly the one that was planned."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from pipeline_fakes import FakeClock
from tiny_project import TinyProject

from nightforge.core.errors import InputError
from nightforge.pipeline.options import Options
from nightforge.pipeline.runs import (
    commit_of,
    new_run,
    package_versions,
    previous_curve,
    resumed_run,
    write_config,
)


def test_run_ids_sort_by_time_and_do_not_collide(tiny: TinyProject) -> None:
    clock = FakeClock()
    ids = {new_run(tiny.project, Options("start"), clock).run_id for _ in range(20)}
    assert len(ids) == 20
    assert all(run_id.startswith("20261121-171500-") for run_id in ids)
    assert not tiny.project.runs.exists()


def test_the_folder_keeps_what_was_asked_and_what_it_meant(tiny: TinyProject) -> None:
    options = Options("start", mode="train-only", overrides=("training.epochs=2",), force=True)
    run = new_run(tiny.project, options, FakeClock())
    write_config(run, tiny.project, options, "launch_pipeline.py --train-only")
    kept = json.loads((run.folder / "config.json").read_text())
    assert (kept["mode"], kept["force"], kept["overrides"]) == ("train-only", True, ["training.epochs=2"])
    assert kept["config"]["training"]["epochs"] == 2
    assert kept["command"] == "launch_pipeline.py --train-only"
    assert kept["commit"] is None  # not a repository


@pytest.mark.skipif(shutil.which("git") is None, reason="there is no git here")
def test_the_commit_tells_whether_files_differ_from_it(tmp_path: Path) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=t", "-c", "user.email=t@example.org"]
    assert commit_of(tmp_path) is None
    (tmp_path / "file").write_text("1")
    for arguments in (["init", "-q"], ["add", "file"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *arguments], check=True, capture_output=True)
    clean = commit_of(tmp_path)
    assert clean is not None and len(clean) == 40
    (tmp_path / "file").write_text("2")
    assert commit_of(tmp_path) == f"{clean}+changes"


def test_versions_are_read_without_importing() -> None:
    assert {"msgspec", "psutil"} <= set(package_versions())


def test_the_curve_of_the_newest_complete_adapter_is_drawn_behind(tiny: TinyProject) -> None:
    assert previous_curve(tiny.project) is None
    for version, complete in ((2, True), (10, True), (11, False)):
        folder = tiny.project.models / f"blueprint-lora-v{version}"
        folder.mkdir(parents=True)
        points = [[step, 3.0 / step] for step in range(1, 1001)]
        (folder / "training_log.json").write_text(json.dumps({"train": points}))
        if complete:
            (folder / "manifest.json").write_text("{}")
    curve = previous_curve(tiny.project)
    assert curve is not None and curve["version"] == 10
    assert curve["train"][0] == [1, 3.0] and len(curve["train"]) == 200


def test_a_run_of_another_release_is_not_resumed_blindly(
    tiny: TinyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny.behave("20", "raise ValueError('broken')")
    assert tiny.orchestrate("--data-only").returncode == 1
    run_id = tiny.state()["run_id"]
    assert resumed_run(tiny.project, "").run_id == run_id
    from nightforge.pipeline import plan

    monkeypatch.setitem(plan.PIPELINES, "blueprint", plan.PIPELINES["blueprint"][1:])
    with pytest.raises(InputError, match="another release"):
        resumed_run(tiny.project, "")
