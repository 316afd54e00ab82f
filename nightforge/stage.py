"""What a numbered script gets: its configuration, a way to report, a way to hear "stop", and the exit codes.

A stage is its docstring, one lazy import, one call, its exit:

    def run(stage: Stage) -> dict:
        from nightforge.blueprint.training import train_adapter

        return train_adapter(stage.config, ...)

    if __name__ == "__main__":
        sys.exit(stage_main(run, doc=__doc__))
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from nightforge.config import Config, load_config
from nightforge.config.trace import traced
from nightforge.core.atomic import write_text
from nightforge.core.control import read_stop_request
from nightforge.core.errors import ExitCode, InputError, NightforgeError, OutOfMemory, from_os_error
from nightforge.core.events import EventWriter
from nightforge.core.failpoints import be
from nightforge.core.failures import describe
from nightforge.core.inject import ATTEMPT_VARIABLE
from nightforge.core.paths import Project
from nightforge.core.stacks import StackFile

RUN_ID_VARIABLE = "NIGHTFORGE_RUN_ID"


class Reporter:
    """Tells the orchestrator (events) or the person at the terminal (text) how the stage is getting on."""

    def __init__(self, events: EventWriter | None, show: Callable[[str], None]) -> None:
        self._events = events
        self._show = show
        self._disk_full_said = False
        self._phase = ""
        self._watched: tuple[str, float] = ("", 0.0)  # phase last told, and when
        self.wind_up: Callable[[str | None], None] = lambda phase: None  # told of each event

    def phase(self, step: str, title: str) -> None:
        """Enter a sub-step such as `4.3`, `training loop`."""
        self._phase = f"{step} {title}"
        self._send("phase", step=step, title=title)
        self._show(f"{step} {title}")

    def progress(self, done: int, total: int, unit: str) -> None:
        """Count useful units; only this, phases, curves and answers reset the stall clock. # ops H1"""
        self._send("progress", done=done, total=total, unit=unit)
        if self._events is None and (done == total or done % max(1, total // 20) == 0):
            self._show(f"  {done}/{total} {unit}")

    def mark(self, value: int, unit: str, resumed: bool = False) -> None:
        """State what is durable now: a checkpoint's step, answers on disk; with `resumed`, where this attempt
        goes on. # ops B1, C9
        """
        self._send("mark", value=value, unit=unit, resumed=resumed)

    def watch(self, phase: str, done: int = 0) -> None:
        """Say which of the guard's limits holds from now on: `load`, `first_step`, `step`, `eval`, `save` or
        `generate`. `done` counts units within it, such as weights loaded; told at most once per second.
        """
        before, told_at = self._watched
        now_s = time.monotonic()
        if phase != before or now_s - told_at >= 1.0:
            self._watched = (phase, now_s)
            self._send("watch", phase=phase, done=done)

    def metric(self, **values: float | int | str | None) -> None:
        """State results by name; a later value of the same name replaces the earlier one."""
        self._send("metric", values=values)
        self._show("  " + ", ".join(f"{name} {_short(value)}" for name, value in values.items()))

    def curve(self, step: int, **values: float) -> None:
        """Add points at an optimizer step: `loss`, `eval_loss`, `lr`."""
        self._send("curve", step=step, values=values)
        self._show(
            f"  step {step}: " + ", ".join(f"{name} {_short(value)}" for name, value in values.items())
        )

    def node(self, node_id: str, status: str, message: str = "") -> None:
        """Set a node of the flow chart: idle, running, done or fail."""
        self._send("node", id=node_id, status=status, message=message)

    def message(self, text: str) -> None:
        """Say something in one plain sentence."""
        self._send("message", text=text)
        self._show(text)

    def alert(self, level: str, title: str, detail: str = "", next_command: str | None = None) -> None:
        """Raise something a person should look at: info, warning or critical."""
        self._send("alert", level=level, title=title, detail=detail, next_command=next_command)
        self._show(
            f"{level.upper()}: {title}. {detail}" + (f"\n  next: {next_command}" if next_command else "")
        )

    def answer(self, **fields: Any) -> None:
        """Show one answered exam prompt."""
        self._send("answer", **fields)

    def start(self, stage_key: str, stacks: str | None = None) -> None:
        self._send("start", pid=os.getpid(), stage=stage_key, stacks=stacks)

    def finish(self, result: dict[str, Any], sections: Iterable[str]) -> None:
        """Say that the stage is done, and which sections of the configuration it has read."""
        if self._events is not None:  # the record that makes a stage "done" must not be lost quietly
            self._events.write("done", result=result, sections=sorted(sections))

    def fail(self, error: BaseException) -> None:
        self._send("error", **describe(error, self._phase))

    def _send(self, event_type: str, /, **fields: Any) -> None:
        if self._events is None:
            return
        self.wind_up(fields["phase"] if event_type == "watch" else None)
        try:
            self._events.write(event_type, **fields)
        except OSError as error:  # a full disk must not end the work whose progress could not be told
            if not self._disk_full_said:
                self._disk_full_said = True
                print(f"progress can't be written: {error}", file=sys.stderr)  # noqa: T201


@dataclass(frozen=True)
class Stage:
    """All a stage needs; `run_dir` is None when it was started by hand."""

    config: Config
    paths: Project
    args: argparse.Namespace
    report: Reporter
    should_stop: Callable[[], bool]
    stage_key: str
    run_dir: Path | None

    @property
    def run_id(self) -> str | None:
        """The run this stage belongs to, or None by hand."""
        return self.run_dir.name if self.run_dir else None


def stage_main(
    run: Callable[[Stage], dict[str, Any]],
    doc: str | None,
    add_arguments: Callable[[argparse.ArgumentParser], None] | None = None,
    argv: list[str] | None = None,
) -> int:
    """Run one stage from the command line and return its exit code (nightforge.core.errors.ExitCode)."""
    args = _parser(doc or "", add_arguments).parse_args(argv)
    be("stage")
    # It warns at import about an optional kernel that nothing here uses.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    project = Project.find()
    key = args.stage_key or Path(sys.argv[0]).name[:2]
    try:
        config = load_config(project, args.profile, args.set, args.config)
        events = EventWriter(args.run_dir / f"{key}.events.jsonl") if args.run_dir else None
    except NightforgeError as error:
        return _complain(error)
    except OSError as error:
        return _complain(from_os_error(error))
    report = Reporter(events, _show)
    config, sections = traced(config)
    stage = Stage(config, project, args, report, StopFlag(project, args.run_dir), key, args.run_dir)
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__)  # a native crash leaves its stack in the log
    stacks = StackFile(args.run_dir / f"{key}.stacks.txt" if args.run_dir else None)
    report.wind_up = stacks.wind_up
    report.start(key, stacks.name)
    try:
        report.finish(run(stage), sections)
        return ExitCode.DONE
    except NightforgeError as error:
        if isinstance(error, OutOfMemory):
            traceback.print_exc()
            _keep_details(error, args.run_dir)
        report.fail(error)
        return _complain(error)
    except KeyboardInterrupt:
        return ExitCode.STOPPED
    except OSError as error:
        traceback.print_exc()
        report.fail(error)
        return _complain(from_os_error(error))
    except Exception as error:  # noqa: BLE001  the last door: whatever it is, the run must learn of it in words
        traceback.print_exc()
        report.fail(error)
        return ExitCode.FAILED
    finally:
        if events is not None:
            events.close()


def _keep_details(error: OutOfMemory, run_dir: Path | None) -> None:
    """Save the memory summary beside the attempt's records. # ops O8"""
    attempt = os.environ.get(ATTEMPT_VARIABLE)
    if run_dir is None or not attempt or not error.details:
        return
    try:
        write_text(run_dir / "attempts" / f"{attempt}.memory.txt", error.details, durable=False)
    except OSError as refused:
        _show(f"the memory summary can't be written: {refused}")


class StopFlag:
    """True once somebody asked this run to stop: a stop request for it, SIGTERM or SIGINT."""

    def __init__(self, project: Project, run_dir: Path | None) -> None:
        self._project = project
        self._run_id = run_dir.name if run_dir else None
        self._signalled = False
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signalled and number == signal.SIGINT:  # asked twice at the terminal: leave at once
            raise KeyboardInterrupt
        self._signalled = True

    def __call__(self) -> bool:
        if self._signalled:
            return True
        if self._run_id is None or not self._project.stop_request.exists():
            return False
        try:
            request = read_stop_request(self._project)
        except InputError:  # unreadable is not "nobody asked": stopping is the safe reading. # ops A5
            return True
        return request is not None and request.get("run_id") == self._run_id


def _parser(
    doc: str, add_arguments: Callable[[argparse.ArgumentParser], None] | None
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    common = parser.add_argument_group("common options")
    common.add_argument("--config", type=Path, help="configuration file (default: pipeline_config.json)")
    common.add_argument("--profile", help="tiny, smol, 8b or 70b (default: the one in the configuration)")
    common.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="SECTION.KEY=VALUE",
        help="override one setting; repeatable",
    )
    common.add_argument("--run-dir", type=Path, help="folder of the run (set by the orchestrator)")
    common.add_argument("--stage-key", help=argparse.SUPPRESS)
    if add_arguments is not None:
        add_arguments(parser)
    return parser


def _show(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # noqa: T201  standard output belongs to results


def _complain(error: NightforgeError) -> int:
    name = "nothing new" if error.exit_code == ExitCode.NOTHING_NEW else "error"
    _show(f"stopped: {error}" if error.exit_code == ExitCode.STOPPED else f"{name}: {error}")
    return int(error.exit_code)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
