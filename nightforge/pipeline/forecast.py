"""Watches a run, learns how long its stages take, says how long is left, and keeps how good that was.
# ops E1, E4, E5

An observer of the recorder. It counts the seconds the run has lived through, as the stall clock does: a gap
between two events counts five at most, so a night of suspend changes the time of day and nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

from nightforge.config import Config
from nightforge.core.atomic import sha256_text
from nightforge.core.clock import Clock
from nightforge.core.paths import Project
from nightforge.pipeline.contents import Contents
from nightforge.pipeline.eta import Estimate, Outlook, estimate, seconds_to_come
from nightforge.pipeline.fold import Event
from nightforge.pipeline.history import Forecast, ForecastLog, TimingHistory
from nightforge.pipeline.pace import Pace, Took, finished, heard, later, median
from nightforge.pipeline.plan import Plan
from nightforge.pipeline.runs import Run
from nightforge.pipeline.states import LiveState, Quality

_WORK_SECTIONS = ("hardware", "model", "quantization", "lora", "training", "generation", "exam", "synthetic")
_LONGEST_GAP_S = 5.0  # events come every two seconds at least: heartbeats
_LOOK_AFTER_S = 1.0  # a run that keeps everything is over by then
_NOTED_SHARES = 10  # forecasts kept per run, at equal shares of it
_SHORTEST_S = 5.0  # nobody looks at a forecast of less
_JUDGED = 100  # newest forecasts that tell how good they are
_NORMAL_TENTH = 1.2816  # normal quantile of 0.9
_PRIOR_FORECASTS = 20  # forecasts before the width learned from them weighs half
_WIDENED = (0.6, 2.5)  # bounds of that width
_PRIOR_RUN_SHARE = 0.25  # share of a run before its own pace weighs half


class Forecaster:
    """The forecasts of one run; `work` measures the inputs of a stage in bytes."""

    def __init__(
        self,
        history: TimingHistory,
        forecasts: ForecastLog,
        setting: str,
        work: Callable[[str], int | None],
        monotonic: Callable[[], float],
    ) -> None:
        self._history = history
        self._forecasts = forecasts
        self._setting = setting
        self._work = work
        self._monotonic = monotonic
        self.kept: Callable[[], frozenset[str]] = frozenset  # which stages to come will be kept as they are
        self._kept: frozenset[str] | None = None
        self._quality, self._widen = judge_forecasts(forecasts.known)
        self._retry_share = history.retry_share
        self._seen_at: float | None = None
        self._pace = Pace()
        self._work_at_start: int | None = None
        self._at_work = self._waiting = self._retrying = False
        self._attempt = 0
        self._lived_s = self._lost_s = self._useful_s = 0.0
        self._deviations: list[
            tuple[float, float]
        ] = []  # (seconds expected, logarithm of actual to expected)
        self._noted: list[Forecast] = []

    def __call__(self, state: LiveState, event: Event) -> None:
        self._live()
        kind = event["type"]
        if kind in ("stage_started", "stage_taken_up"):
            self._begin(state, event)
        elif kind == "stage_event":
            self._pace = heard(self._pace, event["event"])
        elif kind == "stage_ended":
            self._end_stage(state, event)
        elif kind == "run_ended":
            self._end_run(state)
        self._waiting = state.waiting is not None
        self._retrying = state.retry is not None

    def estimate(self, state: LiveState, now: str) -> Estimate:
        """Say how long is left, and note it for later judgement."""
        outlook = self._outlook(state)
        found = estimate(outlook, state, now)
        if found.eta is not None and found.eta.middle_s >= _SHORTEST_S:
            low, high = found.eta.remaining_s
            share = self._lived_s / (self._lived_s + found.eta.middle_s)
            if share * _NOTED_SHARES >= len(self._noted):
                middle = found.eta.middle_s
                noted = Forecast(state.run_id, self._lived_s, low, middle, high, outlook.widen)
                self._noted.append(noted)
        return found

    def _outlook(self, state: LiveState) -> Outlook:
        left = {stage.id: self._work(stage.id) for stage in state.stages if stage.status != "succeeded"}
        if self._at_work and state.current is not None:
            left[state.current.stage] = self._work_at_start
        if self._kept is None and self._lived_s >= _LOOK_AFTER_S:
            self._kept = self.kept()
        outlook = Outlook(
            history=self._history.stages,
            pace=self._pace,
            work=left,
            setting=self._setting,
            widen=self._widen,
            kept=self._kept or frozenset(),
            retry_share=self._retry_share,
            quality=self._quality,
        )
        return outlook._replace(drift=self._drift(outlook, state))

    def _live(self) -> None:
        now_s = self._monotonic()
        gap = 0.0 if self._seen_at is None else min(max(now_s - self._seen_at, 0.0), _LONGEST_GAP_S)
        self._seen_at = now_s
        if self._waiting:
            return
        self._lived_s += gap
        if self._at_work:
            self._pace = later(self._pace, gap)
        elif self._retrying:
            self._lost_s += gap

    def _begin(self, state: LiveState, event: Event) -> None:
        self._pace = Pace()
        self._at_work = True
        self._work_at_start = self._work(event["stage"])
        self._attempt = (
            event["attempt"] if event["type"] == "stage_started" else 0
        )  # 0: its start was not seen

    def _end_stage(self, state: LiveState, event: Event) -> None:
        self._at_work = False
        key, ended = event["stage"], finished(self._pace)
        took = Took(ended.parts, self._work_at_start, self._setting)
        self._pace = Pace()
        if event["outcome"] == "failed":
            self._lost_s += ended.now_s
            return
        self._useful_s += ended.now_s
        # What went on from a checkpoint, or was not seen from its start, says nothing about a whole stage.
        part_only = self._attempt == 0 or (self._attempt > 1 and ended.resumed)
        if event["outcome"] == "stopped" or part_only or took.seconds <= 0:
            return
        expected = seconds_to_come(self._outlook(state)._replace(drift=0.0), key, self._work_at_start)
        if expected:
            self._deviations.append((expected, math.log(took.seconds / expected)))
        self._history.add(key, took)

    def _drift(self, outlook: Outlook, state: LiveState) -> float:
        """Return how much slower the finished stages of this run were than expected, as a logarithm; shrunk
        while they are a small share of the run.
        """
        if not self._deviations:
            return 0.0
        seen = sum(seconds for seconds, _ in self._deviations)
        left = sum(
            seconds_to_come(outlook, stage.id, outlook.work.get(stage.id)) or 0.0
            for stage in state.stages
            if stage.status == "pending" and stage.id not in outlook.kept
        )
        weight = seen / (seen + _PRIOR_RUN_SHARE * (seen + left))
        return weight * sum(seconds * value for seconds, value in self._deviations) / seen

    def _end_run(self, state: LiveState) -> None:
        self._at_work = False
        self._history.add_losses(self._lost_s, self._useful_s)
        if state.status == "succeeded" and self._noted:
            ends = [
                Forecast(*_numbers(noted), actual_s=round(self._lived_s - noted.lived_s, 1))
                for noted in self._noted
            ]
            self._forecasts.add(ends)


def make_forecaster(project: Project, run: Run, clock: Clock) -> Forecaster:
    """Make the forecaster of a run from what earlier runs of its profile have left."""
    paths = {spec.key: [project.root / name for name in spec.work] for spec in run.plan.stages}
    return Forecaster(
        TimingHistory(project.timing_history, run.config.profile),
        ForecastLog(project.forecasts, run.config.profile),
        setting_of(run.config),
        lambda key: bytes_of(paths[key]),
        clock.monotonic,
    )


def kept_stages(plan: Plan, contents: Contents) -> frozenset[str]:
    """Foresee which stages will be kept: those whose record stands and that read nothing a stage which runs
    will write.
    """
    kept, written = [], list[str]()
    for spec in plan.stages:
        touched = any(name.startswith(new) or new.startswith(name) for name in spec.reads for new in written)
        if plan.force or touched or not contents.look(spec).kept:
            written += spec.writes
        else:
            kept.append(spec.key)
    return frozenset(kept)


def setting_of(config: Config) -> str:
    """Name what decides how much work a run is; where and how it is watched does not."""
    values = config.to_dict()
    parts = {name: values[name] for name in _WORK_SECTIONS}
    return sha256_text(json.dumps(parts, sort_keys=True))[:12]


def bytes_of(paths: Sequence[Path]) -> int | None:
    """Return the size of a stage's inputs; None when it has none that count, or none is there yet."""
    total = 0
    for path in paths:
        try:
            total += path.stat().st_size
        except OSError:
            continue  # made by an earlier stage of this run
    return total or None


