"""What belongs in a snapshot: what people wrote, what a run learned, and the adapters worth keeping.

Never the tiny base model (rebuilt from a seed), downloaded base models, checkpoints, or the logs of runs. Of
the anomaly track: the newest models, decisions, and what its data were (profile, split, hashes), not the
rows: those are made again from the user's own files, which no snapshot holds.
"""

import os
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path

from nightforge.core import versions
from nightforge.core.atomic import read_json
from nightforge.core.errors import InputError
from nightforge.core.generations import FOLDER, read_kept
from nightforge.core.paths import Project

_FOLDERS = ("data/blueprint", "lessons", "results", "profiles")
_FILES = ("pipeline_config.json", "models/champion.json")
_PREPARED = ("data/anomaly/*/*/profile.json", "data/anomaly/*/*/split.json", "data/anomaly/*/*/dataset.json")
_BUNDLES = "results/anomaly/runs/*/bundle.zip"  # copies of what a snapshot holds anyway
_CHECKPOINT_PREFIXES = ("checkpoint-", "checkpoints")


@dataclass(frozen=True)
class Content:
    """Files of a snapshot. paths: relative posix path -> file; skipped: path -> reason."""

    paths: dict[str, Path]
    skipped: dict[str, str] = field(default_factory=dict)
    version: int | None = None


def champion_version(project: Project) -> int | None:
    """The promoted adapter named by models/champion.json, or None; InputError if the file is broken."""
    return read_kept(project.models / "champion.json", _load_version)


def _load_version(path: Path) -> int:
    record = read_json(path)
    version = record.get("version") if isinstance(record, dict) else None
    if isinstance(version, str) and version.startswith("v") and version[1:].isdigit():
        return int(version[1:])
    if isinstance(version, int) and not isinstance(version, bool):
        return version
    raise InputError(f"{path} does not name a version", next_command="python scripts/14_update_dashboard.py")


def select(project: Project, also: frozenset[str] = frozenset()) -> Content:
    """List the files to back up: fixed places, the newest complete adapter, the champion's, `also`."""
    newest = versions.latest(project.models)
    keep = {version for version in (newest, champion_version(project)) if version is not None}
    adapters = {f"models/{versions.PREFIX}{version}" for version in keep} | _newest_of_streams(project) | also
    paths: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    for name in (*_FOLDERS, *sorted(adapters)):
        _walk(project.root, project.root / name, paths, skipped)
    prepared = (project.relative(path) for pattern in _PREPARED for path in project.root.glob(pattern))
    for name in (*_FILES, *sorted(prepared)):
        if (project.root / name).is_file():
            paths[name] = project.root / name
    return Content(paths, skipped, newest)


def _newest_of_streams(project: Project) -> set[str]:
    """The newest model and detectors of each stream of the anomaly track."""
    prefixes = (*versions.MODEL_PREFIX.values(), *versions.DETECTOR_PREFIX.values())
    found = ((prefix, versions.latest(project.models, prefix)) for prefix in prefixes)
    return {f"models/{prefix}{version}" for prefix, version in found if version is not None}


def unit_of(path: str) -> str:
    """The folder or file that a restore swaps as a whole, for a path in a snapshot."""
    for folder in _FOLDERS:
        if path.startswith(folder + "/"):
            return folder
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "models" else path


def is_transient(name: str) -> bool:
    """True for what never enters a snapshot: half-written temporary files, earlier generations, checkpoints,
    caches of Python.
    """
    temporary = name.startswith(".") and name.endswith(".tmp")
    return temporary or name in ("__pycache__", FOLDER) or name.startswith(_CHECKPOINT_PREFIXES)


def _walk(root: Path, folder: Path, paths: dict[str, Path], skipped: dict[str, str]) -> None:
    if folder.is_symlink():
        skipped[folder.relative_to(root).as_posix()] = "symbolic link"
        return
    for base, folders, files in os.walk(folder, onerror=_raise):
        kept = sorted(name for name in folders if not is_transient(name))
        for name in kept:
            if (Path(base) / name).is_symlink():
                skipped[(Path(base) / name).relative_to(root).as_posix()] = "symbolic link"
        folders[:] = [name for name in kept if not (Path(base) / name).is_symlink()]
        for name in sorted(files):
            path = Path(base) / name
            if is_transient(name):
                continue
            relative = path.relative_to(root).as_posix()
            if fnmatch(relative, _BUNDLES):
                continue
            if path.is_symlink() or not path.is_file():
                skipped[relative] = "symbolic link" if path.is_symlink() else "not a plain file"
            else:
                paths[relative] = path


def _raise(error: OSError) -> None:
    # os.walk would pass over a folder it cannot read, and the backup would be smaller without a word.
    if not isinstance(error, FileNotFoundError):
        raise error
