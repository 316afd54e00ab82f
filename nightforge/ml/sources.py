"""Where the weights of a profile are: a folder of ours, a folder of the user's, or the hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from nightforge.config import Config
from nightforge.core.atomic import read_json, sha256_file, sha256_text
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.versions import MANIFEST, read_manifest

BUILD_COMMAND = "python scripts/00_build_tiny_base.py"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Source:
    """A base model: what `from_pretrained` is given, the name people know, and a hash that changes with the
    weights.
    """

    location: str
    revision: str | None
    name: str
    hash: str
    config: Any  # transformers PretrainedConfig, read without the weights


def tiny_folder(project: Project) -> Path:
    """Return the folder that holds all tiny bases; `current.json` there names the one in use."""
    return project.models / "tiny-base"


def package_folder(project: Project, name: str) -> Path:
    """Return the folder of a model converted from a Python package."""
    return project.models / name


def find_source(config: Config, project: Project) -> Source:
    """Find the base model of the configuration and read its config.json; no weights are read.

    Raises InputError naming the model and the command that makes or fetches it.
    """
    if config.model.source == "hub":
        return _hub(config)
    folder = local_folder(config, project)
    return Source(
        str(folder), None, config.model.base_model, _folder_hash(folder), _read_config(str(folder), None)
    )


def local_folder(config: Config, project: Project) -> Path:
    """Return the folder of a base model that is not on the hub; raises InputError as find_source does."""
    if config.model.source == "tiny":
        return _tiny(config, project)
    if config.model.source == "package":
        folder = package_folder(project, config.model.base_model)
        if not (folder / MANIFEST).is_file():
            raise InputError(
                f"base model {config.model.base_model} has not been converted yet",
                next_command=f"{BUILD_COMMAND} --profile {config.profile}",
            )
        read_manifest(folder)
        return folder
    folder = Path(config.model.base_model).expanduser()
    folder = folder if folder.is_absolute() else project.root / folder
    if not (folder / "config.json").is_file():
        raise InputError(
            f"model.base_model names the folder {folder}, which holds no config.json",
            next_command="set model.base_model to a folder written by save_pretrained",
        )
    return folder


def _tiny(config: Config, project: Project) -> Path:
    pointer = tiny_folder(project) / "current.json"
    if not pointer.is_file():
        raise InputError("the tiny base model has not been built yet", next_command=BUILD_COMMAND)
    folder = tiny_folder(project) / str(read_json(pointer)["hash"])
    manifest = read_manifest(folder)
    if manifest.get("tiny") != msgspec.to_builtins(config.model.tiny):
        raise InputError(
            f"the tiny base model in {project.relative(folder)} was built with other model.tiny settings",
            next_command=BUILD_COMMAND,
        )
    return folder


def _folder_hash(folder: Path) -> str:
    if (folder / MANIFEST).is_file():
        files = read_manifest(folder)["files"]
        return sha256_text(repr(sorted(files.items())))[:16]
    # Hashing 140 GB of weights would take minutes; names, sizes and the config tell two models apart.
    sizes = sorted((path.name, path.stat().st_size) for path in folder.glob("*.safetensors"))
    return sha256_text(repr((sha256_file(folder / "config.json"), sizes)))[:16]


def _hub(config: Config) -> Source:
    name, revision = config.model.base_model, config.model.revision
    model_config = _read_config(name, revision)
    commit = getattr(model_config, "_commit_hash", None) or ""
    identity = commit if _COMMIT.fullmatch(commit) else repr((revision, model_config.to_dict()))
    return Source(name, revision, name, sha256_text(f"{name}@{identity}")[:16], model_config)


def _read_config(location: str, revision: str | None) -> Any:
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(location, revision=revision)
    except (OSError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"base model {location} could not be reached: {reason}. It needs access to huggingface.co, "
            "its licence "
            f"accepted at https://huggingface.co/{location}, and a token; or download it elsewhere and set "
            "model.source folder",
            next_command=f"hf auth login && hf download {location}",
        ) from error
