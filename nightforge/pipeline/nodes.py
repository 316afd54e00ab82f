"""The boxes of the flowchart: one per phase and per stage, derived from the stages. Pure.

The graph of the anomaly track has boxes of its own, which stages light themselves while they run; what they
could not say (killed, kept, stopped, not begun) is derived here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nightforge.pipeline.states import NodeStatus, StageState

_STAGE_NODE = {
    "pending": "idle",
    "stopped": "idle",
    "running": "running",
    "retrying": "running",
    "succeeded": "done",
    "skipped": "done",
    "failed": "fail",
}


_RUN_NODE = {"succeeded": "done", "failed": "fail", "stopped": "idle"}
RUN_NODE = "orchestrator"


def nodes_of(
    stages: Sequence[StageState], before: Mapping[str, NodeStatus], now: str, run_status: str = ""
) -> dict[str, NodeStatus]:
    """Return all nodes; those a stage reported itself stay, an unchanged one keeps its time."""
    wanted: dict[str, tuple[str, str]] = {}
    for stage in stages:
        wanted[f"stage-{stage.id}"] = (_STAGE_NODE[stage.status], stage.message or stage.title)
    for phase in dict.fromkeys(stage.phase for stage in stages):
        members = [stage for stage in stages if stage.phase == phase]
        wanted[f"phase-{phase}"] = (_phase_status(members), _phase_message(members))
        wanted.update(_of_graph(members, before))
    if any(stage.nodes for stage in stages):
        wanted[RUN_NODE] = (_RUN_NODE.get(run_status, "running"), run_status)
    nodes = dict(before)
    for name, (status, message) in wanted.items():
        old = before.get(name)
        if old is None or (old.status, old.message) != (status, message):
            nodes[name] = NodeStatus(status, message, now)
    return nodes


def _of_graph(stages: Sequence[StageState], before: Mapping[str, NodeStatus]) -> dict[str, tuple[str, str]]:
    """Return the boxes that their stages' ends or beginnings decide; the others are as reported."""
    found: dict[str, tuple[str, str]] = {}
    for stage in stages:
        known = {name: before.get(name, NodeStatus()) for name in stage.nodes}
        words = stage.message or stage.title
        if stage.status in ("pending", "stopped"):  # one that is done may have been lit by a stage before
            found.update((name, ("idle", words)) for name, node in known.items() if node.status != "done")
        elif stage.status in ("succeeded", "skipped"):
            for name, node in known.items():
                found[name] = ("done", node.message if node.status == "done" else words)
        elif stage.status == "failed":
            at = [name for name, node in known.items() if node.status == "running"]
            left = [name for name, node in known.items() if node.status == "idle"] or [*known][-1:]
            told = any(node.status == "fail" for node in known.values())
            found.update(dict.fromkeys(at or ([] if told else left[:1]), ("fail", words)))
        elif stage.status == "running" and not any(n.status in ("running", "done") for n in known.values()):
            found.update(dict.fromkeys(stage.nodes[:1], ("running", words)))
    return found


def _phase_status(members: Sequence[StageState]) -> str:
    statuses = {_STAGE_NODE[stage.status] for stage in members}
    if "fail" in statuses:
        return "fail"
    if statuses == {"done"}:
        return "done"
    # Between two stages of one phase nothing runs, but the phase is not idle.
    return "running" if statuses & {"running", "done"} and not _is_stopped(members) else "idle"


def _is_stopped(members: Sequence[StageState]) -> bool:
    return any(stage.status == "stopped" for stage in members)


def _phase_message(members: Sequence[StageState]) -> str:
    if _is_stopped(members):
        return "stopped"
    active = [stage for stage in members if stage.status in ("running", "retrying", "failed")]
    if active:
        return active[0].message or active[0].title
    done = sum(stage.status in ("succeeded", "skipped") for stage in members)
    return f"{done} of {len(members)} stages done"
