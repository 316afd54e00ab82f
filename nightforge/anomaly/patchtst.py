"""PatchTST on sensor tables: built from settings, frozen into an encoder, loaded strictly.

Hidden patches of each channel are rebuilt from the others (Nie et al. 2023, arXiv:2211.14730). What judges a
window is its embedding with nothing hidden, the mean over patches of each channel; the error of rebuilding
says which channel and row is to blame. Scoring draws no random number (facts 3.1, 4.1).

Letters: n windows, T rows of a window, C channels, A of them not constant in training, N patches of P rows,
d width of the network.
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
from msgspec import Struct
from numpy.typing import NDArray
from safetensors.torch import save_file
from transformers import PatchTSTConfig, PatchTSTForPretraining

from nightforge.anomaly.masks import complementary_masks
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
from nightforge.anomaly.recording import Profile, scaled
from nightforge.config import Config
from nightforge.config.anomaly import PatchTst
from nightforge.core.atomic import read_json, sha256_text, write_bytes, write_json
from nightforge.core.errors import BadDataError, InputError, NumericError
from nightforge.core.versions import read_manifest

STREAM = "patchtst"
_AGAIN = f"{TRAINED_BY[STREAM]} --force"
_MOST_AT_ONCE = 256  # windows per forward pass in scoring
_NUMBERS_AT_ONCE = 2**22  # of the network's hidden state
# what of an architecture changes the numbers that come out; the first is a trap: its default normalises every
# window by itself, and a level or gain fault becomes invisible
_SIZES = (
    "scaling",
    "num_input_channels",
    "context_length",
    "patch_length",
    "patch_stride",
    "d_model",
    "num_attention_heads",
    "num_hidden_layers",
    "ffn_dim",
    "norm_type",
    "norm_eps",
    "pre_norm",
    "activation_function",
    "positional_encoding_type",
    "channel_attention",
    "share_embedding",
    "use_cls_token",
    "mask_value",
)
Floats = NDArray[np.float32]


class Recipe(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All settings that make a model: those of the stream, and where scaled values are cut."""

    patchtst: PatchTst
    clip: float

    @classmethod
    def of(cls, config: Config) -> Recipe:
        """Take them from a configuration."""
        return cls(patchtst=config.patchtst, clip=config.anomaly.clip)


class GivenMask(torch.nn.Module):
    """Hides the patches that were named before; stands where transformers draws masks at random, also in
    evaluation. It has no weights.
    """

    def __init__(self) -> None:
        super().__init__()
        self.hidden: torch.Tensor | None = None

    def forward(self, patches: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, A, N, P) -> the same with hidden patches set to 0, and (B, A, N) bool."""
        hidden = self.hidden
        if hidden is None:
            return patches, torch.zeros(patches.shape[:-1], dtype=torch.bool, device=patches.device)
        hidden = hidden.expand(patches.shape[:-1])
        return patches.masked_fill(hidden[..., None], 0.0), hidden


class MaskedPatchTst(PatchTSTForPretraining):  # type: ignore[no-untyped-call]
    """The network with its masks given from outside; same weights, same names."""

    def __init__(self, config: PatchTSTConfig) -> None:
        super().__init__(config)
        self.masks = GivenMask()
        self.model.masking = self.masks

    def forward(  # type: ignore[override]  # it takes the mask, and nothing that we never give
        self, past_values: torch.Tensor, hidden: torch.Tensor | None = None
    ) -> Any:
        """(B, T, A) scaled, (B, A, N) or broadcastable True where hidden -> output with `loss`, the mean
        squared error on hidden patches, and `prediction_output` (B, A, N, P).
        """
        self.masks.hidden = hidden
        try:
            return super().forward(past_values=past_values)
        finally:
            self.masks.hidden = None


def architecture(settings: PatchTst, channels: int) -> PatchTSTConfig:
    """Return the network's configuration; refuses sizes that do not fit together."""
    model, length = settings.model, settings.data.seq_len
    if (length - model.patch_len) % model.patch_stride or length <= model.patch_len:
        raise InputError(
            f"patchtst.data.seq_len {length} is not a whole number of patches of {model.patch_len} rows, one "
            f"every {model.patch_stride} rows, at least two; the rows left over would never be looked at"
        )
    if model.patch_stride > model.patch_len:
        raise InputError(
            f"patchtst.model.patch_stride {model.patch_stride} is larger than patch_len {model.patch_len}; "
            "the rows between patches would never be looked at"
        )
    if model.d_model % model.nhead:
        raise InputError(f"patchtst.model.nhead {model.nhead} must divide d_model {model.d_model}")
    made = PatchTSTConfig(
        num_input_channels=channels,
        context_length=length,
        patch_length=model.patch_len,
        patch_stride=model.patch_stride,
        d_model=model.d_model,
        num_attention_heads=model.nhead,
        num_hidden_layers=model.num_layers,
        ffn_dim=model.ff_dim,
        attention_dropout=model.dropout,
        positional_dropout=model.dropout,
        path_dropout=0.0,
        ff_dropout=model.dropout,
        head_dropout=model.dropout,
        scaling=None,
        norm_type="layernorm",
        do_mask_input=True,
        random_mask_ratio=model.mask_ratio,
    )
    made._attn_implementation = "eager"  # for a window's few patches a fifth faster than the fused kernel
    return made


