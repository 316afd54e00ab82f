"""Failure classes: how each is recognised and what the run does about it. Pure. # ops R2, R3, section 6

Evidence counts in this order: the stage's typed error record, exit code or signal and who sent it, what the
host says, and only then patterns in the last lines of the log, since training text may hold any words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from nightforge.core.errors import ExitCode
from nightforge.core.failures import UNKNOWN, class_of_words

LOG_LINES = 200
_NATIVE_SIGNALS = frozenset({4, 6, 7, 8, 11})  # SIGILL, SIGABRT, SIGBUS, SIGFPE, SIGSEGV
_SIGKILL = 9
# Windows: access violation, stack overflow, heap corruption, fail-fast, illegal instruction
_NATIVE_CODES = frozenset({0xC0000005, 0xC00000FD, 0xC0000374, 0xC0000409, 0xC000001D})


class ClassPolicy(NamedTuple):
    """What is done about a class. `waits_s`: seconds before each further attempt, None: those of the stage's
    kind, empty: no further attempt. `counted`: an attempt of it counts for the breaker.
    """

    words: str
    waits_s: tuple[float, ...] | None
    change: str = ""
    advice: str = ""
    counted: bool = True


# Something outside is busy or full: waiting helps, whatever the stage.
OUTSIDE_WAITS_S: tuple[float, ...] = (10, 30, 60, 120, 300)
_LADDER_WAIT_S = 5.0

POLICIES: dict[str, ClassPolicy] = {
    "input": ClassPolicy("wrong input", ()),
    "config": ClassPolicy("wrong configuration", ()),
    "bad_data": ClassPolicy("bad data", ()),
    "encoding": ClassPolicy("wrong text encoding", (), advice="save the file named above as UTF-8"),
    "dependency": ClassPolicy(
        "a package is missing", (), advice="remove the folder .venv; the next start makes it anew"
    ),
    "gate": ClassPolicy("refused by a gate", ()),
    "resume_lost": ClassPolicy(
        "resumed at the wrong step", (), advice="nothing was overwritten; look at models/.work/ first"
    ),
    "interrupted": ClassPolicy("the orchestrator is gone", ()),
    "host_reboot": ClassPolicy("the computer was restarted", (), counted=False),
    "no_progress": ClassPolicy("no attempt gets further", ()),
    "oom_train": ClassPolicy("out of memory in training", (_LADDER_WAIT_S,)),
    "oom_eval": ClassPolicy("out of memory in evaluation", (_LADDER_WAIT_S,)),
    "oom_host": ClassPolicy("the computer's memory ran out", (30,)),
    "oom_other": ClassPolicy(
        "out of memory outside training", (60,), advice="close what else uses the device, or load in 4-bit"
    ),
    "disk_full": ClassPolicy(
        "disk full", OUTSIDE_WAITS_S, "waits for room", "free some space", counted=False
    ),
    "temporary": ClassPolicy("something outside is busy", OUTSIDE_WAITS_S, counted=False),
    "network": ClassPolicy("network", (10, 60, 300, 900, 1800), advice="check the connection", counted=False),
    "io_transient": ClassPolicy("a file is held or slow", (5, 15, 45, 120, 300)),
    "io_hard": ClassPolicy(
        "the disk reports errors", (30,), advice="the disk may be dying: copy models/ and backups/ away now"
    ),
    "checkpoint_bad": ClassPolicy("damaged checkpoint", (5, 5, 5), "goes on from the one before"),
    "numeric": ClassPolicy(
        "the loss is not a number", (10,), "goes on before the first bad step", "lower training.learning_rate"
    ),
    "device_lost": ClassPolicy("the GPU is gone", (30,), advice="reboot, then --resume"),
    "device_fault": ClassPolicy("the GPU reported a fault", (10,), "starts a fresh process"),
    "device_wedged": ClassPolicy("a process cannot be ended", (), advice="reboot, then --resume"),
    "stall": ClassPolicy("no progress within the limit", (30, 30, 30), "goes on from the newest checkpoint"),
    "native_crash": ClassPolicy("crashed in native code", (60, 60), "starts a fresh process"),
    "killed": ClassPolicy("killed from outside", None),
    "start": ClassPolicy("could not be started", None),
    "no_done": ClassPolicy("ended without a done record", None),
    "late": ClassPolicy("failed after its done record", None),
    UNKNOWN: ClassPolicy("unknown error", None),
}


def policy_of(name: str) -> ClassPolicy:
    """Return the policy of a class; one that is not in the table is treated as unknown."""
    return POLICIES.get(name, POLICIES[UNKNOWN])


def recognise(
    exit_code: int,
    ended_for: str | None,
    error: dict[str, Any] | None,
    host_out_of_memory: bool,
    log_tail: Sequence[str],
) -> str:
    """Return the class of a failed attempt. `exit_code` is minus the signal on Linux; `ended_for` is why its
    guard ended it; `host_out_of_memory`: the kernel ended processes for memory while it ran.
    """
    if ended_for == "stall":  # we sent the signal; what the stage said while it was ended means nothing
        return "stall"
    said = str((error or {}).get("kind") or "")
    if exit_code == ExitCode.USAGE:
        return said if said in POLICIES and POLICIES[said].waits_s == () else "input"
    if said and said not in ("failed", "stage", UNKNOWN):
        return said
    if ended_for == "guard_lost":
        return "killed"
    signal = -exit_code if exit_code < 0 else exit_code - 128 if 128 < exit_code < 160 else 0
    if signal in _NATIVE_SIGNALS or exit_code % 2**32 in _NATIVE_CODES:
        return "native_crash"
    if signal == _SIGKILL and host_out_of_memory:
        return "oom_host"
    if exit_code < 0:
        return "killed"
    if exit_code == ExitCode.TEMPORARY:
        return "temporary"
    return UNKNOWN if error else class_of_log(log_tail)


_LOG_PATTERNS = (
    (re.compile(r"^(ModuleNotFoundError|ImportError): "), "dependency"),
    (re.compile(r"^Unicode(De|En)codeError: "), "encoding"),
    (re.compile(r"^MemoryError\b"), "oom_host"),
    (re.compile(r"^(torch\.)?(cuda\.)?OutOfMemoryError: "), "oom_other"),
    (re.compile(r"^OSError: \[Errno (28|122)\] "), "disk_full"),
    (re.compile(r"^(requests|urllib3|httpx|huggingface_hub)\.[\w.]+(Error|Timeout)\b"), "network"),
    (re.compile(r"^ConnectionError: "), "network"),
    (re.compile(r"^Fatal Python error: (Segmentation fault|Aborted|Bus error)"), "native_crash"),
)


def class_of_log(lines: Sequence[str]) -> str:
    """Return the class that the last telling line names; only lines that an interpreter or torch writes."""
    for line in reversed(lines[-LOG_LINES:]):
        for pattern, name in _LOG_PATTERNS:
            if pattern.match(line):
                return name
        if line.startswith(("RuntimeError: ", "torch.AcceleratorError: ")):
            found = class_of_words(line)
            if found != UNKNOWN:
                return found
    return UNKNOWN
