"""One run from lock to last word: takes the project, sets the run up, lets the runner work, says how it
ended.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from nightforge.core.atomic import write_json
from nightforge.core.clock import Clock, SystemClock
from nightforge.core.control import clear_stop_request, read_stop_request, write_stop_request
from nightforge.core.errors import InputError, TemporaryError
from nightforge.core.failpoints import be
from nightforge.core.leftovers import sweep_tagged
from nightforge.core.paths import Project
from nightforge.core.processes import (
    ProcessIdentity,
    ProjectLock,
    identity_of,
    ignore_hangup,
    on_stop_signals,
)
from nightforge.core.records import (
    ACTIVE,
    JOURNAL,
    NONCE_VARIABLE,
    guarded_stage,
    last_order,
    last_record,
    last_run,
    read_object,
    record_path,
    running_record,
)
from nightforge.core.room import MB
from nightforge.pipeline.attempts import StageContext, stage_environment
from nightforge.pipeline.contents import Contents
from nightforge.pipeline.disk import Room
from nightforge.pipeline.fold import FINISHED
from nightforge.pipeline.forecast import Forecaster, kept_stages, make_forecaster
from nightforge.pipeline.gatekeeper import Gatekeeper, Needs, open_gate
from nightforge.pipeline.guards import Guards
from nightforge.pipeline.hardware import HardwareSampler
from nightforge.pipeline.journal import STATE, Journal, StateFiles
from nightforge.pipeline.limits import StallLimits
from nightforge.pipeline.notify import Notifier
from nightforge.pipeline.options import Options
from nightforge.pipeline.preflight import check
from nightforge.pipeline.rebuild import load_run, mend_journal
from nightforge.pipeline.recorder import Observer, Recorder
from nightforge.pipeline.registry import StageSpec
from nightforge.pipeline.retry import RESUME_COMMAND
from nightforge.pipeline.runlog import RunLog
from nightforge.pipeline.runner import Policy, Runner, Services
from nightforge.pipeline.runs import (
    Run,
    new_run,
    previous_curve,
    resumed_run,
    unfinished,
    write_config,
)
from nightforge.pipeline.states import LiveState, StageState
from nightforge.pipeline.tidy import tidy_up

_LOCK_WAIT_S = 2.0


def orchestrate(
    project: Project,
    options: Options,
    *,
    command: str = "launch_pipeline.py",
    observer: Observer | None = None,
    policy: Policy | None = None,
) -> int:
    """Carry out a new or resumed run and return its exit code.

    Raises InputError (2) for wrong input and BusyError (75) when another run holds the project;
    nothing has been started then.
    """
    be("orchestrator")
    clock = SystemClock()
    nonce = os.environ.pop(NONCE_VARIABLE, "") or secrets.token_hex(8)
    options = options._replace(resume=unfinished(project, options))
    # Wrong input is refused before anything is touched; what to resume is read under the lock.
    fresh = new_run(project, options, clock) if options.resume is None else None
    with ExitStack() as stack:
        _take(project, ProjectLock(project.lock), clock, stack)
        signals = _Signals()
        stack.callback(on_stop_signals(signals.hear))
        ignore_hangup()
        goes_on = _guarded(project)
        if goes_on is not None:  # a second run beside it would fight over the GPU: this one goes on instead
            fresh, options = None, options._replace(resume=goes_on["run_id"])
        else:
            _sweep(project)
            close_interrupted(project, clock)
        clear_stop_request(project)
        run = _prepare(project, fresh, options, command, goes_on is not None)
        log = stack.enter_context(_open_log(project, fresh=run.state is None))
        notifier = Notifier(run.config.notify, project.root)
        stack.callback(notifier.finish)
        forecaster = make_forecaster(project, run, clock)
        _write_record(project, run, nonce, recorded_at=clock.now())
        stack.callback(lambda: _write_last_record(project, run, nonce, clock))
        observers = [forecaster, RunLog(log.write, clock.monotonic), notifier, *filter(None, [observer])]
        recorder = _begin(project, run, clock, observers, command, goes_on)
        _tidy(project, run, recorder)
        _write_record(project, run, nonce, ready_at=clock.now())
        stack.callback(clear_stop_request, project)
        sampler = _start_sampler(project, stack)
        contents = Contents(project, run.config, run.plan.pipeline, run.folder)
        stack.callback(_save_contents, contents)
        guards = Guards(log.file)
        if _work_is_near(run, contents):
            guards.prepare()  # starts while the run gets ready
        stack.callback(guards.end)
        environment = stage_environment(project, run.config, run.run_id, nonce)
        context = StageContext(project, run.folder, environment, guards, run.config.disk.stage_log_mb * MB)
        stop_reader = _stop_reader(project, run.run_id, signals, clock)
        services = replace(
            _services(context, run, clock, stop_reader, sampler, forecaster),
            contents=contents,
            room=Room(project, run.config, run.run_id, language_model=run.plan.language_model),
            gate=_gate(project, run, environment, clock, stack),
        )
        forecaster.kept = lambda: kept_stages(run.plan, contents)
        try:
            code = Runner(run.plan, run.config, recorder, services, policy).run()
        except Exception as error:  # our own mistake: the page must not show a run that nobody runs
            words = f"the orchestrator failed: {type(error).__name__}: {error}"
            recorder.record("run_interrupted", message=words, next_command=RESUME_COMMAND)
            raise
        recorder.settle()
        return code


def _start_sampler(project: Project, stack: ExitStack) -> HardwareSampler:
    sampler = HardwareSampler(project.root)
    sampler.start()
    stack.callback(sampler.end)
    return sampler


class BusyError(TemporaryError):
    """Another orchestrator holds the project."""

    kind = "busy"


class _Signals:
    """Counts SIGINT and SIGTERM: the first asks for a stop, the second for a stop now."""

    def __init__(self) -> None:
        self.count = 0

    def hear(self) -> None:
        self.count += 1


def _take(project: Project, lock: ProjectLock, clock: Clock, stack: ExitStack) -> None:
    """Get the project's lock; an orchestrator that is just ending is waited for."""
    deadline = clock.monotonic() + _LOCK_WAIT_S
    while not lock.acquire():
        record = running_record(project)
        if record is not None or clock.monotonic() > deadline:
            who = f"run {record['run_id']}, pid {record['pid']}" if record else "another orchestrator"
            raise BusyError(
                f"a pipeline is running in this project already ({who})",
                next_command="python launch_pipeline.py --status",
            )
        clock.sleep(0.05)
    stack.callback(lock.release)


