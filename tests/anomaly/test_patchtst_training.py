"""Stage 22 makes whole model folders, resumes exactly, repeats nothing, and says what is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from nightforge.anomaly.model_folder import identify
from nightforge.anomaly.patchtst import Recipe, load_encoder
from nightforge.anomaly.patchtst_training import SensorWindows, Spread, train, train_on
from nightforge.anomaly.recording import Profile, Segment
from nightforge.config.anomaly import AnomalyTraining, PatchTst, SensorData, SensorModel
from nightforge.config.schema import Config
from nightforge.core.atomic import read_jsonl, sha256_file, write_json
from nightforge.core.errors import InputError, NothingNewError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.versions import read_manifest
from tests.ml.conftest import SilentReport

CHANNELS = ("pressure", "flow")
PROFILE = Profile(
    stream="patchtst", channels=CHANNELS, center=(0.0, 3.0), scale=(0.7, 1.4), fill=(0.0, 3.0),
    minimum=(-1.0, 1.0), maximum=(1.0, 5.0),
)  # fmt: skip


class Told(SilentReport):
    """Also keeps the states of nodes."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[tuple[str, str]] = []

    def node(self, node_id: str, status: str, message: str = "") -> None:
        self.nodes.append((node_id, status))


def rows(count: int, first: int = 0) -> Any:
    time = np.arange(first, first + count)
    noise = np.random.default_rng(first).normal(scale=0.05, size=(count, 2))
    return (np.stack([np.sin(time / 4), 3 + 2 * np.cos(time / 7)], axis=1) + noise).astype(np.float32)


def prepared(project: Project, ranges: dict[str, list[int]] | None = None) -> Project:
    """Write a prepared set of one file as stage 21 does."""
    folder = project.anomaly_data / "fdc" / "train"
    (folder / "rows").mkdir(parents=True)
    np.savez(folder / "rows" / "000.npz", values=rows(300))
    (folder / "profile.json").write_bytes(msgspec.json.encode(PROFILE))
    parts = ranges or {"train": [0, 200], "val": [220, 260], "calibrate": [270, 300]}
    entry = {
        "file_id": "a.csv", "array": "rows/000.npz", "rows": 300, "first_row": 0, "ranges": parts,
        "breaks": [100], "masked": [], "epoch": False,
    }  # fmt: skip
    write_json(folder / "split.json", {"files": [entry]})
    names = ("profile.json", "split.json", "rows/000.npz")
    hashes = {name: sha256_file(folder / name) for name in names}
    write_json(folder / "dataset.json", {"hash": "0" * 64, "hashes": hashes})
    return project


def config(seed: int = 4, **training: Any) -> Config:
    steps = {"max_steps": 30, "batch_size": 16, "eval_steps": 10, "save_steps": 10, "warmup_steps": 3}
    return Config(
        patchtst=PatchTst(
            seed=seed,
            data=SensorData(seq_len=16),
            model=SensorModel(d_model=16, nhead=2, num_layers=1, ff_dim=16, dropout=0.1),
            training=AnomalyTraining(epochs=40, **{**steps, **training}),
        )
    )


def run(project: Project, report: Told | None = None, stop_after: int | None = None, **kwargs: Any) -> Any:
    told = report or Told()

    def should_stop() -> bool:
        return stop_after is not None and bool(told.steps) and told.steps[-1] >= stop_after

    return train(kwargs.pop("config", config()), project, told, should_stop, **kwargs)


@pytest.fixture
def data(tmp_path: Path) -> Project:
    return prepared(Project(tmp_path))


def test_it_trains_and_leaves_a_model_that_loads(data: Project) -> None:
    report = Told()
    result = run(data, report, run_id="night-1")
    assert (result["version"], result["model"], result["steps"]) == ("v1", "models/patchtst-v1", 30)
    folder = data.models / "patchtst-v1"
    assert {path.name for path in folder.iterdir()} == {
        "model.safetensors", "config.json", "profile.json", "recipe.json", "metrics.jsonl", "manifest.json",
    }  # fmt: skip
    manifest, encoder = read_manifest(folder, check_hashes=True), load_encoder(folder)
    assert (manifest["model_hash"], manifest["run_id"]) == (encoder.hash, "night-1")
    assert (manifest["data_hash"], manifest["channels"]) == ("0" * 64, list(CHANNELS))
    assert encoder.profile == PROFILE
    lines = read_jsonl(folder / "metrics.jsonl")
    assert [line["step"] for line in lines if "train_loss" in line] == [10, 20, 30]
    val = {line["step"]: line["val_loss"] for line in lines if "val_loss" in line}
    assert list(val) == [10, 20, 30]
    assert val[30] < val[10]
    assert (manifest["best_step"], manifest["val_loss"]) == (30, val[30])
    assert report.nodes == [("patchtst", "running"), ("patchtst", "done")]
    assert not list((data.models / ".work").iterdir())


def test_the_same_data_and_settings_train_nothing_new_unless_forced(data: Project) -> None:
    run(data)
    with pytest.raises(NothingNewError, match="patchtst-v1 was trained on these very rows and settings"):
        run(data)
    assert run(data, force=True)["version"] == "v2"
    assert run(data, config=config(seed=5))["version"] == "v3"
    one, two, other = (load_encoder(data.models / f"patchtst-v{n}").hash for n in (1, 2, 3))
    assert one == two != other


