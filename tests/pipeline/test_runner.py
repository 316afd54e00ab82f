"""The runner as a table of histories, played by fake processes on a fake clock: nothing sleeps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import DONE, FakeAttempt, Script, World, same_limits

from nightforge.config import Config
from nightforge.config.schema import StallDetection
from nightforge.pipeline.attempts import GUARD_LOST, Ended
from nightforge.pipeline.fold import fold
from nightforge.pipeline.limits import StallLimits
from nightforge.pipeline.rebuild import load_run
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.runner import Policy
from nightforge.pipeline.supervise import Grace

ERROR = {"type": "error", "kind": "stage", "message": "broken", "next_command": None}


@pytest.mark.parametrize(
    ("name", "scripts", "status", "code", "stages"),
    [
        (
            "all done",
            {"data": [Script.done()], "exam": [Script.done()]},
            "succeeded",
            0,
            "succeeded succeeded",
        ),
        (
            "nothing new counts",
            {"data": [Script(3)], "exam": [Script.done()]},
            "succeeded",
            0,
            "skipped succeeded",
        ),
        ("second try", {"data": [Script(1), Script.done()]}, "succeeded", 0, "succeeded"),
        ("killed once", {"exam": [Script(-9), Script.done()]}, "succeeded", 0, "succeeded"),
        ("gives up", {"data": [Script(1)], "exam": [Script.done()]}, "failed", 1, "failed pending"),
        ("exit 0 without done", {"exam": [Script(0)]}, "failed", 1, "failed"),
        ("wrong input", {"data": [Script(2)]}, "failed", 2, "failed"),
        ("always busy", {"data": [Script(75)]}, "failed", 75, "failed"),
        (
            "stopped by itself",
            {"data": [Script(4)], "exam": [Script.done()]},
            "stopped",
            4,
            "stopped pending",
        ),
    ],
)
def test_a_history_of_exits_has_one_outcome(
    name: str, scripts: dict[str, list[Script]], status: str, code: int, stages: str, tmp_path: Path
) -> None:
    world = World(tmp_path, scripts)
    assert world.run() == code, name
    assert world.state.status == status
    assert [stage.status for stage in world.state.stages] == stages.split()
    assert world.state.result and world.state.result.exit_code == code
    assert world.state.resumable is (status != "succeeded")


def test_waits_between_attempts_are_those_of_the_kind(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script(1)]})
    world.run()
    gaps = [later - earlier for earlier, later in zip(world.spawned_at, world.spawned_at[1:], strict=False)]
    assert [gap - 1 for gap in gaps] == [pytest.approx(10, rel=0.12), pytest.approx(30, rel=0.12)]
    assert [attempt for _, attempt, _ in world.attempts] == [1, 2, 3]


def test_exit_2_is_never_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script(2), Script.done()]})
    world.run()
    assert len(world.attempts) == 1


def test_a_kill_from_outside_is_told_in_words(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script(-9), Script.done()]})
    world.run()
    (error,) = world.state.errors
    assert (error.kind, error.attempt) == ("killed", 1)
    assert "killed by signal 9" in error.message and "; nobody here asked for it" in error.message
    assert "ran out of memory" in error.message


def test_a_stop_lets_the_stage_finish_and_starts_no_other(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script.done(5)], "exam": [Script.done()]})
    world.scripts["data"][0].while_running = lambda age: world.stop() if age > 2 else None
    assert world.run() == 4
    assert [stage.status for stage in world.state.stages] == ["succeeded", "pending"]
    assert world.state.status == "stopped"
    assert world.state.stop and world.state.stop.answered_at == world.state.ended_at


def test_a_stop_at_the_last_stage_that_finishes_is_a_success(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script.done(5)]})
    world.scripts["data"][0].while_running = lambda age: world.stop() if age > 2 else None
    assert world.run() == 0
    assert world.state.status == "succeeded"


def test_a_failure_while_stopping_is_stopped_with_the_error_kept(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script(1, 5, [(4, ERROR)])]})
    world.scripts["data"][0].while_running = lambda age: world.stop() if age > 2 else None
    assert world.run() == 4
    assert world.state.status == "stopped"
    assert [error.message for error in world.state.errors] == ["broken"]
    assert len(world.attempts) == 1


def test_a_stop_interrupts_the_wait_for_a_retry(tmp_path: Path) -> None:
    world = World(tmp_path, {"training": [Script(1)]})
    world.recorder._observers = (  # ask for the stop as soon as the wait begins
        lambda state, event: world.stop() if event["type"] == "retry_scheduled" else None,
    )
    assert world.run() == 4
    assert world.clock.seconds < 5
    assert world.state.status == "stopped"
    assert world.state.stages[0].status == "stopped"


def test_stop_now_asks_the_stage_and_forces_it_after_the_grace_time(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script(None, on_terminate=None)]})
    world.scripts["data"][0].while_running = lambda age: world.stop(now=age > 3) if age > 2 else None
    assert world.run(Policy(grace=Grace(terminate_s=30))) == 4
    assert world.attempts[0][2].calls == ["terminate", "kill", "close"]
    assert 33 <= world.clock.seconds <= 34
    assert world.state.status == "stopped"


def silent(warn: float, kill: float, training: float, on: bool = True) -> Config:
    return Config(
        stall_detection=StallDetection(
            stall_warn_seconds=warn, stall_kill_seconds=kill, stall_kill_seconds_training=training, kill=on
        )
    )


def test_a_silent_stage_is_warned_of_then_ended_and_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path, {"exam": [Script(None), Script.done()]}, silent(5, 10, 100))
    assert world.run() == 0
    assert world.attempts[0][2].calls == ["terminate", "close"]
    assert [error.kind for error in world.state.errors] == ["stall"]
    assert [alert.title for alert in world.state.alerts] == ["No progress", "Stage asked to end"]
    assert 10 + 27 <= world.spawned_at[1] <= 11 + 33


def test_the_steps_of_a_training_have_their_own_limit(tmp_path: Path) -> None:
    begins = (2.0, {"type": "watch", "phase": "first_step", "done": 0})
    script = Script(0, 90, [begins, (89, DONE)])
    world = World(tmp_path, {"training": [script]}, silent(5, 10, 100))
    assert world.run() == 0
    assert len(world.attempts) == 1


def test_only_a_success_teaches_and_the_next_run_has_learned(tmp_path: Path) -> None:
    def exam(seconds: float, code: int = 0) -> Script:
        answers = [(seconds * n, {"type": "answer"}) for n in range(1, 4)]
        return Script(code, seconds * 3.5, [*answers, (seconds * 3.4, DONE)] if code == 0 else answers)

    world = World(tmp_path, {"exam": [exam(80, code=1), exam(30), exam(30)]}, silent(50, 100, 100))
    assert world.run() == 0
    learned = StallLimits(tmp_path / "stall_limits.json", world.config, lambda: None)
    limit = learned.of(world.plan.stages[0]).phases["start"]
    assert limit.origin == "learned from 1 run"
    assert 150 <= limit.kill_s <= 151


def test_a_stage_that_progresses_is_never_ended_however_long_it_takes(tmp_path: Path) -> None:
    steps = [(6.0 * n, {"type": "progress", "done": n, "total": 50, "unit": "steps"}) for n in range(50)]
    world = World(tmp_path, {"exam": [Script(0, 300, [*steps, (299, DONE)])]}, silent(9, 14, 100))
    assert world.run() == 0
    assert len(world.attempts) == 1
    assert world.state.alerts == ()


def test_with_kill_off_a_silent_stage_is_only_warned_of(tmp_path: Path) -> None:
    world = World(tmp_path, {"exam": [Script.done(50)]}, silent(5, 10, 100, on=False))
    assert world.run() == 0
    assert [alert.title for alert in world.state.alerts] == ["No progress"]


def test_a_finished_stage_that_will_not_exit_is_ended_and_counts_as_done(tmp_path: Path) -> None:
    world = World(tmp_path, {"exam": [Script(None, events=[(2, DONE)])]})
    assert world.run() == 0
    assert world.state.stages[0].status == "succeeded"
    assert 600 <= world.clock.seconds <= 605


def test_a_stage_that_cannot_be_started_is_a_failure_and_not_the_end_of_the_orchestrator(
    tmp_path: Path,
) -> None:
    world = World(tmp_path, {"validate": [Script.done()]})
    good = world.spawn

    def refuse(spec: StageSpec, attempt: int, *rest: Any) -> FakeAttempt:
        if attempt == 1:
            raise OSError(12, "Cannot allocate memory")
        return good(spec, attempt, *rest)

    world.spawn = refuse  # type: ignore[method-assign]
    assert world.run() == 0
    assert "Cannot allocate memory" in world.state.errors[0].message


def test_a_lost_guard_is_told_and_the_stage_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script(-9), Script.done()]})
    spawn = world.spawn

    def lost(spec: StageSpec, attempt: int, *rest: Any) -> FakeAttempt:
        fake = spawn(spec, attempt, *rest)
        if attempt == 1:
            fake.wait = lambda timeout_s: Ended(-9, GUARD_LOST)  # type: ignore[method-assign]
        return fake

    world.spawn = lost  # type: ignore[method-assign]
    assert world.run() == 0
    assert "guard was killed" in world.state.errors[0].message


def test_an_attempt_that_outlived_its_orchestrator_is_taken_up_not_repeated(tmp_path: Path) -> None:
    world = World(tmp_path, {"training": [Script.done()], "exam": [Script.done()]})
    world.recorder.record("stage_started", stage="training", attempt=1, max_attempts=3)
    world.recorder.record("run_resumed", pid=2, goes_on="training")
    assert world.state.stage("training").status == "running"
    began = world.state.stage("training").started_at
    world.clock.sleep(100)
    world.left["training"] = world.spawn(world.plan.stages[0], 1, same_limits(60, None), Grace())
    assert world.run() == 0
    assert [(key, number) for key, number, _ in world.attempts] == [("training", 1), ("exam", 1)]
    assert [stage.attempt for stage in world.state.stages] == [1, 1]
    taken_up = fold(world.recorder.state, {"type": "stage_taken_up", "time": "x", "stage": "training"})
    assert (
        taken_up.current is not None and taken_up.current.since == began
    )  # not the moment of the second start


def test_a_taken_up_attempt_that_fails_is_tried_again_under_the_next_number(tmp_path: Path) -> None:
    world = World(tmp_path, {"exam": [Script(1), Script.done()]})
    world.recorder.record("stage_started", stage="exam", attempt=1, max_attempts=2)
    world.recorder.record("run_resumed", pid=2, goes_on="exam")
    world.left["exam"] = world.spawn(world.plan.stages[0], 1, same_limits(60, None), Grace())
    assert world.run() == 0
    assert [number for _, number, _ in world.attempts] == [1, 2]


def test_results_of_the_stages_become_the_result_of_the_run(tmp_path: Path) -> None:
    report = Script.done(report="logs/runs/r1/report.md")
    world = World(tmp_path, {"training": [Script.done(version="v3", table=[1])], "utility": [report]})
    world.run()
    assert world.state.result
    assert (world.state.result.version, world.state.result.report) == ("v3", "logs/runs/r1/report.md")


def test_only_successes_teach_how_long_a_stage_takes(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script(1, 99), Script.done(7)], "exam": [Script(4, 50)]})
    world.run()
    assert list(world.history.stages) == ["data"]
    assert [took.seconds for took in world.history.stages["data"]] == [pytest.approx(7, abs=0.2)]


def test_the_journal_alone_rebuilds_the_state(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script(1), Script.done()], "exam": [Script(1, 5, [(3, ERROR)])]})
    world.run()
    rebuilt, seq = load_run(tmp_path)
    live = world.state
    assert rebuilt.stages == tuple(
        type(stage)(**{**{f: getattr(stage, f) for f in stage.__struct_fields__}, "eta_s": None})
        for stage in live.stages
    )
    assert (rebuilt.status, rebuilt.errors, rebuilt.result) == (live.status, live.errors, live.result)
    assert seq == sum(event["type"] not in ("heartbeat", "estimated", "hardware") for event in world.events)


def test_resume_runs_only_what_is_not_done_and_goes_on_counting(tmp_path: Path) -> None:
    world = World(tmp_path, {"data": [Script.done()], "exam": [Script(1), Script(1), Script.done()]})
    assert world.run() == 1
    world.recorder.record("run_resumed", pid=2)
    assert world.run() == 0
    assert [(key, attempt) for key, attempt, _ in world.attempts] == [
        ("data", 1),
        ("exam", 1),
        ("exam", 2),
        ("exam", 3),
    ]
    assert world.state.stages[1].max_attempts == 4
    assert world.state.status == "succeeded"


def test_of_a_burst_of_progress_only_the_newest_is_kept_and_shown(tmp_path: Path) -> None:
    burst = [(1.0, {"type": "progress", "done": n, "total": 100, "unit": "rows"}) for n in range(1, 81)]
    world = World(tmp_path, {"data": [Script(0, 3, [*burst, (2.5, DONE)])]})
    world.run()
    kept = [event for event in world.of_type("stage_event") if event["event"]["type"] == "progress"]
    assert [event["event"]["done"] for event in kept] == [80]
    progress = world.state.stages[0].progress
    assert progress and progress.done == 80
