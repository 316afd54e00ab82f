"""Evidence that the host ran out of memory: how many processes its kernel has ended for that. # ops R2

Standard library only: the guard uses it.
"""

from __future__ import annotations

from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")
_SYSTEM = Path("/proc/vmstat")


def oom_kills(own: Path = _OWN_CGROUP, groups: Path = _CGROUPS, system: Path = _SYSTEM) -> int:
    """Return the kernel's count for our control group (version 2), else for the whole system, else 0.

    Only differences of two readings mean anything.
    """
    try:
        path = next(line for line in own.read_text().splitlines() if line.startswith("0::"))[3:]
        return _field(groups / path.lstrip("/") / "memory.events", "oom_kill")
    except (OSError, StopIteration, ValueError):
        try:
            return _field(system, "oom_kill")
        except (OSError, ValueError):
            return 0  # Windows, an old kernel


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    raise ValueError(f"{path} has no {name}")
