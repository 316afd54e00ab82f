"""A file written by Nightforge is the old one or the new one, never a torn one."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from nightforge.core import atomic
from nightforge.core.errors import ExitCode, InputError, from_os_error

OPERATIONS = ("fsync", "replace")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_a_failing_disk_leaves_the_old_content_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, number: int
) -> None:
    target = tmp_path / "state.json"
    atomic.write_json(target, {"old": True})

    def fail(*args: object) -> None:
        raise OSError(number, os.strerror(number), str(target))

    monkeypatch.setattr(atomic.os, operation, fail)
    with pytest.raises(OSError):
        atomic.write_json(target, {"new": True})
    monkeypatch.undo()
    assert atomic.read_json(target) == {"old": True}
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


def test_replacing_waits_for_a_windows_reader_and_then_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[float] = []
    real = os.replace

    def busy_twice(source: Path, target: Path) -> None:
        if len(calls) < 2:
            error = PermissionError(13, "in use")
            error.winerror = 32  # type: ignore[attr-defined]
            raise error
        real(source, target)

    monkeypatch.setattr(atomic.os, "replace", busy_twice)
    monkeypatch.setattr(atomic.time, "sleep", calls.append)
    atomic.write_text(tmp_path / "a.txt", "x")
    assert (tmp_path / "a.txt").read_text() == "x"
    assert calls == [0.02, 0.05]


@pytest.mark.parametrize(
    ("content", "words"),
    [(b'{"a": 1,\n "b": }', "line 2"), (b"\xff\xfe", "not UTF-8"), (None, "is missing")],
)
def test_unreadable_json_is_an_error_that_names_the_place(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        atomic.read_json(path)
    assert str(path) in caught.value.message


def test_a_cut_last_line_is_repaired_only_on_request(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    atomic.append_jsonl(path, {"n": 1})
    with path.open("ab") as file:
        file.write(b'{"n": 2, "te')
    with pytest.raises(InputError, match="line 2"):
        atomic.read_jsonl(path)
    assert atomic.read_jsonl(path, repair=True) == [{"n": 1}]
    atomic.append_jsonl(path, {"n": 3})
    assert atomic.read_jsonl(path) == [{"n": 1}, {"n": 3}]


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [
        (errno.ENOSPC, ExitCode.TEMPORARY, "no space left"),
        (errno.EROFS, ExitCode.USAGE, "read-only"),
        (errno.EACCES, ExitCode.USAGE, "permission denied"),
        (errno.ENOENT, ExitCode.USAGE, "missing"),
        (errno.EIO, ExitCode.FAILED, "error"),
    ],
)
def test_disk_errors_become_words_and_the_right_exit_code(number: int, code: ExitCode, word: str) -> None:
    error = from_os_error(OSError(number, os.strerror(number), "models/x"))
    assert error.exit_code == code
    assert word in error.message
    assert "models/x" in error.message
