"""The boxes of the anomaly graph and one curve per training, folded from events."""

from __future__ import annotations

from typing import Any

from nightforge.pipeline.fold import fold_all
from nightforge.pipeline.registry import ANOMALY, BLUEPRINT, StageSpec
from nightforge.pipeline.states import LiveState


def begin(rows: tuple[StageSpec, ...] = ANOMALY, pipeline: str = "anomaly") -> dict[str, Any]:
    stages = [
        {
            **{"id": row.key, "title": row.title, "phase": row.phase, "script": row.script},
            **{"log": f"{row.key}.log", "kind": row.kind, "nodes": list(row.nodes)},
        }
        for row in rows
    ]
    return event(
        "run_started", run_id="r", pipeline=pipeline, profile="tiny", mode="full", command="", pid=1,
        phases=[], stages=stages,
    )  # fmt: skip


def event(kind: str, /, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "time": "2026-11-22T10:00:00.000Z", **fields}


def started(key: str) -> dict[str, Any]:
    return event("stage_started", stage=key, attempt=1, max_attempts=2)


def ended(key: str, outcome: str, message: str = "") -> dict[str, Any]:
    return event("stage_ended", stage=key, attempt=1, outcome=outcome, message=message, kind="killed")


def said(key: str, **fields: Any) -> dict[str, Any]:
    return event("stage_event", stage=key, event={"time": "x", **fields})


def node(key: str, name: str, status: str) -> dict[str, Any]:
    return said(key, type="node", id=name, status=status, message=f"{name} says so")


def shown(state: LiveState, *names: str) -> list[str]:
    return [state.nodes[name].status for name in names]


def test_a_stage_lights_its_first_box_and_says_the_rest_itself() -> None:
    state = fold_all([begin(), started("21")])
    assert shown(state, "orchestrator", "data-prep", "dqvl", "patchtst") == [
        "running",
        "running",
        "idle",
        "idle",
    ]
    state = fold_all([node("21", "data-prep", "done"), node("21", "dqvl", "running")], state)
    assert shown(state, "data-prep", "dqvl") == ["done", "running"]
    state = fold_all([ended("21", "succeeded"), started("22")], state)
    assert shown(state, "data-prep", "dqvl", "patchtst", "swinmae") == ["done", "done", "running", "idle"]
    assert state.nodes["data-prep"].message == "data-prep says so"


def test_a_stage_that_dies_without_a_word_fails_the_box_it_was_at() -> None:
    events = [begin(), started("21"), node("21", "data-prep", "done"), node("21", "dqvl", "running")]
    state = fold_all([*events, ended("21", "failed", "killed from outside")])
    assert shown(state, "data-prep", "dqvl", "patchtst") == ["done", "fail", "idle"]
    assert state.nodes["dqvl"].message == "killed from outside"
    state = fold_all([event("run_ended", status="failed", exit_code=1)], state)
    assert shown(state, "orchestrator", "dqvl") == ["fail", "fail"]
    again = fold_all([event("run_resumed", pid=2), started("21")], state)
    assert shown(again, "orchestrator", "data-prep", "dqvl") == ["running", "done", "idle"]


def test_what_a_failing_stage_said_of_its_boxes_stands() -> None:
    events = [begin(), started("26"), node("26", "validation-gate", "running")]
    events += [node("26", "scaler-check", "fail"), node("26", "release-ready", "fail")]
    state = fold_all([*events, ended("26", "failed", "2 Scaling: no")])
    assert shown(state, "validation-gate", "scaler-check", "release-ready", "runs-check") == [
        *("fail", "fail", "fail", "idle")
    ]
    assert state.nodes["scaler-check"].message == "scaler-check says so"


def test_a_kept_stage_is_done_and_a_stopped_one_idle() -> None:
    kept = event("stage_kept", stage="22", run_id="r0", result={})
    state = fold_all([begin(), kept, started("23"), event("run_ended", status="stopped", exit_code=4)])
    assert shown(state, "patchtst", "swinmae", "orchestrator") == ["done", "idle", "idle"]


def test_each_training_has_a_curve_of_its_own() -> None:
    points = [said("22", type="curve", step=step, values={"loss": 1.0 / step}) for step in (10, 20, 30)]
    state = fold_all([begin(), started("22"), *points, ended("22", "succeeded"), started("23")])
    state = fold_all([said("23", type="curve", step=10, values={"loss": 5.0, "eval_loss": 6.0})], state)
    assert [step for step, _ in state.curves["22"].train] == [10, 20, 30]
    assert state.curves["23"].train == ((10, 5.0),)
    assert state.curve == state.curves["23"]


def test_the_blueprint_pipeline_has_neither() -> None:
    point = said("04", type="curve", step=10, values={"loss": 1.0})
    state = fold_all([begin(BLUEPRINT, "blueprint"), started("04"), point])
    assert state.curve.train == ((10, 1.0),)
    assert state.curves == {}
    assert all(name.startswith(("stage-", "phase-")) for name in state.nodes)
