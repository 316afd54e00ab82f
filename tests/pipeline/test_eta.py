"""An estimate comes from earlier runs, scaled by work and blended with the live pace; without them there is
none.
"""

from __future__ import annotations

import math
import time
from typing import Any

import pytest

from nightforge.core.clock import parse_time
from nightforge.pipeline.eta import DRAWS, Outlook, estimate
from nightforge.pipeline.pace import INTERVALS, Pace, Part, Took, finished, heard, later
from nightforge.pipeline.states import Current, LiveState, StageState

NOW = "2026-11-21T17:15:00.000Z"


def stage(key: str, status: str = "pending") -> StageState:
    return StageState(key, key, 1, "", "", "data", status=status)


def state(*stages: StageState) -> LiveState:
    running = [entry.id for entry in stages if entry.status == "running"]
    return LiveState(stages=stages, current=Current(running[0], NOW, NOW) if running else None)


def took(seconds: float, **fields: Any) -> Took:
    return Took((Part("", seconds),), **fields)


def steps(head_s: float, total: float, rate_s: float, tail_s: float = 0.0, pause: float = 1.0) -> Took:
    """An attempt that loads, then counts steps."""
    return Took((Part("1", 10.0), Part("2 steps", head_s, total, 1, rate_s, rate_s / pause, tail_s)))


def count(pace: Pace, upto: int, total: int, step_s: float) -> Pace:
    for done in range(int(pace.done) + 1, upto + 1):
        pace = heard(later(pace, step_s), {"type": "progress", "done": done, "total": total, "unit": "steps"})
    return pace


def in_training(upto: int, total: int = 1000, step_s: float = 1.0) -> Pace:
    """A training ten seconds after its start and `upto` steps later."""
    pace = heard(Pace(), {"type": "phase", "step": "1"})
    pace = heard(later(pace, 10.0), {"type": "phase", "step": "2"})
    return count(pace, upto, total, step_s)


def left(outlook: Outlook, *stages: StageState) -> float:
    found = estimate(outlook, state(*stages), NOW).eta
    assert found is not None
    return found.middle_s


def test_a_first_run_has_no_estimate() -> None:
    found = estimate(Outlook(), state(stage("a", "running"), stage("b")), NOW)
    assert found.eta is None
    assert found.stages == {}


def test_one_unknown_stage_is_enough_to_promise_nothing_for_the_run() -> None:
    found = estimate(Outlook({"a": [took(100)]}), state(stage("a"), stage("b")), NOW)
    assert found.eta is None
    assert set(found.stages) == {"a"}


def test_stages_to_come_add_up_and_finished_ones_do_not_count() -> None:
    history = {"a": [took(500)], "b": [took(100), took(110), took(90)], "c": [took(40)]}
    found = estimate(Outlook(history), state(stage("a", "succeeded"), stage("b"), stage("c")), NOW)
    assert found.eta is not None
    low, high = found.eta.remaining_s
    assert found.eta.middle_s == pytest.approx(140, rel=0.03)
    assert 110 < low < 135 < 145 < high < 175
    done = [(parse_time(text) - parse_time(NOW)).total_seconds() for text in found.eta.done_at]
    assert done == pytest.approx([low, high], abs=0.1)


def test_a_stage_whose_earlier_result_stands_costs_nothing() -> None:
    history = {"a": [took(500)], "b": [took(100)]}
    assert left(Outlook(history, kept=frozenset("a")), stage("a"), stage("b")) == pytest.approx(100, rel=0.03)
    assert left(Outlook(history, kept=frozenset("ab")), stage("a"), stage("b")) == 0.0
    running = left(Outlook(history, kept=frozenset("a")), stage("a", "running"))
    assert running == pytest.approx(500, rel=0.03)  # it runs after all


def test_equal_input_gives_equal_output_and_time_does_not_make_the_range_flicker() -> None:
    outlook = Outlook({"a": [took(100)], "b": [took(50)]})
    first = estimate(outlook, state(stage("a", "running"), stage("b")), NOW).eta
    assert first == estimate(outlook, state(stage("a", "running"), stage("b")), NOW).eta
    second = estimate(outlook._replace(pace=Pace(now_s=2.0)), state(stage("a", "running"), stage("b")), NOW)
    assert first is not None and second.eta is not None
    assert first.middle_s - second.eta.middle_s == pytest.approx(2.0, abs=0.2)


def test_a_stage_that_takes_longer_than_ever_has_some_time_left_but_never_less_than_none() -> None:
    outlook = Outlook({"a": [took(100)]})
    before = math.inf
    for elapsed in range(0, 2000, 5):
        found = estimate(outlook._replace(pace=Pace(now_s=elapsed)), state(stage("a", "running")), NOW)
        low, high = found.stages["a"]
        assert 0 < low < high
        assert elapsed >= 100 or high <= before
        before = high
    assert 20 < high < 100  # two thousand seconds in, it may well go on for a minute


