"""Stacks of a stage that has gone silent: written when the guard asks, or by the clock where it cannot ask.
# ops H6

Windows knows no signal that reaches Python while C code holds the interpreter lock. There a timer of the
interpreter's own, wound up by progress, writes them at every fifth of the limit.
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

LIMITS_VARIABLE = "NIGHTFORGE_STALL_LIMITS"  # phase -> seconds, as JSON; set by a guard that cannot ask
_SHARES = 5  # the fourth and the fifth are where the guard looks
_AGAIN_S = 1.0  # winding up costs 0.6 ms


class StackFile:
    """Where the stacks of this process go; `name` is None where they cannot be had."""

    def __init__(self, path: Path | None) -> None:
        """Open `path` and listen; None for a stage started by hand."""
        self.name: str | None = None
        self._file: TextIO | None = None
        self._limits: Mapping[str, float] = {}
        self._phase, self._wound_at = "start", float("-inf")
        if path is None:
            return
        try:
            self._file = path.open("a", encoding="utf-8")
        except OSError:
            return
        self.name = self._file.name
        if sys.platform != "win32":
            faulthandler.register(signal.SIGUSR1, self._file, all_threads=True)
            return
        self._limits = json.loads(os.environ.get(LIMITS_VARIABLE, "{}"))
        self.wind_up()

    def wind_up(self, phase: str | None = None) -> None:
        """Something has moved: start the clock anew, at most once per second within a phase."""
        if self._file is None or not self._limits:
            return
        now_s = time.monotonic()
        if phase in (None, self._phase) and now_s - self._wound_at < _AGAIN_S:
            return
        self._phase, self._wound_at = phase or self._phase, now_s
        seconds = self._limits.get(self._phase)
        if seconds:
            faulthandler.dump_traceback_later(seconds / _SHARES, repeat=True, file=self._file)
        else:
            faulthandler.cancel_dump_traceback_later()
