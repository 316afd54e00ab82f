"""Which files a setting means: globs, folders, zip files; one kind per stream."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from nightforge.anomaly.readers import Source
from nightforge.anomaly.recording import STREAMS
from nightforge.config import Config
from nightforge.config.anomaly import Globs, PatchTst, SwinMae
from nightforge.config.sources import files_of
from nightforge.core import archives
from nightforge.core.errors import BadDataError, InputError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

KINDS = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".npy": "npy"}
ALLOWED = {"patchtst": ("csv", "parquet"), "swinmae": ("csv", "npy")}
GENERATED_FILES = 8  # sensor tables to train on; enough calibration windows for 1 % false alarms


@dataclass(frozen=True)
class Found:
    """What a setting means. `ignored`: files of a kind the stream does not read, by name."""

    sources: tuple[Source, ...]
    ignored: tuple[str, ...]


def find(key: str, globs: Globs, root: Path, kinds: tuple[str, str], opened: ExitStack) -> Found:
    """Find the files behind one glob, folder or list, sorted by file id. `kinds`: the stream, and csv,
    parquet, npy or auto. Zip files stay open until `opened` closes. Raises InputError for several kinds.
    """
    stream, kind = kinds
    patterns = [globs] if isinstance(globs, str) else list(globs)
    paths = files_of(root, patterns)
    base = _base([root / pattern for pattern in patterns])
    sources: list[Source] = []
    ignored: list[str] = []
    wanted = ALLOWED[stream] if kind == "auto" else (kind,)
    for path in paths:
        name = _id_of(path, base)
        if path.suffix.lower() == ".zip":
            sources += _zipped(path, name, wanted, opened)
        elif KINDS.get(path.suffix.lower()) in wanted:
            sources.append(Source(name, KINDS[path.suffix.lower()], _opener(path), path.stat().st_size))
        elif not path.name.startswith("."):
            ignored.append(name)
    counts = Counter(source.kind for source in sources)
    if len(counts) > 1:
        words = " and ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        raise InputError(
            f"{key} finds {words} files; one stream reads one kind",
            next_command=f"remove the others, or choose: --set {stream}.data.source={min(counts)}",
        )
    return Found(tuple(sorted(sources, key=lambda source: source.file_id)), tuple(sorted(ignored)))


def _fixed_part(pattern: Path) -> Path:
    """The folder of a pattern before its first wildcard; an existing file's folder."""
    if pattern.exists():
        return pattern if pattern.is_dir() else pattern.parent
    parts = pattern.parts
    wild = next((i for i, part in enumerate(parts) if set(part) & set("*?[")), len(parts) - 1)
    return Path(*parts[:wild])


def _base(patterns: list[Path]) -> Path:
    return Path(os.path.commonpath([_fixed_part(pattern).resolve() for pattern in patterns]))


def _id_of(path: Path, base: Path) -> str:
    whole = path.parent.resolve() / path.name
    return whole.relative_to(base).as_posix() if whole.is_relative_to(base) else whole.as_posix()


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _zipped(path: Path, name: str, wanted: tuple[str, ...], opened: ExitStack) -> list[Source]:
    suffixes = tuple(suffix for suffix, kind in KINDS.items() if kind in wanted)
    try:
        inside = opened.enter_context(archives.opened(path, suffixes))
    except (BadDataError, InputError) as error:
        again = f"pack {path.name} anew or take it away, then python scripts/21_check_sensor_data.py"
        raise type(error)(error.message, next_command=again) from error
    return [
        Source(f"{name}/{member.name}", KINDS[Path(member.name).suffix.lower()], member.open, member.size)
        for member in inside
    ]


@dataclass(frozen=True)
class Located:
    """The files of one stream. source: csv, parquet, npy or synthetic."""

    train: tuple[Source, ...]
    score: tuple[Source, ...]
    source: str
    ignored: tuple[str, ...] = ()


def locate(stream: str, config: Config, project: Project, opened: ExitStack, report: Report) -> Located:
    """Find a stream's files as its settings say; under auto without any file, let the generator write some.

    Raises InputError naming the setting when a folder the user chose holds nothing to read.
    """
    settings: PatchTst | SwinMae = getattr(config, stream)
    data = settings.data
    if data.source == "synthetic":
        return _generated(stream, config, project, opened)
    train = find(f"{stream}.data.path", data.path, project.root, (stream, data.source), opened)
    score = find(f"{stream}.data.test_path", data.test_path, project.root, (stream, data.source), opened)
    default = type(data)()
    if not score.sources and (score.ignored or data.test_path != default.test_path):
        raise nothing(f"{stream}.data.test_path", data.test_path, stream, data.source, score)
    if train.sources:
        return Located(train.sources, score.sources, train.sources[0].kind, (*train.ignored, *score.ignored))
    if data.source != "auto" or data.path != default.path or train.ignored or score.sources:
        raise nothing(f"{stream}.data.path", data.path, stream, data.source, train)
    report.message(f"{stream}: no files in {data.path}, so the seeded generator writes synthetic data")
    return _generated(stream, config, project, opened)


def nothing(key: str, globs: Globs, stream: str, kind: str, found: Found) -> InputError:
    kinds = ALLOWED[stream] if kind == "auto" else (kind,)
    suffixes = " or ".join(suffix for suffix, name in KINDS.items() if name in kinds)
    shown = globs if isinstance(globs, str) else ", ".join(globs)
    there = (
        f"; {len(found.ignored)} of another kind are there, such as {found.ignored[0]}"
        if found.ignored
        else ""
    )
    return InputError(
        f"{key}={shown} finds no {suffixes} file{there}",
        next_command=f"put files there, or --set {key}=FOLDER, or --set {stream}.data.source=synthetic",
    )


def _generated(stream: str, config: Config, project: Project, opened: ExitStack) -> Located:
    """Write the seeded generator's files (data/anomaly/synthetic/<fdc|vib>) and find them there."""
    folder = project.anomaly_data / "synthetic" / STREAMS[stream]
    shutil.rmtree(folder, ignore_errors=True)
    seed = config.anomaly.seed
    if stream == "patchtst":
        from nightforge.anomaly import synthetic_fdc

        sensors = config.patchtst.data
        synthetic_fdc.write_files(
            folder, channels=sensors.channels, rows=sensors.total_steps, seed=seed, files=GENERATED_FILES
        )
    else:
        from nightforge.anomaly import synthetic_vib

        vibration = config.swinmae.data
        synthetic_vib.write_files(folder, fs=vibration.fs, samples=vibration.total_steps, seed=seed)
    train, score = (
        find(f"{stream}.data.source", str(folder / part), project.root, (stream, "auto"), opened)
        for part in ("train", "test")
    )
    return Located(train.sources, score.sources, "synthetic")
