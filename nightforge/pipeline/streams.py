"""The streams of the anomaly track as a run will see them: where their data come from, and their settings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nightforge.config import Config
from nightforge.config.anomaly import PatchTst, SwinMae
from nightforge.config.sources import SYNTHETIC, Resolved, files_of, resolve
from nightforge.core.paths import Project

_SHOWN = 3  # file names; the rest is counted


def resolve_streams(project: Project, config: Config) -> dict[str, Resolved]:
    """Say for each enabled stream where its data come from; raises InputError for a path without files."""
    settings: dict[str, PatchTst | SwinMae] = {"patchtst": config.patchtst, "swinmae": config.swinmae}
    return {name: resolve(project.root, name, part.data) for name, part in settings.items() if part.enabled}


def raw_bytes(project: Project, config: Config) -> int:
    """Add up the files of the user's that the enabled streams read."""
    parts = [part.data for part in (config.patchtst, config.swinmae) if part.enabled]
    patterns = [pattern for data in parts for pattern in (data.path, data.test_path)]
    return sum(file.stat().st_size for each in patterns for file in files_of(project.root, each))


def runtime_lines(project: Project, config: Config) -> Iterator[str]:
    """Write the resolved configuration of the streams for the terminal."""
    found = resolve_streams(project, config)
    values = config.to_dict()
    for name in ("patchtst", "swinmae", "anomaly"):
        if name in found:
            yield f"{name:<9} data    {_source(project, found[name])}"
            if found[name].source != SYNTHETIC:
                yield f"{'':<9} judged  {_judged(project, found[name].judged)}"
        elif name != "anomaly":
            yield f"{name:<9} left out ({name}.enabled is false)"
            continue
        yield from (f"{'':<2}{line}" for line in _settings(name, values[name]))


def _source(project: Project, found: Resolved) -> str:
    if found.source == SYNTHETIC:
        return "the seeded generator (synthetic), since no file of yours is there or asked for"
    return f"{found.source}: {_named(project, found.files)}"


def _judged(project: Project, files: tuple[Path, ...]) -> str:
    return _named(project, files) if files else "the test part of the training files"


def _named(project: Project, files: tuple[Path, ...]) -> str:
    names = ", ".join(project.relative(file) for file in files[:_SHOWN])
    more = f" and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
    return f"{len(files)} file{'s' if len(files) != 1 else ''}, {names}{more}"


def _settings(name: str, value: dict[str, Any]) -> Iterator[str]:
    """Yield one line per group of settings, as `--set` takes them."""
    plain = {key: entry for key, entry in value.items() if not isinstance(entry, dict)}
    if plain:
        yield f"{name}: " + ", ".join(f"{key} {_short(entry)}" for key, entry in plain.items())
    for key, entry in value.items():
        if isinstance(entry, dict):
            yield from _settings(f"{name}.{key}", entry)


def _short(value: Any) -> str:
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