def _numbers(noted: Forecast) -> tuple[str, float, float, float, float, float]:
    return (
        noted.run_id,
        round(noted.lived_s, 1),
        noted.low_s,
        noted.middle_s,
        noted.high_s,
        round(noted.widen, 3),
    )


def judge_forecasts(known: Sequence[Forecast]) -> tuple[Quality | None, float]:
    """Return how good the newest forecasts were, and how much wider than drawn the next ranges should be, so
    that four fifths of the ends lie inside.
    """
    judged = [one for one in known if one.low_s > 0 and one.actual_s > 0][-_JUDGED:]
    if not judged:
        return None, 1.0
    errors = [abs(one.middle_s - one.actual_s) / one.actual_s for one in judged]
    inside = sum(one.low_s <= one.actual_s <= one.high_s for one in judged)
    quality = Quality(len(judged), inside, round(median(errors), 3))
    misses = sorted(abs(math.log(one.actual_s / one.middle_s)) / _spread(one) for one in judged)
    wanted = misses[int(0.8 * (len(misses) - 1))] / _NORMAL_TENTH
    weight = len(judged) / (len(judged) + _PRIOR_FORECASTS)
    return quality, min(_WIDENED[1], max(_WIDENED[0], wanted**weight)) if wanted > 0 else 1.0


def _spread(one: Forecast) -> float:
    """Return the log-normal spread a range was drawn with."""
    return max(1e-3, math.log(one.high_s / one.low_s) / (2 * _NORMAL_TENTH) / one.widen)
