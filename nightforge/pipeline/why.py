"""`launch_pipeline.py --why STAGE` and `--accept STAGE`. # ops C4"""

from __future__ import annotations

from typing import Any

from nightforge.config import Config, load_config
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.records import current_state
from nightforge.core.terminal import say
from nightforge.pipeline.contents import Contents, standing
from nightforge.pipeline.options import Options
from nightforge.pipeline.plan import Plan, build_plan, has_exports
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.runs import resumed_run, unfinished

_DONE = ("succeeded", "skipped")


def why(project: Project, options: Options) -> int:
    """Say how a stage ended last time and what the next start does with it, and why."""
    config = load_config(project, options.profile, options.overrides)
    plan, spec = _find(project, options, config)
    state = current_state(project)
    stage = next((entry for entry in state["stages"] if entry["id"] == spec.key), None)
    say(f"{spec.key}  {spec.title}  (python {spec.script})")
    if stage is not None and stage["status"] not in ("pending", ""):
        say(f"Last     {_last(state, stage)}")
    say(f"Next     {_next(project, options, config, plan, spec)}")
    return 0


def accept(project: Project, options: Options) -> int:
    """Let the last success of a stage stand; raises InputError if there is none."""
    config = load_config(project, options.profile, options.overrides)
    _, spec = _find(project, options, config)
    contents = Contents(project, config, options.pipeline)
    look = contents.look(spec)
    if look.record is None or spec.always:
        raise InputError(
            f"stage {spec.key} has no earlier result that could stand: {look.why}",
            next_command="python launch_pipeline.py",
        )
    if not look.kept:
        contents.accept(spec)
        contents.save()
    say(f"{spec.key}  {spec.title}: the result of run {look.record['run_id']} stands ({look.why})")
    return 0


def _find(project: Project, options: Options, config: Config) -> tuple[Plan, StageSpec]:
    exports = has_exports(project.root)
    plan = build_plan(
        options.mode, force=options.force, pipeline=options.pipeline, exports=exports, config=config
    )
    for spec in plan.stages:
        if spec.key == options.stage:
            return plan, spec
    raise InputError(
        f"there is no stage {options.stage!r} in pipeline {plan.pipeline}, mode {plan.mode}; it has "
        f"{', '.join(spec.key for spec in plan.stages)}",
        next_command="python launch_pipeline.py --dry-run",
    )


def _last(state: dict[str, Any], stage: dict[str, Any]) -> str:
    """Tell how the stage ended in the last run."""
    words = f"{stage['status']} in run {state['run_id']}"
    if stage.get("attempt"):
        words += f", attempt {stage['attempt']}"
    if stage.get("message"):
        words += f": {stage['message']}"
    error = next(
        (entry for entry in reversed(state.get("errors", [])) if entry["stage"] == stage["id"]), None
    )
    if error is not None and stage["status"] not in _DONE and error["message"] != stage.get("message"):
        words += f" (last error, {error['kind']}: {error['message']})"
    if stage["status"] in ("running", "retrying") and state["status"] == "interrupted":
        words += "; its orchestrator is gone"
    return words


def _next(project: Project, options: Options, config: Config, plan: Plan, spec: StageSpec) -> str:
    """Say what the next start does with the stage."""
    run_id = unfinished(project, options)
    done: set[str] = set()
    if run_id is not None:
        run = resumed_run(project, run_id)
        config = run.config
        assert run.state is not None
        done = {stage.id for stage in run.state.stages if stage.status in _DONE}
    contents = Contents(project, config, plan.pipeline)
    before: list[StageSpec] = []  # those that will run ahead of it
    for stage in plan.stages:
        look = standing(contents, plan, stage, stage.key in done, bool(before))
        if stage.key == spec.key:
            break
        if not look.kept:
            before.append(stage)
    contents.save()
    goes_on = f" (a start continues run {run_id})" if run_id else ""
    feeder = _feeds(before, spec)
    if look.kept and feeder is not None:
        words = f"is decided when it is reached: {feeder.key} runs before it and may change what it reads"
        return words + goes_on
    return f"{'is kept' if look.kept else 'runs'}: {look.why}{goes_on}"


def _feeds(before: list[StageSpec], spec: StageSpec) -> StageSpec | None:
    for stage in before:
        if any(
            read.startswith(written) or written.startswith(read)
            for written in stage.writes
            for read in spec.reads
        ):
            return stage
    return None
