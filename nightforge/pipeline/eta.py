"""How long is left, as a range: from earlier runs, scaled by work, blended with the live pace. Pure.
# ops E1, E2, E3, E4

A stage to come takes what its earlier attempts took, scaled by the size of its inputs. The running one goes
on at a rate between history's and the live one; history counts less with every interval seen. The run is the
sum of a thousand seeded draws per stage, half of whose spread is shared, since a slow night is slow all over.
The range holds the middle four fifths of them (docs/decisions/011-eta-range.md). Without history there is no
number for the run.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from functools import cache, lru_cache
from typing import NamedTuple

from nightforge.core.clock import format_time, parse_time
from nightforge.pipeline.pace import Pace, Part, Took, median, part_under_way
from nightforge.pipeline.states import Eta, LiveState, Quality, Range

DRAWS = 1000
_NARROWEST, _WIDEST = 0.02, 0.7  # bounds of a stage's log-normal spread
_TRIFLE_S = 0.5  # what a start and an end may take more or less; short stages are not judged by it
_PRIOR_SPREAD, _PRIOR_COUNT = 0.10, 2.0  # what is assumed of a stage before it has shown its spread
_SHARED = 0.5  # part of the variance that all stages of a run have in common
_HISTORY_INTERVALS = 20.0  # intervals that weigh as much as history does for the rate
_HISTORY_PAUSES = 200.0  # the same for pauses between units, which are rare
_LIVE_SPREAD, _LIVE_INTERVAL_SPREAD = 0.03, 0.35
_TRUSTED_SHARE, _TRUSTED_INTERVALS = 0.05, 3
_OVERDUE = 0.1  # a part that should have ended goes on for this share of what it has taken
_LONGEST_S = 1e8  # three years: a stage that counts to a googol must not break the calendar
_OTHER_SETTING = 3.0  # how much wider when only other configurations were seen

History = Mapping[str, Sequence[Took]]  # stage key -> its last successes, newest last


class Outlook(NamedTuple):
    """What is known beside the state: `work` in bytes per stage key; how much faster or slower finished
    stages of this run were, as a logarithm; how much wider than drawn past ranges should have been; seconds
    lost to retries per second of work; stages to come whose earlier result will stand.
    """

    history: History = {}
    pace: Pace = Pace()
    work: Mapping[str, int | None] = {}
    setting: str = ""
    drift: float = 0.0
    widen: float = 1.0
    kept: frozenset[str] = frozenset()
    retry_share: float = 0.0
    quality: Quality | None = None


class Estimate(NamedTuple):
    """Seconds left per unfinished stage, and the run's estimate (None: some stage has no history)."""

    stages: dict[str, Range]
    eta: Eta | None


class Expected(NamedTuple):
    """Seconds left of a stage and their log-normal spread."""

    seconds: float
    spread: float


def estimate(outlook: Outlook, state: LiveState, now: str) -> Estimate:
    """Estimate what is left of the run at `now`; equal input gives equal output."""
    expected: dict[str, Expected] = {}
    complete = True
    for stage in state.stages:
        if stage.status in ("succeeded", "skipped", "failed"):
            continue
        if stage.status == "pending" and stage.id in outlook.kept:
            continue
        running = state.current is not None and state.current.stage == stage.id
        found = _running(outlook, stage.id) if running else _to_come(outlook, stage.id)
        if found is None:
            complete = False
        else:
            expected[stage.id] = found._replace(seconds=min(found.seconds, _LONGEST_S))
    per_stage = {key: _alone(found) for key, found in expected.items()}
    nothing = not expected and not outlook.kept
    if not complete or nothing:
        return Estimate(per_stage, None)
    return Estimate(per_stage, _sum(expected, outlook, now))


