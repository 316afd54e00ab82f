"""Messages reach a command and an address; one that fails or hangs never hurts a run."""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pipeline_fakes import Script, World
from tiny_project import TinyProject

from nightforge.config import Config
from nightforge.config.schema import Notify, StallDetection
from nightforge.pipeline.notify import Notifier, message_for

SAVE = (
    "import os, sys; open(sys.argv[1], 'a').write(sys.stdin.read() + os.environ['NIGHTFORGE_TITLE'] + '\\n')"
)


def told(world: World) -> list[str]:
    return [m["event"] for e in world.events if (m := message_for(world.state, e)) is not None]


def test_the_events_worth_a_message_are_the_end_retries_and_silence(tmp_path: Path) -> None:
    silent = StallDetection(stall_warn_seconds=5, stall_kill_seconds=10, stall_kill_seconds_training=10)
    world = World(tmp_path, {"exam": [Script(None), Script.done()]}, Config(stall_detection=silent))
    assert world.run() == 0
    assert told(world) == ["stall", "retry", "finish"]


def test_a_failure_is_told_with_its_reason(tmp_path: Path) -> None:
    bad = {"type": "error", "kind": "input", "message": "data/x.json is missing"}
    world = World(tmp_path, {"exam": [Script(2, events=[(0.5, bad)])]})
    world.run()
    (ended,) = world.of_type("run_ended")
    message = message_for(world.state, ended)
    assert message is not None
    assert (message["event"], message["text"]) == ("failure", "data/x.json is missing")


def ended(status: str) -> dict[str, Any]:
    return {"type": "run_ended", "time": "t", "status": status, "report": "logs/report.md"}


def test_a_command_gets_the_message_and_only_the_chosen_events(tmp_path: Path) -> None:
    world = World(tmp_path, {"exam": [Script.done()]})
    out = tmp_path / "told"
    settings = Notify(command=(sys.executable, "-c", SAVE, str(out)), events=("finish",))
    notifier = Notifier(settings, tmp_path)
    notifier(world.state, ended("failed"))
    notifier(world.state, ended("succeeded"))
    notifier.finish()
    line = out.read_text()
    message, end = json.JSONDecoder().raw_decode(line)
    assert (message["event"], message["run_id"], message["text"]) == (
        "finish",
        "r1",
        "Report: logs/report.md",
    )
    assert line[end:] == "Nightforge: Run succeeded\n"


def test_a_webhook_gets_the_message(tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    notifier = Notifier(Notify(webhook=f"http://127.0.0.1:{server.server_port}/x"), tmp_path)
    notifier(World(tmp_path, {"exam": [Script.done()]}).state, ended("succeeded"))
    notifier.finish()
    server.shutdown()
    server.server_close()
    assert [message["event"] for message in got] == ["finish"]


@pytest.mark.parametrize(
    "settings",
    [
        Notify(command=("/no/such/program",)),
        Notify(command=(sys.executable, "-c", "raise SystemExit(3)")),
        Notify(command=(sys.executable, "-c", "import time; time.sleep(60)")),
        Notify(webhook="http://127.0.0.1:9/"),
        Notify(webhook="http://"),
    ],
)
def test_one_that_fails_or_hangs_is_told_in_the_log_and_left(
    settings: Notify, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    notifier = Notifier(settings, tmp_path, limit_s=1.0)
    notifier(World(tmp_path, {"exam": [Script.done()]}).state, ended("succeeded"))
    notifier.finish()
    assert time.monotonic() - began < 5
    assert "failed for finish" in capsys.readouterr().err


def test_a_real_run_tells_its_end(tiny: TinyProject) -> None:
    out = tiny.root / "told"
    command = [sys.executable, "-c", SAVE, str(out)]
    tiny.configure({"dashboard": {"autostart": False}, "notify": {"command": command}})
    assert tiny.launch("--data-only", "--foreground").returncode == 0
    assert "Run succeeded" in out.read_text()
