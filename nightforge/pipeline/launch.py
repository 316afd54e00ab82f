"""What `launch_pipeline.py` does for each action, in words for the person at the terminal."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nightforge.core.atomic import write_json
from nightforge.core.control import read_stop_request, write_stop_request
from nightforge.core.errors import ExitCode, InputError, NightforgeError, from_os_error, is_disk_full
from nightforge.core.logind import logout_warning
from nightforge.core.paths import Project
from nightforge.core.processes import TAG_VARIABLE, identity_of, spawn_detached
from nightforge.core.records import (
    NONCE_VARIABLE,
    current_state,
    last_record,
    order_path,
    running_record,
)
from nightforge.core.room import Reserve
from nightforge.core.terminal import say
from nightforge.pipeline.options import Options
from nightforge.pipeline.status import page_url, print_status

READY_LIMIT_S = 15.0
_HOLDER_LIMIT_S = 5.0
_ORCHESTRATOR = Path(__file__).resolve().parents[2] / "scripts" / "11_pipeline_orchestrator.py"


def main(options: Options, argv: Sequence[str], project: Project | None = None) -> int:
    """Carry out one action and return the exit code; errors are printed as what, where and next command."""
    project = project or Project.find()
    try:
        return _act(options, argv, project)
    except NightforgeError as error:
        say(f"error: {error}", sys.stderr)
        return int(error.exit_code)
    except OSError as error:
        translated = from_os_error(error)
        say(f"error: {translated}", sys.stderr)
        return int(translated.exit_code)


def _act(options: Options, argv: Sequence[str], project: Project) -> int:
    if options.action == "status":
        return print_status(project, options.json)
    if options.action == "dry-run":
        return dry_run(project, options)
    if options.action == "doctor":
        from nightforge.pipeline.doctor import run_doctor

        return run_doctor(project, options)
    if options.action == "rehearse":
        from nightforge.pipeline.rehearse import rehearse

        return rehearse(project)
    if options.action in ("why", "accept"):
        from nightforge.pipeline.why import accept, why

        return (why if options.action == "why" else accept)(project, options)
    if options.action == "stop":
        return stop(project, now=options.now)
    if options.action == "foreground":
        return foreground(project, options, argv)
    return start(project, options, argv)


def dry_run(project: Project, options: Options) -> int:
    """Print the plan; reads the configuration, writes nothing."""
    from nightforge.pipeline.plan import build_plan, format_plan, has_exports

    exports = has_exports(project.root)
    try:
        from nightforge.config import load_config
    except ImportError:  # before the first installation only the standard library is there
        profile = f"{options.profile or 'as in pipeline_config.json'} (not checked: not installed yet)"
        config = None
    else:
        config = load_config(project, options.profile, options.overrides)
        profile = config.profile
    plan = build_plan(
        options.mode, force=options.force, pipeline=options.pipeline, exports=exports, config=config
    )
    say(format_plan(plan, profile))
    if config is not None and plan.pipeline == "anomaly":
        from nightforge.pipeline.streams import runtime_lines

        say("\nRuntime configuration")
        for line in runtime_lines(project, config):
            say(f"  {line}")
    if config is not None:
        from nightforge.pipeline.preflight import budget_lines, disk_budget

        say("\nRoom on the disks")
        for line in budget_lines(disk_budget(project, config, plan)):
            say(f"  {line}")
    return 0


def stop(project: Project, now: bool = False) -> int:
    """Ask the running pipeline to stop; asking a second time ends the running stage within 30 s."""
    record = running_record(project)
    state = current_state(project)
    guarded = state.get("guarded")
    if record is None and not guarded:
        say("No pipeline is running here; there is nothing to stop.")
        say("Next     python launch_pipeline.py --status")
        return 0
    run_id = str(record["run_id"] if record else state["run_id"])
    standing = _standing_request(project)
    again = standing is not None and standing.get("run_id") == run_id
    _ask_to_stop(project, run_id, now=now or again)
    if guarded and (now or again):  # no orchestrator to pass it on
        end_order = order_path(project.run_dir(run_id), guarded["stage"], guarded["attempt"], "end")
        write_json(end_order, {"by": "terminal"})
    stage = (state.get("current") or {}).get("stage")
    what = f"stage {stage}" if stage else "the run"
    if now or again:
        say(f"Run {run_id}: {what} is asked to end now and is ended by force after 30 s.")
    else:
        say(f"Run {run_id}: {what} goes on to its next safe boundary, saves, and the run ends `stopped`.")
        say("Hurry    python launch_pipeline.py --stop --now")
    say("Watch    python launch_pipeline.py --status\nLater    python launch_pipeline.py --resume")
    return 0


def _ask_to_stop(project: Project, run_id: str, now: bool) -> None:
    """Write the request; on a full disk the reserve is given up for it. # ops Q2"""
    try:
        write_stop_request(project, run_id, "terminal", now=now)
    except OSError as error:
        if not is_disk_full(error) or not Reserve(project.reserve, 0).release():
            raise
        write_stop_request(project, run_id, "terminal", now=now)


