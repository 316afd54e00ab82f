"""An estimate comes from earlier runs as a range; without them there is none."""

from __future__ import annotations

from nightforge.core.clock import parse_time
from nightforge.pipeline.eta import KEPT, estimate, remember
from nightforge.pipeline.states import Current, LiveState, Progress, StageState

NOW = "2026-11-21T17:15:00.000Z"
BEFORE = "2026-11-21T17:14:00.000Z"  # a minute earlier


def stage(key: str, status: str = "pending", progress: Progress | None = None) -> StageState:
    return StageState(key, key, 1, "", "", "data", status=status, progress=progress)


def state(*stages: StageState) -> LiveState:
    running = [entry.id for entry in stages if entry.status == "running"]
    current = Current(running[0], BEFORE, BEFORE) if running else None
    return LiveState(stages=stages, current=current)


def test_a_first_run_has_no_estimate() -> None:
    found = estimate({}, state(stage("a", "running"), stage("b")), NOW)
    assert found.eta is None
    assert found.stages == {}


def test_one_unknown_stage_is_enough_to_promise_nothing_for_the_run() -> None:
    found = estimate({"a": [100]}, state(stage("a"), stage("b")), NOW)
    assert found.eta is None
    assert set(found.stages) == {"a"}


def test_stages_to_come_add_up_and_finished_ones_do_not_count() -> None:
    history = {"a": [500.0], "b": [100.0, 110.0, 90.0], "c": [40.0]}
    found = estimate(history, state(stage("a", "succeeded"), stage("b"), stage("c")), NOW)
    assert found.eta is not None
    low, high = found.eta.remaining_s
    assert 120 < low < 160 and low < high < 220
    assert (parse_time(found.eta.done_at[1]) - parse_time(NOW)).total_seconds() == high


def test_time_already_spent_is_taken_off() -> None:
    low, high = estimate({"a": [100.0]}, state(stage("a", "running")), NOW).stages["a"]
    assert 25 < low < 55 and high < 90


def test_a_stage_beyond_five_percent_is_projected_from_its_own_progress() -> None:
    running = stage("a", "running", Progress(25, 100, "steps"))  # a quarter in 60 s: 180 s to go
    low, high = estimate({}, state(running), NOW).stages["a"]
    assert 160 < low < 200 and low < high < 260


def test_the_first_steps_project_nothing() -> None:
    running = stage("a", "running", Progress(4, 100, "steps"))
    assert estimate({}, state(running), NOW).stages == {}


def test_equal_input_gives_equal_output() -> None:
    history = {"a": [10.0, 20.0]}
    assert estimate(history, state(stage("a")), NOW) == estimate(history, state(stage("a")), NOW)


def test_history_keeps_the_last_ten_durations() -> None:
    history: dict[str, list[float]] = {}
    for second in range(KEPT + 3):
        history = remember(history, "a", second)
    assert history["a"] == [float(second) for second in range(3, KEPT + 3)]