def build(settings: PatchTst, channels: int, seed: int) -> MaskedPatchTst:
    """Make a network with seeded random weights; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MaskedPatchTst(architecture(settings, channels))


def patches_of(settings: PatchTst) -> int:
    """Return N, the patches of a window."""
    return (settings.data.seq_len - settings.model.patch_len) // settings.model.patch_stride + 1


def active_channels(profile: Profile) -> list[int]:
    """Return the numbers of the channels that moved in training; the network sees no others."""
    active = [i for i, name in enumerate(profile.channels) if name not in profile.constant]
    if not active:
        raise InputError("every channel was constant in training; there is nothing to learn from")
    return active


@dataclass(frozen=True)
class PatchTstEncoder:
    """A frozen network with all that turns windows into numbers: what detectors are given.

    `hash` changes with weights, architecture, clipping and channel profile.
    """

    recipe: Recipe
    profile: Profile
    model: MaskedPatchTst
    hash: str
    stream: str = STREAM
    name: str = "patchtst"

    @property
    def rows(self) -> int:
        """Rows of a window."""
        return self.recipe.patchtst.data.seq_len

    @torch.inference_mode()
    def embed(self, windows: Floats) -> NDArray[np.float64]:
        """(n, T, C) in physical units, holes filled -> (n, A * d), one channel's numbers after the other's.
        Bit-identical between calls.

        Raises BadDataError for a value that is not a number, NumericError when an embedding is not one.
        """
        made = [
            self.model.model(past_values=part).last_hidden_state[:count].double().mean(dim=2).flatten(1)
            for part, count in self._parts(windows)
        ]
        numbers = len(active_channels(self.profile)) * self.model.config.d_model
        found = torch.cat(made).numpy() if made else np.empty((0, numbers))
        if not np.isfinite(found).all():
            raise NumericError("the PatchTST model gave an embedding that is not a number; train it again")
        return found

    @torch.inference_mode()
    def attribute(self, windows: Floats) -> NDArray[np.float64]:
        """Return the squared error, in scaled units, of rebuilding each value while its patch is hidden.

        (n, T, C) -> (n, T, C); constant channels have 0. Where patches overlap, the largest error counts.
        """
        config = self.model.config
        patches = patches_of(self.recipe.patchtst)
        masks = complementary_masks(patches)
        active = active_channels(self.profile)
        found = np.zeros(windows.shape)
        first = 0
        for part, count in self._parts(windows):
            truth = self.model.model.patchifier(part)
            error = torch.zeros_like(truth)
            for mask in masks:
                rebuilt = self.model(part, mask).prediction_output
                error += (rebuilt - truth) ** 2 * mask[:, None]
            rows = np.zeros((count, self.rows, len(active)))
            for patch in range(patches):
                begin = patch * config.patch_stride
                span = rows[:, begin : begin + config.patch_length]
                np.maximum(span, error[:count, :, patch].double().numpy().transpose(0, 2, 1), out=span)
            found[first : first + count, :, active] = rows
            first += count
        return found

    def _parts(self, windows: Floats) -> Iterator[tuple[torch.Tensor, int]]:
        """Yield scaled windows in batches of always the same size, and how many of each count: the sums of a
        matrix product may differ in their last bit with its size.
        """
        if windows.ndim != 3 or windows.shape[1:] != (self.rows, len(self.profile.channels)):
            raise InputError(
                f"sensor windows have the shape {windows.shape}; this model takes (n, {self.rows}, "
                f"{len(self.profile.channels)}) for {', '.join(self.profile.channels)}"
            )
        if not np.isfinite(windows).all():
            raise BadDataError("a window holds a value that is not a number; holes are filled before scoring")
        active = active_channels(self.profile)
        values = scaled(self.profile, windows, self.recipe.clip)[:, :, active]
        hidden_numbers = len(active) * patches_of(self.recipe.patchtst) * self.model.config.d_model
        size = min(max(_NUMBERS_AT_ONCE // hidden_numbers, 1), _MOST_AT_ONCE)
        for first in range(0, len(values), size):
            part = values[first : first + size]
            padded = np.zeros((size, *part.shape[1:]), dtype=np.float32)
            padded[: len(part)] = part
            yield torch.from_numpy(padded), len(part)


def freeze(model: MaskedPatchTst, recipe: Recipe, profile: Profile) -> PatchTstEncoder:
    """Put a network to use: evaluation mode, float32, on the CPU, where it is fast enough and exact."""
    network: Any = model
    network.to("cpu", torch.float32).eval()
    parts = {
        "weights": digest({name: value.numpy(force=True) for name, value in model.state_dict().items()}),
        "architecture": _sizes(model.config),
        "clip": recipe.clip,
        "profile": profile.hash,
    }
    return PatchTstEncoder(recipe, profile, model, sha256_text(json.dumps(parts, sort_keys=True))[:16])


def untrained_encoder(config: Config, profile: Profile, seed: int) -> PatchTstEncoder:
    """Return the control of every benchmark: the same network with its first, random weights."""
    recipe = Recipe.of(config)
    return freeze(build(recipe.patchtst, len(active_channels(profile)), seed), recipe, profile)


def save(encoder: PatchTstEncoder, folder: Path) -> None:
    """Write weights, architecture, profile and recipe into `folder`; no manifest yet."""
    state = {name: value.contiguous() for name, value in encoder.model.state_dict().items()}
    save_file(state, folder / WEIGHTS, metadata={"format": "pt"})
    kind = {"model_type": "patchtst", "architectures": ["PatchTSTForPretraining"]}
    write_json(folder / ARCHITECTURE, _sizes(encoder.model.config) | kind)
    write_bytes(folder / PROFILE, msgspec.json.format(msgspec.json.encode(encoder.profile), indent=2))
    write_bytes(folder / RECIPE, msgspec.json.format(msgspec.json.encode(encoder.recipe), indent=2))


def load_encoder(folder: Path) -> PatchTstEncoder:
    """Load what `save` wrote, every file checked against the manifest, every weight accounted for.

    Raises InputError naming the file when one is missing or changed, when the architecture is not that of the
    recipe, when a weight is missing, left over or of another shape, or when the hash is not the manifest's.
    """
    manifest = read_manifest(folder, check_hashes=True)
    recipe = decoded(folder / RECIPE, Recipe, _AGAIN)
    profile = decoded(folder / PROFILE, Profile, _AGAIN)
    model = build(recipe.patchtst, len(active_channels(profile)), seed=0)  # every weight is replaced below
    require_same(folder / ARCHITECTURE, read_json(folder / ARCHITECTURE), _sizes(model.config), _AGAIN)
    load_strictly(model, folder / WEIGHTS, _AGAIN)
    encoder = freeze(model, recipe, profile)
    if encoder.hash != manifest.get("model_hash"):
        raise InputError(
            f"{folder} says model_hash {manifest.get('model_hash')}, its content gives {encoder.hash}; the "
            "files are not of one training",
            next_command=_AGAIN,
        )
    return encoder


def _sizes(made: PatchTSTConfig) -> dict[str, Any]:
    return {name: getattr(made, name) for name in _SIZES}
