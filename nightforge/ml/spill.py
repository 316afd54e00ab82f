"""Slow is not hung: Windows drivers page a full GPU into the computer's memory instead of raising an error.
# ops H10
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from nightforge.core.reporting import Report

SLOWER = 5.0  # times the running median
_STEPS = 20  # before anything is judged
_IN_A_ROW = 3
_FREE_SHARE = 0.02
Memory = Callable[[], tuple[int, int]]  # free and total bytes of the device


def probe() -> Memory | None:
    """Return how to ask for the GPU's memory where its driver may spill, else None."""
    if sys.platform != "win32" or not torch.cuda.is_available():
        return None
    return torch.cuda.mem_get_info


class SpillWatch(TrainerCallback):
    """Ends training with a checkpoint once steps have become slow with the GPU's memory full; `found` then
    says so in words, and the caller treats it like an out-of-memory error.
    """

    def __init__(self, report: Report, memory: Memory | None) -> None:
        self._report = report
        self._memory = memory
        self._usual: deque[float] = deque(maxlen=50)
        self._began = 0.0
        self._slow = 0
        self.found = ""

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._began = time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> TrainerControl:
        if self._memory is None or state.global_step >= state.max_steps:
            return control
        seconds = time.monotonic() - self._began
        if len(self._usual) < _STEPS or seconds <= SLOWER * statistics.median(self._usual):
            self._usual.append(seconds)
            self._slow = 0
            return control
        free, total = self._memory()
        self._slow = self._slow + 1 if free < _FREE_SHARE * total else 0
        if self._slow >= _IN_A_ROW:
            usual = statistics.median(self._usual)
            self.found = (
                f"steps take {seconds:.1f} s instead of {usual:.1f} s and the GPU has {free / 2**20:.0f} MiB "
                "left: its driver is paging into the computer's memory (vram_spill)"
            )
            self._report.alert("warning", "The GPU's memory spills over", self.found)
            control.should_save = control.should_training_stop = True
        return control