def _guarded(project: Project) -> dict[str, Any] | None:
    """Return the stage of the last run that goes on under its guard, with its `run_id`."""
    run_id = last_run(project)
    found = guarded_stage(project, run_id) if run_id else None
    return {**found, "run_id": run_id} if found else None


def _sweep(project: Project) -> None:
    """End what a guard that was killed has left behind; whoever carries the tag of its last order is ours."""
    order = last_order(project.run_dir(last_run(project) or "none"))
    sweep_tagged(str((order or {}).get("tag", "")))


def close_interrupted(project: Project, clock: Clock) -> None:
    """Say in the journal of the last run that its orchestrator is gone, if it ended without a word.

    Only the lock holder may call this: then nobody can be running.
    """
    run_id = last_run(project)
    copy = read_object(project.live_state) or {}
    if not run_id or (copy.get("run_id") == run_id and copy.get("status") not in ACTIVE):
        return
    folder = project.run_dir(run_id)
    try:
        mend_journal(folder)
        live, seq = load_run(folder)
    except InputError as error:  # nothing of it can be read: it is left for a look, a new run may start
        sys.stderr.write(f"{error.message}\n")
        return
    if live.status not in ACTIVE:  # the journal knows better than its copy
        return
    recorder = Recorder(live, Journal(folder / JOURNAL, seq), _state_files(project, folder, clock), clock)
    recorder.record("run_interrupted", next_command=RESUME_COMMAND, **_why_gone(project))


def _why_gone(project: Project) -> dict[str, str]:
    """Return class and words where the last orchestrator lived before the computer was restarted."""
    before = ProcessIdentity.from_dict((last_record(project) or {}).get("identity"))
    now = identity_of(os.getpid())
    if before is None or now is None or before.boot_id == now.boot_id:
        return {}
    words = "the computer was restarted while the run was active; it goes on where it was"
    return {"kind": "host_reboot", "message": words}


def _prepare(project: Project, fresh: Run | None, options: Options, command: str, guarded: bool) -> Run:
    resumed = project.run_dir(options.resume or last_run(project) or "none")
    if fresh is None and (resumed / JOURNAL).is_file():
        mend_journal(resumed)
    run = fresh or resumed_run(project, options.resume or "")
    if not guarded:  # a stage at work is taken up even on a full disk: nothing is started
        check(project, run.config, run.plan)
    if fresh is not None:
        write_config(run, project, options, command)
    return run


def _tidy(project: Project, run: Run, recorder: Recorder) -> None:
    for notice in tidy_up(project, run.run_id, run.config.disk.all_logs_mb * MB):
        recorder.record("alert", **notice._asdict())


def _begin(
    project: Project,
    run: Run,
    clock: Clock,
    observers: list[Any],
    command: str,
    goes_on: dict[str, Any] | None,
) -> Recorder:
    """Write the first event of the run, or the one that continues it."""
    recorder = Recorder(
        run.state or LiveState(),
        Journal(run.folder / JOURNAL, run.seq),
        _state_files(project, run.folder, clock),
        clock,
        observers,
    )
    if run.state is not None:
        recorder.record("run_resumed", pid=os.getpid(), goes_on=goes_on["stage"] if goes_on else None)
        return recorder
    recorder.record(
        "run_started",
        run_id=run.run_id,
        pid=os.getpid(),
        pipeline=run.plan.pipeline,
        profile=run.config.profile,
        mode=run.plan.mode,
        command=command,
        phases=[{"id": number, "title": title} for number, title in run.plan.phases],
        stages=[msgspec.to_builtins(_pending(spec)) for spec in run.plan.stages],
        previous_curve=previous_curve(project) if run.plan.language_model else None,
    )
    return recorder


