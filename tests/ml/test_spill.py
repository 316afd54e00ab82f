"""A full GPU whose steps have become slow is left with a checkpoint; a slow step alone is not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from transformers import TrainerControl

from nightforge.ml import spill
from nightforge.ml.spill import SpillWatch
from tests.ml.conftest import SilentReport

FULL, ROOMY = (10, 1000), (500, 1000)


def steps(monkeypatch: pytest.MonkeyPatch, seconds: list[float], memory: tuple[int, int]) -> tuple[int, str]:
    """Play steps of these lengths; returns the step after which training was to end (0: never) and why."""
    now = {"s": 0.0}
    monkeypatch.setattr(spill, "time", SimpleNamespace(monotonic=lambda: now["s"]))
    watch = SpillWatch(SilentReport(), lambda: memory)
    for number, length in enumerate(seconds, 1):
        control = TrainerControl()
        state = SimpleNamespace(global_step=number, max_steps=1000)
        watch.on_step_begin(None, state, control)  # type: ignore[arg-type]
        now["s"] += length
        watch.on_step_end(None, state, control)  # type: ignore[arg-type]
        if control.should_training_stop:
            assert control.should_save
            return number, watch.found
    return 0, watch.found


def test_three_slow_steps_on_a_full_gpu_end_the_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    ended, words = steps(monkeypatch, [1.0] * 30 + [6.0] * 5, FULL)
    assert ended == 33
    assert "6.0 s instead of 1.0 s" in words and "vram_spill" in words


@pytest.mark.parametrize(
    ("seconds", "memory"),
    [
        ([1.0] * 30 + [6.0] * 10, ROOMY),  # slow for another reason
        (([1.0] * 20 + [6.0] * 2) * 5, FULL),  # two long steps now and then
        ([1.0] * 10 + [6.0] * 10, FULL),  # nothing is known yet
        ([1.0 + n / 30 for n in range(300)], FULL),  # sequences that grow
    ],
)
def test_other_slow_steps_do_not(
    monkeypatch: pytest.MonkeyPatch, seconds: list[float], memory: tuple[int, int]
) -> None:
    assert steps(monkeypatch, seconds, memory) == (0, "")


def test_a_machine_without_a_spilling_driver_is_not_watched() -> None:
    assert spill.probe() is None
