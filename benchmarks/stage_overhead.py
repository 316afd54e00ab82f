"""What a stage costs beyond its command: 50 no-op stages under guards against the same commands in a shell
loop, side by side in one run.

By hand  python benchmarks/stage_overhead.py        (under a minute; writes to a temporary folder only)
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from nightforge.config import Config  # noqa: E402
from nightforge.core.clock import SystemClock  # noqa: E402
from nightforge.core.paths import Project  # noqa: E402
from nightforge.core.processes import TAG_VARIABLE  # noqa: E402
from nightforge.pipeline.attempts import StageContext  # noqa: E402
from nightforge.pipeline.eta import Estimate  # noqa: E402
from nightforge.pipeline.guards import Guards  # noqa: E402
from nightforge.pipeline.journal import Journal, StateFiles  # noqa: E402
from nightforge.pipeline.limits import StallLimits  # noqa: E402
from nightforge.pipeline.plan import Plan  # noqa: E402
from nightforge.pipeline.recorder import Recorder  # noqa: E402
from nightforge.pipeline.registry import StageSpec  # noqa: E402
from nightforge.pipeline.runner import Runner, Services  # noqa: E402
from nightforge.pipeline.states import LiveState  # noqa: E402

# Does nothing but say that it is done; standard library only, as small as a stage can be.
STAGE = """
import sys
run, key = sys.argv[2], sys.argv[4]
with open(f"{run}/{key}.events.jsonl", "a") as events:
    events.write('{"seq": 1, "time": "", "type": "done", "result": {}}\\n')
"""


def pipeline(folder: Path, count: int) -> float:
    """Run `count` no-op stages through the runner; returns seconds."""
    project = Project(folder)
    run = project.run_dir("r1")
    run.mkdir(parents=True)
    specs = tuple(StageSpec(f"s{n:02}", "noop.py", "No-op", 1, "utility", (), ()) for n in range(count))
    clock = SystemClock()
    files = StateFiles(project.live_state, project.heartbeat, clock.monotonic, run / "state.json")
    recorder = Recorder(LiveState(), Journal(run / "events.jsonl"), files, clock)
    stages = [
        {"id": s.key, "title": s.title, "phase": 1, "script": s.script, "log": "", "kind": s.kind}
        for s in specs
    ]
    start = {"run_id": "r1", "pid": os.getpid(), "pipeline": "x", "profile": "tiny", "mode": "full"}
    recorder.record("run_started", **start, command="", phases=[{"id": 1, "title": "x"}], stages=stages)
    with (folder / "guards.log").open("wb") as log:
        guards = Guards(log)
        guards.prepare()
        context = StageContext(project, run, {**os.environ, TAG_VARIABLE: "benchmark"}, guards)
        services = Services(
            clock=clock,
            spawn=context.spawn,
            attach=context.attach,
            stop_request=lambda: None,
            hardware=lambda: None,
            forecast=lambda state, now: Estimate({}, None),
            rungs=folder / "oom_rungs.json",
            gpu=lambda: "cpu",
            limits=StallLimits(project.stall_limits, Config(), lambda: None),
        )
        time.sleep(0.5)  # the first guard is ready, as it is in a real run by the time a stage starts
        started = time.monotonic()
        code = Runner(Plan("x", "full", specs), Config(), recorder, services).run()
        seconds = time.monotonic() - started
        guards.end()
    assert code == 0, code
    return seconds


def shell(folder: Path, count: int) -> float:
    """Run the same commands one after another in a shell; returns seconds."""
    run = folder / "shell"
    run.mkdir()
    lines = [
        f"'{sys.executable}' noop.py --run-dir '{run}' --stage-key s{n:02} --config x || exit 1"
        for n in range(count)
    ]
    started = time.monotonic()
    subprocess.run(["sh", "-c", "\n".join(lines)], cwd=folder, check=True)
    return time.monotonic() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stages", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    extra = []
    for number in range(given.rounds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "noop.py").write_text(STAGE)
            plain, ours = shell(folder, given.stages), pipeline(folder, given.stages)
        extra.append((ours - plain) / given.stages * 1e3)
        print(
            f"round {number + 1}: shell {plain * 1e3 / given.stages:.1f} ms per stage, "
            f"Nightforge {ours * 1e3 / given.stages:.1f} ms, overhead {extra[-1]:.1f} ms",
            flush=True,
        )
    print(f"overhead per stage: median {statistics.median(extra):.1f} ms, worst {max(extra):.1f} ms")


if __name__ == "__main__":
    main()
