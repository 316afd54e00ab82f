"""Linux only: arm the parent-death signal, then become the stage. # ops K4

Run by path, never imported: `python -I -S death_link.py PARENT_PID PROGRAM ARG...`. The signal survives
exec, so the stage dies with the orchestrator that started it, even when that is killed with SIGKILL. A
child function in `Popen` (`preexec_fn`) would run Python between fork and exec, which is not safe beside
threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


def main() -> None:
    parent = int(sys.argv[1])
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # the parent died before the signal was armed
        sys.exit("the orchestrator ended before this stage had started")
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.execv(sys.argv[2], sys.argv[2:])


if __name__ == "__main__":
    main()
