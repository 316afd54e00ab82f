"""Progress in the terminal for `--foreground`: a line per finished thing, a bar for the stage that runs."""

from __future__ import annotations

import contextlib
from types import TracebackType

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from nightforge.pipeline.fold import Event
from nightforge.pipeline.runlog import line_for
from nightforge.pipeline.states import LiveState
from nightforge.pipeline.status import words_for

_COLOURS = {"succeeded": "green", "skipped": "cyan", "failed": "red", "stopped": "yellow"}


class TerminalView:
    """An observer of the recorder; without a terminal it prints plain lines."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=None, detail="")
        self._gone = False

    def __enter__(self) -> TerminalView:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):  # no terminal left to tidy
            self._progress.stop()

    def __call__(self, state: LiveState, event: Event) -> None:
        if self._gone:
            return
        try:
            self._show(state, event)
        except OSError:  # the terminal was closed; the run goes on and the page still shows it
            self._gone = True

    def _show(self, state: LiveState, event: Event) -> None:
        if event["type"] == "stage_event" and event["event"]["type"] != "alert":
            self._show_progress(state, event["stage"])
            return
        if event["type"] == "estimated" and state.eta:
            low, high = state.eta.remaining_s
            self._progress.update(self._task, detail=f"{words_for(low)} to {words_for(high)} left")
        if event["type"] == "stage_started":
            stage = state.stage(event["stage"])
            self._progress.reset(self._task, total=None, description=f"{stage.id} {escape(stage.title)}")
        text = line_for(state, event)
        if text is not None:
            colour = _COLOURS.get(str(event.get("outcome") or event.get("status")), "default")
            self._console.print(f"[{colour}]{escape(text)}[/]", highlight=False, soft_wrap=True)

    def _show_progress(self, state: LiveState, key: str) -> None:
        stage = state.stage(key)
        if stage.progress and stage.progress.total:
            self._progress.update(self._task, completed=stage.progress.done, total=stage.progress.total)
        where = f" · {stage.step.title}" if stage.step else ""
        self._progress.update(self._task, description=escape(f"{stage.id} {stage.title}{where}"))
