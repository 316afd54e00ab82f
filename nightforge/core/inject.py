"""Faults on demand, for tests and the rehearsal: off unless NIGHTFORGE_INJECT is set.

The variable holds `KEY:KIND@UNIT=N`, several with commas: `04:oom@step=3,04:crash@step=5,12:oom@item=10`.
KEY is a stage, UNIT what its code counts (step, item, save, restore, eval), N when the fault comes: at the
first count that is at least N. Each fires once per run folder, where it leaves a marker file. Kinds:

    crash      the process kills itself with SIGKILL
    hang       it goes on living and makes no progress
    oom        the error torch raises when the device is full
    disk_full  OSError ENOSPC
"""

from __future__ import annotations

import errno
import os
import re
import signal
import time
from pathlib import Path

from nightforge.core.errors import InputError
from nightforge.core.paths import Project

VARIABLE = "NIGHTFORGE_INJECT"
ATTEMPT_VARIABLE = "NIGHTFORGE_ATTEMPT"  # KEY-N of the attempt this process is, set by the orchestrator
_FAULT = re.compile(r"([\w-]+):(crash|hang|oom|disk_full)@(step|item|save|restore|eval)=(\d+)")


def fire(unit: str, count: int, out_of_memory: type[Exception] = MemoryError) -> None:
    """Let the fault of this stage happen that is due at `count` of `unit`; nothing without the variable.

    `out_of_memory` is the exception the caller's library raises. Raises InputError for a variable of another
    form.
    """
    text = os.environ.get(VARIABLE)
    if not text:
        return
    run_id, attempt = os.environ.get("NIGHTFORGE_RUN_ID"), os.environ.get(ATTEMPT_VARIABLE, "")
    for part in text.split(","):
        match = _FAULT.fullmatch(part.strip())
        if match is None:
            raise InputError(f"{VARIABLE} {part!r} is not of the form KEY:KIND@UNIT=N")
        key, kind, wanted, at = match.groups()
        if run_id and key == attempt.rpartition("-")[0] and wanted == unit and count >= int(at):
            marker = Project.find().run_dir(run_id) / f"injected-{key}-{kind}-{unit}-{at}"
            if _first(marker):
                _happen(kind, f"injected at {unit} {count}", out_of_memory)


def _first(marker: Path) -> bool:
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _happen(kind: str, words: str, out_of_memory: type[Exception]) -> None:
    if kind == "crash":
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    while kind in ("crash", "hang"):
        time.sleep(1.0)
    if kind == "disk_full":
        raise OSError(errno.ENOSPC, f"No space left on device ({words})", "the checkpoint")
    raise out_of_memory(f"CUDA out of memory ({words})")
