"""One backup, prune or restore at a time.

The operating system drops the lock when its owner dies, so there is never anything to unlock by hand.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nightforge.core.errors import TemporaryError
from nightforge.core.processes import ProjectLock


@contextmanager
def exclusive(path: Path, busy: str, next_command: str | None = None) -> Iterator[None]:
    """Hold the lock on `path` for the block; TemporaryError (75) saying `busy` if another process has it."""
    lock = ProjectLock(path)
    if not lock.acquire():
        raise TemporaryError(busy, next_command=next_command)
    try:
        yield
    finally:
        lock.release()
