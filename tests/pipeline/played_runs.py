"""Runs played as streams of events: made from a seed or read from a journal, heard by a real forecaster."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from pipeline_fakes import START

from nightforge.core.clock import format_time, parse_time
from nightforge.pipeline.eta import Estimate
from nightforge.pipeline.fold import fold
from nightforge.pipeline.forecast import Forecaster
from nightforge.pipeline.history import ForecastLog, TimingHistory
from nightforge.pipeline.states import LiveState

Event = dict[str, Any]
Timed = tuple[float, Event]  # seconds since the start of the run


class Stretch(NamedTuple):
    """A part of a played stage."""

    name: str
    head_s: float
    units: int = 0
    unit_s: float = 0.0
    at_a_time: int = 1
    pause_every: int = 0  # units between evaluation pauses
    pause_s: float = 0.0
    tail_s: float = 0.0
    grows: bool = False  # with the size of the run's data


# Uneven stages: a long slow-starting training with evaluation pauses, an exam counted in batches, trifles.
PLAN: dict[str, tuple[Stretch, ...]] = {
    "data": (Stretch("1.1", 0.5, 5000, 0.0012, 250), Stretch("1.2", 5.0, grows=True)),
    "check": (Stretch("2.1", 2.0, grows=True),),
    "base": (Stretch("3.1", 5.0), Stretch("3.2", 3.0, 70, 1.05, tail_s=1.5)),
    "backup": (Stretch("16.1", 0.2), Stretch("16.2", 0.1, 19, 0.01)),
    "training": (
        Stretch("3.4", 9.0),
        Stretch("4.3", 12.0, 250, 0.6, pause_every=40, pause_s=9.0, tail_s=0.5, grows=True),
        Stretch("4.4", 2.5),
    ),
    "exam": (
        Stretch("6.2", 6.0),
        Stretch("6.3", 1.5, 180, 0.12, 32),
        Stretch("6.4", 1.0, 60, 0.12, 32),
    ),
    "eval": (Stretch("7.1", 5.0), Stretch("7.2", 0.5, 12, 0.3, 4)),
    "report": (Stretch("14.1", 0.2),),
}


class Machine(NamedTuple):
    """How steady a machine is: log-normal spreads of a run, a stage and an interval."""

    run: float = 0.03
    stage: float = 0.04
    interval: float = 0.15


def made_run(seed: int, machine: Machine = Machine(), size: float = 1.0) -> list[Timed]:  # noqa: B008
    """Make the events of one successful run whose data are `size` times the usual ones."""
    chance = random.Random(seed)
    run = math.exp(chance.gauss(0, machine.run))
    now, events = 0.0, [(0.0, run_started(list(PLAN)))]
    for key, stretches in PLAN.items():
        pace = run * math.exp(chance.gauss(0, machine.stage))
        now += 0.01
        events.append((now, {"type": "stage_started", "stage": key, "attempt": 1, "max_attempts": 3}))
        for stretch in stretches:
            for seconds, event in played(stretch, chance, machine, size):
                now += seconds * pace
                if event:
                    events.append((now, {"type": "stage_event", "stage": key, "event": event}))
        events.append((now, {"type": "stage_ended", "stage": key, "attempt": 1, "outcome": "succeeded"}))
    return [*events, (now, {"type": "run_ended", "status": "succeeded", "exit_code": 0})]


def played(
    stretch: Stretch, chance: random.Random, machine: Machine, size: float
) -> Iterator[tuple[float, Event | None]]:
    """Yield (seconds passed, event after them)."""
    factor = size if stretch.grows else 1.0
    total = round(stretch.units * factor)
    yield 0.0, {"type": "phase", "step": stretch.name, "title": stretch.name}
    yield stretch.head_s * (1.0 if total else factor), None
    for done in range(stretch.at_a_time, total + stretch.at_a_time, stretch.at_a_time):
        done = min(done, total)
        yield (
            stretch.unit_s * stretch.at_a_time * math.exp(chance.gauss(0, machine.interval)),
            {"type": "progress", "done": done, "total": total, "unit": "units"},
        )
        if stretch.pause_every and done % stretch.pause_every == 0:
            yield stretch.pause_s * math.exp(chance.gauss(0, machine.interval)), None
    yield stretch.tail_s, None


def run_started(keys: list[str]) -> Event:
    stages = [
        {"id": key, "title": key, "phase": 1, "script": "", "log": "", "kind": "utility"} for key in keys
    ]
    return {
        "type": "run_started",
        "run_id": "r",
        "pid": 1,
        "pipeline": "blueprint",
        "profile": "tiny",
        "mode": "full",
        "command": "",
        "phases": [{"id": 1, "title": "all"}],
        "stages": stages,
    }


def journal_run(path: Path) -> list[Timed]:
    """Read the events of a real run."""
    events = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    start = parse_time(events[0]["time"])
    return [((parse_time(event["time"]) - start).total_seconds(), event) for event in events]


class Player:
    """Plays runs to a forecaster of its own history; `work` is the size of all inputs, bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seconds = 0.0
        self.work: int | None = None
        self.grows: set[str] = set()

    def now(self) -> str:
        return format_time(START + timedelta(seconds=self.seconds))

    def forecaster(self) -> Forecaster:
        return Forecaster(
            TimingHistory(self.folder / "history.json", "tiny"),
            ForecastLog(self.folder / "forecasts.json", "tiny"),
            "",
            lambda key: self.work if key in self.grows else None,
            lambda: self.seconds,
        )

    def play(
        self,
        run: list[Timed],
        at_s: list[float],
        look: Callable[[float, Estimate, LiveState], None] = lambda at, found, state: None,
        asleep: tuple[float, float] = (0.0, 0.0),
    ) -> Forecaster:
        """Play one run; `look` gets the estimate at each of the moments `at_s`. Heartbeats come every 2 s,
        except while the machine is `asleep`.
        """
        forecaster, state, began = self.forecaster(), LiveState(), self.seconds
        seconds = [second for second in range(2, int(run[-1][0]), 2) if not asleep[0] < second < asleep[1]]
        beats = [(float(second), {"type": "heartbeat"}) for second in seconds]
        looks = [(second, {"type": "look"}) for second in at_s]
        for second, event in sorted([*run, *beats, *looks], key=lambda timed: timed[0]):
            self.seconds = began + second
            if event["type"] == "look":
                forecaster(state, {"type": "heartbeat", "time": self.now()})
                look(second, forecaster.estimate(state, self.now()), state)
                continue
            event = {**event, "time": self.now()}
            state = fold(state, event)
            forecaster(state, event)
        self.seconds += 60
        return forecaster
