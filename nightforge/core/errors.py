"""The errors a user can meet, and the exit code each one ends with.

NightforgeError            1   anything that ended the work
 ├─ InputError             2   a file, argument or value given by the user is missing or wrong
 │   ├─ ConfigError        2   pipeline_config.json, a profile or --set is wrong
 │   ├─ BadDataError       2   a data file is there but its content is broken
 │   └─ EncodingError      2   a text file is not UTF-8
 ├─ GateError              1   a quality or leak gate looked at the result and said no
 ├─ StageError             1   a stage could not do its work
 │   ├─ OutOfMemory        1   training, evaluation or generation did not fit into memory
 │   ├─ NumericError       1   the loss is not a finite number any more
 │   └─ ResumeLostError    1   a resumed training would not go on where its checkpoint ended
 ├─ NothingNewError        3   the result exists already and nothing it depends on has changed
 ├─ StoppedError           4   a stop request was honoured; the work can be resumed
 └─ TemporaryError        75   something outside is busy or full; trying again later may work
     └─ DiskFullError     75   no room on a disk; the run waits for room and goes on

`kind` is the failure class (nightforge/pipeline/classes.py) where it names one.
"""

from __future__ import annotations

import errno
from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of every stage and of `launch_pipeline.py --foreground`."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOTHING_NEW = 3
    STOPPED = 4
    TEMPORARY = 75


class NightforgeError(Exception):
    """An error with words for the user: what and where, and the command to run next."""

    kind = "failed"
    default_exit_code = ExitCode.FAILED

    def __init__(
        self, message: str, *, next_command: str | None = None, exit_code: ExitCode | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.next_command = next_command
        self.exit_code = exit_code if exit_code is not None else self.default_exit_code

    def __str__(self) -> str:
        return f"{self.message}\n  next: {self.next_command}" if self.next_command else self.message


class InputError(NightforgeError):
    """A file, argument or value given by the user is missing or wrong."""

    kind = "input"
    default_exit_code = ExitCode.USAGE


class ConfigError(InputError):
    """The configuration is broken: syntax, unknown key, wrong type, contradiction."""

    kind = "config"


class BadDataError(InputError):
    """A data file is there, but its content is broken; file and place are named."""

    kind = "bad_data"


class EncodingError(InputError):
    """A text file is not UTF-8."""

    kind = "encoding"


class GateError(NightforgeError):
    """A quality or leak gate refused the result; the data must change, not the run."""

    kind = "gate"


class StageError(NightforgeError):
    """A stage could not do its work."""

    kind = "stage"


class OutOfMemory(StageError):
    """Something did not fit into memory. `kind` is `oom_train` (training step or restore) or `oom_eval`
    (held-out loss, generated answers); `details` is the memory summary of that moment.
    """

    kind = "oom_train"

    def __init__(
        self, message: str, *, kind: str, details: str = "", next_command: str | None = None
    ) -> None:
        super().__init__(message, next_command=next_command)
        self.kind = kind
        self.details = details


class NumericError(StageError):
    """The loss is not a finite number any more."""

    kind = "numeric"


class ResumeLostError(StageError):
    """A resumed training would not go on where its checkpoint ended. # ops C9"""

    kind = "resume_lost"


class NothingNewError(NightforgeError):
    """Nothing has changed since the last time; the earlier result stands."""

    kind = "nothing_new"
    default_exit_code = ExitCode.NOTHING_NEW


class StoppedError(NightforgeError):
    """A stop request was honoured at a safe boundary; the work can be resumed."""

    kind = "stopped"
    default_exit_code = ExitCode.STOPPED


class TemporaryError(NightforgeError):
    """Something outside is busy or full; the same command may work later."""

    kind = "temporary"
    default_exit_code = ExitCode.TEMPORARY


class DiskFullError(TemporaryError):
    """A disk has no room, or not enough for what is written next; with room the same command works."""

    kind = "disk_full"


DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_disk_full(error: BaseException) -> bool:
    """Tell whether an operation failed because a disk or a quota is full."""
    return isinstance(error, DiskFullError) or (isinstance(error, OSError) and error.errno in DISK_FULL)


def from_os_error(error: OSError) -> NightforgeError:
    """Translate a failed file operation into words and the right exit code.

    A full disk is temporary (75): freeing space cures it. A read-only or forbidden place is wrong input (2).
    """
    place = error.filename or "the project folder"
    if error.errno in DISK_FULL:
        return DiskFullError(
            f"no space left on the disk while writing {place}",
            next_command="free some space (see `python scripts/16_backup.py --list`), then "
            "python launch_pipeline.py --resume",
        )
    if error.errno == errno.EROFS:
        return InputError(
            f"{place} is on a read-only disk; Nightforge must be able to write there",
            next_command="remount the disk writable or move the project, then start again",
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return InputError(
            f"permission denied for {place}", next_command=f"check the owner and rights of {place}"
        )
    if error.errno == errno.ENOENT:
        return InputError(f"{place} is missing")
    return NightforgeError(f"{error.strerror or error} ({place})")