def _standing_request(project: Project) -> dict[str, Any] | None:
    try:
        return read_stop_request(project)
    except InputError:
        project.stop_request.unlink(missing_ok=True)  # unreadable: replaced by the one written next
        return None


def foreground(project: Project, options: Options, argv: Sequence[str]) -> int:
    """Run in this process and terminal; returns the run's exit code."""
    from nightforge.pipeline.orchestrator import BusyError, orchestrate

    command = " ".join(("launch_pipeline.py", *argv))
    if NONCE_VARIABLE in os.environ:  # started detached by `start`: nobody watches, the log is enough
        try:
            return orchestrate(project, options, command=command)
        except BusyError as error:  # a faster launch has won; its log is not the place for our words
            return int(error.exit_code)
    if sys.stderr.isatty():
        from nightforge.pipeline.terminal import TerminalView

        with TerminalView() as view:
            code = orchestrate(project, options, command=command, observer=view)
    else:
        from nightforge.pipeline.runlog import print_line

        code = orchestrate(project, options, command=command, observer=print_line)
    state = current_state(project)
    report = (state.get("result") or {}).get("report")
    say(f"Run {state['run_id']} {state['status']}" + (f"; report: {report}" if report else ""))
    return code


def start(project: Project, options: Options, argv: Sequence[str]) -> int:
    """Start the orchestrator detached, wait until it says it is ready, and tell where to look. # ops D1"""
    from nightforge.config import load_config

    if options.resume is None:
        load_config(project, options.profile, options.overrides)  # a typing error is told first
    running = running_record(project)
    if running is not None:
        return _already(project, running)
    config, goes_on = _refuse_early(project, options)
    note = _interrupted_note(project, options, goes_on)
    nonce = secrets.token_hex(8)
    child = spawn_detached(
        [sys.executable, str(_ORCHESTRATOR), *argv],
        project.root,
        project.live_log,
        _child_environment(project, nonce),
    )
    record = _wait_ready(project, nonce, child.pid)
    if record is None:
        running = _wait_holder(project)
        return _already(project, running) if running else _false_start(project)
    if record.get("ended_at"):
        note = (note + "\n" if note else "") + "The run has ended already; see --status."
    url = _dashboard(project, config)
    _tell_started(project, record, url, [text for text in (note, child.warning, logout_warning()) if text])
    return 0


def _refuse_early(project: Project, options: Options) -> tuple[Any, str | None]:
    """Check in this terminal what would end the orchestrator at once; returns the configuration and the run
    that goes on.
    """
    from nightforge.core.clock import SystemClock
    from nightforge.pipeline.preflight import check
    from nightforge.pipeline.runs import new_run, resumed_run, unfinished

    goes_on = unfinished(project, options)
    run = new_run(project, options, SystemClock()) if goes_on is None else resumed_run(project, goes_on)
    if not current_state(project).get("guarded"):
        check(project, run.config, run.plan)
    return run.config, goes_on