@pytest.mark.parametrize(("upto", "expected"), [(1, 999 * 2.0), (2000, None)])
def test_the_first_step_is_believed_less_than_history(upto: int, expected: float | None) -> None:
    pace = heard(Pace(), {"type": "phase", "step": "2"})
    pace = heard(later(pace, 600.0), {"type": "progress", "done": 1, "total": 1000, "unit": "steps"})
    known = Outlook({"a": [steps(5.0, 1000, 2.0)]}, pace=pace)
    assert left(known, stage("a", "running")) == pytest.approx(999 * 2.0, rel=0.03)


def test_history_loses_weight_as_steps_are_seen() -> None:
    history = {"a": [steps(1.0, 1000, 2.0)]}  # this time a step takes one second
    at = {
        upto: left(Outlook(history, in_training(upto)), stage("a", "running")) / (1000 - upto)
        for upto in (2, 20, 100, 500)
    }
    assert 1.8 < at[2] < 2.0 and 1.3 < at[20] < 1.5 and at[100] < 1.15 and at[500] < 1.05
    assert at[2] > at[20] > at[100] > at[500]


def test_pauses_between_steps_are_expected_before_the_first_one_comes() -> None:
    history = {"a": [steps(1.0, 1000, 1.5, pause=1.5)]}  # a third of the time was evaluation
    found = left(Outlook(history, in_training(60)), stage("a", "running"))
    assert found == pytest.approx(940 * 1.5, rel=0.12)


def test_a_pause_does_not_make_the_estimate_jump() -> None:
    history = {"a": [steps(1.0, 1000, 1.1, pause=1.1)]}
    pace = in_training(300)
    before = left(Outlook(history, pace), stage("a", "running"))
    paused = count(later(pace, 60.0), 301, 1000, 1.0)
    assert left(Outlook(history, paused), stage("a", "running")) == pytest.approx(before, rel=0.12)


def test_parts_to_come_are_counted_and_parts_behind_are_not() -> None:
    parts = (Part("1", 10.0), Part("2 steps", 1, 100, 1, 1.0, 1.0), Part("3", 50.0))
    history = {"a": [Took(parts)]}
    assert left(Outlook(history), stage("a", "running")) == pytest.approx(160, rel=0.03)
    in_last = heard(in_training(100, 100), {"type": "phase", "step": "3"})
    assert left(Outlook(history, later(in_last, 20)), stage("a", "running")) == pytest.approx(30, rel=0.03)


def test_the_total_of_this_run_counts_not_the_one_of_history() -> None:
    history = {"a": [steps(1.0, 1000, 1.0)]}
    assert left(Outlook(history, in_training(50, total=400)), stage("a", "running")) == pytest.approx(
        350, rel=0.05
    )


def test_a_stage_with_larger_inputs_is_expected_to_take_longer() -> None:
    entry = Took((Part("2 steps", 5.0, 101, 1, 1.0, 1.0),), work=1000)
    larger, same, unknown = (
        left(Outlook({"a": [entry]}, work={"a": work}), stage("a")) for work in (2000, 1000, None)
    )
    assert (larger, same) == pytest.approx((206, 105), rel=0.03) and same == unknown


def test_another_configuration_counts_only_when_there_is_no_other_history() -> None:
    both = {"a": [took(10, setting="small"), took(500, setting="large")]}
    assert left(Outlook(both, setting="small"), stage("a")) == pytest.approx(10, rel=0.05)
    found = estimate(Outlook(both, setting="new"), state(stage("a")), NOW).eta
    sure = estimate(Outlook(both, setting="large"), state(stage("a")), NOW).eta
    assert found is not None and sure is not None
    assert found.remaining_s[1] / found.remaining_s[0] > 2 * sure.remaining_s[1] / sure.remaining_s[0]


def test_what_the_newest_run_skipped_is_expected_to_be_skipped_again() -> None:
    built = Took((Part("1", 5.0), Part("2 steps", 1, 700, 1, 0.1, 0.1)))
    history = {"a": [built, built, took(2.0)]}
    assert left(Outlook(history), stage("a")) == pytest.approx(2.0, rel=0.2)
    building = Outlook(history, heard(Pace(), {"type": "phase", "step": "1"}))
    assert left(building, stage("a", "running")) > 60  # until it shows that it builds after all


