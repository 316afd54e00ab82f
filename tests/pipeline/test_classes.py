"""The class of an attempt's end: evidence in its order, and a policy for every class."""

from __future__ import annotations

from typing import Any

import pytest

from nightforge.pipeline.classes import LOG_LINES, POLICIES, class_of_log, recognise
from nightforge.pipeline.retry import WAITS_S, Retry, Stop, Verdict, retry_decision

TRAINING_TEXT = ("step 3", 'instruction: "print out of memory when CUDA out of memory is seen"', "done")


def typed(kind: str) -> dict[str, Any]:
    return {"kind": kind, "message": "x"}


@pytest.mark.parametrize(
    ("name", "code", "ended_for", "error", "full", "log", "expected"),
    [
        ("our stall beats what was said on the way out", 1, "stall", typed("io_hard"), False, (), "stall"),
        ("typed record", 1, None, typed("oom_train"), False, (), "oom_train"),
        ("typed record beats the log", 1, None, typed("bad_data"), False, ("MemoryError",), "bad_data"),
        ("exit 2 is never tried again", 2, None, typed("unknown"), False, (), "input"),
        ("exit 2, configuration", 2, None, typed("config"), False, (), "config"),
        ("exit 75", 75, None, None, False, (), "temporary"),
        ("segmentation fault", -11, None, None, False, (), "native_crash"),
        ("abort", -6, None, None, False, (), "native_crash"),
        ("bus error told by a shell", 135, None, None, False, (), "native_crash"),
        ("access violation", 0xC0000005, None, None, False, (), "native_crash"),
        ("access violation, signed", 0xC0000005 - 2**32, None, None, False, (), "native_crash"),
        ("killed while the kernel freed memory", -9, None, None, True, (), "oom_host"),
        ("killed", -9, None, None, False, (), "killed"),
        ("guard killed", -9, "guard_lost", None, False, (), "killed"),
        ("import error before the library", 1, None, None, False, ("ImportError: no peft",), "dependency"),
        ("words in a row of training text", 1, None, None, False, TRAINING_TEXT, "unknown"),
        ("typed unknown is not overruled", 1, None, typed("unknown"), False, ("MemoryError",), "unknown"),
        ("nothing known", 1, None, None, False, (), "unknown"),
    ],
)  # fmt: skip
def test_evidence_counts_in_its_order(
    name: str, code: int, ended_for: str | None, error: Any, full: bool, log: tuple[str, ...], expected: str
) -> None:
    assert recognise(code, ended_for, error, full, log) == expected, name


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20 MiB", "oom_other"),
        ("RuntimeError: CUDA error: an illegal memory access was encountered", "device_fault"),
        ("OSError: [Errno 28] No space left on device", "disk_full"),
        ("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff", "encoding"),
        ("requests.exceptions.ConnectionError: HTTPSConnectionPool", "network"),
        ("Fatal Python error: Segmentation fault", "native_crash"),
        ("  RuntimeError: quoted inside a text", "unknown"),
    ],
)
def test_the_log_tells_by_whole_lines_of_an_interpreter(line: str, expected: str) -> None:
    assert class_of_log(["start", line, "  File x"]) == expected


def test_only_the_last_lines_of_the_log_count() -> None:
    assert class_of_log(["MemoryError"] + ["step"] * LOG_LINES) == "unknown"


def test_every_class_of_the_reference_is_there() -> None:
    wanted = {
        "config", "dependency", "gate", "oom_train", "oom_eval", "oom_host", "device_lost", "device_fault",
        "device_wedged", "stall", "disk_full", "io_transient", "io_hard", "network", "checkpoint_bad",
        "numeric", "native_crash", "unknown", "encoding", "bad_data", "no_progress",
    }  # fmt: skip
    assert wanted <= set(POLICIES)
    assert all(policy.words for policy in POLICIES.values())


@pytest.mark.parametrize("kind", sorted(POLICIES))
def test_every_class_gives_up_after_its_tries(kind: str) -> None:
    policy = POLICIES[kind]
    waits = WAITS_S["exam"] if policy.waits_s is None else policy.waits_s
    failed = Verdict("failed", kind, "x")
    answers = [retry_decision("exam", failed, tries) for tries in range(1, len(waits) + 2)]
    assert answers == [*map(Retry, waits), Stop()]
    assert list(waits) == sorted(waits)


def test_waits_are_jittered_the_same_way_for_the_same_attempt() -> None:
    failed = Verdict("failed", "network", "x")
    first, again, other = (retry_decision("data", failed, 3, seed=seed) for seed in ("a", "a", "b"))
    assert first == again != other
    assert isinstance(first, Retry)
    assert 270 <= first.wait_s <= 330
