"""Training refuses what would teach badly, notices when nothing is new, leaves whole, numbered adapters."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from nightforge.blueprint.lessons import lesson_rows, load_lessons
from nightforge.blueprint.training import identify, train_adapter
from nightforge.config import Config
from nightforge.config.schema import Lora, Model, Training
from nightforge.core import versions
from nightforge.core.atomic import read_json, write_jsonl
from nightforge.core.errors import GateError, InputError, NothingNewError, StoppedError
from nightforge.core.paths import Project
from tests.ml.conftest import SilentReport, make_model_folder


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_folder(tmp_path_factory.mktemp("random-model"))


@pytest.fixture
def rows(project: Project) -> list[dict]:
    made = [row.placed("train").to_dict() for row in lesson_rows(load_lessons(project.lessons))[:8]]
    write_jsonl(project.blueprint_data / "train.jsonl", made[:6])
    write_jsonl(project.blueprint_data / "val.jsonl", made[6:])
    return made


@pytest.fixture
def config(model_folder: Path) -> Config:
    return Config(
        model=Model(
            source="folder", base_model=str(model_folder), max_seq_length=1024, system_prompt="minimal"
        ),
        lora=Lora(lora_r=4, lora_alpha=8),
        training=Training(
            epochs=2,
            batch_size=2,
            gradient_accumulation_steps=1,
            logging_steps=1,
            save_steps=2,
            eval_steps=100,
        ),
    )


def train(config: Config, project: Project, report: SilentReport | None = None, **more: object) -> dict:
    return train_adapter(config, project, report or SilentReport(), lambda: False, **more)  # type: ignore[arg-type]


def test_an_adapter_is_whole_and_says_what_it_was_made_from(
    config: Config, project: Project, rows: list[dict]
) -> None:
    result = train(config, project, run_id="run-1")
    folder = project.models / "blueprint-lora-v1"
    manifest = versions.read_manifest(folder, check_hashes=True)
    assert result["version"] == "v1"
    assert (manifest["version"], manifest["run_id"]) == (1, "run-1")
    names = {"adapter_model.safetensors", "adapter_config.json", "tokenizer.json"}
    assert names | {"training_config.json", "system_prompt.txt", "training_log.json"} <= set(
        manifest["files"]
    )
    log = read_json(folder / "training_log.json")
    assert log["steps"] == len(log["train"]) == 6
    assert log["rows"] == 6
    assert str(project.root) not in json.dumps(read_json(folder / "adapter_config.json"))
    assert not (project.models / ".work" / f"{manifest['data_hash']}-{manifest['config_hash']}").exists()


@pytest.mark.slow
def test_the_same_rows_and_settings_are_nothing_new_unless_forced(
    config: Config, project: Project, rows: list[dict]
) -> None:
    train(config, project)
    logging = msgspec.structs.replace(config.training, logging_steps=3)
    for unchanged in (config, msgspec.structs.replace(config, training=logging)):
        with pytest.raises(NothingNewError, match="v1"):
            train(unchanged, project)
    assert train(config, project, force=True)["version"] == "v2"
    rate = msgspec.structs.replace(config.training, learning_rate=1e-3)
    assert train(msgspec.structs.replace(config, training=rate), project)["version"] == "v3"


@pytest.mark.slow
def test_versions_count_as_numbers(config: Config, project: Project, rows: list[dict]) -> None:
    for number in (9, 10):
        folder = project.models / f"blueprint-lora-v{number}"
        folder.mkdir(parents=True)
        versions.write_manifest(folder, {"version": number})
    (project.models / "blueprint-lora-v11.partial").mkdir()
    assert train(config, project)["version"] == "v11"
    assert not list(project.models.glob("*.partial"))


@pytest.mark.slow
def test_a_stopped_training_resumes_at_its_step(config: Config, project: Project, rows: list[dict]) -> None:
    first = SilentReport()
    with pytest.raises(StoppedError):
        train_adapter(config, project, first, lambda: bool(first.steps) and first.steps[-1] >= 3)  # type: ignore[arg-type]
    assert versions.list_versions(project.models) == []
    second = SilentReport()
    assert train(config, project, second)["steps"] == 6
    assert second.steps == [4, 5, 6]


def test_too_many_long_rows_are_refused_with_the_length_that_would_fit(
    config: Config, project: Project, rows: list[dict]
) -> None:
    short = msgspec.structs.replace(config.model, max_seq_length=200)
    with pytest.raises(GateError, match="answers are never cut") as caught:
        train(msgspec.structs.replace(config, model=short), project)
    assert "model.max_seq_length=" in str(caught.value.next_command)


def test_missing_rows_name_the_stage_that_makes_them(config: Config, project: Project) -> None:
    with pytest.raises(InputError, match="train.jsonl") as caught:
        train(config, project)
    assert "20_deduplicate" in str(caught.value.next_command)


def test_the_identity_changes_with_the_rows(config: Config, project: Project, rows: list[dict]) -> None:
    before = identify(config, project, "s")
    write_jsonl(project.blueprint_data / "train.jsonl", rows[:5])
    after = identify(config, project, "s")
    assert before.data_hash != after.data_hash
    assert before.config_hash == after.config_hash
