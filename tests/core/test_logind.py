"""Only a system that says it ends programs at logout makes the launcher say so."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from nightforge.core.logind import logout_warning

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux")


@pytest.mark.parametrize(
    ("answer", "warned"), [("b true\n", True), ("b false\n", False), ("", False), ("s yes", False)]
)
def test_the_answer_decides(answer: str, warned: bool, tmp_path: Path) -> None:
    warning = logout_warning(lambda _: answer, tmp_path)
    assert (warning is not None) is warned
    assert not warned or "systemd-run --user --scope" in str(warning)


@pytest.mark.parametrize(
    "error",
    [FileNotFoundError(), subprocess.TimeoutExpired("busctl", 1), subprocess.CalledProcessError(1, "x")],
)
def test_a_question_nobody_answers_is_no_warning(error: Exception, tmp_path: Path) -> None:
    def ask(_: Sequence[str]) -> str:
        raise error

    assert logout_warning(ask, tmp_path) is None


def test_without_systemd_nobody_is_asked(tmp_path: Path) -> None:
    def ask(_: Sequence[str]) -> str:
        raise AssertionError("asked")

    assert logout_warning(ask, tmp_path / "none") is None
