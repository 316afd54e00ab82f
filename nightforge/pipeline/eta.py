"""How long is left, from the durations of earlier runs, as a range (p50, p90). Pure. # ops E1, E3

Without history there is no number, only "first run, no estimate"; within a stage its own progress counts
once it is beyond 5 %.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

from nightforge.core.clock import format_time, parse_time
from nightforge.pipeline.states import Eta, LiveState, Progress, Range, StageState

KEPT = 10  # durations remembered per stage and profile
_DRAWS = 200
_TRUSTED_SHARE = 0.05
# One earlier run says nothing about spread; two-core machines vary by about a quarter from run to run.
_LEAST_SPREAD = 1.25

History = Mapping[str, Sequence[float]]  # stage key -> seconds of the last successes, newest last


class Estimate(NamedTuple):
    """Seconds left per unfinished stage, and the run's estimate (None: some stage has no history)."""

    stages: dict[str, Range]
    eta: Eta | None


def remember(history: History, key: str, seconds: float) -> dict[str, list[float]]:
    """Return the history with one more duration of stage `key`, the oldest dropped."""
    durations = [*history.get(key, ()), round(seconds, 2)][-KEPT:]
    return {**{name: list(values) for name, values in history.items()}, key: durations}


def estimate(history: History, state: LiveState, now: str) -> Estimate:
    """Estimate what is left of the run at `now`; equal input gives equal output."""
    left: dict[str, list[float]] = {}
    complete = True
    generator = random.Random(0)  # noqa: S311 - a forecast, not a secret
    for stage in state.stages:
        if stage.status in ("succeeded", "skipped", "failed"):
            continue
        draws = _draws(stage, history.get(stage.id, ()), _elapsed(state, stage, now), generator)
        if draws is None:
            complete = False
        else:
            left[stage.id] = draws
    per_stage = {key: _range(draws) for key, draws in left.items()}
    if not complete or not left:
        return Estimate(per_stage, None)
    total = _range([sum(column) for column in zip(*left.values(), strict=True)])
    moment = parse_time(now)
    done_at = tuple(format_time(moment + timedelta(seconds=seconds)) for seconds in total)
    return Estimate(per_stage, Eta(total, (done_at[0], done_at[1])))


def _elapsed(state: LiveState, stage: StageState, now: str) -> float:
    if state.current is None or state.current.stage != stage.id:
        return 0.0
    return max(0.0, (parse_time(now) - parse_time(state.current.since)).total_seconds())


def _draws(
    stage: StageState, durations: Sequence[float], elapsed_s: float, generator: random.Random
) -> list[float] | None:
    """Draw possible seconds left for one stage; None when nothing is known about it."""
    share = _share(stage.progress)
    if share is not None and elapsed_s > 0:
        projected = elapsed_s * (1 - share) / share
        return [projected * _spread(generator) for _ in range(_DRAWS)]
    if not durations:
        return None
    picks = (generator.choice(durations) * _spread(generator) for _ in range(_DRAWS))
    return [max(0.0, pick - elapsed_s) for pick in picks]


def _share(progress: Progress | None) -> float | None:
    if progress is None or progress.total <= 0:
        return None
    share = progress.done / progress.total
    return min(share, 1.0) if share > _TRUSTED_SHARE else None


def _spread(generator: random.Random) -> float:
    # 90 % of the draws lie below _LEAST_SPREAD: 1.2816 is the normal quantile of 0.9.
    return max(0.5, generator.gauss(1.0, (_LEAST_SPREAD - 1.0) / 1.2816))


def _range(draws: list[float]) -> Range:
    ordered = sorted(draws)
    return round(ordered[len(ordered) // 2], 1), round(ordered[int(len(ordered) * 0.9)], 1)
