"""Healthy but slow trainings are never ended, and the same trainings that hang are, within their limit.

Simulated time, the real watch: limits from the configuration and from a run before, a first step 20 times as
long, silent saves, five minutes of silence, steps that drift past every old limit, clocks that jump by a day,
nights asleep, a host too busy to look. The seed is in the name of the test; each number is one run.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from nightforge.config import Config
from nightforge.config.schema import StallDetection
from nightforge.pipeline.limits import StallLimits, floors
from nightforge.pipeline.registry import BLUEPRINT
from nightforge.pipeline.supervise import Grace, Supervisor

Event = dict[str, Any]
TRAINING = next(spec for spec in BLUEPRINT if spec.key == "04")
TIGHT = Config(
    stall_detection=StallDetection(
        stall_kill_seconds=300,
        stall_kill_seconds_training=400,
        stall_kill_seconds_load=400,
        stall_kill_seconds_eval=400,
        stall_kill_seconds_save=1600,
    )
)
DAY_S = 86400.0


class Manner(NamedTuple):
    """What kind of slow a run is."""

    step_s: float
    drift: float  # each step takes this many times as long as the one before
    shards: int


def watch(phase: str, done: int = 0) -> Event:
    return {"type": "watch", "phase": phase, "done": done}


def progress(done: int) -> Event:
    return {"type": "progress", "done": done, "total": 41, "unit": "steps"}


def training(rng: random.Random, manner: Manner) -> Iterator[tuple[float, list[Event]]]:
    """Play a training as (seconds of silence, what is told then)."""
    yield rng.uniform(1, 250), [{"type": "start"}, watch("load")]
    for shard in range(1, manner.shards + 1):
        yield rng.uniform(131, 364), [watch("load", shard)]
    yield rng.uniform(1, 300), [watch("first_step")]
    yield 20 * manner.step_s, [progress(1), watch("step")]
    quiet = rng.randrange(2, 41)
    for step in range(2, 41):
        seconds = manner.step_s * manner.drift**step * rng.uniform(0.8, 1.3)
        yield max(seconds, 300.0 if step == quiet else 0.0), [progress(step), watch("step")]
        if step % 10 == 0:
            yield 0.0, [watch("eval")]
            for batch in range(1, 4):
                yield rng.uniform(5, 300), [watch("eval", batch)]
            yield 0.0, [watch("save")]
            yield rng.uniform(20, 1500), [watch("step")]
    yield 1.0, [watch("save")]
    yield rng.uniform(20, 1500), [{"type": "done"}]
    yield rng.uniform(0, 120), []


class World:
    """A guard's clock and how it jumps."""

    def __init__(self, rng: random.Random, watched: Supervisor) -> None:
        self._rng = rng
        self._watched = watched
        self.now_s = 0.0
        self.words: list[str] = []

    def wait(self, seconds: float, events: list[Event], calm: bool = False) -> float:
        """Let a stage work for `seconds` and then tell `events`, while a thread of it keeps beating; returns
        the seconds until it was asked to end, at most `seconds`.
        """
        left = seconds
        while left > 0:
            tick_s = min(left, self._rng.uniform(0.5, 4.9))
            left -= tick_s
            self._look(tick_s + (0.0 if calm else self._jump()), [{"type": "message", "text": "alive"}])
            if self._watched.ended_for:
                return seconds - left
        self._look(0.1, events)
        return seconds

    def _jump(self) -> float:
        kind = self._rng.random()
        if kind < 0.002:
            return DAY_S if kind < 0.001 else -DAY_S
        if kind < 0.003:
            return self._rng.uniform(60, 8 * 3600)  # asleep
        return self._rng.uniform(6, 25) if kind < 0.006 else 0.0  # a host too busy to look

    def _look(self, tick_s: float, events: list[Event]) -> None:
        self.now_s += tick_s
        word = self._watched.observe(self.now_s, events, stop_now=False)
        if word:
            self.words.append(word)