def _pending(spec: StageSpec) -> StageState:
    return StageState(
        id=spec.key,
        title=spec.title,
        phase=spec.phase,
        script=spec.script,
        log=f"{spec.key}.log",
        kind=spec.kind,
        reads=spec.reads,
        writes=spec.writes,
        nodes=spec.nodes,
    )


def _state_files(project: Project, folder: Path, clock: Clock) -> StateFiles:
    return StateFiles(project.live_state, project.heartbeat, clock.monotonic, copy=folder / STATE)


def _write_record(project: Project, run: Run, nonce: str, **moments: str) -> None:
    """Say who holds the project: once the lock is ours, when the live state is there (ready), at the end."""
    identity = identity_of(os.getpid(), nonce)
    record = {
        "run_id": run.run_id,
        "pid": os.getpid(),
        "nonce": nonce,
        "identity": identity.to_dict() if identity else None,
        "folder": project.relative(run.folder),
        "log": project.relative(project.live_log),
    }
    write_json(record_path(project), {**record, "ready_at": None, "ended_at": None, **moments})


def _write_last_record(project: Project, run: Run, nonce: str, clock: Clock) -> None:
    try:
        _write_record(project, run, nonce, ready_at=clock.now(), ended_at=clock.now())
    except OSError as error:  # readers look at the process as well, and that ends now
        sys.stderr.write(f"{record_path(project)} can't be written: {error}\n")


def _services(
    context: StageContext,
    run: Run,
    clock: Clock,
    stop_request: Callable[[], dict[str, Any] | None],
    sampler: HardwareSampler,
    forecaster: Forecaster,
) -> Services:
    return Services(
        clock=clock,
        spawn=context.spawn,
        attach=context.attach,
        stop_request=stop_request,
        hardware=lambda: sampler.latest,
        forecast=forecaster.estimate,
        rungs=context.project.logs / "oom_rungs.json",
        gpu=sampler.gpu_name,
        limits=StallLimits(context.project.stall_limits, run.config, lambda: sampler.latest),
    )


def _work_is_near(run: Run, contents: Contents) -> bool:
    """Tell whether the first stage that is not done has to run."""
    done = {stage.id for stage in run.state.stages if stage.status in FINISHED} if run.state else set()
    first = next((spec for spec in run.plan.stages if spec.key not in done), None)
    return first is not None and (run.plan.force or not contents.look(first).kept)


def _save_contents(contents: Contents) -> None:
    with contextlib.suppress(OSError):  # only hashes that can be worked out again
        contents.save()


def _gate(
    project: Project, run: Run, environment: dict[str, str], clock: Clock, stack: ExitStack
) -> Gatekeeper:
    needs = Needs(project, run.folder / "config.json")
    stack.callback(needs.end)
    return open_gate(project, run.config.gpu_gate, environment, needs, clock)


def _stop_reader(
    project: Project, run_id: str, signals: _Signals, clock: Clock
) -> Callable[[], dict[str, Any] | None]:
    """Return a function that tells the standing stop request; signals become one as well. # ops S2"""
    heard = 0

    def read() -> dict[str, Any] | None:
        nonlocal heard
        try:
            if signals.count > heard:
                heard = signals.count
                write_stop_request(project, run_id, "signal", now=heard > 1)
            request = read_stop_request(project)
        except InputError:  # unreadable is not "nobody asked": stopping is the safe reading
            return {"by": "unreadable request", "requested_at": clock.now(), "now": signals.count > 1}
        except OSError:  # no disk to write the request on: the stage gets no word, so it is ended
            return {"by": "signal", "requested_at": clock.now(), "now": True} if heard else None
        return request if request is not None and request.get("run_id") == run_id else None

    return read


def _open_log(project: Project, fresh: bool) -> _Log:
    return _Log(project.live_log, fresh)


class _Log:
    """logs/pipeline_live.log; starts over with a new run. The detached orchestrator's output goes there as
    well.
    """

    def __init__(self, path: Path, fresh: bool) -> None:
        self._path = path
        self._fresh = fresh
        self._cut = False

    def __enter__(self) -> _Log:
        self.file = self._path.open("ab", buffering=0)
        if self._fresh:
            self.file.truncate(0)
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, text: str) -> None:
        """Append a line; a full disk costs the line, not the run."""
        data = b"\n" * self._cut + text.encode()
        try:
            self._cut = self.file.write(data) != len(data)  # what follows starts on a line of its own
        except OSError:
            return  # told by the journal's own alert
