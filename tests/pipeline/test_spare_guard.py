"""A guard forked ahead that has died gets no order."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nightforge.core.starter import Starter
from nightforge.pipeline import guard

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks")


def test_no_order_goes_to_a_dead_spare_whose_pipe_is_still_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held, writing = os.pipe()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    fresh, order = os.pipe()
    monkeypatch.setattr(guard, "_fork", lambda: (os.getpid(), order))
    assert guard._hand_over(b"an order", (dead.pid, writing)) == os.getpid()
    assert os.read(fresh, 100) == b"an order"
    assert os.read(held, 100) == b""  # closed, and nothing had been written
    os.close(held)
    os.close(fresh)


def test_a_stage_that_waits_for_its_order_does_not_hold_the_pipe_of_its_guard() -> None:
    reading, writing = os.pipe()
    starter = Starter([reading])
    os.close(reading)
    deadline = time.monotonic() + 15
    while _has_reader(writing):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.close(writing)
    starter.start([sys.executable, "-c", "print('started')"], Path.cwd(), os.environ)
    assert starter.output.read() == b"started\n"
    assert os.waitpid(starter.pid, 0)[1] == 0
    starter.output.close()


def _has_reader(pipe: int) -> bool:
    try:
        return os.write(pipe, b".") == 1
    except BrokenPipeError:
        return False