def _sum(expected: Mapping[str, Expected], outlook: Outlook, now: str) -> Eta:
    totals = [0.0] * DRAWS
    for key, (seconds, spread) in expected.items():
        factors = _factors(key, round(spread, 2))
        totals = [total + seconds * factor for total, factor in zip(totals, factors, strict=True)]
    totals.sort()
    middle = totals[DRAWS // 2]
    low = middle * (totals[DRAWS // 10] / middle) ** outlook.widen if middle > 0 else 0.0
    high = middle * (totals[DRAWS * 9 // 10] / middle) ** outlook.widen if middle > 0 else 0.0
    moment = parse_time(now)
    done_at = [format_time(moment + timedelta(seconds=seconds)) for seconds in (low, high)]
    return Eta(
        remaining_s=(round(low, 1), round(high, 1)),
        done_at=(done_at[0], done_at[1]),
        middle_s=round(middle, 1),
        retries_s=round(middle * outlook.retry_share, 1),
        quality=outlook.quality,
    )


def _alone(expected: Expected) -> Range:
    tenth = math.exp(1.2816 * expected.spread)  # normal quantile of 0.9
    return round(expected.seconds / tenth, 1), round(expected.seconds * tenth, 1)


@lru_cache(maxsize=128)
def _factors(key: str, spread: float) -> tuple[float, ...]:
    """Draw by how much a stage misses its middle, with the part that all stages share."""
    common, alone = spread * math.sqrt(_SHARED), spread * math.sqrt(1 - _SHARED)
    pairs = zip(_normals("all stages"), _normals(key), strict=True)
    return tuple(math.exp(common * shared + alone * own) for shared, own in pairs)


@cache
def _normals(key: str) -> tuple[float, ...]:
    """Return the stage's noise, the same at every estimate, so that the range does not flicker."""
    start = zlib.crc32(key.encode()) % DRAWS  # the same draws in another order are as good as others
    return _pool()[start:] + _pool()[:start]


@cache
def _pool() -> tuple[float, ...]:
    generator = random.Random(0)  # noqa: S311 - a forecast, not a secret
    return tuple(generator.gauss(0.0, 1.0) for _ in range(DRAWS))


# ---- stages to come --------------------------------------------------------------------------------------


def seconds_to_come(outlook: Outlook, key: str, work: int | None) -> float | None:
    """Return what a whole stage is expected to take with inputs of `work` bytes; None without history."""
    known = _comparable(outlook, key, None)
    return _typical([_scaled(entry, work) for entry in known]) * math.exp(outlook.drift) if known else None


def _to_come(outlook: Outlook, key: str) -> Expected | None:
    work = outlook.work.get(key)
    seconds = seconds_to_come(outlook, key, work)
    if seconds is None:
        return None
    took = [_scaled(entry, work) for entry in _comparable(outlook, key, None)]
    return Expected(seconds, _spread(took, outlook.setting))


def _typical(took: Sequence[Took]) -> float:
    return math.exp(_mean(map(_log, took))) - _TRIFLE_S


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def _log(took: Took) -> float:
    return math.log(took.seconds + _TRIFLE_S)


def _comparable(outlook: Outlook, key: str, part: str | None) -> list[Took]:
    """Choose attempts that did what the newest of the same configuration did; while one runs, those that
    came through the part it is in.
    """
    known = list(outlook.history.get(key, ()))
    known = [entry for entry in known if part is None or part in entry.shape] or known
    known = [entry for entry in known if entry.setting == outlook.setting] or known
    return [entry for entry in known if entry.shape == known[-1].shape]


def _spread(took: Sequence[Took], setting: str) -> float:
    """Return the log-normal spread of the next attempt; few attempts say little about it."""
    logs = [_log(entry) for entry in took]
    mean = _mean(logs)
    squares = sum((value - mean) ** 2 for value in logs) + _PRIOR_COUNT * _PRIOR_SPREAD**2
    variance = squares / (_PRIOR_COUNT + len(logs) - 1) * (1 + 1 / len(logs))
    spread = max(_NARROWEST, math.sqrt(variance))
    return min(_WIDEST, spread if took[-1].setting == setting else spread * _OTHER_SETTING)


def _scaled(took: Took, work: int | None) -> Took:
    """Foresee the same attempt with inputs of another size: units grow with it, parts without units by half
    of it, since some of their time is start and end.
    """
    if not work or not took.work:
        return took
    factor = min(4.0, max(0.25, work / took.work))
    parts = tuple(
        _with_total(part, part.total * factor) if part.total else _longer(part, (1 + factor) / 2)
        for part in took.parts
    )
    return Took(parts, work, took.setting)


def _with_total(part: Part, total: float) -> Part:
    return Part(
        part.name, part.head_s, total, min(part.first, total), part.rate_s, part.median_s, part.tail_s
    )


def _longer(part: Part, factor: float) -> Part:
    return Part(part.name, part.head_s * factor)


# ---- the stage that runs ---------------------------------------------------------------------------------


def _running(outlook: Outlook, key: str) -> Expected | None:
    pace, name = outlook.pace, part_under_way(outlook.pace)
    known = _comparable(outlook, key, name)
    if not known:
        return _live_only(pace)
    took = [_scaled(entry, outlook.work.get(key)) for entry in known]
    spread = _spread(took, outlook.setting)
    if name not in took[-1].shape:  # a part never seen: what the others took in all
        return Expected(_rest(_typical(took), pace.now_s), spread)
    place = took[-1].shape.index(name)
    after = _mean(sum(part.seconds for part in entry.parts[place + 1 :]) for entry in took)
    parts = [entry.parts[place] for entry in took]
    weight = _HISTORY_INTERVALS / (_HISTORY_INTERVALS + pace.counted)
    here = _part_left(pace, parts, weight)
    drift = math.exp(outlook.drift)
    seconds = here + after * drift
    if pace.first_s is None or not pace.counted:
        return Expected(seconds, spread)
    live = math.hypot(_LIVE_SPREAD, _LIVE_INTERVAL_SPREAD / math.sqrt(pace.counted))
    share = here / seconds if seconds > 0 else 0.0
    mixed = math.sqrt(weight * spread**2 + (1 - weight) * live**2)
    return Expected(seconds, max(_NARROWEST, share * mixed + (1 - share) * spread))


def _part_left(pace: Pace, parts: Sequence[Part], weight: float) -> float:
    """Return the seconds left of the part under way; `parts` are its earlier ones, `weight` is theirs."""
    if pace.first_s is None:
        return _rest(_mean(part.seconds for part in parts), pace.now_s - pace.began_s)
    rate = _rate(pace, parts, weight)
    since = pace.now_s - pace.done_s
    tail = _mean(part.tail_s for part in parts)
    left = pace.total - pace.done
    if left <= 0:
        return _rest(tail, since)
    step = _usual_step(pace)
    return max(left * rate - min(since, rate * min(step, left) * 0.9), 0.0) + tail


def _usual_step(pace: Pace) -> float:
    """Return how many units are counted at a time: exams count whole batches."""
    return max(1.0, (pace.done - pace.first) / pace.counted) if pace.counted else max(1.0, pace.first)


def _rate(pace: Pace, parts: Sequence[Part], weight: float) -> float:
    """Blend seconds per unit of history and of the newest intervals; pauses between units apart from both."""
    rates = [part.rate_s for part in parts if part.rate_s > 0]
    usual = [part.median_s for part in parts if part.median_s > 0]
    if not rates or not usual:
        return _live_rate(pace) or 0.0
    if not pace.counted or not (live := median(pace.intervals)) > 0:
        return _mean(rates)
    pause = _mean(rates) / _mean(usual)
    seen = max(1e-3, (_live_rate(pace) or 0.0) / live)
    trust = _HISTORY_PAUSES / (_HISTORY_PAUSES + pace.counted)
    steady = math.exp(weight * math.log(_mean(usual)) + (1 - weight) * math.log(live))
    return steady * math.exp(trust * math.log(pause) + (1 - trust) * math.log(seen))


def _live_rate(pace: Pace) -> float | None:
    """Return the mean seconds per unit since the first count, pauses included."""
    if pace.first_s is None or pace.done <= pace.first:
        return None
    return (pace.done_s - pace.first_s) / (pace.done - pace.first)


def _live_only(pace: Pace) -> Expected | None:
    """Foresee a stage without history from its own progress, once there is enough of it."""
    rate = _live_rate(pace)
    if rate is None or pace.total <= 0 or pace.counted < _TRUSTED_INTERVALS:
        return None
    if pace.done / pace.total <= _TRUSTED_SHARE:
        return None
    return Expected(max(0.0, pace.total - pace.done) * rate, 0.2)


def _rest(whole_s: float, elapsed_s: float) -> float:
    """Return what is left of a stretch without counts; one that is overdue goes on for a while."""
    return max(whole_s - elapsed_s, _OVERDUE * min(whole_s, elapsed_s), 0.02 * elapsed_s)
