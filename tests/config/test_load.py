"""The configuration is checked once at the door; every mistake names the place, the key and the way out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nightforge.config import Config, load_config
from nightforge.core.errors import ConfigError, ExitCode
from nightforge.core.paths import Project


def write(project: Project, **sections: Any) -> None:
    project.config_file.write_text(json.dumps(sections), encoding="utf-8")


@pytest.mark.parametrize("profile", ["tiny", "smol", "8b", "70b"])
def test_every_profile_is_a_complete_configuration(project: Project, profile: str) -> None:
    config = load_config(project, profile)
    assert config.profile == profile
    assert config.model.max_seq_length > config.generation.max_new_tokens


def test_a_profile_lies_over_the_file_and_set_lies_over_both(project: Project) -> None:
    (project.profiles / "mine.json").write_text('{"training": {"epochs": 2, "seed": 5}}', encoding="utf-8")
    write(project, training={"epochs": 1, "weight_decay": 0.5})
    config = load_config(project, "mine", ["training.seed=9", "backup.mirror=/mnt/second"])
    assert (config.training.epochs, config.training.weight_decay) == (2, 0.5)
    assert config.training.seed == 9
    assert config.backup.mirror == "/mnt/second"


def test_a_runs_own_configuration_loads_back_unchanged(project: Project, tmp_path: Path) -> None:
    config = load_config(project, "tiny", ["training.seed=3"])
    saved = tmp_path / "run.json"
    saved.write_text(json.dumps({"config": config.to_dict(), "profile": "tiny"}), encoding="utf-8")
    assert load_config(project, config_file=saved) == config
    with pytest.raises(ConfigError, match="belongs to a run"):
        load_config(project, "smol", config_file=saved)


WRONG: list[tuple[str, dict[str, Any], list[str], str]] = [
    ("unknown section", {"trainin": {}}, [], "did you mean training"),
    (
        "unknown key",
        {"training": {"epoch": 2}},
        [],
        "unknown key training.epoch; did you mean training.epochs",
    ),
    ("wrong type", {"training": {"epochs": "three"}}, [], "training.epochs"),
    ("out of range", {"lora": {"lora_dropout": 1.5}}, [], "lora.lora_dropout"),
    ("section is a list", {"lora": []}, [], "lora must be an object"),
    (
        "8-bit and 4-bit",
        {"quantization": {"use_8bit": True, "use_4bit": True}},
        [],
        "use_8bit and quantization.use_4bit",
    ),
    (
        "warn above kill",
        {"stall_detection": {"stall_warn_seconds": 99999}},
        [],
        "stall_warn_seconds must be below",
    ),
    ("no room for a prompt", {}, ["generation.max_new_tokens=5000"], "leaves no room"),
    ("exam asks nothing", {"exam": {"lessons": False, "holdout": False}}, [], "ask nothing"),
    ("bad --set form", {}, ["training"], "section.key=value"),
    ("bad --set key", {}, ["training.epoks=1"], "--set training.epoks=1: unknown key training.epoks"),
    ("bad --set type", {}, ["training.epochs=many"], "--set training.epochs=many"),
]


@pytest.mark.parametrize(
    ("content", "overrides", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_a_wrong_configuration_is_refused_in_words(
    project: Project, content: dict[str, Any], overrides: list[str], words: str
) -> None:
    write(project, **content)
    with pytest.raises(ConfigError) as caught:
        load_config(project, "tiny", overrides)
    assert words in caught.value.message
    assert caught.value.exit_code == ExitCode.USAGE


def test_broken_json_is_named_with_line_and_column(project: Project) -> None:
    project.config_file.write_text('{"training": {\n  "epochs": 3,,\n}}', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"pipeline_config\.json, line 2, column 15"):
        load_config(project)


def test_a_wrong_type_in_a_profile_is_blamed_on_the_profile(project: Project) -> None:
    (project.profiles / "mine.json").write_text('{"lora": {"lora_r": "big"}}', encoding="utf-8")
    with pytest.raises(ConfigError, match=r"mine\.json.*lora\.lora_r"):
        load_config(project, "mine")


def test_an_unknown_profile_lists_the_known_ones(project: Project) -> None:
    with pytest.raises(ConfigError, match="did you mean 'tiny'") as caught:
        load_config(project, "tinny")
    assert "70b" in caught.value.message


def test_comments_are_allowed_where_json_has_none(project: Project) -> None:
    write(project, **{"// why": "second disk", "backup": {"// note": "x", "keep_last": 3}})
    assert load_config(project, "tiny").backup.keep_last == 3


def test_one_key_of_a_section_leaves_its_other_defaults_alone(project: Project) -> None:
    """Both trainings are of one type, but each has defaults of its own."""
    config = load_config(project, overrides=("swinmae.training.max_steps=3",))
    assert config.swinmae.training == msgspec.structs.replace(Config().swinmae.training, max_steps=3)
