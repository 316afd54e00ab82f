"""A pipe whose reader has left ends no command."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
from nightforge.core.terminal import say
for number in range(3):
    say("line %d" % number)
open("done", "w").close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_work_goes_on_after_the_reader_left(tmp_path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, env=environment, stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (tmp_path / "done").exists()


def test_a_line_is_written_at_once(capsys) -> None:
    from nightforge.core.terminal import say

    say("hello")
    say("sorry", sys.stderr)
    assert capsys.readouterr() == ("hello\n", "sorry\n")
