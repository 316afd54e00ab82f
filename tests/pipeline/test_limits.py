"""Limits come from the configuration or, where that is more, from completed runs that were alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nightforge.config import Config
from nightforge.config.schema import Generation, StallDetection
from nightforge.pipeline.limits import (
    Observed,
    StallLimits,
    Subject,
    floors,
    limit_of,
    merge,
    size_class,
    usual_intervals,
)
from nightforge.pipeline.registry import BLUEPRINT
from nightforge.pipeline.stall import OUTPUT, PHASES, Limit

TRAINING = next(spec for spec in BLUEPRINT if spec.key == "04")
EXAM = next(spec for spec in BLUEPRINT if spec.key == "12")
HERE = Subject("04", "tiny", "NVIDIA H200", 4096)
GPU: dict[str, Any] = {"gpus": [{"name": "NVIDIA H200"}]}


def test_every_phase_has_a_configured_limit_and_the_steps_of_a_training_the_longest() -> None:
    stall = StallDetection()
    found = floors(Config(), "training")
    assert set(found) == {*PHASES, OUTPUT}
    assert found["first_step"] == found["step"] == stall.stall_kill_seconds_training == 10800
    assert found["start"] == stall.stall_kill_seconds == floors(Config(), "data")["step"]
    assert (found["load"], found["save"], found["teardown"], found[OUTPUT]) == (1800, 1800, 600, 6 * 3600)


@pytest.mark.parametrize(
    ("usual", "expected"),
    [
        (None, Limit(300, 900, "configured")),
        (Observed(100, 3), Limit(300, 900, "configured")),
        (Observed(200, 1), Limit(400, 1000, "learned from 1 run")),
        (Observed(1000, 3), Limit(2000, 5000, "learned from 3 runs")),
    ],
)
def test_what_was_learned_only_ever_adds_patience(usual: Observed | None, expected: Limit) -> None:
    assert limit_of(900, 300, usual) == expected


def test_runs_are_merged_half_and_half_and_kept_apart_by_what_they_depend_on() -> None:
    entries = merge((), HERE, {"step": 100.0})
    entries = merge(entries, HERE, {"step": 200.0, "save": 50.0})
    assert usual_intervals(entries, HERE) == {"step": Observed(150, 2), "save": Observed(50, 1)}
    for other in (
        HERE._replace(stage="09"),
        HERE._replace(model="70b"),
        HERE._replace(gpu="cpu"),
        HERE._replace(size=8192),
    ):
        assert usual_intervals(entries, other) == {}
        assert usual_intervals(merge(entries, other, {"step": 1.0}), HERE) == usual_intervals(entries, HERE)


def test_while_nobody_has_looked_for_a_gpu_the_most_patient_one_counts() -> None:
    entries = merge(merge((), HERE, {"step": 100.0}), HERE._replace(gpu="cpu"), {"step": 900.0})
    assert usual_intervals(entries, HERE._replace(gpu=None))["step"].longest_s == 900


def test_the_size_class_is_a_power_of_two_of_tokens() -> None:
    config = Config(generation=Generation(max_new_tokens=500, batch_size=30))
    assert size_class(config, "exam") == 16384
    assert size_class(config, "utility") == 0
    assert size_class(config, "training").bit_count() == 1


def test_what_was_learned_is_there_for_the_next_run(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "stall_limits.json"
    StallLimits(path, Config(), lambda: GPU).learn(EXAM, {"generate": 700.0, "nonsense": 1.0})
    again = StallLimits(path, Config(), lambda: GPU)
    assert again.of(EXAM).phases["generate"] == Limit(1400, 3500, "learned from 1 run")
    assert again.of(TRAINING).phases["generate"].origin == "configured"
    stored = json.loads(path.read_text())["entries"]
    assert [(entry["stage"], entry["gpu"], list(entry["phases"])) for entry in stored] == [
        ("12", "NVIDIA H200", ["generate"])
    ]


@pytest.mark.parametrize("content", ['{"schema_version": 1, "ent', '{"entries": 7}', "", '["x"]'])
def test_an_unreadable_file_is_put_aside_and_never_overwritten(content: str, tmp_path: Path) -> None:
    path = tmp_path / "stall_limits.json"
    path.write_text(content)
    limits = StallLimits(path, Config(), lambda: None)
    limits.learn(EXAM, {"generate": 1.0})
    aside = [found for found in tmp_path.iterdir() if "unreadable" in found.name]
    assert [found.read_text() for found in aside] == [content]
    assert json.loads(path.read_text())["entries"]


def test_a_full_disk_costs_what_was_learned_and_nothing_else(tmp_path: Path) -> None:
    limits = StallLimits(tmp_path / "other" / "stall_limits.json", Config(), lambda: None)
    (tmp_path / "other").write_text("here as well")
    limits.learn(EXAM, {"generate": 700.0})
    assert limits.of(EXAM).phases["generate"].origin == "learned from 1 run"


def test_with_kill_off_the_limits_say_so(tmp_path: Path) -> None:
    config = Config(stall_detection=StallDetection(kill=False))
    assert not StallLimits(tmp_path / "x.json", config, lambda: None).of(EXAM).kill


def test_entries_of_a_quantised_model_are_their_own(tmp_path: Path) -> None:
    from nightforge.config.schema import Quantization

    path = tmp_path / "x.json"
    StallLimits(path, Config(quantization=Quantization(use_8bit=True)), lambda: GPU).learn(
        TRAINING, {"step": 9000.0}
    )
    assert StallLimits(path, Config(), lambda: GPU).of(TRAINING).phases["step"].origin == "configured"
