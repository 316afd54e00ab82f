"""What must be true before a run may start: quick, and each refusal names the thing, the place and the
cure.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from nightforge.config import Config
from nightforge.core.errors import DiskFullError, InputError, from_os_error
from nightforge.core.paths import Project
from nightforge.core.records import read_object
from nightforge.core.room import Reserve, existing, free_bytes, free_inodes
from nightforge.core.versions import adapter_dir, latest
from nightforge.pipeline.budget import (
    MB,
    Facts,
    Need,
    Shape,
    predict,
    shape_from_config,
    shape_from_name,
)
from nightforge.pipeline.plan import Plan
from nightforge.pipeline.prune import log_bytes
from nightforge.pipeline.streams import raw_bytes, resolve_streams

_SMOLLM2 = Shape(576, 1536, 192, 30, 49_152)  # SmolLM2-135M, the one packaged model


class Mount(NamedTuple):
    """One disk: which places of the run lie on it, what they need together, and what is free. Bytes."""

    folder: Path
    places: tuple[str, ...]
    parts: dict[str, int]
    needed: int
    free: int
    files: int
    free_files: int | None  # None: the file system has no limit

    @property
    def enough(self) -> bool:
        return self.needed <= self.free and (self.free_files is None or self.files <= self.free_files)

    def __str__(self) -> str:
        parts = ", ".join(f"{name} {_mb(size)}" for name, size in self.parts.items())
        files = ""
        if self.free_files is not None and self.files > self.free_files:
            files = f"; {self.files:,} files more, room for {self.free_files:,}"
        return (
            f"{self.folder} ({', '.join(self.places)}): {_mb(self.free)} MB free, about "
            f"{_mb(self.needed)} MB needed ({parts}){files}"
        )


def check(project: Project, config: Config, plan: Plan) -> None:
    """Look at scripts, folders and disks; raises InputError (2) or DiskFullError (75)."""
    for stage in plan.stages:
        if not (project.root / stage.script).is_file():
            raise InputError(
                f"{stage.script} is missing in {project.root}", next_command=f"git checkout -- {stage.script}"
            )
    for folder in (project.logs, project.data, project.models, project.results, project.backups):
        _prove_writable(folder)
    if any(stage.number == "21" for stage in plan.stages):
        resolve_streams(project, config)  # a path of the user's that finds nothing is told now
    short = [mount for mount in disk_budget(project, config, plan) if not mount.enough]
    if short:
        raise DiskFullError(
            f"not enough room for a run of profile {config.profile}: " + "; ".join(map(str, short)),
            next_command="free some space (see `python scripts/16_backup.py --list`), then start again",
        )


def disk_budget(project: Project, config: Config, plan: Plan) -> list[Mount]:
    """Compare what the plan needs with what is free, for each disk that the run writes on. # ops Q1"""
    folders = {
        "project": project.root,
        "backups": project.backups,
        "temporary folder": Path(tempfile.gettempdir()),
        "model cache": hub_cache(),
        "mirror": project.root / Path(config.backup.mirror or ".").expanduser(),
    }
    facts = gather(project, config)
    if not plan.language_model:
        facts = facts._replace(raw_bytes=raw_bytes(project, config))
    needs = predict(config, plan, facts)
    if config.backup.mirror and not folders["mirror"].is_dir():  # its absence is a warning of its own
        needs = tuple(need for need in needs if need.place != "mirror")
    by_disk: dict[int, list[tuple[Path, Need]]] = {}
    for need in needs:
        folder = existing(folders[need.place])
        by_disk.setdefault(folder.stat().st_dev, []).append((folder, need))
    return [_mount(group) for group in by_disk.values()]


def _mount(group: list[tuple[Path, Need]]) -> Mount:
    folder = group[0][0]
    parts: dict[str, int] = {}
    for _, need in group:
        for name, size in need.parts.items():
            parts[name] = parts.get(name, 0) + size
    return Mount(
        folder=folder,
        places=tuple(need.place for _, need in group),
        parts=parts,
        needed=sum(parts.values()),
        free=free_bytes(folder),
        files=sum(need.files for _, need in group),
        free_files=free_inodes(folder),
    )


