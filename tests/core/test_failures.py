"""Exceptions are told apart by type, module, errno and chain; nothing here imports torch."""

from __future__ import annotations

import errno
import json
import zipfile

import pytest

from nightforge.core.errors import (
    BadDataError,
    ConfigError,
    DiskFullError,
    EncodingError,
    GateError,
    InputError,
    NightforgeError,
    OutOfMemory,
    StageError,
    TemporaryError,
    from_os_error,
)
from nightforge.core.failures import class_of, describe
from nightforge.core.host_memory import oom_kills
from nightforge.pipeline.classes import POLICIES


def foreign(name: str, module: str, base: type[Exception] = Exception) -> type[Exception]:
    return type(name, (base,), {"__module__": module})


def full_device(text: str = "CUDA out of memory. Tried to allocate 2.00 GiB") -> Exception:
    return foreign("OutOfMemoryError", "torch", RuntimeError)(text)


def chained(outer: Exception, inner: Exception) -> Exception:
    outer.__cause__ = inner
    return outer


CASES: list[tuple[BaseException, str]] = [
    (full_device(), "oom_other"),
    (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), "oom_other"),
    (MemoryError(), "oom_host"),
    (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), "oom_host"),
    (OSError(errno.ENOMEM, "Cannot allocate memory"), "oom_host"),
    (OutOfMemory("x", kind="oom_eval"), "oom_eval"),
    (OSError(errno.ENOSPC, "No space left on device"), "disk_full"),
    (OSError(errno.EDQUOT, "Quota exceeded"), "disk_full"),
    (DiskFullError("full"), "disk_full"),
    (OSError(errno.EIO, "Input/output error"), "io_hard"),
    (OSError(errno.ESTALE, "Stale file handle"), "io_transient"),
    (TimeoutError("timed out"), "io_transient"),
    (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "network"),
    (OSError(errno.ENETUNREACH, "unreachable"), "network"),
    (foreign("ReadTimeout", "requests.exceptions", OSError)("slow"), "network"),
    (foreign("LocalEntryNotFoundError", "huggingface_hub.errors", OSError)("offline"), "network"),
    (ModuleNotFoundError("No module named 'peft'"), "dependency"),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), "encoding"),
    (EncodingError("not UTF-8"), "encoding"),
    (json.JSONDecodeError("x", "{", 0), "bad_data"),
    (BadDataError("line 3"), "bad_data"),
    (foreign("SafetensorError", "safetensors_rust")("header too small"), "checkpoint_bad"),
    (zipfile.BadZipFile("not a zip file"), "checkpoint_bad"),
    (RuntimeError("PytorchStreamReader failed reading zip archive"), "checkpoint_bad"),
    (RuntimeError("CUDA error: an illegal memory access was encountered"), "device_fault"),
    (foreign("AcceleratorError", "torch", RuntimeError)("unspecified launch failure"), "device_fault"),
    (RuntimeError("No CUDA-capable device is detected"), "device_lost"),
    (RuntimeError("GPU is lost. Reboot the system"), "device_lost"),
    (ConfigError("x"), "config"),
    (InputError("x"), "input"),
    (PermissionError(errno.EACCES, "denied"), "input"),
    (GateError("x"), "gate"),
    (TemporaryError("x"), "temporary"),
    (StageError("x"), "unknown"),
    (ValueError("out of memory is only a word here"), "unknown"),
    (KeyError("x"), "unknown"),
    (chained(ValueError("could not load"), OSError(errno.ENOSPC, "full")), "disk_full"),
    (chained(StageError("saving failed"), full_device()), "oom_other"),
]  # fmt: skip


@pytest.mark.parametrize(("error", "name"), CASES, ids=lambda value: repr(value)[:60])
def test_an_exception_has_one_class(error: BaseException, name: str) -> None:
    assert class_of(error) == name
    assert name in POLICIES


def test_a_circle_of_exceptions_ends() -> None:
    one, two = ValueError("a"), ValueError("b")
    one.__cause__, two.__cause__ = two, one
    assert class_of(one) == "unknown"


def test_the_record_names_type_errno_place_and_phase() -> None:
    try:
        raise from_os_error(OSError(errno.ENOSPC, "full", "models/x")) from OSError(errno.ENOSPC, "full")
    except NightforgeError as error:
        record = describe(error, "4.3 training loop")
    assert record["kind"] == "disk_full"
    assert record["exception"] == "nightforge.core.errors.DiskFullError"
    assert record["phase"] == "4.3 training loop"
    assert record["where"].startswith(__name__ + ":")
    assert "models/x" in record["message"]
    plain = describe(OSError(errno.EIO, "Input/output error"), "")
    assert (plain["kind"], plain["errno"]) == ("io_hard", errno.EIO)


def test_the_kernels_count_of_memory_kills(tmp_path) -> None:  # type: ignore[no-untyped-def]
    own, vmstat = tmp_path / "cgroup", tmp_path / "vmstat"
    own.write_text("0::/user.slice/run\n")
    group = tmp_path / "groups" / "user.slice" / "run"
    group.mkdir(parents=True)
    vmstat.write_text("nr_free_pages 12\noom_kill 7\n")
    assert oom_kills(own, tmp_path / "groups", vmstat) == 7  # no events file: the whole system's count
    (group / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert oom_kills(own, tmp_path / "groups", vmstat) == 2
    vmstat.unlink()
    own.write_text("3:memory:/old\n")
    assert oom_kills(own, tmp_path / "groups", vmstat) == 0
