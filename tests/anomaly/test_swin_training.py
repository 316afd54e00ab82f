"""Stage 23 makes whole model folders, resumes exactly, repeats nothing, and says what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch

from nightforge.anomaly import swin_training
from nightforge.anomaly.image_cache import ImageCache
from nightforge.anomaly.scalogram import Standard
from nightforge.anomaly.swin import architecture, load_encoder, untrained_encoder
from nightforge.anomaly.swin_training import train, train_on
from nightforge.config import load_config
from nightforge.config.anomaly import PatchTst, SwinMae
from nightforge.config.schema import Config
from nightforge.core.atomic import read_jsonl, sha256_file, write_json
from nightforge.core.errors import ConfigError, InputError, NothingNewError, NumericError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.versions import read_manifest
from nightforge.ml.self_supervised import Batch
from tests.anomaly.vibration_samples import FS, PROFILE, ROWS, segment, settings, signal, windows
from tests.ml.conftest import SilentReport

PARTS = {"train": [0, 1200], "val": [1300, 1600], "calibrate": [1700, 1900]}


class Told(SilentReport):
    """Also keeps the states of nodes, and the progress of the training loop apart from that of images."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[tuple[str, str]] = []
        self.images: list[str] = []

    def node(self, node_id: str, status: str, message: str = "") -> None:
        self.nodes.append((node_id, status))

    def progress(self, done: int, total: int, unit: str) -> None:
        if unit == "steps":
            self.steps.append(done)
        else:
            self.images.append(unit)


def prepared(project: Project, parts: dict[str, list[int]] | None = None) -> Project:
    """Write a prepared set of one recording as stage 21 does."""
    folder = project.anomaly_data / "vib" / "train"
    (folder / "rows").mkdir(parents=True)
    np.savez(folder / "rows" / "000.npz", values=signal(1900))
    (folder / "profile.json").write_bytes(msgspec.json.encode(PROFILE))
    entry = {
        "file_id": "a.csv", "array": "rows/000.npz", "rows": 1900, "first_row": 0, "ranges": parts or PARTS,
        "breaks": [600], "masked": [], "epoch": False,
    }  # fmt: skip
    write_json(folder / "split.json", {"files": [entry]})
    names = ("profile.json", "split.json", "rows/000.npz")
    hashes = {name: sha256_file(folder / name) for name in names}
    write_json(folder / "dataset.json", {"hash": "0" * 64, "hashes": hashes})
    return project


def config(seed: int = 4, **training: Any) -> Config:
    return Config(swinmae=settings(seed, **training))


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
    assert (result["version"], result["model"], result["steps"]) == ("v1", "models/swin-mim-v1", 12)
    folder = data.models / "swin-mim-v1"
    assert {path.name for path in folder.iterdir()} == {
        "model.safetensors", "config.json", "profile.json", "image_scale.json", "recipe.json",
        "metrics.jsonl", "manifest.json",
    }  # fmt: skip
    manifest, encoder = read_manifest(folder, check_hashes=True), load_encoder(folder)
    assert (manifest["model_hash"], manifest["run_id"]) == (encoder.hash, "night-1")
    assert (manifest["data_hash"], manifest["channels"]) == ("0" * 64, ["x", "y", "z"])
    assert encoder.profile == PROFILE
    lines = read_jsonl(folder / "metrics.jsonl")
    val = {line["step"]: line["val_loss"] for line in lines if "val_loss" in line}
    assert list(val) == [4, 8, 12]
    assert val[12] < val[4]
    assert (manifest["best_step"], manifest["val_loss"]) == (12, val[12])
    assert report.nodes == [("swinmae", "running"), ("swinmae", "done")]
    assert set(report.images) == {"train images", "val images"}
    assert not list((data.models / ".work").iterdir())
    untrained = untrained_encoder(settings(), PROFILE, settings().seed, windows(4))
    assert not np.allclose(untrained.embed(windows(3)), encoder.embed(windows(3)))


def test_image_scaling_comes_from_the_training_part_alone(data: Project, tmp_path: Path) -> None:
    run(data)
    apart = prepared(Project(tmp_path / "apart"), {**PARTS, "val": [1500, 1900]})
    run(apart)
    one, other = (load_encoder(project.models / "swin-mim-v1").standard for project in (data, apart))
    assert np.array_equal(one.mean, other.mean)
    assert np.array_equal(one.spread, other.spread)


def test_the_same_data_and_settings_train_nothing_new_unless_forced(data: Project) -> None:
    run(data)
    with pytest.raises(NothingNewError, match="swin-mim-v1 was trained on these very rows and settings"):
        run(data)
    assert run(data, force=True)["version"] == "v2"
    assert run(data, config=config(seed=5))["version"] == "v3"
    one, two, other = (load_encoder(data.models / f"swin-mim-v{n}").hash for n in (1, 2, 3))
    assert one == two != other


