"""`launch_pipeline.py --status`: what runs, or what ran last. Standard library only, so that it answers at
once.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from nightforge.core.clock import parse_time
from nightforge.core.paths import Project
from nightforge.core.processes import ProcessIdentity, is_alive
from nightforge.core.records import ACTIVE, current_state, read_object
from nightforge.core.terminal import say

_NEXT = {
    "idle": "python launch_pipeline.py",
    "starting": "python launch_pipeline.py --stop",
    "running": "python launch_pipeline.py --stop",
    "retrying": "python launch_pipeline.py --stop",
    "stopping": "wait for the safe boundary, or python launch_pipeline.py --stop --now",
    "stopped": "python launch_pipeline.py --resume",
    "failed": "python launch_pipeline.py --resume",
    "interrupted": "python launch_pipeline.py --resume",
    "succeeded": "python launch_pipeline.py",
}


def print_status(project: Project, as_json: bool) -> int:
    """Print the state for a person or, with `as_json`, as one JSON object; returns the exit code."""
    state = current_state(project)
    text = json.dumps(state, ensure_ascii=False) if as_json else format_status(state, page_url(project))
    say(text)
    for found in () if as_json else (read_object(project.logs / "watchdog.json") or {}).get("found", ()):
        say(f"Watchdog {found['title']}: {found['detail']}")
    return 0


def page_url(project: Project) -> str | None:
    """Return the address of the live page if the dashboard server runs."""
    record = read_object(project.server_pid) or {}
    identity = ProcessIdentity.from_dict(record.get("identity"))
    if identity is None or not is_alive(identity):
        return None
    host = record.get("host") or "127.0.0.1"
    shown = "localhost" if host == "127.0.0.1" else host
    return f"http://{shown}:{record.get('port')}/dashboard/live.html"


def format_status(state: dict[str, Any], url: str | None, now: datetime | None = None) -> str:
    """Write the state as a few lines of text."""
    status = str(state.get("status"))
    page = url or "server not running; start it with python serve_dashboard.py --background"
    if status == "idle":
        return f"Nothing has run here yet.\nPage     {page}\nNext     {_NEXT['idle']}"
    moment = now or datetime.now(UTC)
    what = f"{state.get('pipeline')}, profile {state.get('profile')}, {state.get('mode')}"
    lines = [
        f"Run      {state.get('run_id')}  {what}",
        f"Status   {status}{_pid(state)}{_duration(state, moment)}",
    ]
    lines += _stage_lines(state)
    waiting = state.get("waiting")
    if waiting and status in ACTIVE:
        since = words_for((moment - parse_time(waiting["since"])).total_seconds())
        lines.append(f"Waiting  for {since} for {waiting['words']}")
    lines += _watch_lines(state, moment) if status in ACTIVE else []
    if status in ACTIVE:
        lines += _eta_lines(state.get("eta"))
    lines += _trouble_lines(state, moment)
    if status == "interrupted" and state.get("guarded"):
        guarded = state["guarded"]
        lines.append(
            f"         the orchestrator is gone, but stage {guarded['stage']} goes on under its guard "
            f"(pid {guarded['pid']}); the next command takes the run up again"
        )
    elif status == "interrupted":
        lines.append("         the orchestrator is gone (killed, power loss or reboot); done stages are kept")
    if (state.get("result") or {}).get("report"):
        lines.append(f"Report   {state['result']['report']}")
    lines.append(f"Log      logs/runs/{state.get('run_id')}/")
    lines += [f"Page     {page}", f"Next     {_NEXT.get(status, _NEXT['idle'])}"]
    return "\n".join(lines)


def _pid(state: dict[str, Any]) -> str:
    return f" (pid {state.get('pid')})" if state.get("status") in ACTIVE else ""


def _duration(state: dict[str, Any], moment: datetime) -> str:
    if not state.get("started_at"):
        return ""
    active = state.get("status") in ACTIVE
    # An interrupted run has no end; the last sign of life is when it was last updated.
    last = state.get("ended_at") or state.get("updated_at") or state["started_at"]
    end = moment if active else parse_time(last)
    seconds = (end - parse_time(state["started_at"])).total_seconds()
    return f", {'for' if active else 'after'} {words_for(seconds)}"


def _stage_lines(state: dict[str, Any]) -> list[str]:
    stages = state.get("stages") or []
    done = sum(stage["status"] in ("succeeded", "skipped") for stage in stages)
    lines = [f"Stages   {done} of {len(stages)} done"]
    for stage in stages:
        if stage["status"] in ("running", "retrying", "failed", "stopped"):
            text = f"Stage    {stage['id']} {stage['title']}: {stage['status']}"
            text += f", attempt {stage['attempt']} of {stage['max_attempts']}"
            progress = stage.get("progress")
            if progress and progress["total"]:
                share = progress["done"] / progress["total"]
                text += f", {progress['done']}/{progress['total']} {progress['unit']} ({share:.0%})"
            lines.append(text)
    return lines


def _trouble_lines(state: dict[str, Any], moment: datetime) -> list[str]:
    """The last error, the attempt that is waited for, and what a recovery has changed."""
    lines, errors, retry = [], state.get("errors") or [], state.get("retry")
    if errors:
        last = errors[-1]
        named = f" ({last['words']})" if last.get("words") else ""
        text = f"stage {last['stage']}, attempt {last['attempt']}{named}: {last['message']}"
        lines.append("Error    " + text.replace("\n", "\n         "))
    if retry:
        left = (parse_time(retry["next_at"]) - moment).total_seconds()
        when = f"in {words_for(left)}" if left > 0 else "now"
        text = f"Retry    attempt {retry['attempt']} of {retry['max_attempts']} {when}"
        lines.append(text + (f"; {retry['change']}" if retry.get("change") else ""))
    for change in state.get("recoveries") or []:
        where = f"stage {change['stage']}, {change['setting']}"
        lines.append(f"Changed  {where}: {change['old']} -> {change['new']} ({change['reason']})")
    return lines


def _watch_lines(state: dict[str, Any], moment: datetime) -> list[str]:
    """Say how long the running stage may be silent, and since when it is."""
    watch = (state.get("current") or {}).get("watch")
    if not watch:
        return []
    silent = words_for((moment - parse_time(watch["quiet_since"])).total_seconds())
    counted = "no progress counter, no output" if watch["phase"] == "output" else watch["phase"]
    limit = f"of {words_for(watch['limit_s'])} ({watch['origin']})" if watch["limit_s"] else "(no limit)"
    return [f"Watch    {'slow: ' if watch['slow'] else ''}{counted}, silent for {silent} {limit}"]


def _eta_lines(eta: dict[str, Any] | None) -> list[str]:
    if not eta:
        return ["Left     first run, no estimate"]
    lines = [f"Left     {_eta(eta)}"]
    if eta.get("retries_s", 0) >= 1:
        lines.append(f"         about {words_for(eta['retries_s'])} more if attempts fail as often as before")
    quality = eta.get("quality")
    if quality:
        inside = f"{quality['inside']} of {quality['count']} ends inside the range"
        lines.append(f"         forecasts so far: median error {quality['median_error']:.0%}, {inside}")
    return lines


def _eta(eta: dict[str, Any]) -> str:
    low, high = eta["remaining_s"]
    first, last = (parse_time(text).astimezone().strftime("%H:%M") for text in eta["done_at"])
    until = f"about {first}" if first == last else f"between {first} and {last}"
    return f"{words_for(low)} to {words_for(high)} (done {until})"


def words_for(seconds: float) -> str:
    """Write a duration as people say it, for example `3 min 5 s`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"
