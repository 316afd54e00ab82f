"""Out of memory, told by the work that did not fit. # ops O3, O6, O8

The process that ran out is left, since a retry in it would inherit its fragments; the next attempt starts on
a lower rung.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from nightforge.core.errors import OutOfMemory
from nightforge.core.failures import class_of

_OUT_OF_MEMORY = frozenset({"oom_other", "oom_host"})


@contextmanager
def memory_of(work: str) -> Iterator[None]:
    """Turn an out-of-memory error inside the block into OutOfMemory of class `oom_<work>` (train or eval).

    Without a GPU the computer's memory is the device's; with one, a lack of it is left to its own class.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        found = class_of(error)
        if found not in _OUT_OF_MEMORY or (found == "oom_host" and torch.cuda.is_available()):
            raise
        what = {"train": "a training step", "eval": "a batch of the evaluation"}[work]
        first = str(error).strip().splitlines()
        raise OutOfMemory(
            f"{what} does not fit into memory: {first[0] if first else type(error).__name__}",
            kind=f"oom_{work}",
            details=memory_summary(),
        ) from error


def memory_summary() -> str:
    """Describe the memory of this process now: the CUDA allocator's own table, or sizes of the process."""
    process = psutil.Process().memory_info()
    host = psutil.virtual_memory()
    lines = [
        f"resident {process.rss:,} bytes, peak {_peak():,} bytes",
        f"computer: {host.available:,} of {host.total:,} bytes available",
    ]
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        lines += [f"device: {free:,} of {total:,} bytes free", torch.cuda.memory_summary()]
    return "\n".join(lines) + "\n"


def _peak() -> int:
    """Return the largest resident size of this process, bytes."""
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return int(info.peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
