"""Versions of trained adapters: `models/blueprint-lora-vN`, compared as numbers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from nightforge.core.atomic import read_json, sha256_file, write_json
from nightforge.core.errors import InputError

PREFIX = "blueprint-lora-v"
MANIFEST = "manifest.json"
_NAME = re.compile(re.escape(PREFIX) + r"(\d+)")


def adapter_dir(models: Path, version: int) -> Path:
    """Return the folder of one adapter version."""
    return models / f"{PREFIX}{version}"


def version_of(folder: Path) -> int:
    """Read the number from a folder name such as `blueprint-lora-v12`."""
    match = _NAME.fullmatch(folder.name)
    if match is None:
        raise InputError(f"{folder} is not an adapter folder; its name must be {PREFIX}<number>")
    return int(match.group(1))


def list_versions(models: Path) -> list[int]:
    """Return the numbers of all complete adapters, ascending; v10 comes after v9."""
    if not models.is_dir():
        return []
    found = (_NAME.fullmatch(entry.name) for entry in models.iterdir() if (entry / MANIFEST).is_file())
    return sorted(int(match.group(1)) for match in found if match)


def latest(models: Path) -> int | None:
    """Return the highest complete version, or None when nothing is trained yet."""
    versions = list_versions(models)
    return versions[-1] if versions else None


def next_version(models: Path) -> int:
    """Return a number no complete or partial adapter has used."""
    taken = [0]
    if models.is_dir():
        for entry in models.iterdir():
            match = re.match(re.escape(PREFIX) + r"(\d+)", entry.name)
            if match:
                taken.append(int(match.group(1)))
    return max(taken) + 1


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
