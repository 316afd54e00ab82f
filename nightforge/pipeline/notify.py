"""Tells somebody elsewhere: an optional command or webhook at the end of a run, a failure, a stall, a retry.

The command gets the message as JSON on standard input and in NIGHTFORGE_EVENT, NIGHTFORGE_TITLE and
NIGHTFORGE_TEXT; the webhook gets the same JSON by POST. Each message goes out in a thread of its own with a
limit, and what fails is told in the run's log only: a notifier never holds a run up.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from nightforge.config.schema import Notify
from nightforge.core.clock import utc_now
from nightforge.pipeline.fold import Event
from nightforge.pipeline.gatekeeper import GPU_HELD
from nightforge.pipeline.states import LiveState

_LIMIT_S = 15.0


class Notifier:
    """An observer of the run; call `finish` at its end."""

    def __init__(self, settings: Notify, root: Path, limit_s: float = _LIMIT_S) -> None:
        self._settings = settings
        self._root = root
        self._limit_s = limit_s
        self._threads: list[threading.Thread] = []

    def __call__(self, state: LiveState, event: Event) -> None:
        if not self._settings.command and not self._settings.webhook:
            return
        message = message_for(state, event)
        if message is not None:
            self._start(message)

    def tell(self, kind: str, title: str, text: str) -> None:
        """Send a message that is not about an event of a run."""
        self._start({"event": kind, "title": f"Nightforge: {title}", "text": text, "time": utc_now()})

    def _start(self, message: dict[str, Any]) -> None:
        if message["event"] in self._settings.events:
            thread = threading.Thread(target=self._send, args=(message,), name="notify", daemon=True)
            thread.start()
            self._threads = [other for other in self._threads if other.is_alive()] + [thread]

    def finish(self) -> None:
        """Give messages under way their time; then let them go."""
        for thread in self._threads:
            thread.join(self._limit_s + 1.0)

    def _send(self, message: dict[str, Any]) -> None:
        for kind, send in (("command", self._run), ("webhook", self._post)):
            try:
                send(message)
            except (OSError, ValueError, subprocess.SubprocessError) as error:
                sys.stderr.write(f"notify.{kind} failed for {message['event']}: {error}\n")

    def _run(self, message: dict[str, Any]) -> None:
        if not self._settings.command:
            return
        told = {f"NIGHTFORGE_{name.upper()}": str(message[name]) for name in ("event", "title", "text")}
        subprocess.run(
            self._settings.command,
            input=json.dumps(message).encode(),
            env={**os.environ, **told},
            cwd=self._root,
            capture_output=True,
            timeout=self._limit_s,
            check=True,
        )

    def _post(self, message: dict[str, Any]) -> None:
        if self._settings.webhook is None:
            return
        import urllib.request  # slow to import, and most runs tell nobody

        request = urllib.request.Request(
            self._settings.webhook,
            data=json.dumps(message).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "nightforge"},
        )
        with urllib.request.urlopen(request, timeout=self._limit_s):
            pass


def message_for(state: LiveState, event: Event) -> dict[str, Any] | None:
    """Put an event into words for somebody far away, or None if it is not worth a message."""
    kind, title, text = "", "", ""
    if event["type"] == "run_ended":
        kind = {"succeeded": "finish", "stopped": "stop"}.get(event["status"], "failure")
        title = f"Run {event['status']}"
        last = state.errors[-1].message if kind == "failure" and state.errors else ""
        text = last or (f"Report: {event['report']}" if event.get("report") else "")
    elif event["type"] == "retry_scheduled":
        kind, title = "retry", f"Stage {event['stage']} is tried again"
        last = state.errors[-1].message if state.errors else ""
        text = f"Attempt {event['attempt']} of {event['max_attempts']}. {last}".strip()
    elif event["type"] == "alert" and event.get("title") == GPU_HELD:
        kind, title, text = "stall", f"Stage {event.get('stage')} waits for the GPU", event.get("detail", "")
    elif event["type"] == "alert" and event.get("title") == NO_PROGRESS:
        kind, title, text = "stall", f"Stage {event.get('stage')}: no progress", event.get("detail", "")
    else:
        return None
    run = {"run_id": state.run_id, "profile": state.profile, "status": state.status}
    return {"event": kind, "title": f"Nightforge: {title}", "text": text, "time": event["time"], **run}


NO_PROGRESS = "No progress"
