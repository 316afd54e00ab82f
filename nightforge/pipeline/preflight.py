"""What must be true before a run may start: quick, and each refusal names the thing, the place and the
cure.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from pathlib import Path

from nightforge.config import Config
from nightforge.core.errors import InputError, TemporaryError, from_os_error
from nightforge.core.paths import Project
from nightforge.pipeline.plan import Plan

_MB = 2**20
# Free space a run asks for, MB, by where the base model comes from: logs, data, adapters, checkpoints,
# backups. `hub` adds the model itself unless it is cached; what the weights need is checked by stage 00.
# Start values.
_NEEDED_MB = {"tiny": 300, "package": 1_500, "folder": 4_000, "hub": 20_000}


def check(project: Project, config: Config, plan: Plan) -> None:
    """Look at scripts, folders and disk; raises InputError (2) or TemporaryError (75)."""
    for stage in plan.stages:
        if not (project.root / stage.script).is_file():
            raise InputError(
                f"{stage.script} is missing in {project.root}", next_command=f"git checkout -- {stage.script}"
            )
    for folder in (project.logs, project.data, project.models, project.results, project.backups):
        _prove_writable(folder)
    needed_mb = _NEEDED_MB[config.model.source]
    free_mb = shutil.disk_usage(project.root).free // _MB
    if free_mb < needed_mb:
        raise TemporaryError(
            f"the disk of {project.root} has {free_mb} MB free, a run of profile {config.profile} needs "
            f"about {needed_mb} MB",
            next_command="free some space (see `python scripts/16_backup.py --list`), then start again",
        )


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
