"""Folding an event gives a new state, leaves the old one alone, and never fails on what a stage says."""

from __future__ import annotations

from typing import Any

import pytest

from nightforge.pipeline.fold import fold, fold_all
from nightforge.pipeline.stage_fold import thin
from nightforge.pipeline.states import LiveState, from_json, to_json

T0, T1, T2 = (f"2026-11-21T17:15:0{second}.000Z" for second in range(3))


def event(event_type: str, time: str = T0, **fields: Any) -> dict[str, Any]:
    return {"type": event_type, "time": time, **fields}


def said(event_type: str, time: str = T1, **fields: Any) -> dict[str, Any]:
    return event("stage_event", time, stage="04", event={"type": event_type, **fields})


STARTED = event(
    "run_started",
    run_id="r1",
    pid=7,
    pipeline="blueprint",
    profile="tiny",
    mode="full",
    command="launch_pipeline.py",
    phases=[{"id": 3, "title": "Model"}, {"id": 4, "title": "Training"}],
    stages=[
        {"id": key, "title": f"Stage {key}", "phase": phase, "script": "", "log": "", "kind": "training"}
        for key, phase in (("00", 3), ("04", 4), ("16-post", 4))
    ],
    previous_curve={"version": 2, "train": [[1, 2.5]]},
)
RUNNING = [STARTED, event("stage_started", stage="04", attempt=1, max_attempts=3)]


def ended(outcome: str, time: str = T2, **fields: Any) -> dict[str, Any]:
    return event("stage_ended", time, stage="04", attempt=1, outcome=outcome, **fields)


def test_a_started_run_is_all_pending_with_idle_nodes() -> None:
    state = fold(LiveState(), STARTED)
    assert (state.status, state.run_id, state.started_at) == ("starting", "r1", T0)
    assert {stage.status for stage in state.stages} == {"pending"}
    assert {node.status for node in state.nodes.values()} == {"idle"}
    assert set(state.nodes) == {"phase-3", "phase-4", "stage-00", "stage-04", "stage-16-post"}
    assert state.curve.previous and state.curve.previous.version == 2


def test_fold_leaves_the_state_it_is_given_alone() -> None:
    before = fold_all(RUNNING)
    copy = to_json(before)
    fold_all([said("progress", done=1, total=2, unit="steps"), ended("failed", message="x")], before)
    assert to_json(before) == copy


@pytest.mark.parametrize(
    ("outcome", "stage_node", "phase_node"),
    [("succeeded", "done", "running"), ("failed", "fail", "fail"), ("stopped", "idle", "idle")],
)
def test_nodes_follow_the_stages(outcome: str, stage_node: str, phase_node: str) -> None:
    running = fold_all(RUNNING)
    assert (running.nodes["stage-04"].status, running.nodes["phase-4"].status) == ("running", "running")
    state = fold(running, ended(outcome))
    assert (state.nodes["stage-04"].status, state.nodes["phase-4"].status) == (stage_node, phase_node)
    assert state.nodes["phase-3"].updated_at == T0


def test_what_a_stage_reports_appears_where_the_pages_look() -> None:
    state = fold_all(
        [
            *RUNNING,
            said("phase", step="4.3", title="training loop"),
            said("progress", done=142, total=230, unit="steps"),
            said("metric", values={"loss": 0.5}),
            said("metric", values={"lr": 1e-4}),
            said("curve", step=1, values={"loss": 3.0, "lr": 1e-4}),
            said("curve", step=5, values={"loss": 2.0, "eval_loss": 2.2}),
            said("message", text="halfway"),
            said("node", id="n4", status="running", message="BeginPlay"),
            said("answer", prompt_id="p1", score=0.5, missing=[]),
            said("alert", level="warning", title="Mirror missing", detail="/mnt/x", next_command="mount it"),
        ]
    )
    stage = state.stage("04")
    assert stage.step and (stage.step.id, stage.step.title) == ("4.3", "training loop")
    assert stage.progress and (stage.progress.done, stage.progress.total) == (142, 230)
    assert stage.metrics == {"loss": 0.5, "lr": 1e-4}
    assert stage.message == "halfway"
    assert state.curve.train == ((1, 3.0), (5, 2.0))
    assert (state.curve.eval, state.curve.lr) == (((5, 2.2),), ((1, 1e-4),))
    assert state.nodes["n4"].status == "running"
    assert state.answers == ({"prompt_id": "p1", "score": 0.5, "missing": []},)
    assert (state.alerts[0].stage, state.alerts[0].next_command) == ("04", "mount it")
    assert state.current and state.current.last_progress_at == T1
    assert state.heartbeat and state.heartbeat.stage_at == T1


