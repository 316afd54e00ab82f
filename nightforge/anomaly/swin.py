"""The Swin masked-image model of vibration: built from settings, frozen into an encoder, loaded strictly.

Hidden blocks of a scalogram are rebuilt with an L1 loss and a one-layer decoder (SimMIM, Xie et al. 2022,
arXiv:2111.09886) on a Swin transformer (Liu et al. 2021, arXiv:2103.14030). What judges a window is its
embedding with nothing hidden, the last map averaged over time but not over bands (docs/decisions/017); the
error of rebuilding says which axis is to blame. Scoring draws no random number (facts 3.2, 4.1).

Letters: n windows, T samples, A axes, S pixels of the image's side, P patches of 4 pixels per side,
G blocks per side, d numbers of an embedding.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from transformers import SwinConfig, SwinForMaskedImageModeling

from nightforge.anomaly.model_folder import (
    ARCHITECTURE,
    PROFILE,
    RECIPE,
    TRAINED_BY,
    WEIGHTS,
    decoded,
    digest,
    load_strictly,
    require_same,
)
from nightforge.anomaly.recording import Profile
from nightforge.anomaly.scalogram import Scalogram, Standard
from nightforge.config.anomaly import SwinMae
from nightforge.core.atomic import read_json, sha256_text, write_bytes, write_json
from nightforge.core.errors import InputError, NumericError
from nightforge.core.versions import read_manifest

STREAM = "swinmae"
PATCH = 4  # pixels of a patch's side, as the mask grid of the model has it
SCALE = "image_scale.json"
_AGAIN = f"{TRAINED_BY[STREAM]} --force"
_AT_ONCE = 16  # images per forward pass in scoring
# what of an architecture changes the numbers that come out
_SIZES = (
    "image_size",
    "patch_size",
    "num_channels",
    "embed_dim",
    "depths",
    "num_heads",
    "window_size",
    "mlp_ratio",
    "qkv_bias",
    "hidden_act",
    "use_absolute_embeddings",
    "layer_norm_eps",
    "encoder_stride",
)
Floats = NDArray[np.float32]


def architecture(settings: SwinMae, axes: int) -> SwinConfig:
    """Return the network's configuration for images of `axes` channels; refuses sizes that do not fit."""
    model = settings.model
    made = SwinConfig(
        image_size=settings.image.size,
        patch_size=PATCH,
        num_channels=axes,
        embed_dim=model.embed_dim,
        depths=list(model.depths),
        num_heads=list(model.num_heads),
        window_size=model.window_size,
        drop_path_rate=0.0,
        encoder_stride=PATCH * 2 ** (len(model.depths) - 1),
    )
    _require_sizes(made)
    return made


def _require_sizes(made: Any) -> None:
    """Refuse what transformers would build all the same and fail on later, or not at all (facts 3.2)."""
    stages = len(made.depths)
    if made.encoder_stride != made.patch_size * 2 ** (stages - 1):
        raise InputError(
            f"encoder_stride {made.encoder_stride} must be {made.patch_size * 2 ** (stages - 1)}: "
            f"patch_size {made.patch_size} times 2 for each of the {stages - 1} mergers"
        )
    last = made.image_size / made.patch_size / 2 ** (stages - 1)
    if last != int(last) or last < made.window_size:
        raise InputError(
            f"swinmae.image.size {made.image_size} with {stages} stages ends in a map of {last:g}, below "
            f"swinmae.model.window_size {made.window_size}; use fewer stages or a larger image"
        )
    for stage, heads in enumerate(made.num_heads):
        if made.embed_dim * 2**stage % heads:
            raise InputError(
                f"swinmae.model.num_heads {heads} must divide the width {made.embed_dim * 2**stage} of stage "
                f"{stage + 1}"
            )


