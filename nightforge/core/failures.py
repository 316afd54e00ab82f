"""Which class of failure an exception is, told by its types, its errno and its module; torch is not imported.

The stage writes the class into its `error` event, the strongest evidence there is (ops R2); what each class
means for the run is decided in nightforge/pipeline/classes.py.
"""

from __future__ import annotations

import errno
from types import TracebackType
from typing import Any

from nightforge.core.errors import DISK_FULL, NightforgeError, from_os_error

UNKNOWN = "unknown"
_OWN_BUT_VAGUE = frozenset({"failed", "stage"})
_CHAIN = 5  # exceptions looked at behind the one that escaped

_NETWORK = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.ECONNABORTED,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETRESET,
    }
)
_TRANSIENT = frozenset({errno.EAGAIN, errno.EBUSY, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT, errno.EDEADLK})
_SHARING_VIOLATIONS = frozenset({5, 32, 33})  # Windows: somebody holds the file for a moment

# Modules whose exceptions mean one thing; the text is compared with the start of the module's name.
_MODULES = (
    ("safetensors", "checkpoint_bad"),
    ("safetensors_rust", "checkpoint_bad"),
    ("_pickle", "checkpoint_bad"),
    ("pickle", "checkpoint_bad"),
    ("zipfile", "checkpoint_bad"),
    ("requests", "network"),
    ("urllib3", "network"),
    ("urllib.error", "network"),
    ("httpx", "network"),
    ("httpcore", "network"),
    ("huggingface_hub", "network"),
    ("socket", "network"),
    ("ssl", "network"),
    ("json", "bad_data"),
    ("csv", "bad_data"),
    ("_csv", "bad_data"),
    ("pyarrow", "bad_data"),
    ("msgspec", "bad_data"),
)
# What libraries say in an exception of a general type.
_WORDS = (
    ("defaultcpuallocator: can't allocate memory", "oom_host"),
    ("defaultcpuallocator: not enough memory", "oom_host"),
    ("cuda out of memory", "oom_other"),
    ("cuda error: out of memory", "oom_other"),
    ("cublas_status_alloc_failed", "oom_other"),
    ("cudnn_status_alloc_failed", "oom_other"),
    ("illegal memory access", "device_fault"),
    ("unspecified launch failure", "device_fault"),
    ("device-side assert", "device_fault"),
    ("misaligned address", "device_fault"),
    ("uncorrectable ecc error", "device_fault"),
    ("no cuda-capable device", "device_lost"),
    ("cuda-capable device(s) is/are busy or unavailable", "device_lost"),
    ("cuda driver initialization failed", "device_lost"),
    ("gpu is lost", "device_lost"),
    ("fallen off the bus", "device_lost"),
    ("cuda error: unknown error", "device_lost"),
    ("pytorchstreamreader failed", "checkpoint_bad"),
)


def class_of(error: BaseException) -> str:
    """Return the failure class of an exception, or of the first one behind it whose class is known."""
    current: BaseException | None = error
    for _ in range(_CHAIN):
        if current is None:
            break
        found = _class_of_one(current)
        if found != UNKNOWN:
            return found
        current = current.__cause__ or current.__context__
    return UNKNOWN


def class_of_words(text: str) -> str:
    """Return the failure class that a line of a library's message names, or `unknown`."""
    lowered = text.lower()
    return next((name for words, name in _WORDS if words in lowered), UNKNOWN)


def describe(error: BaseException, phase: str) -> dict[str, Any]:
    """Put an exception into the fields of an `error` event. `phase` is the sub-step it escaped from."""
    known = error if isinstance(error, NightforgeError) else None
    if isinstance(error, OSError):
        known = from_os_error(error)
    return {
        "kind": class_of(error),
        "message": known.message if known else f"{type(error).__name__}: {error}",
        "next_command": known.next_command if known else None,
        "exception": f"{type(error).__module__}.{type(error).__qualname__}",
        "errno": error.errno if isinstance(error, OSError) else None,
        "where": _where(error.__traceback__),
        "phase": phase,
    }


def _class_of_one(error: BaseException) -> str:
    if isinstance(error, NightforgeError):
        return UNKNOWN if error.kind in _OWN_BUT_VAGUE else error.kind
    if isinstance(error, MemoryError):
        return "oom_host"
    if isinstance(error, ImportError):
        return "dependency"
    if isinstance(error, UnicodeError):
        return "encoding"
    types = [(kind.__module__, kind.__name__) for kind in type(error).__mro__]
    if ("torch", "OutOfMemoryError") in types or ("torch.cuda", "OutOfMemoryError") in types:
        return "oom_other"
    for module, _ in types:
        for start, name in _MODULES:
            if module == start or module.startswith(start + "."):
                return name
    if isinstance(error, OSError):
        return _class_of_os_error(error)
    return class_of_words(str(error)) if isinstance(error, RuntimeError) else UNKNOWN


def _class_of_os_error(error: OSError) -> str:
    code = error.errno
    if code in DISK_FULL:
        return "disk_full"
    if code == errno.ENOMEM:
        return "oom_host"
    if code == errno.EIO:
        return "io_hard"
    if isinstance(error, ConnectionError) or code in _NETWORK:
        return "network"
    held = getattr(error, "winerror", None) in _SHARING_VIOLATIONS
    if held or isinstance(error, TimeoutError) or code in _TRANSIENT:
        return "io_transient"
    # A forbidden, read-only or missing place stays that way: from_os_error makes it exit code 2.
    return "input" if code in {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT} else UNKNOWN


def _where(trace: TracebackType | None) -> str:
    """Return `module:line` of the innermost frame of our own code, else of the innermost frame at all."""
    found = ""
    while trace is not None:
        module = str(trace.tb_frame.f_globals.get("__name__", "?"))
        if module.startswith("nightforge") or not found.startswith("nightforge"):
            found = f"{module}:{trace.tb_lineno}"
        trace = trace.tb_next
    return found
