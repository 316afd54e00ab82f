"""What an attempt's end means, and what to do next. Pure functions. # ops R1, R2, R6, S4, K10"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from nightforge.core.errors import ExitCode
from nightforge.core.processes import signal_words
from nightforge.pipeline.classes import POLICIES, policy_of, recognise

# Waits before each further attempt, seconds; their number is the number of retries. First by stage kind, for
# classes that leave it to the stage; then by failure class.
WAITS_S: dict[str, tuple[float, ...]] = {
    "data": (10, 30),
    "validate": (5,),
    "training": (60, 120),
    "eval": (30,),
    "exam": (30,),
    "utility": (10,),
    **{name: policy.waits_s for name, policy in POLICIES.items() if policy.waits_s is not None},
}
_JITTER = 0.1  # share by which a wait is longer or shorter, so that two projects do not march in step
RESUME_COMMAND = "python launch_pipeline.py --resume"


class Ending(NamedTuple):
    """Everything known when a stage's process has ended. `exit_code` is minus the signal on Linux."""

    exit_code: int
    done: bool = False  # the stage wrote its `done` event
    error: dict[str, Any] | None = None  # its last `error` event
    stopping: bool = False  # a stop had been requested
    killed_for: str | None = None  # why its guard ended it: stall, stop, teardown; or guard_lost
    host_out_of_memory: bool = False  # the kernel ended processes for memory meanwhile
    log_tail: tuple[str, ...] = ()  # the last lines of its output
    survivors: bool = False  # processes of it outlive SIGKILL


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
    if end.stopping or (end.exit_code == ExitCode.STOPPED and end.killed_for != "stall"):
        return Verdict("stopped", "stopped", said or "stopped on request", RESUME_COMMAND)
    failed = _failure(end, said)
    command = (end.error or {}).get("next_command")
    return failed._replace(next_command=str(command)) if command else failed


def _failure(end: Ending, said: str) -> Verdict:
    code = end.exit_code
    if end.survivors:  # a further attempt would meet them on the device. # ops K9
        words = f"processes of the stage outlive being killed; {policy_of('device_wedged').advice}"
        return Verdict("failed", "device_wedged", words, RESUME_COMMAND)
    kind = recognise(code, end.killed_for, end.error, end.host_out_of_memory, end.log_tail)
    if kind == "stall":
        return Verdict("failed", kind, "no progress within the limit; the stage was ended", RESUME_COMMAND)
    if end.killed_for == "guard_lost" and kind == "killed":
        words = "the stage's guard was killed, and the stage ended with it; nobody here asked for it"
        return Verdict("failed", kind, words, RESUME_COMMAND)
    if code < 0 and not said:
        return Verdict("failed", kind, _killed_words(-code, end.host_out_of_memory), RESUME_COMMAND)
    if code == ExitCode.USAGE:
        return Verdict("failed", kind, said or "wrong usage or configuration (exit code 2)")
    if code == ExitCode.TEMPORARY:
        return Verdict("failed", kind, said or "something outside is busy or full (exit code 75)")
    if code == ExitCode.DONE:
        return Verdict("failed", "no_done", "exit code 0 without a done record; the result cannot be trusted")
    if end.done:
        return Verdict("failed", "late", f"wrote its done record, then ended with exit code {code}")
    words, advice = said or f"ended with exit code {code}; see the stage's log", policy_of(kind).advice
    return Verdict("failed", kind, f"{words}; {advice}" if advice else words)


def _killed_words(number: int, host_out_of_memory: bool) -> str:
    words = f"the stage was killed by {signal_words(number)}; nobody here asked for it"
    if number == 9:
        known = " - the system ran out of memory and ended it"
        words += known if host_out_of_memory else " - often the system ran out of memory"
    return words


def waits_of(
    kind: str, failure: str = "", waits_s: Mapping[str, tuple[float, ...]] | None = None
) -> tuple[float, ...]:
    """Return the waits of a failure class, or of the stage kind where the class leaves it to the stage."""
    table = WAITS_S if waits_s is None else waits_s
    if failure and policy_of(failure).waits_s is not None:
        return table.get(failure, WAITS_S[failure])
    return table[kind]


def retry_decision(
    kind: str,
    verdict: Verdict,
    tries: int,
    waits_s: Mapping[str, tuple[float, ...]] | None = None,
    seed: str = "",
) -> Retry | Stop:
    """Choose between another attempt and the end of the run.

    `tries` counts attempts that ended in this class since the run was started or resumed, this one included.
    Only failures are tried again. A `seed` makes the wait up to a tenth longer or shorter. # ops R6
    """
    if verdict.outcome != "failed":
        return Stop()
    waits = waits_of(kind, verdict.kind, waits_s)
    if tries > len(waits):
        return Stop()
    share = random.Random(seed).uniform(1 - _JITTER, 1 + _JITTER) if seed else 1.0
    return Retry(waits[tries - 1] * share)


def max_tries(
    kind: str, verdict_kind: str = "", waits_s: Mapping[str, tuple[float, ...]] | None = None
) -> int:
    """Return how many attempts a stage of this kind gets in a row."""
    return 1 + len(waits_of(kind, verdict_kind, waits_s))
