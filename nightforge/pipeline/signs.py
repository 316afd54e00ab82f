"""What a guard has noticed or done, in words for the page. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from nightforge.pipeline.notify import NO_PROGRESS


class Told(NamedTuple):
    """An alert: level, title, detail."""

    level: str
    title: str
    detail: str


_REASONS = {
    "stall": "it made no progress within its limit",
    "stop": "it was told to stop now",
    "teardown": "it had written its done record and would not exit",
}
_STACKS = {
    None: "",
    True: "; its main thread stood at the same place twice",
    False: "; its main thread stood at two different places",
}


def alert_of(stage: str, sign: Mapping[str, Any]) -> Told | None:
    """Put a sign of stage `stage` into words; None if it is not worth an alert."""
    kind = sign.get("type")
    if kind == "silent":
        return Told("warning", NO_PROGRESS, _silence(sign))
    if kind == "asked":
        reason = _REASONS.get(str(sign.get("reason")), _REASONS["stop"])
        return Told("warning", "Stage asked to end", reason + _STACKS.get(sign.get("equal"), ""))
    if kind == "stacks" and not sign.get("again"):
        words = f"what every thread was doing is in {stage}.stacks.txt of the run folder"
        return Told("info", "Stacks of the silent stage", words)
    if kind == "false_alarm":
        words = (
            "it moved while its stacks were taken; it gets longer in this phase for the rest of this attempt"
        )
        return Told("info", "False alarm", words)
    if kind == "gap":
        words = f"the computer slept or was frozen for {sign.get('seconds')} s; that time counts for nothing"
        return Told("info", "A gap in time", words)
    return None


def watch_of(sign: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a sign changes in the shown watch over the stage; None: nothing."""
    kind = sign.get("type")
    if kind == "limit":
        return {name: sign.get(name) for name in ("phase", "warn_s", "limit_s", "origin")}
    if kind == "silent":
        return {"slow": True}
    return {"quiet": True} if kind in ("gap", "false_alarm") else None


def _silence(sign: Mapping[str, Any]) -> str:
    limit_s = sign.get("limit_s")
    then = (
        f"it is ended and tried again after {limit_s:.0f} s"
        if isinstance(limit_s, (int, float))
        else "stall_detection.kill is false, so it is left alone"
    )
    return f"{float(sign.get('silent_s') or 0.0):.0f} s without progress; {then}"
