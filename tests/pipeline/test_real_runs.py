"""Whole runs with real processes: what a user types, kills and closes, and what is left afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest
from tiny_project import REPO, TinyProject, kill

from nightforge.core.processes import identity_of
from nightforge.core.records import guard_of
from nightforge.pipeline.states import from_json

posix = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows has no signals and no terminal to hang up"
)
DATA = ["03", "13", "20", "06", "08"]
# Works until it is told to stop, then leaves at its safe boundary.
UNTIL_STOPPED = """
from nightforge.core.errors import StoppedError
for step in range(1, 2000):
    stage.report.progress(step, 2000, "steps")
    if stage.should_stop():
        raise StoppedError(f"stopped after step {step}")
    time.sleep(0.02)
return {}
"""
UNTIL_TOLD = """
for step in range(1, 2000):
    stage.report.progress(step, 2000, "steps")
    if (stage.paths.root / "go").exists():
        return {}
    time.sleep(0.02)
"""
FIRST_TIME_ONLY = """
mark = stage.paths.root / "first"
if not mark.exists():
    mark.write_text(str(os.getpid()))
    time.sleep(60)
return {"rows": 7}
"""


def slow_on_windows(test: Callable[..., None]) -> Callable[..., None]:
    """Leave a test out of the default run there: under Wine a run of five stages takes five times as long."""
    return pytest.mark.slow(test) if sys.platform == "win32" else test


def running(tiny: TinyProject, key: str) -> bool:
    return bool(tiny.statuses().get(key) == "running")


def stage_pid(tiny: TinyProject, key: str) -> int:
    """Return the pid the running stage has told in its own first event."""
    path = tiny.project.run_dir(tiny.state()["run_id"]) / f"{key}.events.jsonl"
    tiny.wait(lambda: path.exists() and b"start" in path.read_bytes())
    starts = [json.loads(line) for line in path.read_text().splitlines() if '"start"' in line]
    return int(starts[-1]["pid"])


def test_a_detached_run_returns_at_once_and_succeeds_by_itself(tiny: TinyProject) -> None:
    began = time.monotonic()
    done = tiny.launch("--data-only")
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    run_id = tiny.record()["run_id"]
    assert all(word in done.stdout for word in (run_id, "pid", "logs/pipeline_live.log", "--stop", "Page"))
    busy = sys.platform == "win32" or os.getloadavg()[0] > 2
    assert took < 2 or busy, f"{took:.1f} s on an idle machine"
    assert tiny.wait_ended() == "succeeded"
    assert tiny.statuses() == dict.fromkeys(DATA, "succeeded")
    folder = tiny.project.run_dir(run_id)
    assert (folder / "state.json").read_bytes() == tiny.project.live_state.read_bytes()
    assert from_json(tiny.project.live_state.read_bytes()).status == "succeeded"
    config = json.loads((folder / "config.json").read_text())
    assert config["mode"] == "data-only" and config["config"]["profile"] == "tiny"
    assert "msgspec" in config["versions"]
    history = json.loads(tiny.project.timing_history.read_text())["profiles"]["tiny"]
    assert sorted(history["stages"]) == sorted(DATA)


def test_a_foreground_run_has_the_exit_code_of_the_run(tiny: TinyProject) -> None:
    tiny.behave("06", "from nightforge.core.errors import InputError\nraise InputError('row 7 is not valid')")
    done = tiny.launch("--foreground", "--data-only")
    assert done.returncode == 2
    assert "row 7 is not valid" in done.stderr
    assert tiny.statuses() == {
        "03": "succeeded",
        "13": "succeeded",
        "20": "succeeded",
        "06": "failed",
        "08": "pending",
    }
    assert tiny.state()["errors"][0]["message"] == "row 7 is not valid"
    assert tiny.state()["nodes"]["phase-2"]["status"] == "fail"


@pytest.mark.slow
@slow_on_windows
def test_the_orchestrator_script_by_hand_is_the_same_run(tiny: TinyProject) -> None:
    done = tiny.launch("--data-only", script="scripts/11_pipeline_orchestrator.py")
    assert done.returncode == 0, done.stderr
    assert "STARTING  Generate synthetic data" in done.stderr
    assert set(tiny.statuses().values()) == {"succeeded"}


@pytest.mark.slow
@slow_on_windows
def test_stages_get_the_environment_and_arguments_of_the_contract(tiny: TinyProject) -> None:
    tiny.behave(
        "06",
        'names = ("NIGHTFORGE_RUN_ID", "PYTHONUNBUFFERED", "PYTHONUTF8", "TOKENIZERS_PARALLELISM", '
        '"CUDA_DEVICE_ORDER", "HF_HUB_OFFLINE", "CUDA_VISIBLE_DEVICES", "NIGHTFORGE_NONCE")\n'
        "print('seen', {name: os.environ.get(name) for name in names}, stage.args.rest, flush=True)\n"
        "return {}",
    )
    tiny.configure({"hardware": {"cuda_visible_devices": "1"}})
    assert tiny.launch("--foreground", "--data-only").returncode == 0
    run_id = tiny.state()["run_id"]
    log = (tiny.project.run_dir(run_id) / "06.log").read_text()
    seen = eval(log[log.index("{") : log.index("}") + 1])  # noqa: S307 - a dict this test has printed
    assert seen == {
        "NIGHTFORGE_RUN_ID": run_id,
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "1",
        "NIGHTFORGE_NONCE": None,
    }
    assert "['data/blueprint/train.jsonl', 'data/blueprint/val.jsonl']" in log


def test_a_stage_killed_from_outside_is_told_in_words_and_tried_again(tiny: TinyProject) -> None:
    tiny.behave("20", FIRST_TIME_ONLY)
    code = (
        "import psutil, sys, time, pathlib\n"
        "mark = pathlib.Path(sys.argv[1])\n"
        "while not (mark.exists() and mark.read_text()): time.sleep(0.02)\n"
        "psutil.Process(int(mark.read_text())).kill()"
    )
    killer = subprocess.Popen([sys.executable, "-c", code, str(tiny.root / "first")])
    done = tiny.orchestrate("--data-only")
    killer.wait(10)
    assert done.returncode == 0, done.stderr
    state = tiny.state()
    if sys.platform != "win32":  # there the end by force is an exit code like any other
        assert "killed by signal 9 (SIGKILL); nobody here asked for it" in state["errors"][0]["message"]
    (stage,) = [stage for stage in state["stages"] if stage["id"] == "20"]
    assert (stage["status"], stage["attempt"], stage["result"]) == ("succeeded", 2, {"rows": 7})


def guard_pid(tiny: TinyProject, key: str, attempt: int = 1) -> int:
    """Return the pid of the guard of an attempt."""
    folder = tiny.project.run_dir(tiny.state()["run_id"])
    tiny.wait(lambda: guard_of(folder, key, attempt) is not None)
    identity = guard_of(folder, key, attempt)
    assert identity is not None
    return identity.pid


def kill_orchestrator(tiny: TinyProject) -> int:
    pid = int(tiny.record()["pid"])
    kill(pid)
    tiny.wait(lambda: identity_of(pid) is None)
    return pid


@pytest.mark.parametrize("command", [pytest.param(("--resume",), marks=pytest.mark.slow), ("--data-only",)])
def test_a_stage_outlives_its_orchestrator_and_the_next_start_takes_it_up(
    tiny: TinyProject, command: tuple[str, ...]
) -> None:
    tiny.behave("20", UNTIL_TOLD)
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20"))
    stage, run_id = stage_pid(tiny, "20"), tiny.record()["run_id"]
    kill_orchestrator(tiny)
    assert identity_of(stage) is not None

    status = tiny.launch("--status").stdout
    assert "stage 20 goes on under its guard" in status
    assert json.loads(tiny.launch("--status", "--json").stdout)["guarded"]["stage"] == "20"

    again = tiny.launch(*command)
    assert again.returncode == 0, again.stderr
    assert f"run {run_id} has lost its orchestrator" in again.stdout
    tiny.wait(lambda: running(tiny, "20"))
    assert identity_of(stage) is not None
    (tiny.root / "go").touch()
    assert tiny.wait_ended() == "succeeded"
    state = tiny.state()
    assert state["run_id"] == run_id
    assert {stage["id"]: stage["attempt"] for stage in state["stages"]} == dict.fromkeys(DATA, 1)
    assert state["errors"] == []
    assert len(list(tiny.project.runs.iterdir())) == 1


@pytest.mark.slow
def test_a_stage_that_finished_while_nobody_orchestrated_is_not_repeated(tiny: TinyProject) -> None:
    tiny.behave("20", UNTIL_TOLD)
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20"))
    stage = stage_pid(tiny, "20")
    guard = guard_pid(tiny, "20")
    kill_orchestrator(tiny)
    (tiny.root / "go").touch()
    tiny.wait(lambda: identity_of(stage) is None and identity_of(guard) is None)
    assert tiny.launch("--resume").returncode == 0
    assert tiny.wait_ended() == "succeeded"
    assert {stage["id"]: stage["attempt"] for stage in tiny.state()["stages"]} == dict.fromkeys(DATA, 1)


@pytest.mark.slow
def test_without_orchestrator_a_stop_still_reaches_the_stage(tiny: TinyProject) -> None:
    tiny.behave("20", UNTIL_STOPPED)
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20"))
    stage = stage_pid(tiny, "20")
    guard_pid(tiny, "20")
    kill_orchestrator(tiny)
    assert "nothing to stop" not in tiny.launch("--stop").stdout
    tiny.wait(lambda: identity_of(stage) is None)
    tiny.wait(lambda: not tiny.own_processes())


@pytest.mark.slow
def test_without_orchestrator_stop_now_ends_a_deaf_stage(tiny: TinyProject) -> None:
    tiny.behave(
        "20", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_DFL)\ntime.sleep(60)\nreturn {}"
    )
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20"))
    stage = stage_pid(tiny, "20")
    guard_pid(tiny, "20")
    kill_orchestrator(tiny)
    tiny.launch("--stop", "--now")
    tiny.wait(lambda: identity_of(stage) is None)
    tiny.wait(lambda: not tiny.own_processes())


def test_a_killed_guard_takes_its_stage_along_and_the_stage_is_tried_again(tiny: TinyProject) -> None:
    tiny.behave("20", FIRST_TIME_ONLY)
    code = (
        "import json, psutil, sys, time, pathlib\n"
        "root = pathlib.Path(sys.argv[1])\n"
        "while not (root / 'first').exists(): time.sleep(0.02)\n"
        "record = next(root.glob('logs/runs/*/attempts/20-1.guard.json'))\n"
        "psutil.Process(json.loads(record.read_text())['guard']['pid']).kill()"
    )
    killer = subprocess.Popen([sys.executable, "-c", code, str(tiny.root)])
    done = tiny.orchestrate("--data-only")
    assert killer.wait(10) == 0
    assert done.returncode == 0, done.stderr
    assert "guard was killed" in tiny.state()["errors"][0]["message"]
    assert not tiny.own_processes()


@pytest.mark.slow
def test_with_orchestrator_and_guard_killed_nobody_is_left_and_resume_finishes(tiny: TinyProject) -> None:
    tiny.behave("20", FIRST_TIME_ONLY)
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20") and (tiny.root / "first").exists())
    stage, run_id = stage_pid(tiny, "20"), tiny.record()["run_id"]
    guard = guard_pid(tiny, "20")
    kill_orchestrator(tiny)
    kill(guard)
    tiny.wait(lambda: identity_of(stage) is None and identity_of(guard) is None, 20)
    tiny.wait(lambda: not tiny.own_processes(), 20)

    status = tiny.launch("--status")
    assert "interrupted" in status.stdout and "--resume" in status.stdout
    assert json.loads(tiny.launch("--status", "--json").stdout)["status"] == "interrupted"

    resumed = tiny.launch("--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert run_id in resumed.stdout
    assert tiny.wait_ended() == "succeeded"
    state = tiny.state()
    assert state["run_id"] == run_id
    attempts = {stage["id"]: stage["attempt"] for stage in state["stages"]}
    assert attempts == {**dict.fromkeys(DATA, 1), "20": 2}
    assert [error["kind"] for error in state["errors"]] == ["interrupted"]


@pytest.mark.slow
def test_a_start_after_a_crash_continues_the_run_or_says_how_to(tiny: TinyProject) -> None:
    tiny.behave("20", FIRST_TIME_ONLY)
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20") and (tiny.root / "first").exists())
    old, guard = tiny.record(), guard_pid(tiny, "20")
    kill_orchestrator(tiny)
    kill(guard)
    tiny.wait(lambda: identity_of(guard) is None)
    other = tiny.launch("--data-only", "--set", "synthetic.count=7")  # asks for something else: a new run
    assert f"--resume {old['run_id']}" in other.stdout
    assert tiny.wait_ended() == "succeeded"
    assert tiny.state()["run_id"] != old["run_id"]
    closed = json.loads((tiny.project.run_dir(old["run_id"]) / "state.json").read_text())
    assert (closed["status"], closed["resumable"]) == ("failed", True)
    assert tiny.launch("--resume", old["run_id"]).returncode == 0
    assert tiny.wait_ended() == "succeeded"
    assert tiny.state()["run_id"] == old["run_id"]


@pytest.mark.slow
def test_a_plain_start_after_a_crash_continues_the_run(tiny: TinyProject) -> None:
    tiny.behave("20", FIRST_TIME_ONLY)
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20") and (tiny.root / "first").exists())
    old, guard = tiny.record(), guard_pid(tiny, "20")
    kill_orchestrator(tiny)
    os.kill(guard, signal.SIGKILL)
    tiny.wait(lambda: identity_of(guard) is None)
    again = tiny.launch("--data-only")
    assert f"run {old['run_id']}" in again.stdout and "continues it" in again.stdout
    assert tiny.wait_ended() == "succeeded"
    assert tiny.state()["run_id"] == old["run_id"]


def test_a_stop_ends_at_the_safe_boundary_and_resume_finishes(tiny: TinyProject) -> None:
    tiny.behave("20", UNTIL_STOPPED)
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20"))
    stage_pid(tiny, "20")
    stop = tiny.launch("--stop")
    assert stop.returncode == 0 and "stopped" in stop.stdout
    assert tiny.wait_ended() == "stopped"
    state = tiny.state()
    assert (state["result"]["exit_code"], state["resumable"], state["stop"]["by"]) == (4, True, "terminal")
    assert state["errors"] == []
    assert "stopped after step" in [stage["message"] for stage in state["stages"] if stage["id"] == "20"][0]
    assert not tiny.project.stop_request.exists()
    (tiny.root / "behaviour" / "20.py").unlink()
    assert tiny.launch("--resume", "--foreground").returncode == 0
    assert set(tiny.statuses().values()) == {"succeeded"}


@slow_on_windows  # nothing but the stop request is polite there: the whole grace time passes
def test_stop_now_ends_a_stage_that_does_not_listen(tiny: TinyProject) -> None:
    tiny.behave(
        "20", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_DFL)\ntime.sleep(60)\nreturn {}"
    )
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20"))
    stage_pid(tiny, "20")
    tiny.launch("--stop", "--now")
    assert tiny.wait_ended() == "stopped"
    assert tiny.statuses()["20"] == "stopped"


@pytest.mark.slow
@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_orchestrator_is_a_stop_request(tiny: TinyProject, number: int) -> None:
    tiny.behave("20", UNTIL_STOPPED)
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20"))
    stage_pid(tiny, "20")
    os.kill(tiny.record()["pid"], number)
    assert tiny.wait_ended() == "stopped"
    assert tiny.state()["stop"]["by"] == "signal"


@pytest.mark.slow
@posix
def test_ctrl_c_in_the_foreground_stops_the_run_with_exit_code_4(tiny: TinyProject) -> None:
    tiny.behave("20", UNTIL_STOPPED)
    run = subprocess.Popen(
        tiny.command("--foreground", "--data-only"), env=tiny.environment, stderr=subprocess.DEVNULL
    )
    tiny.wait(lambda: running(tiny, "20"))
    stage_pid(tiny, "20")
    run.send_signal(signal.SIGINT)
    assert run.wait(20) == 4
    assert tiny.state()["status"] == "stopped"


def test_a_second_start_changes_nothing_and_says_who_runs(tiny: TinyProject) -> None:
    tiny.behave("20", UNTIL_STOPPED)
    tiny.launch("--data-only")
    record = tiny.record()
    second = tiny.launch("--train-only")
    assert second.returncode == 0
    assert f"running already: run {record['run_id']} (pid {record['pid']})" in second.stdout
    attached = tiny.launch("--foreground")
    assert attached.returncode == 75
    assert record["run_id"] in attached.stderr
    assert len(list(tiny.project.runs.iterdir())) == 1
    tiny.launch("--stop")
    assert tiny.wait_ended() == "stopped"


@pytest.mark.slow
def test_ten_starts_at_once_make_one_orchestrator(tiny: TinyProject) -> None:
    tiny.behave("03", UNTIL_STOPPED)
    launches = [
        subprocess.Popen(tiny.command("--data-only"), env=tiny.environment, stdout=subprocess.PIPE, text=True)
        for _ in range(10)
    ]
    answers = [launch.communicate(timeout=60)[0] for launch in launches]
    assert [launch.returncode for launch in launches] == [0] * 10
    run_id = tiny.record()["run_id"]
    assert all(run_id in answer for answer in answers)
    assert sum("detached" in answer for answer in answers) == 1
    assert sum("running already" in answer for answer in answers) == 9
    assert [folder.name for folder in tiny.project.runs.iterdir()] == [run_id]
    tiny.launch("--stop")
    assert tiny.wait_ended() == "stopped"


@posix
@pytest.mark.slow
def test_the_end_of_the_terminal_does_not_end_the_run(tiny: TinyProject) -> None:
    import pty

    tiny.behave("20", "time.sleep(1.5)\nreturn {}")
    child, terminal = pty.fork()  # the launcher runs as the leader of a login session on its own terminal
    if child == 0:
        os.environ["NIGHTFORGE_ROOT"] = str(tiny.root)
        os.execv(sys.executable, ["python", "-c", _LOGIN, sys.executable, str(REPO / "launch_pipeline.py")])
    record = tiny.project.logs / "pipeline.json"
    tiny.wait(lambda: record.exists() and running(tiny, "20"))
    os.close(terminal)  # the kernel sends SIGHUP to the session
    os.waitpid(child, 0)
    assert tiny.wait_ended() == "succeeded"


_LOGIN = """
import subprocess, sys, time
subprocess.run([sys.argv[1], sys.argv[2], "--data-only"])
time.sleep(60)
"""


@slow_on_windows
def test_status_before_any_run_and_after_one(tiny: TinyProject) -> None:
    assert "Nothing has run here yet" in tiny.launch("--status").stdout
    assert json.loads(tiny.launch("--status", "--json").stdout)["status"] == "idle"
    assert not tiny.project.logs.exists()
    assert "nothing to stop" in tiny.launch("--stop").stdout
    tiny.orchestrate("--data-only")
    assert "5 of 5 done" in tiny.launch("--status").stdout
    assert tiny.launch("--resume").returncode == 2


def test_status_imports_nothing_heavy(tiny: TinyProject) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(REPO)!r}); sys.argv = ['launch_pipeline.py', '--status']\n"
        "import launch_pipeline; launch_pipeline.main(sys.argv[1:])\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & "
        "{'msgspec', 'psutil', 'rich', 'torch', 'asyncio', 'bootstrap'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=tiny.environment, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr


def test_the_orchestrator_stays_small_and_imports_no_torch(tiny: TinyProject) -> None:
    tiny.behave("20", UNTIL_STOPPED)
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20"))
    tiny.wait(lambda: bool(tiny.state().get("hardware")))
    process = psutil.Process(tiny.record()["pid"])
    assert process.memory_info().rss < 60 * 2**20
    assert not [entry.path for entry in process.memory_maps() if "torch" in entry.path]
    state = tiny.state()
    assert state["hardware"]["memory_total_mb"] > 0 and state["hardware"]["disk_free_mb"] > 0
    assert state["heartbeat"]["at"] and tiny.project.heartbeat.exists()
    tiny.launch("--stop")
    assert tiny.wait_ended() == "stopped"


def test_an_orchestrator_that_dies_at_once_is_told_with_its_last_words(tiny: TinyProject) -> None:
    breaker = tiny.root / "broken"
    breaker.mkdir()
    (breaker / "csv.py").write_text("raise ImportError('csv is broken here')")  # the launcher needs none
    tiny.environment["PYTHONPATH"] = str(breaker)
    done = tiny.launch("--data-only")
    assert done.returncode == 1
    assert "did not start" in done.stderr and "csv is broken here" in done.stderr


@pytest.mark.slow
@slow_on_windows
def test_script_15_stops_and_shows(tiny: TinyProject) -> None:
    tiny.behave("20", UNTIL_STOPPED)
    tiny.launch("--data-only")
    tiny.wait(lambda: running(tiny, "20"))
    stage_pid(tiny, "20")
    assert tiny.launch(script="scripts/15_stop_signal.py").returncode == 0
    assert tiny.wait_ended() == "stopped"
    assert "stopped" in tiny.launch("--status", script="scripts/15_stop_signal.py").stdout
