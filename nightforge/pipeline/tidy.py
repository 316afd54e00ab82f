"""What is put in order when a run begins: leftovers of dead writers, logs beyond their cap, files that cannot
be read. # ops A4, A5, L2
"""

from __future__ import annotations

from typing import NamedTuple

from nightforge.core.atomic import read_json, remove_leftovers
from nightforge.core.errors import InputError
from nightforge.core.generations import read_kept
from nightforge.core.paths import Project
from nightforge.core.processes import identity_of
from nightforge.pipeline.prune import trim_logs

# Files that matter across runs and are written with generations.
KEPT_FILES = (
    "models/champion.json",
    "results/dashboard.json",
    "results/mastery.json",
    "results/next_lessons.json",
    "logs/training_history.json",
    "logs/step_timing_history.json",
    "backups/pins.json",
    "backups/mirror.json",
)


class Notice(NamedTuple):
    """Something a person should know; becomes an alert of the run."""

    level: str
    title: str
    detail: str


def tidy_up(project: Project, run_id: str, log_cap_bytes: int) -> list[Notice]:
    """Put the project in order; only the holder of its lock may call this."""
    folders = [project.logs, project.models, project.blueprint_data, project.backups]
    folders += [project.run_dir(run_id), project.run_dir(run_id) / "attempts"]
    folders += [project.results, *(path for path in project.results.glob("*") if path.is_dir())]
    remove_leftovers(folders, lambda pid: identity_of(pid) is not None)
    trimmed = trim_logs(project, run_id, log_cap_bytes)
    found = [Notice("info", "Old logs were removed", "; ".join(trimmed))] if trimmed else []
    return [*found, *_unreadable(project)]


def _unreadable(project: Project) -> list[Notice]:
    found: list[Notice] = []
    for name in KEPT_FILES:
        told: list[str] = []
        try:
            read_kept(project.root / name, read_json, told.append)
        except InputError as error:
            words = f"{error.message}; it has no earlier generation and is left as it is"
            found.append(Notice("critical", f"{name} is unreadable", words))
        found += [Notice("warning", f"{name} was unreadable", text) for text in told]
    return found
