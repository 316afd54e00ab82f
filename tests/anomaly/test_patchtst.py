"""The PatchTST encoder: repeatable, no hidden default, loaded whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from nightforge.anomaly.masks import complementary_masks, hidden_count, random_masks
from nightforge.anomaly.patchtst import (
    PatchTstEncoder,
    architecture,
    build,
    freeze,
    load_encoder,
    save,
    untrained_encoder,
)
from nightforge.anomaly.recording import Profile
from nightforge.config.anomaly import PatchTst, SensorData, SensorModel
from nightforge.config.schema import Config
from nightforge.core.errors import BadDataError, InputError
from nightforge.core.versions import write_manifest
from nightforge.ml.checkpoints import seal

SMALL = {"d_model": 16, "nhead": 2, "num_layers": 1, "ff_dim": 16}


def profile(**changes: Any) -> Profile:
    values: dict[str, Any] = {
        "stream": "patchtst",
        "channels": ("pressure", "flow", "valve"),
        "center": (5.0, -2.0, 1.0),
        "scale": (2.0, 0.5, 1.0),
        "fill": (5.0, -2.0, 1.0),
        "minimum": (0.0, -4.0, 1.0),
        "maximum": (9.0, 0.0, 1.0),
        "constant": ("valve",),
    }
    return Profile(**{**values, **changes})


def config(length: int = 16, **model: Any) -> Config:
    return Config(patchtst=PatchTst(data=SensorData(seq_len=length), model=SensorModel(**{**SMALL, **model})))


def encoder(seed: int = 0, **model: Any) -> PatchTstEncoder:
    return untrained_encoder(config(**model), profile(), seed)


def windows(count: int, seed: int = 0) -> NDArray[np.float32]:
    draws = np.random.default_rng(seed).normal(size=(count, 16, 3))
    return (draws * (2.0, 0.5, 0.0) + (5.0, -2.0, 1.0)).astype(np.float32)


def written(made: PatchTstEncoder, folder: Path) -> Path:
    partial = folder / "new.partial"
    partial.mkdir(parents=True)
    save(made, partial)
    seal(partial, folder / "patchtst-v1", {"model_hash": made.hash})
    return folder / "patchtst-v1"


def test_two_scorings_are_bit_identical_and_hardly_depend_on_how_windows_are_grouped() -> None:
    made, several = encoder(), windows(300)
    torch.manual_seed(1)
    first, blamed = made.embed(several), made.attribute(several)
    torch.manual_seed(2)
    assert np.array_equal(first, made.embed(several))
    assert np.array_equal(blamed, made.attribute(several))
    apart = np.concatenate([made.embed(several[:7]), made.embed(several[7:])])
    np.testing.assert_allclose(apart, first, rtol=1e-5, atol=1e-6)
    assert first.shape == (300, 2 * 16)
    assert blamed.shape == several.shape


def test_level_and_gain_of_a_whole_window_are_visible() -> None:
    made, several = encoder(), windows(4)
    middle = np.array([5.0, -2.0, 1.0], dtype=np.float32)
    raised = several + np.array([2.0, 0.0, 0.0], dtype=np.float32)
    louder = (several - middle) * 3 + middle
    plain = made.embed(several)
    assert np.abs(made.embed(raised)[:, :16] - plain[:, :16]).max() > 0.05
    assert np.array_equal(made.embed(raised)[:, 16:], plain[:, 16:])  # channels do not see each other
    assert np.abs(made.embed(louder) - plain).max() > 0.05


def test_a_constant_channel_is_not_seen_and_never_blamed() -> None:
    made, several = encoder(), windows(4)
    moved = several.copy()
    moved[:, :, 2] += 9
    assert np.array_equal(made.embed(several), made.embed(moved))
    assert not made.attribute(moved)[:, :, 2].any()


def test_each_value_is_rebuilt_without_having_been_seen() -> None:
    made, several = encoder(), windows(1)
    spiked = several.copy()
    spiked[0, 9, 0] += 16.0  # 8 scales
    error, before = made.attribute(spiked)[0], made.attribute(several)[0]
    assert np.unravel_index(error.argmax(), error.shape) == (9, 0)
    # what is guessed for the spike's patch cannot know of it: the patch's other rows keep their errors
    np.testing.assert_allclose(error[[8, 10, 11], 0], before[[8, 10, 11], 0], rtol=1e-4)
    assert not np.allclose(error[4:8, 0], before[4:8, 0], rtol=1e-4)  # its neighbours saw it


def test_masks_hide_what_they_say() -> None:
    masks = random_masks((50, 3, 8), 0.4, torch.Generator().manual_seed(0))
    assert set(masks.sum(-1).flatten().tolist()) == {4} == {hidden_count(8, 0.4)}
    assert masks.float().mean((0, 1)).min() > 0.3
    assert torch.equal(masks, random_masks((50, 3, 8), 0.4, torch.Generator().manual_seed(0)))
    assert (hidden_count(2, 0.01), hidden_count(2, 1.0), hidden_count(8, 0.99)) == (1, 1, 7)
    for patches in (2, 3, 8, 33):
        together = complementary_masks(patches)
        assert together.sum(0).tolist() == [1] * patches
        assert together.any(1).all()


def test_the_network_is_the_one_the_settings_describe() -> None:
    untouched = torch.get_rng_state()
    made, again, other = (build(PatchTst(), 8, seed) for seed in (1, 1, 2))
    assert torch.equal(untouched, torch.get_rng_state())
    assert (made.config.scaling, made.config.norm_type) == (None, "layernorm")
    assert made.config.patch_stride == PatchTst().model.patch_stride
    assert torch.equal(made.head.linear.weight, again.head.linear.weight)
    assert not torch.equal(made.head.linear.weight, other.head.linear.weight)


@pytest.mark.parametrize(
    ("length", "model", "said"),
    [
        (30, {}, "seq_len 30 is not a whole number of patches of 4 rows"),
        (4, {}, "seq_len 4 is not a whole number"),
        (16, {"patch_stride": 6}, "patch_stride 6 is larger than patch_len 4"),
        (16, {"nhead": 3}, "nhead 3 must divide d_model 16"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(length: int, model: dict[str, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        architecture(config(length, **model).patchtst, 3)


def test_what_was_saved_comes_back_bit_by_bit(tmp_path: Path) -> None:
    made = encoder(3)
    again = load_encoder(written(made, tmp_path))
    assert (again.hash, again.profile, again.recipe) == (made.hash, made.profile, made.recipe)
    assert (again.stream, again.name, again.rows) == ("patchtst", "patchtst", 16)
    assert np.array_equal(made.embed(windows(5)), again.embed(windows(5)))


def test_weights_profile_and_clipping_change_the_hash() -> None:
    made = encoder()
    other_profile = freeze(made.model, made.recipe, profile(scale=(2.0, 0.6, 1.0)))
    other_clip = freeze(made.model, msgspec.structs.replace(made.recipe, clip=9.0), profile())
    assert len({made.hash, encoder(1).hash, other_profile.hash, other_clip.hash}) == 4
    assert encoder().hash == made.hash


def resealed(folder: Path, name: str, change: Any) -> None:
    """Change a file and make the manifest agree with it, as somebody who mixes folders would."""
    change(folder / name)
    facts = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    write_manifest(folder, {"model_hash": facts["model_hash"]})


def replaced(name: str, value: Any) -> Any:
    def change(path: Path) -> None:
        held = json.loads(path.read_text(encoding="utf-8"))
        held[name] = value
        path.write_text(json.dumps(held), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("config.json", replaced("scaling", "std"), "scaling is std, the recipe beside it makes None"),
        ("config.json", replaced("num_input_channels", 9), "num_input_channels is 9"),
        ("profile.json", replaced("channels", ["flow", "pressure", "valve"]), "says model_hash"),
        ("profile.json", replaced("constant", []), "num_input_channels is 2"),
        ("recipe.json", replaced("clip", 5.0), "says model_hash"),
        ("recipe.json", replaced("patchtst", {"model": {"d_mode": 3}}), "cannot be read"),
        ("model.safetensors", lambda path: path.write_bytes(path.read_bytes()[:99]), "not a weights file"),
    ],
)
def test_files_that_are_not_of_one_training_are_refused(
    tmp_path: Path, name: str, change: Any, said: str
) -> None:
    folder = written(encoder(), tmp_path)
    resealed(folder, name, change)
    with pytest.raises(InputError, match=said):
        load_encoder(folder)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    folder, other = written(encoder(), tmp_path / "a"), written(encoder(num_layers=2), tmp_path / "b")
    resealed(folder, "model.safetensors", lambda path: path.write_bytes((other / path.name).read_bytes()))
    with pytest.raises(InputError, match="weights are missing, left over or of another shape"):
        load_encoder(folder)


def test_a_file_changed_after_training_is_refused(tmp_path: Path) -> None:
    folder = written(encoder(), tmp_path)
    replaced("clip", 3.0)(folder / "recipe.json")
    with pytest.raises(InputError, match=r"recipe\.json differs from the manifest"):
        load_encoder(folder)


@pytest.mark.parametrize("shape", [(5, 15, 3), (5, 16, 2), (16, 3)])
def test_windows_of_another_length_or_width_are_refused(shape: tuple[int, ...]) -> None:
    for ask in (encoder().embed, encoder().attribute):
        with pytest.raises(InputError, match="takes .n, 16, 3. for pressure, flow, valve"):
            ask(np.zeros(shape, dtype=np.float32))


def test_a_hole_is_refused_and_no_window_gives_no_number() -> None:
    made, several = encoder(), windows(3)
    several[1, 2, 0] = np.nan
    for ask in (made.embed, made.attribute):
        with pytest.raises(BadDataError, match="not a number"):
            ask(several)
    assert made.embed(several[:0]).shape == (0, 32)
    assert made.attribute(several[:0]).shape == (0, 16, 3)


def test_channels_that_never_moved_leave_nothing_to_learn() -> None:
    with pytest.raises(InputError, match="every channel was constant"):
        untrained_encoder(config(), profile(constant=("pressure", "flow", "valve")), 0)