def test_a_stopped_and_resumed_training_makes_the_same_model_and_computes_no_image_twice(
    data: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caches = []

    class Watched(ImageCache):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            caches.append(self)

    monkeypatch.setattr(swin_training, "ImageCache", Watched)
    run(data)
    apart = prepared(Project(tmp_path / "apart"))
    first, second = Told(), Told()
    with pytest.raises(StoppedError, match="stopped at step 5 of 12"):
        run(apart, first, stop_after=5)
    assert not (apart.models / "swin-mim-v1").exists()
    run(apart, second)
    assert second.steps[0] == 6
    assert [cache.computed > 0 for cache in caches] == [True, True, False]
    whole, parts = (project.models / "swin-mim-v1" for project in (data, apart))
    assert load_encoder(whole).hash == load_encoder(parts).hash
    assert read_jsonl(whole / "metrics.jsonl") == read_jsonl(parts / "metrics.jsonl")


@pytest.mark.parametrize(
    ("parts", "said"),
    [
        (
            {**PARTS, "val": [1300, 1390]},
            r"the val part .* no window of 0\.25 s: its 1 pieces without a gap have 90 samples at most; "
            r"raise swinmae\.data\.val_ratio \(now 0\.1\)",
        ),
        ({"train": [0, 1200]}, "the val part .* its 0 pieces"),
        ({"train": [550, 650], "val": [1300, 1600]}, "the train part .* its 2 pieces .* 50 samples at most"),
    ],
)
def test_a_part_without_a_window_is_an_error_with_the_numbers(
    tmp_path: Path, parts: dict[str, list[int]], said: str
) -> None:
    project, report = prepared(Project(tmp_path), parts), Told()
    with pytest.raises(InputError, match=said):
        run(project, report)
    assert report.nodes == [("swinmae", "running"), ("swinmae", "fail")]


def test_frequencies_that_cannot_be_carried_end_the_stage_before_anything_is_trained(data: Project) -> None:
    made = config()
    cwt = msgspec.structs.replace(made.swinmae.cwt, freq_max=300.0)
    with pytest.raises(ConfigError, match=r"freq_max 300 Hz .* use at most 160 Hz"):
        run(data, config=Config(swinmae=msgspec.structs.replace(made.swinmae, cwt=cwt)))
    assert not data.models.exists()


def test_a_stop_before_the_first_step_is_heard(data: Project) -> None:
    with pytest.raises(StoppedError, match="before the first step"):
        train(config(), data, Told(), lambda: True)


def test_a_loss_that_is_not_a_number_ends_the_training(
    data: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Standard, images: Any) -> Any:
        return np.full_like(images, np.nan)

    monkeypatch.setattr(Standard, "apply", broken)
    with pytest.raises(NumericError):
        run(data)
    assert not (data.models / "swin-mim-v1").exists()


def test_a_benchmark_trains_on_arrays_and_gets_the_same_network_for_the_same_seed(tmp_path: Path) -> None:
    made = [
        train_on([segment(700)], PROFILE, settings(), seed, tmp_path / str(n), Told())
        for n, seed in enumerate((1, 1, 2))
    ]
    assert made[0].hash == made[1].hash != made[2].hash
    assert (made[2].settings.seed, made[2].rows) == (2, ROWS)
    with pytest.raises(InputError, match="no segment is as long as a window of 100 samples"):
        train_on([segment(99)], PROFILE, settings(), 1, tmp_path / "short", Told())


def test_images_are_those_of_the_windows_standardised() -> None:
    class Two:
        def __len__(self) -> int:
            return 2

        def __getitem__(self, number: int) -> Any:
            return np.full((3, 32, 32), number, dtype=np.float32)

    standard = Standard(np.ones((3, 32), dtype=np.float32), np.full((3, 32), 2.0, dtype=np.float32))
    images: Any = swin_training.StandardImages(Two(), standard)  # type: ignore[arg-type]
    batch: Batch = images.__getitems__([1, 0])
    assert batch["pixel_values"].mean(dim=(1, 2, 3)).tolist() == [0.0, -0.5]
    assert torch.equal(images[0]["pixel_values"], batch["pixel_values"][1])


@pytest.mark.slow
def test_the_script_says_what_is_missing_and_trains_what_is_there(project: Project, run_script: Any) -> None:
    missing = run_script("23_train_swin_mim.py")
    assert missing.returncode == 2
    assert "21_check_sensor_data.py" in missing.stderr
    prepared(project)
    small = [
        f"--set=swinmae.{name}"
        for name in (f"data.fs={FS}", f"data.win_sec={ROWS / FS}", "training.max_steps=12")
    ]
    done = run_script("23_train_swin_mim.py", *small)
    assert done.returncode == 0, done.stderr
    assert load_encoder(project.models / "swin-mim-v1").rows == ROWS
    assert run_script("23_train_swin_mim.py", *small).returncode == 3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_in_bfloat16_it_resumes_and_scores_as_on_the_cpu(data: Project, tmp_path: Path) -> None:
    run(data)
    apart = prepared(Project(tmp_path / "apart"))
    with pytest.raises(StoppedError):
        run(apart, stop_after=5)
    run(apart)
    whole, parts = (load_encoder(project.models / "swin-mim-v1") for project in (data, apart))
    np.testing.assert_allclose(whole.embed(windows(8)), parts.embed(windows(8)), rtol=1e-3, atol=1e-3)


def test_the_default_settings_fit_together() -> None:
    assert architecture(SwinMae(), 3).encoder_stride == 8


def test_one_changed_setting_leaves_the_other_defaults_of_the_stream(project: Project) -> None:
    changed = load_config(
        project, None, ["swinmae.training.max_steps=7", "patchtst.training.max_steps=7"], None
    )
    for stream, default in ((changed.swinmae, SwinMae()), (changed.patchtst, PatchTst())):
        assert stream.training == msgspec.structs.replace(default.training, max_steps=7)
