"""How long a durable write of the run's state takes, and what an orchestrator costs while a stage works.

A journal line with fsync is what a transition waits for; a state of the usual size and a file with
generations are replaced with fsync of file and folder (the live state itself is a copy and not synced).
The orchestrator then watches a stage that sleeps; its processor time is read from the system.

By hand  python benchmarks/state_writes.py        (under a minute; writes to a temporary folder only)
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from nightforge.core.atomic import write_bytes  # noqa: E402
from nightforge.core.generations import write_kept  # noqa: E402
from nightforge.core.paths import Project  # noqa: E402
from nightforge.core.records import running_record  # noqa: E402
from nightforge.pipeline.journal import Journal  # noqa: E402
from nightforge.pipeline.plan import build_plan  # noqa: E402
from nightforge.pipeline.states import LiveState, StageState, to_json  # noqa: E402

SLEEP = """
import sys, time
sys.path.insert(0, {root!r})
from nightforge.stage import stage_main

def arguments(parser):
    parser.add_argument("rest", nargs="*")

def run(stage):
    stage.report.progress(1, 2, "naps")
    time.sleep({seconds})
    return {{}}

if __name__ == "__main__":
    sys.exit(stage_main(run, "Sleeps.", arguments))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--writes", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the orchestrator is watched")
    parser.add_argument("--folder", type=Path, help="where to write (default: the temporary folder)")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        durable_writes(Path(name), given.writes)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        idle_share(Path(name), given.seconds)


def durable_writes(folder: Path, count: int) -> None:
    """Time the three durable writes a run makes, in milliseconds."""
    stages = tuple(
        StageState(s.key, s.title, s.phase, s.script, f"{s.key}.log", s.kind, s.reads, s.writes)
        for s in build_plan("full").stages
    )
    state = to_json(LiveState(run_id="20261122-000000-aaaa", status="running", stages=stages))
    journal = Journal(folder / "events.jsonl")
    event = {"time": "2026-11-22T00:00:00.000Z", "type": "stage_ended", "stage": "04", "result": {"n": 1}}
    writes = {
        "journal line": lambda: journal.append(event),
        f"state of {len(state)} bytes, replaced": lambda: write_bytes(folder / "state.json", state),
        "file with generations": lambda: write_kept(folder / "champion.json", {"version": 3}),
    }
    for name, write in writes.items():
        took = []
        for _ in range(count):
            started = time.perf_counter()
            write()
            took.append((time.perf_counter() - started) * 1e3)
        cuts = statistics.quantiles(took, n=100)
        print(
            f"{name}: p50 {cuts[49]:.2f} ms, p99 {cuts[98]:.2f} ms, worst {max(took):.2f} ms, {count} writes"
        )


def idle_share(folder: Path, seconds: float) -> None:
    """Measure the processor time of an orchestrator and its helpers while its stage sleeps."""
    for name in ("scripts", "profiles"):
        (folder / name).mkdir()
    for stage in build_plan("data-only").stages:
        (folder / stage.script).write_text(SLEEP.format(root=str(ROOT), seconds=seconds + 60))
    (folder / "profiles" / "tiny.json").write_text('{"disk": {"reserve_mb": 8}}')
    (folder / "pipeline_config.json").write_text('{"dashboard": {"autostart": false}}')
    environment = {**os.environ, "NIGHTFORGE_ROOT": str(folder)}
    launch = [sys.executable, str(ROOT / "launch_pipeline.py")]
    subprocess.run([*launch, "--data-only"], env=environment, check=True, stdout=subprocess.DEVNULL)
    try:
        record = running_record(Project(folder))
        assert record is not None
        orchestrator = psutil.Process(int(record["pid"]))
        time.sleep(3.0)  # imports, the reserve and the first estimate are over
        helpers = [p for p in psutil.process_iter() if p != orchestrator and _guards(p, folder)]
        before = {process: _seconds(process) for process in (orchestrator, *helpers)}
        time.sleep(seconds)
        spent = {process: _seconds(process) - before[process] for process in before}
        share = spent[orchestrator] / seconds
        others = (sum(spent.values()) - spent[orchestrator]) / seconds
        print(f"orchestrator: {share:.2%} of one core over {seconds:.0f} s; its guards {others:.2%}")
    finally:
        subprocess.run([*launch, "--stop", "--now"], env=environment, check=True, stdout=subprocess.DEVNULL)
        psutil.wait_procs([orchestrator], timeout=40)


def _guards(process: psutil.Process, folder: Path) -> bool:
    try:
        named = "nightforge.pipeline.guard" in " ".join(process.cmdline())
        return named and process.environ().get("NIGHTFORGE_ROOT") == str(folder)
    except psutil.Error:
        return False


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
