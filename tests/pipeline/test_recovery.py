"""What follows a failure, played on the fake clock: classes, breaker, ladder, proof of resume."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import DONE, Script, World, same_limits

from nightforge.config import Config
from nightforge.config.schema import StallDetection, Training
from nightforge.core.atomic import write_json
from nightforge.core.clock import SystemClock
from nightforge.core.paths import Project
from nightforge.core.processes import identity_of
from nightforge.core.records import record_path
from nightforge.pipeline.fold import Event
from nightforge.pipeline.orchestrator import close_interrupted
from nightforge.pipeline.rebuild import load_run
from nightforge.pipeline.supervise import Grace

CONFIG = Config(training=Training(batch_size=4, gradient_accumulation_steps=1))


def failed(kind: str, *events: Event, code: int = 1) -> Script:
    error = {"type": "error", "kind": kind, "message": f"it was {kind}", "next_command": None}
    timed = [(0.1 * n, event) for n, event in enumerate(events, 1)]
    return Script(code, 2, [*timed, (1.5, error)])


def mark(value: Any, resumed: bool = False, unit: str = "steps") -> Event:
    return {"type": "mark", "value": value, "unit": unit, "resumed": resumed}


def progress(done: int) -> Event:
    return {"type": "progress", "done": done, "total": 400, "unit": "steps"}


def arguments(world: World) -> list[str]:
    return [" ".join(args) for args in world.arguments]


@pytest.mark.parametrize(
    ("kind", "attempts"),
    [("dependency", 1), ("encoding", 1), ("bad_data", 1), ("numeric", 2), ("io_hard", 2), ("device_lost", 2)],
)
def test_each_class_gets_its_own_number_of_attempts(kind: str, attempts: int, tmp_path: Path) -> None:
    world = World(tmp_path, {"training": [failed(kind)]})
    assert world.run() == (2 if kind in ("encoding", "bad_data") else 1)
    assert len(world.attempts) == attempts
    assert world.state.errors[0].kind == kind
    assert world.state.errors[0].words


def test_a_retry_says_why_when_and_what_changes(tmp_path: Path) -> None:
    world = World(tmp_path, {"training": [failed("numeric"), Script.done()]})
    seen: list[Any] = []
    world.recorder._observers = (
        *world.recorder._observers,
        lambda state, event: seen.append(state.retry) if event["type"] == "retry_scheduled" else None,
    )
    assert world.run() == 0
    assert (seen[0].attempt, seen[0].max_attempts) == (2, 2)
    assert seen[0].words == "the loss is not a number"
    assert "it was numeric" in seen[0].cause
    assert seen[0].change == "goes on before the first bad step"
    assert world.state.retry is None


def test_three_attempts_without_a_higher_step_end_the_run_whatever_their_classes(tmp_path: Path) -> None:
    scripts = [failed(kind, mark(100, True)) for kind in ("io_transient", "stall", "unknown", "numeric")]
    world = World(tmp_path, {"training": scripts})
    assert world.run() == 1
    assert len(world.attempts) == 3
    assert world.state.errors[-1].kind == "no_progress"
    assert "attempt 3" in world.state.errors[-1].message
    assert "saved 100 before, 100 after" in world.state.errors[-1].message
    assert world.state.stages[0].message == world.state.errors[-1].message
    assert load_run(tmp_path)[0].errors == world.state.errors


def test_a_final_class_is_named_even_when_nothing_got_further(tmp_path: Path) -> None:
    world = World(tmp_path, {"training": [failed("stall"), failed("stall"), failed("dependency")]})
    assert world.run() == 1
    assert world.state.errors[-1].kind == "dependency"


def test_attempts_that_get_further_go_on(tmp_path: Path) -> None:
    stall = Config(stall_detection=StallDetection(stall_warn_seconds=1, stall_kill_seconds_training=1.5))
    raised = [Script(None, events=[(0.1, mark(100 * n))]) for n in range(1, 4)]
    world = World(tmp_path, {"training": [*raised, Script.done()]}, stall)
    assert world.run() == 0
    assert [(error.mark_before, error.mark_after) for error in world.state.errors] == [
        (None, 100),
        (100, 200),
        (200, 300),
    ]


def test_resuming_by_hand_counts_afresh_and_says_so(tmp_path: Path) -> None:
    world = World(tmp_path, {"exam": [failed("stall")] * 3 + [failed("unknown"), Script.done()]})
    assert world.run() == 1
    assert (world.state.errors[-1].kind, len(world.attempts)) == ("no_progress", 3)
    world.recorder.record("run_resumed", pid=2)
    assert world.run() == 0
    assert len(world.attempts) == 5
    assert [alert.title for alert in world.state.alerts if alert.level == "info"] == ["Attempts count afresh"]


def test_out_of_memory_goes_down_the_ladder_to_its_end_and_is_remembered(tmp_path: Path) -> None:
    world = World(tmp_path, {"training": [failed("oom_train", mark(0, True))]}, CONFIG)
    assert world.run() == 1
    assert arguments(world) == [
        "",
        "--set ladder.micro_batch=2",
        "--set ladder.micro_batch=1",
        "--set ladder.micro_batch=1 --set ladder.gradient_checkpointing=true",
    ]
    assert [(c.setting, c.old, c.new) for c in world.state.recoveries] == [
        ("micro-batch x accumulation", "4 x 1", "2 x 2"),
        ("micro-batch x accumulation", "2 x 2", "1 x 4"),
        ("gradient checkpointing", "off", "on"),
    ]
    last = world.state.errors[-1]
    assert last.kind == "oom_train"
    assert "yours to choose" in last.message
    world.recorder.record("run_resumed", pid=2)
    world.run()
    assert len(world.state.recoveries) == 4  # and where it starts after a resume
    world.recorder.record("run_resumed", pid=3)
    world.run()
    assert len(world.state.recoveries) == 4  # told once
    again = World(tmp_path / "next", {"training": [Script.done()]}, CONFIG)
    (tmp_path / "next").mkdir(exist_ok=True)
    (tmp_path / "next" / "oom_rungs.json").write_bytes((tmp_path / "oom_rungs.json").read_bytes())
    assert again.run() == 0
    assert arguments(again) == ["--set ladder.micro_batch=1 --set ladder.gradient_checkpointing=true"]
    (told,) = again.state.recoveries
    assert told.new == "micro_batch=1, gradient_checkpointing=true"
    assert "remembered" in told.reason


def test_the_number_of_attempts_shown_is_what_the_ladder_has_left(tmp_path: Path) -> None:
    world = World(tmp_path, {"training": [failed("oom_train"), Script.done()]}, CONFIG)
    assert world.run() == 0
    (retry,) = world.of_type("retry_scheduled")
    assert (retry["attempt"], retry["max_attempts"]) == (2, 4)
    assert retry["change"] == "micro-batch x accumulation 4 x 1 to 2 x 2"
    (record,) = json.loads((tmp_path / "oom_rungs.json").read_text())["rungs"].values()
    assert (record["stage"], record["phase"], record["gpu"]) == ("training", "train", "cpu")


def test_an_exam_out_of_memory_halves_its_answers_and_leaves_training_alone(tmp_path: Path) -> None:
    world = World(tmp_path, {"exam": [failed("oom_eval"), Script.done()], "training": [Script.done()]})
    assert world.run() == 0
    assert arguments(world) == ["", "--set ladder.generation_batch=16", ""]


def test_the_rung_of_another_gpu_is_not_used(tmp_path: Path) -> None:
    world = World(tmp_path, {"training": [failed("oom_train"), Script.done()]}, CONFIG)
    world.run()
    other = World(tmp_path, {"training": [Script.done()]}, CONFIG)
    other.gpu = "NVIDIA Test"
    other.run()
    assert arguments(other) == [""]


def test_a_host_out_of_memory_before_the_work_began_is_only_tried_again(tmp_path: Path) -> None:
    world = World(tmp_path, {"training": [failed("oom_host")]}, CONFIG)
    assert world.run() == 1
    assert arguments(world) == ["", ""]
    reached = World(tmp_path, {"training": [failed("oom_host", mark(0, True)), Script.done()]}, CONFIG)
    assert reached.run() == 0
    assert arguments(reached)[1] == "--set ladder.micro_batch=2"


def test_a_resume_that_repeats_work_is_ended_and_not_tried_again(tmp_path: Path) -> None:
    lost = Script(None, events=[(0.1, mark(100, True)), (0.3, progress(1))])
    world = World(tmp_path, {"training": [lost]})
    assert world.run() == 1
    assert len(world.attempts) == 1
    assert world.state.errors[-1].kind == "resume_lost"
    assert [event["stage"] for event in world.of_type("resume_lost")] == ["training"]
    assert [alert.title for alert in world.state.alerts][0] == "Resume lost"


def test_the_own_marks_of_an_attempt_that_is_taken_up_again_are_no_loss(tmp_path: Path) -> None:
    going_on = failed("unknown", mark(100, True), progress(101), mark(200), progress(201))
    world = World(tmp_path, {"training": [going_on, Script.done()]})
    world.recorder.record("stage_started", stage="training", attempt=1, max_attempts=3)
    world.recorder.record("stage_event", stage="training", event=mark(200))
    world.recorder.record("run_resumed", pid=2, goes_on="training")
    world.left["training"] = world.spawn(world.plan.stages[0], 1, same_limits(60, None), Grace())
    assert world.run() == 0
    assert [alert for alert in world.state.alerts if alert.level == "critical"] == []
    assert (world.state.errors[0].mark_before, world.state.errors[0].mark_after) == (100, 200)


def test_work_lost_with_a_damaged_checkpoint_is_never_quiet(tmp_path: Path) -> None:
    first = failed("numeric", mark(200))
    second = Script(0, 3, [(0.1, mark(100, True)), (0.2, progress(101)), (2, DONE)])
    world = World(tmp_path, {"training": [first, second]})
    assert world.run() == 0
    (alert,) = world.state.alerts
    assert (alert.level, alert.title) == ("critical", "Work was lost")
    assert "200 had been saved" in alert.detail


@pytest.mark.parametrize(("boot", "kind"), [("another", "host_reboot"), (None, "interrupted")])
def test_a_restarted_computer_is_told_from_a_killed_orchestrator(
    boot: str | None, kind: str, tmp_path: Path
) -> None:
    project = Project(tmp_path)
    folder = project.run_dir("r1")
    folder.mkdir(parents=True)
    world = World(folder, {"training": [Script.done()]})
    write_json(project.live_state, {"run_id": "r1", "status": "running"})
    me = identity_of(os.getpid())
    assert me is not None
    write_json(record_path(project), {"identity": {**me.to_dict(), "boot_id": boot or me.boot_id}})
    close_interrupted(project, SystemClock())
    assert world.state.errors == ()
    assert [error.kind for error in load_run(folder)[0].errors] == [kind]