def gather(project: Project, config: Config) -> Facts:
    """Look up what the prediction needs: the model's shape, and real sizes of earlier runs."""
    shape, base_bytes = _base_model(project, config)
    adapter, checkpoint = _last_training(project, config)
    snapshots = _snapshots(project)
    last_run = snapshots[-1].get("run_id") if snapshots else None
    added = sum(int(entry.get("new_bytes", 0)) for entry in snapshots if entry.get("run_id") == last_run)
    return Facts(
        shape=shape,
        base_bytes=base_bytes,
        adapter_bytes=adapter,
        checkpoint_bytes=checkpoint,
        checkpoints_there=size_of(project.models / ".work"),
        data_bytes=size_of(project.data) or None,
        backup_bytes=added if adapter is not None and last_run else None,
        backup_files=len(snapshots[-1].get("files", ())) if snapshots else 0,
        reserve_missing=Reserve(project.reserve, config.disk.reserve_mb * MB).missing(),
        logs_there=log_bytes(project),
    )


def hub_cache() -> Path:
    """Return where the model hub's client keeps downloads; its variables decide."""
    if given := os.environ.get("HF_HUB_CACHE"):
        return Path(given)
    home = os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface"
    return Path(home).expanduser() / "hub"


def size_of(folder: Path) -> int:
    """Add up the files below a folder; 0 when there is none."""
    total = 0
    for base, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # it may vanish while we look
                total += (Path(base) / name).lstat().st_size
    return total


def _base_model(project: Project, config: Config) -> tuple[Shape, int]:
    """Return the base model's shape and the bytes that are still to be written for it."""
    model = config.model
    if model.source == "tiny":
        tiny = model.tiny
        shape = Shape(
            tiny.hidden_size, tiny.intermediate_size, tiny.hidden_size, tiny.layers, tiny.vocab_size
        )
        there = (project.models / "tiny-base" / "current.json").is_file()
        return shape, 0 if there else 4 * shape.parameters
    if model.source == "hub":
        stored = hub_cache() / f"models--{model.base_model.replace('/', '--')}" / "snapshots"
        folders = sorted(path.parent for path in stored.glob("*/config.json"))
        found = _shape_in(folders[-1]) if folders else None
        shape = found or shape_from_name(model.base_model)
        cached = any(stored.glob("*/*.safetensors"))
        return shape, 0 if cached else 2 * shape.parameters
    if model.source == "package":
        folder, known = project.models / model.base_model, _SMOLLM2
        # While it is converted, the download lies beside it.
        return known, 0 if (folder / "manifest.json").is_file() else 3 * known.parameters
    folder = project.root / Path(model.base_model).expanduser()
    return _shape_in(folder) or shape_from_name(model.base_model), 0


def _shape_in(folder: Path) -> Shape | None:
    return shape_from_config(read_object(folder / "config.json") or {})


def _last_training(project: Project, config: Config) -> tuple[int | None, int | None]:
    """Return the real sizes of the newest adapter and of its checkpoints, if model, adapter and optimizer
    are the same now; (None, None) otherwise.
    """
    version = latest(project.models)
    if version is None:
        return None, None
    folder = adapter_dir(project.models, version)
    before: dict[str, Any] = (read_object(folder / "training_config.json") or {}).get("config") or {}
    same = (
        (before.get("model") or {}).get("base_model") == config.model.base_model
        and before.get("lora") == msgspec.json.decode(msgspec.json.encode(config.lora))
        and (before.get("training") or {}).get("optimizer") == config.training.optimizer
    )
    if not same:
        return None, None
    log = read_object(folder / "training_log.json") or {}
    size = log.get("checkpoint_bytes")
    return size_of(folder), size if isinstance(size, int) and size > 0 else None


def _snapshots(project: Project) -> list[dict[str, Any]]:
    manifests = (read_object(path) for path in project.backups.glob("*/manifest.json"))
    found = [manifest for manifest in manifests if manifest is not None]
    return sorted(found, key=lambda manifest: str(manifest.get("created_at")))


def budget_lines(mounts: Iterable[Mount]) -> list[str]:
    """Write the budget for the terminal, one line per disk."""
    return [f"{'' if mount.enough else 'TOO LITTLE  '}{mount}" for mount in mounts]


def _mb(size: int) -> str:
    return f"{size / MB:,.0f}"


def _prove_writable(folder: Path) -> None:
    """Write and remove a file, since rights alone do not tell about read-only or full disks."""
    probe = folder / f".writable-{os.getpid()}-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"nightforge")
        probe.unlink()
    except (FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{folder} must be a folder, but a file is in its place", next_command=f"move {folder} away"
        ) from error
    except OSError as error:
        with contextlib.suppress(OSError):  # a full disk keeps an empty file
            probe.unlink(missing_ok=True)
        raise from_os_error(error) from error