def test_an_exam_counted_in_batches_goes_down_between_them() -> None:
    exam = Took((Part("2 steps", 4.0, 180, 32, 0.125, 0.125),))
    pace = heard(Pace(), {"type": "phase", "step": "2"})
    pace = heard(later(pace, 4.0), {"type": "progress", "done": 32, "total": 180, "unit": "steps"})
    first = left(Outlook({"a": [exam]}, pace), stage("a", "running"))
    second = left(Outlook({"a": [exam]}, later(pace, 2.0)), stage("a", "running"))
    assert first == pytest.approx(18.5, rel=0.05) and first - second == pytest.approx(2.0, abs=0.2)


def test_without_history_a_stage_is_projected_from_enough_of_its_own_progress() -> None:
    for upto, known in ((2, False), (40, False), (60, True), (250, True)):
        found = estimate(Outlook(pace=in_training(upto)), state(stage("a", "running")), NOW)
        assert found.eta is None or known
        assert ("a" in found.stages) is known
    low, high = found.stages["a"]
    assert low < 750 < high


def test_a_wider_outlook_is_wider_and_retries_are_a_line_of_their_own() -> None:
    outlook = Outlook({"a": [took(100)]}, retry_share=0.05)
    plain = estimate(outlook, state(stage("a")), NOW).eta
    wide = estimate(outlook._replace(widen=2.0), state(stage("a")), NOW).eta
    assert plain is not None and wide is not None
    assert wide.remaining_s[0] < plain.remaining_s[0] < plain.middle_s == wide.middle_s
    assert plain.remaining_s[1] < wide.remaining_s[1]
    assert plain.retries_s == pytest.approx(5.0, rel=0.03)


def test_parts_add_up_to_what_an_attempt_took() -> None:
    pace = heard(in_training(200, 200), {"type": "phase", "step": "3"})
    parts = finished(later(pace, 7.0)).parts
    assert [part.name for part in parts] == ["1", "2 steps", "3"]
    assert sum(part.seconds for part in parts) == pytest.approx(10 + 200 + 7)
    assert parts[1].rate_s == pytest.approx(1.0) and parts[1].total == 200
    assert len(pace.intervals) == 0 and len(in_training(200).intervals) == INTERVALS


def test_returns_to_a_part_and_a_new_unit_make_parts_of_their_own() -> None:
    pace = Pace()
    for name in ("1", "2", "1", "2"):
        pace = later(heard(pace, {"type": "phase", "step": name}), 1.0)
    for unit, done in (("rows", 5), ("rows", 9), ("files", 1), ("files", 0)):
        event = {"type": "progress", "done": done, "total": 9, "unit": unit}
        pace = heard(later(pace, 1.0), event)
    names = [part.name for part in finished(pace).parts]
    assert names == ["1", "2", "1#2", "2 rows", "2 files", "2 files#2"]


def test_an_attempt_that_goes_on_from_a_checkpoint_is_known_by_its_first_count() -> None:
    def counted(*dones: int) -> bool:
        pace = Pace()
        for done in dones:
            event = {"type": "progress", "done": done, "total": 180, "unit": "prompts"}
            pace = heard(later(pace, 1.0), event)
        return finished(pace).resumed

    assert not counted(1, 2, 3, 180) and not counted(32, 64, 96) and not counted(63, 128, 180)
    assert counted(101, 102, 103) and counted(128, 160, 180) and counted(180)


def test_nonsense_in_a_progress_event_is_passed_over() -> None:
    pace = in_training(5)
    for fields in (
        {},
        {"done": "x", "total": 1},
        {"done": math.nan, "total": 1},
        {"done": 6, "total": math.inf},
    ):
        assert heard(pace, {"type": "progress", **fields}) == pace
    assert heard(pace, {"type": "metric"}) == pace


def test_a_stage_that_counts_to_a_googol_breaks_nothing() -> None:
    history = {"a": [steps(1.0, 1000, 1.0)]}
    found = estimate(Outlook(history, in_training(50, total=10**100)), state(stage("a", "running")), NOW).eta
    assert found is not None and found.remaining_s[1] < 1e9


def test_an_estimate_of_a_whole_run_costs_little() -> None:
    keys = [f"stage-{number}" for number in range(15)]
    history = {key: [steps(1.0, 1000, 1.0)] * 10 for key in keys}
    stages = [stage(keys[0], "running"), *(stage(key) for key in keys[1:])]
    best = math.inf
    for upto in range(100, 110):
        outlook = Outlook(history, in_training(upto))
        began = time.perf_counter()
        estimate(outlook, state(*stages), NOW)
        best = min(best, time.perf_counter() - began)
    assert best < 0.02, f"{best * 1000:.1f} ms for {DRAWS} draws"
