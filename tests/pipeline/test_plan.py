"""A plan holds exactly the stages of its mode, in the order of the registry."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nightforge.pipeline.plan import build_plan, format_plan, has_exports
from nightforge.pipeline.registry import BLUEPRINT, PHASES, StageSpec

ROOT = Path(__file__).resolve().parents[2]

FULL = "03 13 20 06 08 00 16-pre 04 16-post 12 09 19 13-next 16-exam 14".split()


@pytest.mark.parametrize(
    ("mode", "keys"),
    [
        ("full", FULL),
        ("data-only", FULL[:5]),
        ("train-only", ["00", "16-pre", "04", "16-post"]),
        ("eval-only", ["12", "09", "19", "13-next", "16-exam", "14"]),
    ],
)
def test_each_mode_runs_its_phases(mode: str, keys: list[str]) -> None:
    assert [stage.key for stage in build_plan(mode).stages] == keys


def test_copies_from_the_editor_are_read_first_where_their_folder_exists(tmp_path: Path) -> None:
    assert not has_exports(tmp_path)
    (tmp_path / "data/blueprint/exports").mkdir(parents=True)
    assert has_exports(tmp_path)
    assert [stage.key for stage in build_plan("data-only", exports=True).stages] == ["01", "05", *FULL[:5]]
    assert build_plan("train-only", exports=True) == build_plan("train-only")


def test_the_modes_together_are_the_full_plan() -> None:
    parts = [build_plan(mode).stages for mode in ("data-only", "train-only", "eval-only")]
    assert sum(parts, ()) == build_plan("full").stages


def test_keys_are_unique_and_name_their_script() -> None:
    assert len({stage.key for stage in BLUEPRINT}) == len(BLUEPRINT)
    for stage in BLUEPRINT:
        assert stage.key[:2] == stage.number
        assert stage.phase in PHASES


def test_force_reaches_only_the_stage_that_can_be_forced() -> None:
    forced = {stage.key: stage.args for stage in build_plan("full", force=True).stages}
    plain = {stage.key: stage.args for stage in build_plan("full").stages}
    assert forced["04"] == (*plain["04"], "--force")
    assert {key for key in forced if forced[key] != plain[key]} == {"04"}


def test_the_printed_plan_names_what_each_stage_reads_and_writes() -> None:
    text = format_plan(build_plan("data-only"), "tiny")
    for stage in build_plan("data-only").stages:
        assert stage.title in text
        assert all(path in text for path in (*stage.reads, *stage.writes))
    assert "Train LoRA adapter" not in text


@pytest.mark.parametrize(
    "stage",
    [stage for stage in build_plan("full", force=True).stages if stage.args],
    ids=lambda stage: stage.key,
)
def test_a_script_takes_the_arguments_the_plan_gives_it(stage: StageSpec, tmp_path: Path) -> None:
    """With a configuration that does not exist a stage ends before its work, but after its arguments."""
    command = [sys.executable, str(ROOT / stage.script), "--config", str(tmp_path / "none.json"), *stage.args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "none.json is missing" in done.stderr, done.stderr


def test_every_stage_of_the_registry_has_its_script() -> None:
    assert [stage.script for stage in BLUEPRINT if not (ROOT / stage.script).is_file()] == []
