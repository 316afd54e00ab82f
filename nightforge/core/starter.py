"""A stage's process, forked ahead of its order, so that no attempt waits for a fork. Linux only. # ops K1, K4

The child leads a session of its own, dies with the process that forked it, ignores hang-ups, and sleeps until
it is told what to become. Standard library only.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
_BY_DEFAULT = ("SIGINT", "SIGTERM", "SIGPIPE", "SIGXFSZ")  # what we and Python handle otherwise


class Starter:
    """A child that waits for its command. Call from the main thread while it is the only one: the
    parent-death signal follows the thread that forked.
    """

    def __init__(self, closes: Sequence[int] = ()) -> None:
        """Fork the child, which closes the descriptors `closes` of the caller; raises OSError when the system
        refuses.
        """
        parent = os.getpid()
        orders, self._orders = os.pipe()
        output, writing = os.pipe()
        self._failure, failing = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            for ours in (self._orders, output, self._failure, *closes):
                os.close(ours)
            _be_the_child(parent, orders, writing, failing)
        for theirs in (orders, writing, failing):
            os.close(theirs)
        self.output: IO[bytes] = open(output, "rb", buffering=0)  # what the child prints, both streams

    def start(self, command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> None:
        """Have the child become `command`; raises OSError where that cannot be started."""
        order = json.dumps([list(command), str(cwd), dict(env)]).encode()
        try:
            with os.fdopen(self._orders, "wb") as file:
                file.write(order)
        except BrokenPipeError:
            pass  # killed while it waited: it has an exit status like any other stage
        with os.fdopen(self._failure, "rb") as file:
            failure = file.read()  # ends without a word when the command runs
        if failure:
            number = int(failure)
            os.waitpid(self.pid, 0)
            raise OSError(number, os.strerror(number))


def _be_the_child(parent: int, orders: int, output: int, failing: int) -> None:
    """Wait for the order and become it; never returns."""
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it died before the signal was armed
            os._exit(1)
        for name in _BY_DEFAULT:
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for number, source in enumerate((nothing, output, output)):
            os.dup2(source, number)
        with os.fdopen(orders, "rb") as file:
            order = file.read()
        if order:
            command, cwd, env = json.loads(order)
            os.chdir(cwd)
            os.execve(command[0], command, env)
    except OSError as error:
        os.write(failing, str(error.errno).encode())
    except BaseException:
        traceback.print_exc()
        raise
    finally:
        os._exit(1)
