"""What an attempt's end means, and what to do next. Pure functions. # ops R1, R2, R6, S4, K10"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from nightforge.core.errors import ExitCode
from nightforge.core.processes import signal_words

# Waits before each further attempt, seconds; their number is the number of retries.
WAITS_S: dict[str, tuple[float, ...]] = {
    "data": (10, 30),
    "validate": (5,),
    "training": (60, 120),
    "eval": (30,),
    "exam": (30,),
    "utility": (10,),
}
# Exit 75: something outside is busy or full. Waiting helps, whatever the stage.
TEMPORARY_WAITS_S: tuple[float, ...] = (10, 30, 60, 120, 300)
# Another attempt would end the same way; a wedged device needs a reboot. # ops K9
_FINAL = frozenset({"input", "config", "gate", "device_wedged"})
RESUME_COMMAND = "python launch_pipeline.py --resume"


class Ending(NamedTuple):
    """Everything known when a stage's process has ended. `exit_code` is minus the signal on Linux."""

    exit_code: int
    done: bool = False  # the stage wrote its `done` event
    error: dict[str, Any] | None = None  # its last `error` event
    stopping: bool = False  # a stop had been requested
    killed_for: str | None = None  # why its guard ended it: stall, stop, teardown; or guard_lost


class Verdict(NamedTuple):
    """How an attempt ended, in one word, a class and a sentence."""

    outcome: str  # succeeded | skipped | stopped | failed
    kind: str = ""
    message: str = ""
    next_command: str | None = None


class Retry(NamedTuple):
    """Try again after `wait_s` seconds."""

    wait_s: float


class Stop(NamedTuple):
    """Do not try again; the run ends."""


def judge(end: Ending) -> Verdict:
    """Decide what an attempt's end means.

    Done needs both exit code 0 and the `done` event. After a stop request nothing is ever `failed`.
    """
    if end.done and end.exit_code == ExitCode.DONE:
        return Verdict("succeeded")
    if end.done and end.killed_for == "teardown":
        return Verdict("succeeded", message="finished, but its process would not exit and was ended")
    said = str((end.error or {}).get("message", ""))
    if end.exit_code == ExitCode.NOTHING_NEW:
        return Verdict("skipped", "nothing_new", said or "nothing new to do")
    if end.stopping or end.exit_code == ExitCode.STOPPED:
        return Verdict("stopped", "stopped", said or "stopped on request", RESUME_COMMAND)
    failed = _failure(end, said)
    command = (end.error or {}).get("next_command")
    return failed._replace(next_command=str(command)) if command else failed


def _failure(end: Ending, said: str) -> Verdict:
    code = end.exit_code
    kind = str((end.error or {}).get("kind", "") or "failed")
    if end.killed_for == "stall":
        return Verdict("failed", "stall", "no progress within the limit; the stage was ended", RESUME_COMMAND)
    if end.killed_for == "guard_lost":
        words = "the stage's guard was killed, and the stage ended with it; nobody here asked for it"
        return Verdict("failed", "killed", words, RESUME_COMMAND)
    if code < 0:
        return Verdict("failed", "killed", _killed_words(-code), RESUME_COMMAND)
    if code == ExitCode.USAGE:
        final = kind if kind in _FINAL else "input"
        return Verdict("failed", final, said or "wrong usage or configuration (exit code 2)")
    if code == ExitCode.TEMPORARY:
        return Verdict("failed", "temporary", said or "something outside is busy or full (exit code 75)")
    if code == ExitCode.DONE:
        return Verdict("failed", "no_done", "exit code 0 without a done record; the result cannot be trusted")
    if end.done:
        return Verdict("failed", "late", f"wrote its done record, then ended with exit code {code}")
    return Verdict("failed", kind, said or f"ended with exit code {code}; see the stage's log")


def _killed_words(number: int) -> str:
    words = f"the stage was killed by {signal_words(number)}; nobody here asked for it"
    if number == 9:
        words += " - often the system ran out of memory"
    return words


def retry_decision(
    kind: str, verdict: Verdict, tries: int, waits_s: Mapping[str, tuple[float, ...]] | None = None
) -> Retry | Stop:
    """Choose between another attempt and the end of the run.

    `tries` counts attempts since the run was started or resumed, this one included. Wrong input, a gate's
    no and a stop are final.
    """
    if verdict.outcome != "failed" or verdict.kind in _FINAL:
        return Stop()
    table = WAITS_S if waits_s is None else waits_s
    waits = table.get("temporary", TEMPORARY_WAITS_S) if verdict.kind == "temporary" else table[kind]
    return Retry(waits[tries - 1]) if tries <= len(waits) else Stop()


def max_tries(
    kind: str, verdict_kind: str = "", waits_s: Mapping[str, tuple[float, ...]] | None = None
) -> int:
    """Return how many attempts a stage of this kind gets in a row."""
    table = WAITS_S if waits_s is None else waits_s
    waits = table.get("temporary", TEMPORARY_WAITS_S) if verdict_kind == "temporary" else table[kind]
    return 1 + len(waits)
