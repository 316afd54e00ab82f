"""How fast `--status` answers, how fast a start returns, how much memory and load the orchestrator takes.

By hand  python benchmarks/status_latency.py        (about 15 s; asserts nothing)

Runs in an empty folder with stages that only wait, so it measures the launcher and the orchestrator alone.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
RUNS = 21
_WAITING_STAGE = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from nightforge.stage import stage_main

def run(stage):
    for step in range(600):
        stage.report.progress(step, 600, "ticks")
        if stage.should_stop():
            break
        time.sleep(0.1)
    return {{}}

sys.exit(stage_main(run, "waits", lambda parser: parser.add_argument("rest", nargs="*")))
"""


def make_project(root: Path) -> None:
    """Make a project whose stages wait; the dashboard is left out."""
    from nightforge.pipeline.registry import BLUEPRINT

    for name in ("scripts", "profiles"):
        (root / name).mkdir()
    (root / "profiles" / "tiny.json").write_text("{}")
    (root / "pipeline_config.json").write_text(json.dumps({"dashboard": {"autostart": False}}))
    for stage in BLUEPRINT:
        (root / stage.script).write_text(_WAITING_STAGE)


def timed(command: list[str], environment: dict[str, str]) -> float:
    """Return the wall time of a command, seconds."""
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> int:
    import psutil

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_project(root)
        environment = {**os.environ, "NIGHTFORGE_ROOT": folder}
        launcher = [sys.executable, str(ROOT / "launch_pipeline.py")]
        start_s = timed([*launcher, "--data-only"], environment)
        orchestrator = psutil.Process(json.loads((root / "logs" / "pipeline.json").read_text())["pid"])
        status = [timed([*launcher, "--status"], environment) for _ in range(RUNS)]
        time.sleep(6)
        before, began = orchestrator.cpu_times(), time.monotonic()
        time.sleep(5)
        after, lived_s = orchestrator.cpu_times(), time.monotonic() - began
        busy = (after.user + after.system - before.user - before.system) / lived_s
        rss_mb = orchestrator.memory_info().rss / 2**20
        timed([*launcher, "--stop"], environment)
        orchestrator.wait(30)
    print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}"
    )
    print(
        f"| --status, median of {RUNS}          | {statistics.median(status) * 1000:6.0f} ms | below 150 ms |"
    )
    print(f"| --status, slowest              | {max(status) * 1000:6.0f} ms |              |")
    print(f"| start returns to the prompt    | {start_s:6.2f} s  | below 2 s    |")
    print(f"| orchestrator memory (RSS)      | {rss_mb:6.1f} MB | below 60 MB  |")
    print(f"| orchestrator load of one core  | {busy:6.1%}    |              |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
