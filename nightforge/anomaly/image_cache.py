"""Images of training windows, computed once and kept on disk in blocks (facts B12).

A block's name is the hash of the samples it was made from, where its windows begin, and the transform; so a
block is right or has another name. Blocks are written whole or not at all, end with a checksum, and are
mapped, not read, while training. The folder is bounded: blocks unused for longest go first, and what does not
fit at all is computed whenever it is asked for.

Letters: n windows, A axes, S pixels of the image's side.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly.recording import Segment, window_starts
from nightforge.anomaly.scalogram import Scalogram
from nightforge.core.atomic import remove_leftovers, write_bytes
from nightforge.core.processes import identity_of
from nightforge.core.room import MB

Floats = NDArray[np.float32]

LIMIT_BYTES = 2048 * MB  # of the folder
_BLOCK = 128  # windows
_CHECKSUM = 4  # bytes at a block's end


@dataclass(frozen=True)
class _Block:
    """Windows of one segment that follow each other. starts: (n,) rows counted within `values` (T, A)."""

    values: Floats
    starts: NDArray[np.int64]

    def windows(self, rows: int) -> Floats:
        """Cut the windows. (n, rows, A)"""
        return np.stack([self.values[first : first + rows] for first in self.starts])


class ImageCache:
    """Keeps images of one transform below `folder`, at most `limit_bytes` of them."""

    def __init__(self, folder: Path, scalogram: Scalogram, limit_bytes: int = LIMIT_BYTES) -> None:
        self._folder = folder
        self.transform = scalogram
        self._limit = limit_bytes
        self._used: set[Path] = set()
        self.computed = 0  # blocks that were not there or not whole
        remove_leftovers([folder], lambda pid: identity_of(pid) is not None)

    def images(
        self,
        segments: Sequence[Segment],
        stride: int,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> WindowImages:
        """Compute or find the images of all windows of `segments`, every `stride` rows and at each end.

        `on_progress` is told windows done and in all.
        """
        blocks = list(_blocks(segments, self.transform.rows, stride))
        total = sum(len(block.starts) for block in blocks)
        stored: list[Floats | None] = []
        done = 0
        for block in blocks:
            stored.append(self._find_or_make(block))
            done += len(block.starts)
            on_progress(done, total)
        return WindowImages(blocks, stored, self.transform)

    def _find_or_make(self, block: _Block) -> Floats | None:
        path = self._folder / f"{self._key(block)}.npy"
        found = _mapped(path)
        if found is None:
            self.computed += 1
            data = _packed(self.transform.images(block.windows(self.transform.rows)))
            if not self._make_room(len(data)):
                return None
            write_bytes(path, data)
            found = _mapped(path)
        else:
            os.utime(path)
        self._used.add(path)
        return found

    def _key(self, block: _Block) -> str:
        found = hashlib.sha256(json.dumps(self.transform.facts, sort_keys=True).encode())
        found.update(str(block.values.shape).encode())
        found.update(np.ascontiguousarray(block.starts).tobytes())
        found.update(np.ascontiguousarray(block.values).tobytes())
        return found.hexdigest()[:32]

    def _make_room(self, size: int) -> bool:
        """Delete blocks of other trainings, unused for longest first, until `size` bytes fit; False when they
        cannot.
        """
        sizes = {path: path.stat() for path in self._folder.glob("*.npy")}
        total = sum(stat.st_size for stat in sizes.values())
        for path in sorted(sizes.keys() - self._used, key=lambda path: sizes[path].st_mtime):
            if total + size <= self._limit:
                break
            try:
                path.unlink()
            except PermissionError:  # Windows: another training has it mapped; it stays and counts
                continue
            total -= sizes[path].st_size
        return total + size <= self._limit


class WindowImages:
    """Images of windows by number, not yet standardised: mapped from disk, or computed when asked for."""

    def __init__(
        self, blocks: Sequence[_Block], stored: Sequence[Floats | None], scalogram: Scalogram
    ) -> None:
        self._blocks, self._stored, self._scalogram = blocks, stored, scalogram
        self._ends = np.cumsum([len(block.starts) for block in blocks], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, number: int) -> Floats:
        """Return image `number`. (A, S, S)"""
        if not 0 <= number < len(self):
            raise IndexError(number)
        place = int(np.searchsorted(self._ends, number, side="right"))
        block = self._blocks[place]
        within = number - int(self._ends[place]) + len(block.starts)
        stored = self._stored[place]
        if stored is not None:
            return np.array(stored[within])
        first = block.starts[within]
        window = block.values[None, first : first + self._scalogram.rows]
        return np.asarray(self._scalogram.images(window)[0])

    def by_block(self) -> Iterator[Floats]:
        """Return all images, block by block. (n, A, S, S) each"""
        for block, stored in zip(self._blocks, self._stored, strict=True):
            yield self._scalogram.images(block.windows(self._scalogram.rows)) if stored is None else stored


def _blocks(segments: Sequence[Segment], rows: int, stride: int) -> Iterator[_Block]:
    for segment in segments:
        starts = window_starts(len(segment.values), rows, stride)
        for first in range(0, len(starts), _BLOCK):
            some = starts[first : first + _BLOCK]
            yield _Block(segment.values[some[0] : some[-1] + rows], some - some[0])


def _packed(images: Floats) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, images)
    data = buffer.getvalue()
    return data + zlib.crc32(data).to_bytes(_CHECKSUM, "little")


def _mapped(path: Path) -> Floats | None:
    """Map a block into memory; None when it is not there or not whole."""
    if not path.is_file():
        return None
    data = path.read_bytes()
    if zlib.crc32(data[:-_CHECKSUM]).to_bytes(_CHECKSUM, "little") != data[-_CHECKSUM:]:
        return None
    return np.asarray(np.load(path, mmap_mode="r"))
