"""One backup, prune or restore at a time.

The operating system drops the lock when its owner dies, so there is never anything to unlock by hand.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nightforge.core.errors import TemporaryError


@contextmanager
def exclusive(path: Path, busy: str, next_command: str | None = None) -> Iterator[None]:
    """Hold an exclusive lock on `path` for the block; TemporaryError (75) saying `busy` if another has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        if not _try_lock(file):
            raise TemporaryError(busy, next_command=next_command)
        try:
            yield
        finally:
            _unlock(file)


if os.name == "nt":  # pragma: no cover - needs Windows
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_UN)
