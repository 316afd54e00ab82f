"""Does this system end programs at logout? logind can be set to; then a new session is not enough.

Source: logind.conf(5), KillUserProcesses; loginctl(1), enable-linger. # ops D4
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

_MANAGER = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_ASK = ("busctl", "get-property", *_MANAGER, "KillUserProcesses")
_SYSTEMD = Path("/run/systemd/system")

Run = Callable[[Sequence[str]], str]


def logout_warning(ask: Run | None = None, systemd: Path = _SYSTEMD) -> str | None:
    """Return what to tell the user when a run would end with the login, else None.

    busctl answers `b true` or `b false`; anything else means that nobody can tell, and nothing is said.
    """
    if sys.platform != "linux" or not systemd.is_dir():
        return None
    try:
        answer = (ask or _busctl)(_ASK)
    except (OSError, subprocess.SubprocessError):
        return None
    if answer.split() != ["b", "true"]:
        return None
    return (
        "Note     this system ends programs at logout (KillUserProcesses=yes): closing the window is fine, "
        "logging out ends the run, and --resume continues it. To outlive the logout, start with\n"
        "         loginctl enable-linger && systemd-run --user --scope python launch_pipeline.py"
    )


def _busctl(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=1, check=True)
    return done.stdout