def _interrupted_note(project: Project, options: Options, goes_on: str | None) -> str:
    state = current_state(project)
    if state.get("guarded"):
        where = f"run {state['run_id']} has lost its orchestrator, but stage {state['guarded']['stage']}"
        return f"Note     {where} goes on under its guard; this start takes that run up again"
    if options.resume is not None or not state.get("resumable"):
        return ""
    if goes_on is not None:
        return f"Note     run {goes_on} was {state['status']}; this start continues it (a new run: --force)"
    return (
        f"Note     run {state['run_id']} was {state['status']} and is left as it is; "
        f"continue it later with: python launch_pipeline.py --resume {state['run_id']}"
    )


def _child_environment(project: Project, nonce: str) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != TAG_VARIABLE}
    return {**environment, "NIGHTFORGE_ROOT": str(project.root), NONCE_VARIABLE: nonce}


def _wait_ready(project: Project, nonce: str, pid: int) -> dict[str, Any] | None:
    """Wait for the record that repeats our nonce; None if the child ended or 15 s have passed."""
    deadline = time.monotonic() + READY_LIMIT_S
    while time.monotonic() < deadline:
        gone = identity_of(pid) is None  # looked at first: the record may be its last act
        record = last_record(project)
        if record is not None and record.get("nonce") == nonce and record.get("ready_at"):
            return record
        if gone:
            return None
        time.sleep(0.02)
    return None


def _wait_holder(project: Project) -> dict[str, Any] | None:
    """Another launch may have been faster and not have written its record yet. # ops P4"""
    from nightforge.core.processes import ProjectLock

    deadline = time.monotonic() + _HOLDER_LIMIT_S
    while time.monotonic() < deadline:
        running = running_record(project)
        if running is not None:
            return running
        probe = ProjectLock(project.lock)
        if probe.acquire():  # nobody holds the project: our own orchestrator failed
            probe.release()
            return None
        time.sleep(0.05)
    return None


def _false_start(project: Project) -> int:
    try:
        lines = project.live_log.read_text(encoding="utf-8", errors="replace").splitlines()[-40:]
    except OSError:
        lines = []
    say("error: the orchestrator did not start. The end of its log:", sys.stderr)
    say("\n".join(f"  {line}" for line in lines), sys.stderr)
    say(f"  next: read {project.live_log}, then python launch_pipeline.py --foreground", sys.stderr)
    return int(ExitCode.FAILED)


def _already(project: Project, record: dict[str, Any]) -> int:
    state = current_state(project)
    say(
        f"A pipeline is running already: run {record['run_id']} (pid {record['pid']}), {state.get('status')}."
    )
    say(f"Page     {page_url(project) or 'python serve_dashboard.py --background'}")
    say("Watch    python launch_pipeline.py --status\nStop     python launch_pipeline.py --stop")
    return 0


def _dashboard(project: Project, config: Any) -> str:
    """Make sure the server runs; its failure is told but never ends a run that has started."""
    if not config.dashboard.autostart:
        return (
            page_url(project) or "off (dashboard.autostart is false); python serve_dashboard.py --background"
        )
    from nightforge.web.control import ensure_server

    try:
        return str(ensure_server(project, config.dashboard.host, config.dashboard.port).url)
    except (NightforgeError, OSError) as error:
        return f"not available: {error}"


def _tell_started(project: Project, record: dict[str, Any], url: str, notes: Sequence[str]) -> None:
    say(f"Run      {record['run_id']}  (pid {record['pid']}), detached: this terminal may be closed")
    say(f"Page     {url}")
    say(f"Log      {project.relative(project.live_log)}  and  {record['folder']}/")
    say("Status   python launch_pipeline.py --status\nStop     python launch_pipeline.py --stop")
    for note in notes:
        say(note)
