"""Runs as folders: new ones with their resolved configuration, and the one that can be resumed."""

from __future__ import annotations

import os
import platform
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from nightforge.config import Config, load_config
from nightforge.core.atomic import read_json, write_json
from nightforge.core.clock import Clock, parse_time
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.records import JOURNAL, last_run, read_object
from nightforge.core.versions import adapter_dir, latest
from nightforge.pipeline.options import Options
from nightforge.pipeline.plan import Plan, build_plan, has_exports
from nightforge.pipeline.rebuild import load_run
from nightforge.pipeline.registry import EXPORT_STAGES
from nightforge.pipeline.states import LiveState

_PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "datasets", "msgspec", "psutil")
_ANOMALY_PACKAGES = (
    "torch",
    "transformers",
    "accelerate",
    "numpy",
    "scipy",
    "scikit_learn",
    "pandas",
    "pyarrow",
)
_CURVE_POINTS = 200


class Run(NamedTuple):
    """What the orchestrator is about to carry out. `state` is None for a new run."""

    run_id: str
    folder: Path
    config: Config
    plan: Plan
    state: LiveState | None = None
    seq: int = 0


def new_run(project: Project, options: Options, clock: Clock) -> Run:
    """Resolve configuration and plan of a new run; writes nothing."""
    config = load_config(project, options.profile, options.overrides)
    exports = has_exports(project.root)
    plan = build_plan(
        options.mode, force=options.force, pipeline=options.pipeline, exports=exports, config=config
    )
    run_id = f"{parse_time(clock.now()):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    return Run(run_id, project.run_dir(run_id), config, plan)


def resumed_run(project: Project, run_id: str) -> Run:
    """Load the run named `run_id`, or the current one if it is empty. Raises InputError if it can't be
    resumed.
    """
    chosen = run_id or last_run(project)
    if not chosen:
        raise InputError("there is no run to resume", next_command="python launch_pipeline.py")
    folder = project.run_dir(chosen)
    if not (folder / JOURNAL).is_file():
        raise InputError(
            f"run {chosen} can't be resumed: {project.relative(folder / JOURNAL)} is missing",
            next_command="python launch_pipeline.py",
        )
    state, seq = load_run(folder)
    if state.status == "succeeded":
        raise InputError(
            f"run {chosen} has succeeded; there is nothing to resume",
            next_command="python launch_pipeline.py",
        )
    record = read_json(folder / "config.json")
    config = load_config(project, config_file=folder / "config.json")
    planned = {stage.id for stage in state.stages}
    exports = planned.issuperset(spec.key for spec in EXPORT_STAGES)  # as planned, whatever came since
    force = bool(record.get("force"))
    plan = build_plan(state.mode, force=force, pipeline=state.pipeline, exports=exports, config=config)
    if [stage.key for stage in plan.stages] != [stage.id for stage in state.stages]:
        raise InputError(
            f"run {chosen} was planned by another release with other stages; it can't be resumed",
            next_command="python launch_pipeline.py",
        )
    return Run(chosen, folder, config, plan, state, seq)


def unfinished(project: Project, options: Options) -> str | None:
    """Return the run a start belongs to: the one it names, or the last one if that has not succeeded and the
    same is asked for again. None: a new run.
    """
    if options.resume is not None or options.force:
        return options.resume
    run_id = last_run(project)
    copy = read_object(project.live_state) or {}
    if copy.get("run_id") == run_id and copy.get("status") == "succeeded":
        return None
    record = read_object(project.run_dir(run_id) / "config.json") if run_id else None
    if record is None:
        return None
    config = load_config(project, options.profile, options.overrides)
    asked = {
        "pipeline": options.pipeline,
        "mode": options.mode,
        "force": False,
        "config": config.to_dict(),
    }
    if any(record.get(name) != value for name, value in asked.items()):
        return None
    try:
        resumed_run(project, run_id)
    except InputError:  # it has succeeded, or another release planned it
        return None
    return run_id


def write_config(run: Run, project: Project, options: Options, command: str) -> None:
    """Write the run's config.json: everything needed to explain or repeat it."""
    write_json(
        run.folder / "config.json",
        {
            "schema_version": 1,
            "run_id": run.run_id,
            "pipeline": options.pipeline,
            "mode": options.mode,
            "force": options.force,
            "command": command,
            "profile": run.config.profile,
            "overrides": list(options.overrides),
            "commit": commit_of(project.root),
            "python": platform.python_version(),
            "platform": platform.platform(),
            "versions": package_versions(options.pipeline),
            "config": run.config.to_dict(),
        },
    )


def commit_of(root: Path) -> str | None:
    """Return the commit of the code, with `+changes` if files differ from it; None outside a repository."""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return f"{commit}+changes" if _git(root, "status", "--porcelain", "-uno") else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=5, check=True
    )
    return done.stdout.strip()


def package_versions(pipeline: str = "blueprint") -> dict[str, str]:
    """Return the installed versions of the packages that decide a result, without importing them."""
    packages = _ANOMALY_PACKAGES if pipeline == "anomaly" else _PACKAGES
    wanted = re.compile(rf"({'|'.join(packages)})-(.+)\.dist-info", re.IGNORECASE)
    found: dict[str, str] = {}
    for folder in map(Path, sys.path):  # importlib.metadata tells the same thirty times as slowly
        for name in os.listdir(folder) if folder.is_dir() else ():
            match = wanted.fullmatch(name)
            if match:
                found.setdefault(match.group(1).lower(), match.group(2))
    return {name: found[name] for name in packages if name in found}


def previous_curve(project: Project) -> dict[str, Any] | None:
    """Return the loss curve of the newest adapter, to be drawn behind the new one; None for a first run."""
    version = latest(project.models)
    if version is None:
        return None
    log = read_object(adapter_dir(project.models, version) / "training_log.json") or {}
    points = [point for point in log.get("train", []) if isinstance(point, list) and len(point) == 2]
    step = max(1, len(points) // _CURVE_POINTS)
    return {"version": version, "train": points[::step]} if points else None
