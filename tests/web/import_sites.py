"""What the tests of imports share: small files of each kind, and looks at what an import left."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import replace
from pathlib import Path

from web_sites import Site

from nightforge.web.import_session import ImportLimits
from nightforge.web.imports import Imports

TABLE = b"time,a\n0,1\n1,2\n"
WAVE = (
    b"\x93NUMPY\x01\x00"
    + struct.pack("<H", 62)
    + b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }".ljust(61)
    + b"\n"
    + bytes(24)
)


def put_tables(site: Site) -> Path:
    """Make the folder of training tables, with one file in use."""
    path = site.project.data / "local" / "train" / "fdc"
    path.mkdir(parents=True)
    (path / "old.csv").write_bytes(TABLE)
    return path


def names(folder: Path) -> list[str]:
    """Name what is in a folder."""
    return sorted(path.name for path in folder.iterdir())


def left_over(site: Site) -> list[str]:
    """Name the folders of imports that are still there."""
    return [path.name for path in (site.project.data / "local").glob(".*")]


def site_imports(site: Site) -> Imports:
    """Return the imports of a running server."""
    return site.server.application._parts.imports


def limit(site: Site, **changed: float) -> None:
    """Change the limits of a running server."""
    site_imports(site)._limits = replace(ImportLimits(), **changed)


def packed(*members: tuple[str, bytes]) -> bytes:
    """Make a zip archive."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return made.getvalue()
