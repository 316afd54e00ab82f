"""A real small disk that fills up at random moments of a real run: it pauses, goes on when room is made,
tears nothing and repeats nothing that was done. # ops test 5
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_project import REPO, TinyProject

from nightforge.core.room import MB
from nightforge.pipeline.journal import read_journal

PASSES, FILLS = 10, 3
KEYS = ["03", "13", "20", "06", "08"]
# Appends rows one by one, as exams do, then a result as a whole; a row that is there is not written again.
_WORK = """
from nightforge.core.atomic import append_jsonl, read_jsonl, write_bytes
rows = stage.paths.data / (stage.stage_key + ".jsonl")
done = len(read_jsonl(rows)) if rows.exists() else 0
for number in range(done, 8):
    append_jsonl(rows, {"n": number, "text": "x" * 20000})
    stage.report.progress(number + 1, 8, "rows")
    time.sleep(0.02)
write_bytes(stage.paths.results / (stage.stage_key + ".bin"), os.urandom(300000))
return {"key": stage.stage_key}
"""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 12 MB in memory."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("needs Linux and mount")
    command = ["mount", "-t", "tmpfs", "-o", "size=12m,nr_inodes=600", "nightforge-test", str(folder)]
    if (refused := subprocess.run(command, capture_output=True, text=True)).returncode:
        pytest.skip(f"needs the right to mount: {refused.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


class Filler(threading.Thread):
    """Somebody else who fills the disk at random moments and makes room again."""

    def __init__(self, folder: Path, seed: int, by_inodes: bool) -> None:
        super().__init__(daemon=True)
        self._folder, self._random, self._by_inodes = folder, random.Random(seed), by_inodes
        self.fills, self.over = 0, threading.Event()

    def run(self) -> None:
        while self.fills < FILLS and not self.over.wait(self._random.uniform(0.05, 0.6)):
            self._fill()
            self.fills += 1
            self.over.wait(self._random.uniform(0.2, 0.9))
            self._empty()

    def _fill(self) -> None:
        try:
            if self._by_inodes:
                for number in range(10_000):
                    (self._folder / f"filler{number}").touch()
            with (self._folder / "filler").open("wb", buffering=0) as file:
                while file.write(bytes(4096)) == 4096:
                    continue
        except OSError:
            return

    def _empty(self) -> None:
        for path in self._folder.glob("filler*"):
            path.unlink()


def start(tiny: TinyProject, *arguments: str) -> subprocess.Popen[bytes]:
    code = (
        f"import sys; sys.path.insert(0, {str(REPO)!r})\n"
        "from nightforge.core.paths import Project\n"
        "from nightforge.pipeline import preflight\n"
        "from nightforge.pipeline.options import parse_options\n"
        "from nightforge.pipeline.orchestrator import orchestrate\n"
        "preflight.disk_budget = lambda *_: []\n"  # its numbers are for bigger disks than 12 MB
        "sys.exit(orchestrate(Project.find(), parse_options(sys.argv[1:])))"
    )
    settings = [] if "--resume" in arguments else ["--set", "disk.look_seconds=0.3"]
    with (tiny.root.parent.parent / "orchestrator.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code, *arguments, *settings],
            env=tiny.environment,
            stdout=log,
            stderr=log,
        )


def states_until(tiny: TinyProject, process: subprocess.Popen[bytes], limit_s: float) -> list[dict[str, Any]]:
    """Read the live state all the time, as a page would: it must always be whole."""
    seen: list[dict[str, Any]] = []
    deadline = time.monotonic() + limit_s
    while process.poll() is None:
        assert time.monotonic() < deadline, tiny.project.live_log.read_text()
        if tiny.project.live_state.exists():
            seen.append(json.loads(tiny.project.live_state.read_bytes()))
        time.sleep(0.05)
    return seen


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(PASSES))
def test_a_run_on_a_disk_that_fills_up_at_random_moments(small_disk: Path, seed: int) -> None:
    print("seed", seed)  # noqa: T201  to replay a failure
    tiny = TinyProject(small_disk / "project")
    for key in KEYS:
        tiny.behave(key, _WORK)
    for folder in (tiny.project.data, tiny.project.results):
        folder.mkdir()
    filler = Filler(small_disk, seed, by_inodes=seed % 5 == 4)
    process = start(tiny, "--data-only")
    tiny.wait(tiny.project.live_state.exists, 20)  # a disk that is full before the start is a refusal
    filler.start()
    seen = states_until(tiny, process, 60)
    filler.over.set()
    filler.join()
    assert process.returncode == 0, (small_disk.parent / "orchestrator.log").read_text()
    assert filler.fills > 0 and seen
    state = tiny.state()
    assert state["status"] == "succeeded" and state["waiting"] is None
    assert [stage["result"] for stage in state["stages"]] == [{"key": key} for key in KEYS]
    for key in KEYS:
        rows = [json.loads(line) for line in (tiny.project.data / f"{key}.jsonl").read_text().splitlines()]
        assert [row["n"] for row in rows] == list(range(8)), key  # none torn, none twice
        assert (tiny.project.results / f"{key}.bin").stat().st_size == 300000
    run_dir = tiny.project.run_dir(state["run_id"])
    reading = read_journal(run_dir)
    assert reading.damage is None
    assert [event["seq"] for event in reading.events] == list(range(1, len(reading.events) + 1))
    done = [event["stage"] for event in reading.events if event.get("outcome") == "succeeded"]
    assert done == KEYS  # nothing done is done again
    assert not [path for path in tiny.root.rglob(".*.tmp")]
    assert {e["kind"] for e in reading.events if e.get("outcome") == "failed"} <= {"disk_full", "killed"}


@pytest.mark.slow
def test_it_pauses_hears_a_stop_at_once_and_resumes(small_disk: Path) -> None:
    tiny = TinyProject(small_disk / "project")
    tiny.behave("13", _WORK)
    tiny.behave("03", 'open(stage.paths.root / "filler", "wb").write(bytes(200 * 2**20))\nreturn {}')
    for folder in (tiny.project.data, tiny.project.results):
        folder.mkdir()
    process = start(tiny, "--data-only")
    tiny.wait(lambda: bool(tiny.state().get("waiting")), 20)
    waiting = tiny.state()["waiting"]
    assert waiting["kind"] == "waiting_room" and str(small_disk) in waiting["words"]
    told = tiny.launch("--status").stdout
    assert "Waiting  for" in told and "of room on the disk" in told
    asked = time.monotonic()
    assert tiny.launch("--stop").returncode == 0
    assert process.wait(10) == 4
    assert time.monotonic() - asked < 5
    assert tiny.state()["status"] == "stopped" and tiny.state()["resumable"]
    (tiny.root / "filler").unlink()
    tiny.behave("03", "return {}")
    assert start(tiny, "--resume").wait(30) == 0
    assert os.path.getsize(tiny.project.reserve) == MB
