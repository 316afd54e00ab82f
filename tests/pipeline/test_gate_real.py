"""The GPU gate in whole runs: an executable plays nvidia-smi, everything else is real."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from tiny_project import TinyProject

from nightforge.core import leftovers
from nightforge.core.atomic import write_json
from nightforge.core.processes import TAG_VARIABLE, boot_id, linux_processes, ticks_now
from nightforge.pipeline import gpu_processes
from nightforge.pipeline.gpu_processes import Look, Question, our_leftovers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="an executable script, tags in /proc")

_SCRIPT = """#!/bin/sh
case "$1" in
--query-gpu=*) . {folder}/cards ;;
*) . {folder}/apps ;;
esac
"""
QUICK = {"poll_seconds": 0.2, "limit_seconds": 1.0}


class Smi:
    """An nvidia-smi whose answers are shell lines that a test may change at any moment."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.program = folder / "nvidia-smi"
        self.program.write_text(_SCRIPT.format(folder=folder))
        self.program.chmod(0o755)
        self.card(400)
        self.apps("")

    def card(self, used_mb: int) -> None:
        self.cards(f"echo 0, GPU-a, {used_mb}, 96000")

    def cards(self, line: str) -> None:
        self._put("cards", line)

    def apps(self, line: str) -> None:
        self._put("apps", line)

    def _put(self, name: str, line: str) -> None:
        draft = self.folder / f"{name}.draft"
        draft.write_text(line + "\n")
        draft.replace(self.folder / name)


@pytest.fixture
def smi(tmp_path: Path) -> Smi:
    return Smi(tmp_path / "driver")


@pytest.fixture
def gated(tiny: TinyProject, smi: Smi) -> TinyProject:
    """A project whose nvidia-smi is the played one."""
    tiny.environment["PATH"] = f"{smi.folder}{os.pathsep}{tiny.environment['PATH']}"
    tiny.environment.pop("CUDA_VISIBLE_DEVICES", None)
    tiny.configure({"dashboard": {"autostart": False}, "gpu_gate": QUICK})
    return tiny