def test_a_resumed_training_draws_over_the_steps_it_repeats() -> None:
    points = [said("curve", step=step, values={"loss": float(step)}) for step in (1, 2, 3)]
    state = fold_all([*RUNNING, *points, said("curve", step=2, values={"loss": 9.0})])
    assert state.curve.train == ((1, 1.0), (2, 9.0))


@pytest.mark.parametrize(
    "nonsense",
    [
        {"type": "progress"},
        {"type": "progress", "done": "many", "total": None},
        {"type": "progress", "done": float("nan"), "total": 3},
        {"type": "metric", "values": 3},
        {"type": "curve", "step": 1, "values": None},
        {"type": "curve", "step": 1, "values": {"loss": float("inf")}},
        {"type": "node", "id": 1, "status": "<script>"},
        {"type": "alert"},
        {"type": "unheard-of"},
        {},
    ],
)
def test_nonsense_from_a_stage_changes_nothing_and_raises_nothing(nonsense: dict[str, Any]) -> None:
    before = fold_all(RUNNING)
    after = fold(before, event("stage_event", T1, stage="04", event=nonsense))
    assert (after.stages, after.curve, after.alerts, after.nodes) == (
        before.stages,
        before.curve,
        before.alerts,
        before.nodes,
    )


def test_an_unknown_event_of_a_newer_release_is_passed_over() -> None:
    before = fold_all(RUNNING)
    assert fold(before, event("gpu_gate_opened")) is before


def test_only_the_newest_errors_and_answers_are_kept() -> None:
    answers = [said("answer", prompt_id=str(n)) for n in range(20)]
    errors = [ended("failed", message=str(n)) for n in range(15)]
    state = fold_all([*RUNNING, *answers, *errors])
    assert [answer["prompt_id"] for answer in state.answers] == [str(n) for n in range(8, 20)]
    assert [error.message for error in state.errors] == [str(n) for n in range(5, 15)]


def test_a_long_curve_is_thinned_in_its_older_half() -> None:
    points = tuple((float(n), 0.0) for n in range(401))
    kept = thin(points)
    assert len(kept) == 301
    assert kept[-1] == points[-1] and kept[0] == points[0]
    assert thin(points[:400]) == points[:400]


def test_an_interrupted_run_is_failed_and_resumable_with_the_reason_in_its_errors() -> None:
    state = fold_all([*RUNNING, event("run_interrupted", T2, next_command="--resume")])
    assert (state.status, state.resumable, state.current) == ("failed", True, None)
    assert state.stage("04").status == "failed"
    assert (state.errors[-1].kind, state.errors[-1].stage) == ("interrupted", "04")


def test_a_resumed_run_keeps_what_is_done_and_forgets_how_it_ended() -> None:
    first = fold_all([*RUNNING, ended("stopped"), event("run_ended", T2, status="stopped", exit_code=4)])
    state = fold(first, event("run_resumed", T2, pid=9))
    assert (state.status, state.pid, state.result, state.ended_at) == ("starting", 9, None, None)
    assert (state.stage("04").status, state.stage("04").attempt) == ("pending", 1)


def test_the_state_survives_being_written_and_read() -> None:
    state = fold_all(
        [*RUNNING, said("progress", done=1, total=2, unit="steps"), ended("failed", message="x")]
    )
    assert from_json(to_json(state)) == state


def test_folding_in_two_parts_equals_folding_at_once() -> None:
    events = [
        *RUNNING,
        said("progress", done=1, total=2, unit="s"),
        ended("succeeded"),
        event("heartbeat", T2),
    ]
    for cut in range(len(events)):
        assert fold_all(events[cut:], fold_all(events[:cut])) == fold_all(events)
