"""The terminal shows what happens, and a terminal that goes away does not take the run with it."""

from __future__ import annotations

import io
from pathlib import Path

from pipeline_fakes import Script, World
from rich.console import Console

from nightforge.pipeline.terminal import TerminalView


class ClosedTerminal(io.StringIO):
    """Takes three writes, then behaves like a terminal whose window was closed."""

    left = 3

    def write(self, text: str) -> int:
        self.left -= 1
        if self.left < 0:
            raise OSError(5, "Input/output error")
        return super().write(text)


def played(tmp_path: Path, screen: io.StringIO) -> World:
    world = World(tmp_path, {"data": [Script(1), Script.done()], "exam": [Script.done()]})
    with TerminalView(Console(file=screen, width=200)) as view:
        world.recorder._observers = (view,)
        assert world.run() == 0
    return world


def test_every_start_end_and_retry_has_a_line(tmp_path: Path) -> None:
    screen = io.StringIO()
    played(tmp_path, screen)
    words = [line.split()[1] for line in screen.getvalue().splitlines()]
    assert words == ["STARTING", "FAILED", "RETRY", "STARTING", "SUCCEEDED", "STARTING", "SUCCEEDED", "ENDED"]


def test_brackets_in_a_stage_text_are_text(tmp_path: Path) -> None:
    screen = io.StringIO()
    error = {"type": "error", "kind": "input", "message": "row [red] is [/] bad"}
    world = World(tmp_path, {"data": [Script(2, 1, [(0.5, error)])]})
    with TerminalView(Console(file=screen, width=200)) as view:
        world.recorder._observers = (view,)
        world.run()
    assert "row [red] is [/] bad" in screen.getvalue()


def test_a_closed_terminal_does_not_end_the_run(tmp_path: Path) -> None:
    assert played(tmp_path, ClosedTerminal()).state.status == "succeeded"
