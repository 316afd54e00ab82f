"""Named places at which a test may end the process, before and after each durable step. # ops 17

Off unless a test has set a variable. `NIGHTFORGE_FAILPOINT_LOG` names a file that gets a line per place
reached: role, place, detail, how often this process has been there. `NIGHTFORGE_FAILPOINT` holds such a line
and behind it the path of a file: whoever gets there kills itself and leaves that file, so it happens once.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

VARIABLE = "NIGHTFORGE_FAILPOINT"
LOG_VARIABLE = "NIGHTFORGE_FAILPOINT_LOG"
_reached: Counter[str] = Counter()
_role = "launcher"


def be(role: str) -> None:
    """Say what this process is: orchestrator, guard or stage."""
    global _role
    _role = role
    _reached.clear()


def reach(place: str, detail: str = "") -> None:
    """Pass a place such as `replace.before`; `detail` tells what it is about, such as a file's name."""
    if VARIABLE not in os.environ and LOG_VARIABLE not in os.environ:
        return
    line = f"{_role} {place} {detail}"
    _reached[line] += 1
    line += f" {_reached[line]}"
    if LOG_VARIABLE in os.environ:
        _leave(os.environ[LOG_VARIABLE], f"{line}\n", os.O_APPEND)
    planned, _, mark = os.environ.get(VARIABLE, "").rpartition(" ")
    if planned == line and _leave(mark, f"{os.getpid()}\n", os.O_EXCL):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


def _leave(path: str, text: str, flag: int) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | flag)
    except FileExistsError:
        return False
    os.write(descriptor, text.encode())
    os.close(descriptor)
    return True