class Run:
    """One simulated training after one that was alike."""

    def __init__(self, number: int, folder: Path) -> None:
        rng = self.rng = random.Random(number)
        self.config = TIGHT if number % 2 else Config()
        manner = Manner(rng.uniform(5, 30), rng.choice([1.0, 1.05, 1.12]), rng.randrange(3, 9))
        self.script = list(training(rng, manner))
        limits = StallLimits(folder / f"{number}.json", self.config, lambda: {"gpus": []})
        self.longest_before = self._teach(limits, training(rng, manner._replace(drift=1.0)))
        self.limits = limits.of(TRAINING)
        self.watched = Supervisor(self.limits, Grace(), 0.0)
        self.world = World(rng, self.watched)

    def _teach(self, limits: StallLimits, script: Iterator[tuple[float, list[Event]]]) -> dict[str, float]:
        before = Supervisor(limits.of(TRAINING), Grace(), 0.0)
        world = World(self.rng, before)
        for seconds, events in script:
            # Nobody was there to end the first run; its history is taken as it is.
            world.wait(seconds, events, calm=True)
            before.ended_for = None
        limits.learn(TRAINING, before.longest())
        return before.longest()

    def drifts_past_an_old_limit(self) -> bool:
        old_s = self.limits.phases["step"].kill_s
        steps = [s for s, events in self.script if events and events[0]["type"] == "progress"]
        return max(steps[5:]) > old_s

    def play(self) -> None:
        for seconds, events in self.script:
            self.world.wait(seconds, events)

    def hang(self) -> tuple[float, float]:
        """Play up to a random moment and hang there; returns the seconds until it was asked to end and the
        most that the rules allow: the configured limit or 5 times the longest interval ever seen.
        """
        until = self.rng.randrange(len(self.script))
        for seconds, events in self.script[:until]:
            self.world.wait(seconds, events)
        assert self.watched.ended_for is None
        phase = self.watched.phase
        lasted = [seconds for seconds, _ in self.script[:until]]
        # An interval is seen as at most its length and what a busy host adds to it.
        longest_s = max([0.0, self.longest_before.get(phase, 0.0), *lasted]) * 1.5 + 60
        allowed_s = max(floors(self.config, TRAINING.kind)[phase], 5 * longest_s)
        caught_s = self.world.wait(100 * DAY_S, [], calm=True)
        return caught_s, min(self.watched.limit.kill_s, allowed_s)


@pytest.mark.parametrize("count", [25, pytest.param(500, marks=pytest.mark.slow)])
def test_healthy_slow_runs_are_never_ended(count: int, tmp_path: Path) -> None:
    runs = [Run(number, tmp_path) for number in range(count)]
    ended = {}
    for number, run in enumerate(runs):
        run.play()
        if run.watched.ended_for:
            ended[number] = (run.watched.ended_for, run.watched.phase, run.watched.limit)
    assert ended == {}
    assert all("terminate" not in run.world.words for run in runs)
    # The simulation is hard enough: limits were passed, clocks jumped, warnings were given.
    assert sum(run.drifts_past_an_old_limit() for run in runs) > count / 12
    assert sum(run.watched.gaps for run in runs) > count
    assert sum("warn" in run.world.words for run in runs) > count / 12


@pytest.mark.parametrize("count", [25, pytest.param(500, marks=pytest.mark.slow)])
def test_the_same_runs_with_a_hang_are_caught_within_limit_and_ten_seconds(
    count: int, tmp_path: Path
) -> None:
    late = {}
    for number in range(count):
        run = Run(number, tmp_path)
        caught_s, limit_s = run.hang()
        reason = "teardown" if run.watched.phase == "teardown" else "stall"
        assert run.watched.ended_for == reason, number
        if caught_s > limit_s + 10:
            late[number] = (caught_s, limit_s)
    assert late == {}
