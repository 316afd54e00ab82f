"""The Swin encoder: repeatable, no hidden default, loaded whole or not at all, blaming the right axis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from nightforge.anomaly.swin import (
    SwinEncoder,
    architecture,
    build,
    checkerboards,
    grid_of,
    load_encoder,
    random_masks,
    save,
    untrained_encoder,
)
from nightforge.config.anomaly import Image, SwinMae, VibrationModel
from nightforge.core.errors import BadDataError, InputError
from nightforge.core.versions import write_manifest
from nightforge.ml.checkpoints import seal
from tests.anomaly.vibration_samples import PROFILE, ROWS, settings, windows


def encoder(seed: int = 0) -> SwinEncoder:
    return untrained_encoder(settings(), PROFILE, seed, windows(20))


def written(made: SwinEncoder, folder: Path) -> Path:
    partial = folder / "new.partial"
    partial.mkdir(parents=True)
    save(made, partial)
    seal(partial, folder / "swin-mim-v1", {"model_hash": made.hash})
    return folder / "swin-mim-v1"


def resealed(folder: Path) -> Path:
    """Give a changed folder a manifest that fits it again, as somebody who puts files together would."""
    model_hash = json.loads((folder / "manifest.json").read_text())["model_hash"]
    (folder / "manifest.json").unlink()
    write_manifest(folder, {"model_hash": model_hash})
    return folder


def test_two_scorings_are_bit_identical_however_the_windows_are_grouped() -> None:
    made, several = encoder(), windows(37)
    torch.manual_seed(1)
    first, blamed = made.embed(several), made.attribute(several)
    torch.manual_seed(2)
    assert np.array_equal(first, made.embed(several))
    assert np.array_equal(blamed, made.attribute(several))
    assert np.array_equal(first, np.concatenate([made.embed(several[:7]), made.embed(several[7:])]))
    assert (len(first), first.dtype, blamed.shape) == (37, np.float64, (37, 3))
    assert made.embed(several[:0]).shape == (0, first.shape[1])
    assert made.attribute(several[:0]).shape == (0, 3)


def test_loading_gives_the_same_numbers(tmp_path: Path) -> None:
    made = encoder()
    loaded = load_encoder(written(made, tmp_path))
    assert loaded.hash == made.hash
    assert (loaded.stream, loaded.name, loaded.rows) == ("swinmae", "swin-mim", ROWS)
    assert np.array_equal(loaded.embed(windows(5)), made.embed(windows(5)))
    assert loaded.profile == PROFILE


def test_the_hash_changes_with_weights_scaling_profile_and_transform() -> None:
    other_profile = msgspec.structs.replace(PROFILE, channels=("x", "y", "w"))
    longer = msgspec.structs.replace(
        settings(), cwt=msgspec.structs.replace(settings().cwt, backend="morlet")
    )
    hashes = {
        encoder().hash,
        encoder(seed=1).hash,
        untrained_encoder(settings(), PROFILE, 0, windows(21)).hash,
        untrained_encoder(settings(), other_profile, 0, windows(20)).hash,
        untrained_encoder(longer, PROFILE, 0, windows(20)).hash,
    }
    assert len(hashes) == 5
    assert encoder().hash == encoder().hash


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    folder = written(encoder(), tmp_path)
    weights = folder / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(InputError, match=r"model\.safetensors differs from the manifest"):
        load_encoder(folder)


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_weights_are_loaded_all_or_none(tmp_path: Path, change: str) -> None:
    folder = written(encoder(), tmp_path)
    state = load_file(folder / "model.safetensors")
    name = "decoder.0.bias"
    if change == "missing":
        del state[name]
    elif change == "extra":
        state[f"{name}.more"] = state[name].clone()
    else:
        state[name] = state[name][:-1].clone()
    save_file(state, folder / "model.safetensors")
    with pytest.raises(
        InputError, match=r"1 weights are missing, left over or of another shape, first decoder"
    ):
        load_encoder(resealed(folder))


def test_a_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    folder = written(encoder(), tmp_path)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(BadDataError, match="is not a weights file"):
        load_encoder(resealed(folder))


def test_parts_of_two_trainings_are_refused(tmp_path: Path) -> None:
    one, two = written(encoder(), tmp_path / "a"), written(encoder(seed=1), tmp_path / "b")
    (one / "model.safetensors").write_bytes((two / "model.safetensors").read_bytes())
    with pytest.raises(InputError, match="the files are not of one training"):
        load_encoder(resealed(one))


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    folder = written(encoder(), tmp_path)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "window_size": 2}))
    with pytest.raises(InputError, match=r"window_size is 2, the recipe beside it makes 4"):
        load_encoder(resealed(folder))


def test_transformers_reads_the_folder_as_its_own(tmp_path: Path) -> None:
    from transformers import SwinForMaskedImageModeling

    made = encoder()
    model: Any = SwinForMaskedImageModeling.from_pretrained(written(made, tmp_path))
    for name, value in made.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


@pytest.mark.parametrize(
    ("size", "model", "said"),
    [
        (64, {"depths": (2, 2, 2), "num_heads": (2, 4, 8), "window_size": 7}, "ends in a map of 4, below"),
        (36, {"depths": (2, 2)}, r"ends in a map of 4\.5"),
        (64, {"num_heads": (5, 4)}, "num_heads 5 must divide the width 24 of stage 1"),
    ],
)
def test_sizes_that_transformers_would_only_fail_on_later_are_refused(
    size: int, model: dict[str, Any], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        architecture(SwinMae(image=Image(size=size), model=VibrationModel(**model)), 3)


@pytest.mark.parametrize(("size", "stages", "window"), [(32, 2, 4), (64, 2, 8), (64, 3, 4), (128, 3, 7)])
def test_every_architecture_that_is_built_can_be_trained(size: int, stages: int, window: int) -> None:
    model = VibrationModel(
        embed_dim=8, depths=(1,) * stages, num_heads=(1,) * stages, window_size=window, patch_size=8
    )
    made = SwinMae(image=Image(size=size), model=model)
    network = build(made, 3, seed=0)
    masks = random_masks(2, made, torch.Generator().manual_seed(0))
    output = network(torch.zeros(2, 3, size, size), bool_masked_pos=masks)
    assert output.reconstruction.shape == (2, 3, size, size)
    assert torch.isfinite(output.loss)


def test_building_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    build(settings(), 3, seed=0)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(("ratio", "hidden"), [(0.6, 38), (0.001, 1), (5.0, 63)])
def test_random_masks_hide_whole_blocks_never_none_and_never_all(ratio: float, hidden: int) -> None:
    made = SwinMae(image=Image(size=64), model=VibrationModel(patch_size=8, mask_ratio=ratio))
    masks = random_masks(5, made, torch.Generator().manual_seed(1)).reshape(5, 8, 2, 8, 2)
    blocks = masks[:, :, :1, :, :1]
    assert torch.equal(masks, blocks.expand_as(masks))
    assert blocks.sum(dim=(1, 2, 3, 4)).tolist() == [hidden] * 5
    assert torch.equal(masks.flatten(1), random_masks(5, made, torch.Generator().manual_seed(1)))
    assert len({tuple(mask.flatten().tolist()) for mask in masks}) == (
        5 if hidden == 38 else len({*map(str, masks)})
    )


def test_the_checkerboards_hide_every_patch_exactly_once() -> None:
    masks = checkerboards(grid_of(settings()), settings().model.patch_size)
    assert masks.shape == (2, 64)
    assert torch.equal(masks.sum(dim=0), torch.ones(64, dtype=torch.long))
    assert masks.sum(dim=1).tolist() == [32, 32]


def test_the_axis_with_a_strange_sound_has_the_largest_rise_of_error() -> None:
    made, normal = encoder(), windows(12)
    usual = made.attribute(normal).mean(axis=0)
    for axis in range(3):
        strange = normal.copy()
        strange[:, ::3, axis] += 3.0
        assert (made.attribute(strange).mean(axis=0) / usual).argmax() == axis
    blocks = made.blame(normal)
    assert blocks.shape == (12, 3, 8, 8)
    np.testing.assert_allclose(blocks.mean(axis=(2, 3)), made.attribute(normal))


def test_windows_of_the_wrong_shape_or_with_holes_are_refused() -> None:
    made, several = encoder(), windows(3)
    with pytest.raises(InputError, match=r"\(3, 100, 2\); this model takes \(n, 100, 3\) for x, y, z"):
        made.embed(several[:, :, :2])
    with pytest.raises(InputError, match=r"\(3, 50, 3\)"):
        made.embed(several[:, :50])
    several[1, 4, 2] = np.nan
    with pytest.raises(BadDataError, match=r"a value that is not a number \(row 4, axis 2\)"):
        made.embed(several)


def test_a_profile_without_a_rate_is_refused() -> None:
    with pytest.raises(InputError, match="has no sampling rate"):
        untrained_encoder(settings(), msgspec.structs.replace(PROFILE, fs_hz=None), 0, windows(2))
