"""What Windows alone needs, through ctypes: when a process was started, a job nobody leaves. # ops P1, K5

Sources: Microsoft, "Job Objects", JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JOBOBJECT_BASIC_PROCESS_ID_LIST;
"GetProcessTimes".
"""

from __future__ import annotations

import ctypes
import os
import sys
from ctypes import wintypes
from functools import cache
from typing import Any

_BASIC_PROCESS_ID_LIST, _EXTENDED_LIMIT_INFORMATION = 3, 9
_KILL_ON_JOB_CLOSE = 0x2000  # no breakaway flag beside it: a member that asks to be let out is refused
_MORE_DATA = 234
_TERMINATE, _QUERY_INFORMATION, _QUERY_LIMITED, _SYNCHRONIZE = 0x0001, 0x0400, 0x1000, 0x100000
_WAIT_TIMEOUT = 0x102
_EXIT_CODE = 1  # what Popen.terminate() gives as well


class _BasicLimits(ctypes.Structure):
    _fields_ = (
        ("PerProcessUserTimeLimit", ctypes.c_int64),
        ("PerJobUserTimeLimit", ctypes.c_int64),
        ("LimitFlags", wintypes.DWORD),
        ("MinimumWorkingSetSize", ctypes.c_size_t),
        ("MaximumWorkingSetSize", ctypes.c_size_t),
        ("ActiveProcessLimit", wintypes.DWORD),
        ("Affinity", ctypes.c_size_t),
        ("PriorityClass", wintypes.DWORD),
        ("SchedulingClass", wintypes.DWORD),
    )


class _ExtendedLimits(ctypes.Structure):
    _fields_ = (
        ("Basic", _BasicLimits),
        ("IoCounters", ctypes.c_uint64 * 6),
        ("ProcessMemoryLimit", ctypes.c_size_t),
        ("JobMemoryLimit", ctypes.c_size_t),
        ("PeakProcessMemoryUsed", ctypes.c_size_t),
        ("PeakJobMemoryUsed", ctypes.c_size_t),
    )


def started_at(pid: int) -> int | None:
    """Return when a living process was started, in units of 100 ns since 1601; None when there is none.

    A process that has ended but is still known, because somebody holds a handle of it, counts as none.
    """
    kernel = _kernel()
    process = kernel.OpenProcess(_QUERY_LIMITED | _SYNCHRONIZE, False, pid)
    if not process:
        return None
    try:
        created, *others = (wintypes.FILETIME() for _ in range(4))
        if kernel.WaitForSingleObject(process, 0) != _WAIT_TIMEOUT:
            return None
        if not kernel.GetProcessTimes(process, ctypes.byref(created), *map(ctypes.byref, others)):
            return None
        return int(created.dwHighDateTime) << 32 | int(created.dwLowDateTime)
    finally:
        kernel.CloseHandle(process)


class Job:
    """A kill-on-close job with this process in it; its future children belong to it, wherever they go."""

    def __init__(self) -> None:
        """Make the job and enter it; raises OSError.

        The handle stays open on purpose: the system closes it when this process ends, and the job goes too.
        """
        self._kernel = _kernel()
        self._handle = self._kernel.CreateJobObjectW(None, None)
        limits = _ExtendedLimits()
        limits.Basic.LimitFlags = _KILL_ON_JOB_CLOSE
        done = self._handle and self._kernel.SetInformationJobObject(
            self._handle, _EXTENDED_LIMIT_INFORMATION, ctypes.byref(limits), ctypes.sizeof(limits)
        )
        if not done or not self._kernel.AssignProcessToJobObject(
            self._handle, self._kernel.GetCurrentProcess()
        ):
            raise _last_error()

    def members(self) -> list[int]:
        """List the pids of all living members but this process; raises OSError."""
        room = 64
        while True:
            found = _pid_list(room)
            done = self._kernel.QueryInformationJobObject(
                self._handle, _BASIC_PROCESS_ID_LIST, ctypes.byref(found), ctypes.sizeof(found), None
            )
            if done and found.Listed >= found.Assigned:
                return [pid for pid in found.Pids[: found.Listed] if pid != os.getpid()]
            if not done and _error_number() != _MORE_DATA:
                raise _last_error()
            room *= 4

    def end(self, pid: int) -> None:
        """End a process by force if it is a member: a pid that somebody else has got meanwhile is not."""
        process = self._kernel.OpenProcess(_TERMINATE | _QUERY_INFORMATION, False, pid)
        if not process:
            return  # gone, or not ours to end: it is then reported as a survivor
        try:
            ours = wintypes.BOOL(False)
            if self._kernel.IsProcessInJob(process, self._handle, ctypes.byref(ours)) and ours.value:
                self._kernel.TerminateProcess(process, _EXIT_CODE)
        finally:
            self._kernel.CloseHandle(process)


def _pid_list(room: int) -> Any:
    class PidList(ctypes.Structure):
        _fields_ = (
            ("Assigned", wintypes.DWORD),
            ("Listed", wintypes.DWORD),
            ("Pids", ctypes.c_size_t * room),
        )

    return PidList()


@cache
def _kernel() -> Any:
    if sys.platform != "win32":
        raise OSError("job objects exist only on Windows")
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)
    handle, address, number = wintypes.HANDLE, ctypes.c_void_p, wintypes.DWORD
    for name, result, arguments in (
        ("CreateJobObjectW", handle, (address, wintypes.LPCWSTR)),
        ("GetCurrentProcess", handle, ()),
        ("OpenProcess", handle, (number, wintypes.BOOL, number)),
        ("SetInformationJobObject", wintypes.BOOL, (handle, ctypes.c_int, address, number)),
        ("QueryInformationJobObject", wintypes.BOOL, (handle, ctypes.c_int, address, number, address)),
        ("AssignProcessToJobObject", wintypes.BOOL, (handle, handle)),
        ("IsProcessInJob", wintypes.BOOL, (handle, handle, address)),
        ("TerminateProcess", wintypes.BOOL, (handle, wintypes.UINT)),
        ("CloseHandle", wintypes.BOOL, (handle,)),
        ("WaitForSingleObject", number, (handle, number)),
        ("GetProcessTimes", wintypes.BOOL, (handle, address, address, address, address)),
    ):
        function = getattr(kernel, name)
        function.restype, function.argtypes = result, arguments
    return kernel


def _error_number() -> int:
    if sys.platform != "win32":
        return 0
    return ctypes.get_last_error()


def _last_error() -> OSError:
    if sys.platform != "win32":
        return OSError()
    return ctypes.WinError(_error_number())
