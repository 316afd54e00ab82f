"""What a run will need on each disk, from its configuration and from earlier runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nightforge.config import Config, load_config
from nightforge.core.errors import DiskFullError
from nightforge.core.paths import Project
from nightforge.core.room import MB, Reserve
from nightforge.pipeline import preflight
from nightforge.pipeline.budget import (
    Facts,
    Need,
    Shape,
    adapter_numbers,
    predict,
    shape_from_config,
    shape_from_name,
    trained_numbers,
)
from nightforge.pipeline.plan import build_plan
from nightforge.pipeline.preflight import budget_lines, check, disk_budget, gather

LLAMA_8B = {
    "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "vocab_size": 128256,
    "num_attention_heads": 32, "num_key_value_heads": 8,
}  # fmt: skip


def needs(project: Project, config: Config, mode: str = "full", **facts: Any) -> dict[str, Need]:
    known = gather(project, config)._replace(**facts)
    return {need.place: need for need in predict(config, build_plan(mode), known)}


def test_the_adapter_of_an_8b_model_is_counted_exactly(project: Project) -> None:
    config = load_config(project, "8b")
    shape = shape_from_config(LLAMA_8B)
    assert shape is not None
    assert adapter_numbers(shape, config) == 83_886_080  # peft's own count for rank 32, all linear layers
    assert trained_numbers(shape, config) == 83_886_080
    assert shape.parameters == pytest.approx(8.03e9, rel=0.01)


def test_square_factors_are_saved_and_do_not_learn(project: Project) -> None:
    config = load_config(project, "tiny")
    shape = Shape(128, 256, 128, 4, 2048)
    # of the seven pairs of a block each has one factor of 128 x 128
    assert adapter_numbers(shape, config) == 4 * (4 * 128 * 256 + 3 * 128 * 384)
    assert adapter_numbers(shape, config) - trained_numbers(shape, config) == 4 * 7 * 128 * 128


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("meta-llama/Meta-Llama-3.1-8B", 8),
        ("x/Llama-3.1-70B-Instruct", 70),
        ("y/some-1.5b", 1.5),
        ("noname", 8),
    ],
)
def test_a_shape_guessed_from_a_name_has_about_that_size(name: str, billions: float) -> None:
    assert 0.7 < shape_from_name(name).parameters / (billions * 1e9) < 1.6  # rather too much


def test_a_config_without_sizes_tells_no_shape() -> None:
    assert shape_from_config({"model_type": "x"}) is None
    assert shape_from_config({**LLAMA_8B, "num_attention_heads": 0}) is None


def test_kept_checkpoints_one_in_flight_and_nothing_twice(project: Project) -> None:
    config = load_config(project, "tiny", ["disk.reserve_mb=8"])
    one = 1_000_000
    parts = needs(project, config, checkpoint_bytes=one)["project"].parts
    assert parts["checkpoints"] == 3 * one
    parts = needs(project, config, checkpoint_bytes=one, checkpoints_there=2 * one)["project"].parts
    assert parts["checkpoints"] == one
    assert parts["reserve"] == 8 * MB
    project.logs.mkdir()
    reserve = Reserve(project.reserve, 8 * MB)
    while not reserve.grow(0):
        pass
    assert "reserve" not in needs(project, config)["project"].parts  # it has been paid for


def test_data_only_needs_no_model_and_logs_are_bounded_by_the_cap_of_all(project: Project) -> None:
    config = load_config(project, "tiny")
    parts = needs(project, config, "data-only")["project"].parts
    assert not {"checkpoints", "adapter", "base model"} & set(parts)
    assert parts["logs"] == (5 * 64 + 8) * MB
    full = needs(project, config, logs_there=4096 * MB)["project"].parts
    assert full["logs"] == 8 * MB


def test_what_earlier_runs_wrote_counts_instead_of_a_guess(project: Project) -> None:
    config = load_config(project, "tiny")
    folder = project.models / "blueprint-lora-v1"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"files": {}}')
    (folder / "adapter_model.safetensors").write_bytes(bytes(5_000_000))
    (folder / "training_log.json").write_text('{"checkpoint_bytes": 7000000}')
    (folder / "training_config.json").write_text(json.dumps({"config": config.to_dict()}))
    for number, run_id in enumerate(("r1", "r2", "r2")):
        snapshot = project.backups / f"2026112{number}-000000-manual"
        snapshot.mkdir(parents=True)
        made = {"created_at": str(number), "run_id": run_id, "new_bytes": 10**number, "files": {"a": {}}}
        (snapshot / "manifest.json").write_text(json.dumps(made))
    facts = gather(project, config)
    assert facts.checkpoint_bytes == 7_000_000 and facts.backup_bytes == 110
    assert facts.adapter_bytes is not None and facts.adapter_bytes > 5_000_000
    other = load_config(project, "tiny", ["lora.lora_r=8"])
    assert gather(project, other)[2:4] == (None, None)


def test_backup_and_mirror_count_each_on_their_own_disk(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = tmp_path / "mirror"
    config = load_config(project, "tiny", [f'backup.mirror="{mirror.as_posix()}"'])
    plan = build_plan("full")
    assert "mirror" not in str(disk_budget(project, config, plan)[0].places)  # its absence is told elsewhere
    mirror.mkdir()
    devices = iter(range(1, 20))
    monkeypatch.setattr(preflight, "existing", lambda folder: _OnDevice(next(devices)))
    monkeypatch.setattr(preflight, "free_bytes", lambda folder: 10 * MB)
    monkeypatch.setattr(preflight, "free_inodes", lambda folder: None)
    mounts = disk_budget(project, config, plan)
    places = {mount.places[0]: mount for mount in mounts}
    assert set(places) == {"project", "temporary folder", "backups", "mirror"}
    assert places["mirror"].needed == places["backups"].needed > 30 * MB
    assert not places["mirror"].enough
    assert budget_lines(mounts)[0].startswith("TOO LITTLE")


class _OnDevice:
    """A folder on a disk of its own."""

    def __init__(self, device: int) -> None:
        self.st_dev = device

    def stat(self) -> _OnDevice:
        return self


def test_too_few_inodes_are_refused_with_the_numbers(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.scripts).mkdir()
    plan = build_plan("data-only")
    for stage in plan.stages:
        (project.root / stage.script).touch()
    config = load_config(project, "tiny")
    check(project, config, plan)
    monkeypatch.setattr(preflight, "free_inodes", lambda folder: 17)
    with pytest.raises(DiskFullError, match="files more, room for 17") as caught:
        check(project, config, plan)
    assert caught.value.exit_code == 75 and caught.value.next_command


def test_a_model_of_the_hub_counts_in_its_cache_until_it_is_there(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    config = load_config(project, "8b")
    assert needs(project, config)["model cache"].bytes > 10_000 * MB
    stored = tmp_path / "cache" / "models--meta-llama--Meta-Llama-3.1-8B" / "snapshots" / "abc"
    stored.mkdir(parents=True)
    (stored / "config.json").write_text(json.dumps(LLAMA_8B))
    (stored / "model.safetensors").touch()
    assert "model cache" not in needs(project, config)
    facts: Facts = gather(project, config)
    assert adapter_numbers(facts.shape, config) == 83_886_080