def test_a_stopped_and_resumed_training_makes_the_same_model(data: Project, tmp_path: Path) -> None:
    run(data)
    apart = prepared(Project(tmp_path / "apart"))
    first, second = Told(), Told()
    with pytest.raises(StoppedError, match="stopped at step 14 of 30"):
        run(apart, first, stop_after=14)
    assert first.nodes[-1] == ("patchtst", "idle")
    assert not (apart.models / "patchtst-v1").exists()
    run(apart, second)
    assert second.steps[0] == 15
    whole, parts = (project.models / "patchtst-v1" for project in (data, apart))
    assert load_encoder(whole).hash == load_encoder(parts).hash
    assert read_jsonl(whole / "metrics.jsonl") == read_jsonl(parts / "metrics.jsonl")


@pytest.mark.parametrize(
    ("ranges", "said"),
    [
        (
            {"train": [0, 200], "val": [220, 230]},
            r"the val part .* no window of 16 rows: its 1 pieces without a gap have 10 rows at most; raise "
            r"patchtst\.data\.val_ratio \(now 0\.1\)",
        ),
        ({"train": [0, 200]}, "the val part .* its 0 pieces"),
        ({"train": [90, 110], "val": [220, 260]}, "the train part .* its 2 pieces .* 10 rows at most"),
    ],
)
def test_a_part_without_a_window_is_an_error_with_the_numbers(
    tmp_path: Path, ranges: dict[str, list[int]], said: str
) -> None:
    project, report = prepared(Project(tmp_path), ranges), Told()
    with pytest.raises(InputError, match=said):
        run(project, report)
    assert report.nodes == [("patchtst", "running"), ("patchtst", "fail")]


def test_a_stop_before_the_first_step_is_heard(data: Project) -> None:
    with pytest.raises(StoppedError, match="before the first step"):
        train(config(), data, Told(), lambda: True)


def test_windows_cross_no_segment(data: Project) -> None:
    pieces = [rows(20), rows(9), rows(17, first=500)]
    segments = [Segment(str(n), 0, piece, np.ones(piece.shape, bool)) for n, piece in enumerate(pieces)]
    windows = SensorWindows(segments, PROFILE, Recipe.of(config()))
    assert len(windows) == 5 + 0 + 2
    seen = windows.__getitems__(list(range(7)))["past_values"].numpy() * (0.7, 1.4) + (0.0, 3.0)
    expected = [pieces[0][n : n + 16] for n in range(5)] + [pieces[2][n : n + 16] for n in range(2)]
    np.testing.assert_allclose(seen, expected, atol=1e-5)
    assert torch.equal(windows[6]["past_values"], windows.__getitems__([6])["past_values"][0])
    few = Spread(windows, 3)
    assert len(few) == 3
    assert torch.equal(few[2]["past_values"], windows[6]["past_values"])
    assert len(Spread(windows, 99)) == 7


def test_a_benchmark_trains_on_arrays_and_gets_the_same_network_for_the_same_seed(tmp_path: Path) -> None:
    segments = [Segment("a", 0, rows(120), np.ones((120, 2), bool))]
    recipe = Recipe.of(config())
    made = [
        train_on(segments, PROFILE, recipe, seed, tmp_path / str(n), Told())
        for n, seed in enumerate((1, 1, 2))
    ]
    assert made[0].hash == made[1].hash != made[2].hash
    assert made[2].recipe.patchtst.seed == 2


def test_only_what_is_learnt_from_makes_another_training() -> None:
    settings = config().patchtst
    moved = msgspec.structs.replace(settings, enabled=False, data=SensorData(path="elsewhere/*", seq_len=16))
    slower = config(save_steps=99).patchtst
    longer = config(max_steps=31).patchtst
    plain = identify("d", settings, seq_len=16)
    assert plain == identify("d", moved, seq_len=16) == identify("d", slower, seq_len=16)
    assert len({plain, identify("d", longer, seq_len=16), identify("d", settings, seq_len=20)}) == 3


@pytest.mark.slow
def test_the_script_says_what_is_missing_and_trains_what_is_there(project: Project, run_script: Any) -> None:
    missing = run_script("22_train_patchtst.py", timeout_s=400)
    assert missing.returncode == 2
    assert "21_check_sensor_data.py" in missing.stderr
    prepared(project)
    small = [
        f"--set=patchtst.{name}"
        for name in ("training.max_steps=12", "model.d_model=16", "training.batch_size=8")
    ]
    done = run_script("22_train_patchtst.py", *small, timeout_s=400)
    assert done.returncode == 0, done.stderr
    assert load_encoder(project.models / "patchtst-v1").model.config.d_model == 16
    assert run_script("22_train_patchtst.py", *small, timeout_s=400).returncode == 3
    assert json.loads((project.models / "patchtst-v1" / "recipe.json").read_text())["clip"] == 20.0


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_in_bfloat16_it_resumes_and_scores_as_on_the_cpu(data: Project, tmp_path: Path) -> None:
    run(data)
    apart = prepared(Project(tmp_path / "apart"))
    with pytest.raises(StoppedError):
        run(apart, stop_after=14)
    run(apart)
    whole, parts = (load_encoder(project.models / "patchtst-v1") for project in (data, apart))
    windows = np.stack([rows(16, first) for first in range(8)])
    np.testing.assert_allclose(whole.embed(windows), parts.embed(windows), rtol=1e-3, atol=1e-3)