@pytest.fixture
def sleeper(tmp_path: Path) -> Iterator[Any]:
    """Start processes that only sleep; whoever is left at the end is removed."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**variables: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(["sleep", "300"], env={**os.environ, **variables}, start_new_session=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def earlier_attempt(tiny: TinyProject, tag: str, ticks: int) -> None:
    """Leave the order of an attempt of an earlier run."""
    path = tiny.project.run_dir("20260101-000000-aaaa") / "attempts" / "04-1.order.json"
    write_json(path, {"tag": tag, "boot_id": boot_id(), "ticks": ticks})


def living_of(group: int) -> list[int]:
    return [pid for pid, _, _ in linux_processes() if os.getpgid(pid) == group]


def titles(tiny: TinyProject) -> list[str]:
    return [alert["title"] for alert in tiny.state()["alerts"]]


def test_only_tag_user_and_start_time_together_make_a_process_ours(tiny: TinyProject, sleeper: Any) -> None:
    ours, other = "0123abcd-04-1", "4567abcd-04-1"
    before = sleeper(**{TAG_VARIABLE: ours})
    time.sleep(0.03)  # a tick is 10 ms
    earlier_attempt(tiny, ours, ticks_now())
    time.sleep(0.03)
    mine, foreign, plain = sleeper(**{TAG_VARIABLE: ours}), sleeper(**{TAG_VARIABLE: other}), sleeper()
    time.sleep(0.1)
    found = [process.pid for process in our_leftovers(tiny.project)]
    assert found == [mine.pid]
    assert not {before.pid, foreign.pid, plain.pid} & set(found)


def test_where_there_is_no_proc_tagged_processes_are_found_as_well(sleeper: Any) -> None:
    mine, plain = sleeper(**{TAG_VARIABLE: "0123abcd-04-1"}), sleeper()
    time.sleep(0.1)
    found = {process.pid: process for process in leftovers._portable_tagged()}
    assert found[mine.pid].tag == "0123abcd-04-1" and found[mine.pid].command == "sleep 300"
    assert plain.pid not in found


def test_a_process_that_is_not_the_one_that_was_seen_is_not_killed(sleeper: Any) -> None:
    process = sleeper(**{TAG_VARIABLE: "0123abcd-04-1"})
    time.sleep(0.1)
    seen = next(one for one in leftovers.tagged_processes() if one.pid == process.pid)
    leftovers.end_tagged(seen._replace(started=seen.started + 1))
    leftovers.end_tagged(seen._replace(tag="0123abcd-04-2"))
    time.sleep(0.1)
    assert process.poll() is None and leftovers.lives(seen)
    leftovers.end_tagged(seen)
    assert process.wait(5) == -9 and not leftovers.lives(seen)


def test_a_program_that_hangs_is_given_up_with_all_it_has_started(
    smi: Smi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpu_processes, "ANSWER_LIMIT_S", 0.2)
    smi.cards("echo $$ > $0.pid; sleep 300; true")
    question = Question(str(smi.program))
    began = time.monotonic()
    while (look := question.answer()) is None:
        time.sleep(0.01)
    assert "no answer" in look.trouble and time.monotonic() - began < 1.5
    group = int(Path(f"{smi.program}.pid").read_text())
    deadline = time.monotonic() + 5
    while living_of(group) and time.monotonic() < deadline:  # a kill takes its moment
        time.sleep(0.02)
    assert living_of(group) == []


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        ("echo No devices were found; exit 6", ""),
        ("echo Driver/library version mismatch; exit 18", "exit code 18: Driver/library"),
        ("echo '<html>'", "cannot be read"),
        ("head -c 3000 /dev/urandom", "cannot be read"),
        ("exit 0", ""),
    ],
)
def test_an_answer_that_is_none_is_said_in_words(line: str, trouble: str, smi: Smi) -> None:
    smi.cards(line)
    question = Question(str(smi.program))
    while (look := question.answer()) is None:
        time.sleep(0.01)
    assert look == Look() if not trouble else trouble in look.trouble


@pytest.mark.slow
def test_a_leftover_of_an_earlier_run_is_ended_and_a_stranger_beside_it_is_not(
    gated: TinyProject, smi: Smi, sleeper: Any
) -> None:
    earlier_attempt(gated, "0123abcd-04-1", ticks_now())
    leftover = sleeper(**{TAG_VARIABLE: "0123abcd-04-1"})
    stranger = sleeper()
    smi.apps(f"echo GPU-a, {leftover.pid}, 300; echo GPU-a, {stranger.pid}, 100")
    done = gated.orchestrate("--train-only")
    assert done.returncode == 0, done.stderr
    assert leftover.wait(5) == -9 and stranger.poll() is None
    ended = [alert for alert in gated.state()["alerts"] if alert["title"] == "Process left behind was ended"]
    assert len(ended) == 1
    assert all(word in ended[0]["detail"] for word in (str(leftover.pid), "sleep 300", "0123abcd-04-1"))
    assert "left behind" in gated.project.live_log.read_text()


@pytest.mark.slow
def test_a_stranger_is_named_in_the_status_and_the_run_goes_on_when_he_is_gone(
    gated: TinyProject, smi: Smi, sleeper: Any
) -> None:
    stranger = sleeper()
    smi.card(80_400)
    smi.apps(f"echo GPU-a, {stranger.pid}, 80000")
    assert gated.launch("--train-only").returncode == 0
    gated.wait(lambda: "Waiting for the GPU" in titles(gated))
    said = gated.launch("--status").stdout
    user = psutil.Process().username()
    assert f"held by sleep (pid {stranger.pid}, {user}) with 80,000 MB" in said
    waiting = gated.state()["waiting"]
    assert (waiting["kind"], waiting["stage"]) == ("waiting_gpu", "00")
    time.sleep(1.0)
    assert titles(gated) == ["Waiting for the GPU"] and stranger.poll() is None
    smi.card(400)
    smi.apps("")
    assert gated.wait_ended() == "succeeded"
    state = gated.state()
    assert state["waiting"] is None and {stage["attempt"] for stage in state["stages"]} == {1}


@pytest.mark.slow
def test_a_stop_ends_the_wait_for_the_gpu(gated: TinyProject, smi: Smi) -> None:
    smi.card(80_400)
    smi.apps("echo GPU-a, 1, 80000")
    assert gated.launch("--train-only").returncode == 0
    gated.wait(lambda: bool(gated.state().get("waiting")))
    gated.launch("--stop")
    assert gated.wait_ended() == "stopped"
    state = gated.state()
    assert state["waiting"] is None and gated.statuses()["00"] in ("pending", "stopped")
    smi.card(400)
    smi.apps("")
    assert gated.orchestrate("--resume").returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "title", "least_s"),
    [
        ("echo what is this", "GPU cannot be asked", 0),
        ("sleep 300; true", "GPU cannot be asked", 5),
        ("echo No devices were found; exit 6", None, 0),
    ],
)
def test_a_driver_in_trouble_does_not_hold_the_run(
    line: str, title: str | None, least_s: float, gated: TinyProject, smi: Smi
) -> None:
    smi.cards(line)
    began = time.monotonic()
    done = gated.orchestrate("--train-only")
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began >= least_s
    assert titles(gated) == ([title] if title else [])


@pytest.mark.slow
def test_memory_that_comes_back_slowly_is_waited_for(gated: TinyProject, smi: Smi) -> None:
    gated.configure({"dashboard": {"autostart": False}, "gpu_gate": {**QUICK, "limit_seconds": 30}})
    cards = smi.folder / "cards"
    gated.behave("00", f"open({str(cards)!r}, 'w').write('echo 0, GPU-a, 9000, 96000')\nreturn {{}}")
    assert gated.launch("--train-only").returncode == 0
    gated.wait(lambda: bool(gated.state().get("waiting")))
    assert "memory of GPU 0 to come back" in gated.state()["waiting"]["words"]
    smi.card(600)
    assert gated.wait_ended() == "succeeded"
    assert titles(gated) == []
