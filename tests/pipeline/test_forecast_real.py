"""Estimates in whole runs: none in the first, a range in the second, how good it was in the third."""

from __future__ import annotations

import sys
import time

import pytest
from tiny_project import TinyProject

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="ends what is left by /proc")


@pytest.mark.slow
def test_a_second_run_says_how_long_it_will_take_and_the_third_how_good_that_was(tiny: TinyProject) -> None:
    for key in ("03", "20"):
        body = (
            'for n in range(1, 31):\n    time.sleep(0.1)\n    stage.report.progress(n, 30, "rows")\nreturn {}'
        )
        tiny.behave(key, body)
    for run in range(3):
        assert tiny.launch("--data-only").returncode == 0
        tiny.wait(lambda: any(stage.get("progress") for stage in tiny.state()["stages"]))
        time.sleep(2.5)
        eta = tiny.state()["eta"]
        assert tiny.wait_ended() == "succeeded"
        assert (eta is None) == (run == 0)
        if eta:
            low, high = eta["remaining_s"]
            assert 0.5 < low < high < 12
            assert (eta["quality"] is None) == (run == 1)