def build(settings: SwinMae, axes: int, seed: int) -> SwinForMaskedImageModeling:
    """Make a network with seeded random weights; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = SwinForMaskedImageModeling(architecture(settings, axes))
    return model


def grid_of(settings: SwinMae) -> int:
    """Return G, the hidden blocks along one side of the image."""
    return settings.image.size // settings.model.patch_size


def random_masks(count: int, settings: SwinMae, generator: torch.Generator) -> torch.Tensor:
    """Hide `mask_ratio` of the blocks of each image, at least one and never all. -> (count, P * P) bool."""
    grid = grid_of(settings)
    hidden = min(max(round(settings.model.mask_ratio * grid**2), 1), grid**2 - 1)
    order = torch.rand(count, grid**2, generator=generator).argsort(dim=1)
    return to_patches(order < hidden, grid, settings.model.patch_size)


def checkerboards(grid: int, block: int) -> torch.Tensor:
    """Return the two masks that hide every block exactly once between them. (2, P * P) bool"""
    cells = torch.arange(grid)
    dark = (cells[:, None] + cells[None, :]) % 2 == 0
    return to_patches(torch.stack([dark, ~dark]).flatten(1), grid, block)


def to_patches(masks: torch.Tensor, grid: int, block: int) -> torch.Tensor:
    """Repeat each block for the patches it covers. (m, G * G) -> (m, P * P)"""
    per_block = block // PATCH
    square = masks.reshape(-1, grid, grid)
    return square.repeat_interleave(per_block, 1).repeat_interleave(per_block, 2).flatten(1)


@dataclass(frozen=True)
class SwinEncoder:
    """A frozen network with all that turns windows into numbers: what detectors are given.

    `hash` changes with weights, transform, image scaling and channel profile.
    """

    settings: SwinMae
    profile: Profile
    model: SwinForMaskedImageModeling
    scalogram: Scalogram
    standard: Standard
    hash: str
    stream: str = STREAM
    name: str = "swin-mim"

    @property
    def rows(self) -> int:
        """Samples of a window."""
        return self.scalogram.rows

    def images(self, windows: Floats) -> Floats:
        """(n, T, A) in physical units -> (n, A, S, S) standardised."""
        if windows.ndim != 3 or windows.shape[2] != len(self.profile.channels):
            raise InputError(
                f"vibration windows have the shape {windows.shape}; this model takes (n, {self.rows}, "
                f"{len(self.profile.channels)}) for {', '.join(self.profile.channels)}"
            )
        return self.standard.apply(self.scalogram.images(windows))

    @torch.inference_mode()
    def embed(self, windows: Floats) -> NDArray[np.float64]:
        """(n, T, A) in physical units, holes filled -> (n, d): the last map averaged over time, one row of
        bands after the other. Bit-identical between calls.

        Raises BadDataError for a value that is not a number, NumericError when an embedding is not one.
        """
        width = self.model.swin.num_features
        side = self.settings.image.size // self.model.config.encoder_stride
        made = []
        for part, count in self._parts(windows):
            last = self.model.swin(part).last_hidden_state[:count].double()
            made.append(last.reshape(count, side, side, width).mean(dim=2).flatten(1).numpy())
        found = np.concatenate(made) if made else np.empty((0, side * width))
        if not np.isfinite(found).all():
            raise NumericError("the Swin model gave an embedding that is not a number; train it again")
        return found

    @torch.inference_mode()
    def blame(self, windows: Floats) -> NDArray[np.float64]:
        """Return the mean error of rebuilding each block while it is hidden. (n, T, A) -> (n, A, G, G), band
        (low first) by time.
        """
        grid, block = grid_of(self.settings), self.settings.model.patch_size
        masks = checkerboards(grid, block)
        side = self.settings.image.size // PATCH
        made = []
        for part, count in self._parts(windows):
            error = torch.zeros_like(part)
            for mask in masks:
                rebuilt = self.model(part, bool_masked_pos=mask.expand(len(part), -1)).reconstruction
                pixels = mask.reshape(side, side).repeat_interleave(PATCH, 0).repeat_interleave(PATCH, 1)
                error += (part - rebuilt).abs() * pixels
            cells = error[:count].double().reshape(count, -1, grid, block, grid, block)
            made.append(cells.mean(dim=(3, 5)).numpy())
        return np.concatenate(made) if made else np.empty((0, len(self.profile.channels), grid, grid))

    def attribute(self, windows: Floats) -> NDArray[np.float64]:
        """Return the mean error of rebuilding each axis. (n, T, A) -> (n, A)"""
        return np.asarray(self.blame(windows).mean(axis=(2, 3)))

    def _parts(self, windows: Floats) -> Iterator[tuple[torch.Tensor, int]]:
        """Yield images in batches of always the same size, and how many of each count: the sums of a matrix
        product may differ in their last bit with its size.
        """
        for first in range(0, len(windows), _AT_ONCE):
            images = self.images(windows[first : first + _AT_ONCE])
            padded = np.zeros((_AT_ONCE, *images.shape[1:]), dtype=np.float32)
            padded[: len(images)] = images
            yield torch.from_numpy(padded), len(images)


def transform_of(settings: SwinMae, profile: Profile) -> Scalogram:
    """Return the transform for windows at the rate of the training data."""
    if profile.fs_hz is None:
        raise InputError(
            "the channel profile of the vibration stream has no sampling rate",
            next_command="python scripts/21_check_sensor_data.py",
        )
    return Scalogram(settings, profile.fs_hz, round(settings.data.win_sec * profile.fs_hz))


def freeze(
    model: SwinForMaskedImageModeling, settings: SwinMae, profile: Profile, standard: Standard
) -> SwinEncoder:
    """Put a network to use: evaluation mode, float32, on the CPU, where it is fast enough and exact."""
    scalogram = transform_of(settings, profile)
    network: Any = model
    network.to("cpu", torch.float32).eval()
    parts = {
        "weights": digest({name: value.numpy(force=True) for name, value in model.state_dict().items()}),
        "scale": digest({"mean": standard.mean, "spread": standard.spread}),
        "architecture": _sizes(model.config),
        "transform": scalogram.facts,
        "profile": profile.hash,
    }
    made = sha256_text(json.dumps(parts, sort_keys=True))[:16]
    return SwinEncoder(settings, profile, model, scalogram, standard, made)


def untrained_encoder(settings: SwinMae, profile: Profile, seed: int, windows: Floats) -> SwinEncoder:
    """Return the control of every benchmark: random weights, image scaling fitted on normal training
    `windows` (n, T, A) as for the trained one.
    """
    scalogram = transform_of(settings, profile)
    model = build(settings, len(profile.channels), seed)
    return freeze(model, settings, profile, Standard.fit([scalogram.images(windows)]))


def save(encoder: SwinEncoder, folder: Path) -> None:
    """Write weights, architecture, profile, image scaling and recipe into `folder`; no manifest yet."""
    state = {name: value.contiguous() for name, value in encoder.model.state_dict().items()}
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    kind = {"model_type": "swin", "architectures": ["SwinForMaskedImageModeling"]}
    write_json(folder / ARCHITECTURE, _sizes(encoder.model.config) | kind)
    write_bytes(folder / PROFILE, msgspec.json.format(msgspec.json.encode(encoder.profile), indent=2))
    scale = {"mean": encoder.standard.mean.tolist(), "spread": encoder.standard.spread.tolist()}
    write_json(folder / SCALE, {"schema_version": 1, "transform": encoder.scalogram.facts, **scale}, None)
    write_bytes(folder / RECIPE, msgspec.json.format(msgspec.json.encode(encoder.settings), indent=2))


def load_encoder(folder: Path) -> SwinEncoder:
    """Load what `save` wrote, every file checked against the manifest, every weight accounted for.

    Raises InputError naming the file when one is missing or changed, when the architecture is not that of the
    recipe, when a weight is missing, left over or of another shape, or when the hash is not the manifest's.
    """
    manifest = read_manifest(folder, check_hashes=True)
    settings = decoded(folder / RECIPE, SwinMae, _AGAIN)
    profile = decoded(folder / PROFILE, Profile, _AGAIN)
    model = build(settings, len(profile.channels), seed=0)  # every weight is replaced below
    require_same(folder / ARCHITECTURE, read_json(folder / ARCHITECTURE), _sizes(model.config), _AGAIN)
    load_strictly(model, folder / WEIGHTS, _AGAIN)
    scale = read_json(folder / SCALE)
    standard = Standard(*(np.asarray(scale[name], dtype=np.float32) for name in ("mean", "spread")))
    encoder = freeze(model, settings, profile, standard)
    if encoder.hash != manifest.get("model_hash"):
        raise InputError(
            f"{folder} says model_hash {manifest.get('model_hash')}, its content gives {encoder.hash}; the "
            "files are not of one training",
            next_command=_AGAIN,
        )
    return encoder


def _sizes(made: SwinConfig) -> dict[str, Any]:
    values = {name: getattr(made, name) for name in _SIZES}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
