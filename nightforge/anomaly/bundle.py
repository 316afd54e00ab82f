"""The bundle of a run: models, thresholds, decisions and checks in one zip, read back after it was written.

Equal content gives equal bytes: no dates, names in order. `bundle.json` inside lists every file's hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from nightforge.core.atomic import sync_folder
from nightforge.core.errors import BadDataError

LISTING = "bundle.json"
_BLOCK = 1 << 20
_NO_DATE = (1980, 1, 1, 0, 0, 0)


def create_bundle(path: Path, files: Mapping[str, Path]) -> int:
    """Write the zip `path` with `files` (name inside -> file); returns its size in bytes.

    The file is whole or not there. Raises OSError, also for a file that is missing.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.time_ns()}.tmp")
    hashes: dict[str, str] = {}
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(files):
                with (
                    files[name].open("rb") as source,
                    archive.open(_entry(name), "w", force_zip64=True) as to,
                ):
                    hashes[name] = _copy(source, to)
            listing = {"schema_version": 1, "files": hashes}
            archive.writestr(_entry(LISTING), json.dumps(listing, indent=2))
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)
    return path.stat().st_size


def verify_bundle(path: Path) -> int:
    """Read every file of a bundle back; returns how many there are. Raises BadDataError for a difference."""
    try:
        with zipfile.ZipFile(path) as archive:
            listing = json.loads(archive.read(LISTING))["files"]
            present = set(archive.namelist()) - {LISTING}
            if present != set(listing):
                raise BadDataError(f"{path} does not hold the files it lists")
            for name, digest in listing.items():
                with archive.open(name) as file:
                    if _copy(file, None) != digest:
                        raise BadDataError(f"{path}: {name} differs from its hash")
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, OSError) as error:
        raise BadDataError(f"{path} is not a whole bundle: {error}") from error
    return len(listing)


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _NO_DATE)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    return entry


def _copy(source: IO[bytes], target: IO[bytes] | None) -> str:
    """Copy block by block and return the SHA-256 of what was read."""
    digest = hashlib.sha256()
    while block := source.read(_BLOCK):
        digest.update(block)
        if target is not None:
            target.write(block)
    return digest.hexdigest()
