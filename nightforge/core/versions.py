"""Versions of what was trained: `models/blueprint-lora-vN`, `patchtst-vN` and so on, compared as numbers.

Without a prefix each function speaks of the adapters of the blueprint track.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from nightforge.core.atomic import read_json, sha256_file, write_json
from nightforge.core.errors import InputError

PREFIX = "blueprint-lora-v"
# stream of the anomaly track -> its trained model, and its detectors with their thresholds
MODEL_PREFIX = {"patchtst": "patchtst-v", "swinmae": "swin-mim-v"}
DETECTOR_PREFIX = {stream: f"anomaly-{stream}-v" for stream in MODEL_PREFIX}
MANIFEST = "manifest.json"


def adapter_dir(models: Path, version: int, prefix: str = PREFIX) -> Path:
    """Return the folder of one version."""
    return models / f"{prefix}{version}"


def version_of(folder: Path, prefix: str = PREFIX) -> int:
    """Read the number from a folder name such as `blueprint-lora-v12`."""
    match = _match(prefix, folder.name)
    if match is None:
        raise InputError(f"{folder} is not an adapter folder; its name must be {prefix}<number>")
    return int(match.group(1))


def list_versions(models: Path, prefix: str = PREFIX) -> list[int]:
    """Return the numbers of all complete versions, ascending; v10 comes after v9."""
    if not models.is_dir():
        return []
    found = (_match(prefix, entry.name) for entry in models.iterdir() if (entry / MANIFEST).is_file())
    return sorted(int(match.group(1)) for match in found if match)


def latest(models: Path, prefix: str = PREFIX) -> int | None:
    """Return the highest complete version, or None when nothing is trained yet."""
    versions = list_versions(models, prefix)
    return versions[-1] if versions else None


def latest_of(models: Path, name: str) -> int | None:
    """Return the highest complete version of the family that a project path such as `models/patchtst-vN/`
    names; any other path speaks of adapters.
    """
    family = re.match(r"models/([a-z-]+-v)N", name)
    return latest(models, family.group(1) if family else PREFIX)


def begin(models: Path, prefix: str = PREFIX) -> tuple[int, Path, Path]:
    """Make the empty folder in which the next version is put together; what broken-off ones left goes.
    Returns the version, that folder and the one it is to become.
    """
    for left_over in models.glob(f"{prefix}*.partial"):
        shutil.rmtree(left_over)
    version = next_version(models, prefix)
    target = adapter_dir(models, version, prefix)
    partial = target.with_name(target.name + ".partial")
    partial.mkdir(parents=True)
    return version, partial, target


def next_version(models: Path, prefix: str = PREFIX) -> int:
    """Return a number no complete or partial version has used."""
    taken = [0]
    if models.is_dir():
        for entry in models.iterdir():
            match = re.match(re.escape(prefix) + r"(\d+)", entry.name)
            if match:
                taken.append(int(match.group(1)))
    return max(taken) + 1


def _match(prefix: str, name: str) -> re.Match[str] | None:
    return re.fullmatch(re.escape(prefix) + r"(\d+)", name)


def hash_files(folder: Path, skip: tuple[str, ...] = (MANIFEST,)) -> dict[str, str]:
    """Hash every file below `folder`; returns relative posix path -> SHA-256."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    names = ((path.relative_to(folder).as_posix(), path) for path in files)
    return {name: sha256_file(path) for name, path in names if name not in skip}


def write_manifest(folder: Path, fields: dict[str, Any]) -> None:
    """Write `manifest.json` with `fields` and the hash of every file; call it last."""
    write_json(folder / MANIFEST, {"schema_version": 1, **fields, "files": hash_files(folder)})


def read_manifest(folder: Path, check_hashes: bool = False) -> dict[str, Any]:
    """Read a manifest and make sure its files are there (and unchanged, with `check_hashes`).

    Raises InputError naming the folder and the file that is missing or different.
    """
    manifest = read_json(folder / MANIFEST)
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise InputError(f"{folder / MANIFEST} is not a manifest: no table of files")
    for name, digest in manifest["files"].items():
        if not (folder / name).is_file():
            raise InputError(f"{folder / name} is listed in the manifest but missing")
        if check_hashes and sha256_file(folder / name) != digest:
            raise InputError(f"{folder / name} differs from the manifest; the file is damaged")
    return manifest
