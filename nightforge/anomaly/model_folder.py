"""Folders of trained models: what one depends on, how it is loaded strictly or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from nightforge.config.anomaly import PatchTst, SwinMae
from nightforge.core import versions
from nightforge.core.atomic import read_bytes, sha256_text
from nightforge.core.errors import BadDataError, InputError, NightforgeError, NothingNewError, StoppedError
from nightforge.core.reporting import Report

WEIGHTS, ARCHITECTURE, PROFILE, RECIPE = "model.safetensors", "config.json", "profile.json", "recipe.json"
TRAINED_BY = {
    "patchtst": "python scripts/22_train_patchtst.py",
    "swinmae": "python scripts/23_train_swin_mim.py",
}
# keys that change where and how fast a model is trained, not what it learns; data is hashed as prepared
_HARMLESS = {"enabled", "device", "dqvl", "data", "save_steps", "num_workers"}
T = TypeVar("T")


@dataclass(frozen=True)
class Identity:
    """What a training depends on: the hash of its prepared data, and 16 hex digits of its settings."""

    data_hash: str
    config_hash: str


def identify(data_hash: str, settings: PatchTst | SwinMae, **more: Any) -> Identity:
    """Hash what training learns from; `more` names settings that stand elsewhere, such as the window."""
    plain = msgspec.to_builtins(settings)
    chosen = {name: _without(value) for name, value in plain.items() if name not in _HARMLESS}
    text = json.dumps({**chosen, **more}, sort_keys=True)
    return Identity(data_hash, sha256_text(text)[:16])


def refuse_repetition(models: Path, stream: str, identity: Identity) -> None:
    """Raise NothingNewError when the newest model of the stream was trained on the same data and settings."""
    prefix = versions.MODEL_PREFIX[stream]
    newest = versions.latest(models, prefix)
    if newest is None:
        return
    manifest = versions.read_manifest(versions.adapter_dir(models, newest, prefix))
    if all(manifest.get(name) == value for name, value in vars(identity).items()):
        raise NothingNewError(
            f"{prefix}{newest} was trained on these very rows and settings",
            next_command=f"{TRAINED_BY[stream]} --force  (to train it again)",
        )


@contextmanager
def node(report: Report, node_id: str, message: str) -> Iterator[None]:
    """Show a node of the flow chart as running, then as done, as idle when the work was stopped, or as failed
    with the error's words.
    """
    report.node(node_id, "running", message)
    try:
        yield
    except StoppedError as error:
        report.node(node_id, "idle", error.message)
        raise
    except NightforgeError as error:
        report.node(node_id, "fail", error.message)
        raise
    report.node(node_id, "done", message)


def digest(arrays: dict[str, NDArray[Any]]) -> str:
    """Hash arrays by name, shape, type and bytes; returns 64 hex digits."""
    found = hashlib.sha256()
    for name in sorted(arrays):
        found.update(f"{name} {arrays[name].shape} {arrays[name].dtype}".encode())
        found.update(np.ascontiguousarray(arrays[name]).tobytes())
    return found.hexdigest()


def load_strictly(model: torch.nn.Module, path: Path, again: str) -> None:
    """Load every weight of `path` into `model`; one that is missing, left over or of another shape is an
    InputError, and nothing is loaded in part.
    """
    try:
        state = load_file(path)
    except SafetensorError as error:
        raise BadDataError(f"{path} is not a weights file ({error})", next_command=again) from error
    wanted = model.state_dict()
    wrong = sorted(wanted.keys() ^ state.keys())
    wrong += [
        name for name in sorted(wanted.keys() & state.keys()) if wanted[name].shape != state[name].shape
    ]
    if wrong:
        raise InputError(
            f"{path}: {len(wrong)} weights are missing, left over or of another shape, first {wrong[0]}; "
            "nothing is loaded in part",
            next_command=again,
        )
    model.load_state_dict(state, strict=True)


def require_same(path: Path, found: Any, wanted: dict[str, Any], again: str) -> None:
    """Refuse an architecture file that is not what the recipe beside it makes."""
    different = [name for name, value in wanted.items() if found.get(name) != value]
    if different:
        name = different[0]
        raise InputError(
            f"{path}: {name} is {found.get(name)}, the recipe beside it makes {wanted[name]}; the files are "
            "not of one training",
            next_command=again,
        )


def decoded(path: Path, kind: type[T], again: str) -> T:
    """Read a JSON file of a model folder into its type."""
    try:
        return msgspec.json.decode(read_bytes(path), type=kind)
    except (FileNotFoundError, msgspec.DecodeError) as error:
        raise InputError(f"{path} cannot be read ({error})", next_command=again) from error


def _without(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: part for name, part in value.items() if name not in _HARMLESS}
