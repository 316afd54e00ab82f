"""Injected faults: off without the variable, each once per run folder, for the stage they name."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nightforge.core.errors import InputError
from nightforge.core.inject import ATTEMPT_VARIABLE, VARIABLE, fire


class DeviceFull(RuntimeError):
    pass


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    (tmp_path / "logs" / "runs" / "r1").mkdir(parents=True)
    monkeypatch.setenv("NIGHTFORGE_ROOT", str(tmp_path))
    monkeypatch.setenv("NIGHTFORGE_RUN_ID", "r1")
    monkeypatch.setenv(ATTEMPT_VARIABLE, "16-pre-2")
    return monkeypatch


def test_nothing_happens_without_the_variable(stage: pytest.MonkeyPatch) -> None:
    stage.delenv(VARIABLE, raising=False)
    fire("step", 3, DeviceFull)


def test_a_fault_comes_at_its_count_and_only_once(stage: pytest.MonkeyPatch) -> None:
    stage.setenv(VARIABLE, "16-pre:oom@step=3, 04:oom@step=1")
    fire("step", 2, DeviceFull)
    fire("item", 5, DeviceFull)
    with pytest.raises(DeviceFull, match="out of memory"):
        fire("step", 4, DeviceFull)
    fire("step", 5, DeviceFull)


def test_a_full_disk_is_the_systems_own_error(stage: pytest.MonkeyPatch) -> None:
    stage.setenv(VARIABLE, "16-pre:disk_full@save=1")
    with pytest.raises(OSError) as caught:
        fire("save", 1)
    assert caught.value.errno == errno.ENOSPC


def test_a_variable_of_another_form_is_refused(stage: pytest.MonkeyPatch) -> None:
    stage.setenv(VARIABLE, "04:boom@step=3")
    with pytest.raises(InputError, match="KEY:KIND@UNIT=N"):
        fire("step", 1)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_crash_is_a_kill_and_a_hang_lives_on(stage: pytest.MonkeyPatch) -> None:
    code = "from nightforge.core.inject import fire; fire('step', 1); print('went on')"
    environment = {**os.environ, VARIABLE: "16-pre:crash@step=1"}
    crashed = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert (crashed.returncode, crashed.stdout) == (-9, b"")
    again = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert again.stdout.strip() == b"went on"
    environment[VARIABLE] = "16-pre:hang@step=1"
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run([sys.executable, "-c", code], env=environment, timeout=0.7)
