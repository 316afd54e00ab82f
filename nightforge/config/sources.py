"""Which files a stream of the anomaly track will read, or whether its data come from the generator."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from nightforge.config.anomaly import SensorData, VibrationData
from nightforge.core.errors import InputError

SYNTHETIC = "synthetic"
# source of the configuration -> endings of the files it stands for; an archive may hold any of them
ENDINGS: dict[str, tuple[str, ...]] = {
    "csv": (".csv", ".zip"),
    "parquet": (".parquet", ".pq", ".zip"),
    "npy": (".npy", ".zip"),
}
_OF_STREAM = {SensorData: ("csv", "parquet"), VibrationData: ("csv", "npy")}


class Resolved(NamedTuple):
    """Where a stream's data come from: `synthetic` without files, or the kinds of the files it reads."""

    source: str
    files: tuple[Path, ...] = ()
    judged: tuple[Path, ...] = ()  # none: the test part of the training files is judged


def files_of(root: Path, patterns: Iterable[str] | str) -> list[Path]:
    """Return the files that globs find, from `root`, `**` allowed; a folder stands for everything below it.

    Sorted, each file once even where two patterns or a link lead to it.
    """
    found: dict[Path, Path] = {}
    for pattern in (patterns,) if isinstance(patterns, str) else patterns:
        for path in _paths(root / Path(pattern).expanduser()):
            if path.is_file():
                found.setdefault(path.resolve(), path)
    return sorted(found.values())


def _paths(pattern: Path) -> list[Path]:
    if pattern.is_dir():
        return sorted(pattern.rglob("*"))
    if pattern.exists():  # a name may hold brackets
        return [pattern]
    return sorted(Path(name) for name in glob.iglob(str(pattern), recursive=True))


def resolve(root: Path, name: str, data: SensorData | VibrationData) -> Resolved:
    """Say where the data of the stream `name` come from.

    `auto` takes the files there are; without any it takes the generator, but only where nobody has named
    another place: a path that finds nothing raises InputError, as does a source whose files are missing.
    """
    if data.source == SYNTHETIC:
        return Resolved(SYNTHETIC)
    kinds = _OF_STREAM[type(data)] if data.source == "auto" else (data.source,)
    endings = {ending for kind in kinds for ending in ENDINGS[kind]}
    files, judged = (
        tuple(file for file in files_of(root, patterns) if file.suffix.lower() in endings)
        for patterns in (data.path, data.test_path)
    )
    if files:
        return Resolved("+".join(sorted({file.suffix.lower()[1:] for file in files})), files, judged)
    if data.source == "auto" and data.path == type(data)().path:
        return Resolved(SYNTHETIC)
    raise InputError(
        f"{name}.data.path {_words(data.path)} finds no {' or '.join(sorted(endings))} file below {root}",
        next_command=f"correct {name}.data.path (docs/anomaly.md), or --set {name}.data.source=synthetic",
    )


def _words(patterns: Iterable[str] | str) -> str:
    return patterns if isinstance(patterns, str) else ", ".join(patterns)
