"""What orchestration costs, and what happens after a crash: a chain of 50 no-op commands under Nightforge and
under doit, Luigi, Snakemake, DVC and Metaflow, side by side in one run.

By hand  python benchmarks/workflow_engines.py --envs FOLDER      (about ten minutes; installs the engines
         into an environment each below FOLDER the first time; all else happens in a temporary folder)

Cold: nothing is done yet. All done: the same command again. Killed: the engine gets SIGKILL after half of the
commands, then the same command again; what a person would have to type besides is counted.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
PINS = {
    "doit": "doit==0.37.0",
    "Luigi": "luigi==3.8.1",
    "Snakemake": "snakemake==9.27.1",
    "DVC": "dvc==3.67.1",
    "Metaflow": "metaflow==2.19.39",
}
# Copies a marker and notes that it ran; says `done` where somebody listens. The same for every engine.
NOOP = """
import sys
source, target = sys.argv[1], sys.argv[2]
open(target, "w").write(open(source).read())
open("ran", "a").write(target + "\\n")
if "--run-dir" in sys.argv:
    run, key = sys.argv[sys.argv.index("--run-dir") + 1], sys.argv[sys.argv.index("--stage-key") + 1]
    with open(f"{run}/{key}.events.jsonl", "a") as events:
        events.write('{"seq": 1, "time": "", "type": "done", "result": {}, "sections": []}\\n')
"""
# The launcher with a pipeline of our own in its table.
DRIVER = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from nightforge.pipeline import registry
from nightforge.pipeline.registry import StageSpec
COUNT = %d
registry.PIPELINES["chain"] = tuple(
    StageSpec(f"s{{n:02}}", "scripts/noop.py", "No-op", 1, "utility", (f"out/{{n}}",), (f"out/{{n + 1}}",),
              args=(f"out/{{n}}", f"out/{{n + 1}}")) for n in range(COUNT))
from nightforge.pipeline.launch import main
from nightforge.pipeline.options import parse_options
arguments = ["--pipeline", "chain", "--foreground", *sys.argv[1:]]
sys.exit(main(parse_options(arguments), arguments))
"""


class Engine(NamedTuple):
    """How one system is set up in a folder and started; `repair` is what a person types after a kill."""

    name: str
    prepare: Callable[[Path, int], None]
    command: list[str]
    repair: list[list[str]] = []


def _script(folder: Path) -> None:
    (folder / "scripts").mkdir()
    (folder / "out").mkdir()
    (folder / "out" / "0").write_text("x")
    (folder / "scripts" / "noop.py").write_text(NOOP)


def _lines(count: int) -> list[str]:
    return [f"{sys.executable} scripts/noop.py out/{n} out/{n + 1}" for n in range(count)]


def nightforge(folder: Path, count: int) -> None:
    (folder / "profiles").mkdir()
    (folder / "profiles" / "tiny.json").write_text("{}")
    (folder / "pipeline_config.json").write_text('{"dashboard": {"autostart": false}}')
    driver = DRIVER % count
    # The order of arguments the guard uses puts the markers behind; the script wants them in front.
    (folder / "driver.py").write_text(driver)
    (folder / "scripts" / "noop.py").write_text(
        "import sys\nsys.argv[1:] = sys.argv[-2:] + sys.argv[1:-2]\n" + NOOP
    )


def doit(folder: Path, count: int) -> None:
    (folder / "dodo.py").write_text(
        f"LINES = {_lines(count)!r}\n"
        "def task_chain():\n"
        "    for n, line in enumerate(LINES):\n"
        "        yield {'name': f'{n:02}', 'actions': [line], 'file_dep': [f'out/{n}'], "
        "'targets': [f'out/{n + 1}']}\n"
    )


def luigi(folder: Path, count: int) -> None:
    (folder / "chain.py").write_text(
        f"import luigi, subprocess\nLINES = {_lines(count)!r}\n"
        "class Chain(luigi.Task):\n"
        "    i = luigi.IntParameter()\n"
        "    def requires(self):\n        return [Chain(i=self.i - 1)] if self.i else []\n"
        "    def output(self):\n        return luigi.LocalTarget(f'out/{self.i + 1}')\n"
        "    def run(self):\n        subprocess.run(LINES[self.i].split(), check=True)\n"
    )


def snakemake(folder: Path, count: int) -> None:
    rules = "".join(
        f"rule s{n}:\n    input: 'out/{n}'\n    output: 'out/{n + 1}'\n    shell: {line!r}\n"
        for n, line in enumerate(_lines(count))
    )
    (folder / "Snakefile").write_text(f"rule all:\n    input: 'out/{count}'\n{rules}")


def dvc(folder: Path, count: int) -> None:
    stages = {
        f"s{n:02}": {"cmd": line, "deps": [f"out/{n}"], "outs": [f"out/{n + 1}"]}
        for n, line in enumerate(_lines(count))
    }
    (folder / "dvc.yaml").write_text(json.dumps({"stages": stages}))
    subprocess.run([_tool("dvc", "dvc"), "init", "--no-scm", "-q"], cwd=folder, check=True)


def metaflow(folder: Path, count: int) -> None:
    steps = "".join(
        f"    @step\n    def s{n}(self):\n        subprocess.run({line.split()!r}, check=True)\n"
        f"        self.next(self.{f's{n + 1}' if n + 1 < count else 'end'})\n"
        for n, line in enumerate(_lines(count))
    )
    (folder / "flow.py").write_text(
        "import os, subprocess\nfrom metaflow import FlowSpec, step\n"
        f"os.chdir({str(folder)!r})\n"
        "class Chain(FlowSpec):\n"
        "    @step\n    def start(self):\n        self.next(self.s0)\n"
        f"{steps}    @step\n    def end(self):\n        pass\n"
        "if __name__ == '__main__':\n    Chain()\n"
    )


def _tool(name: str, program: str) -> str:
    return str(ENVS / name / "bin" / program)


ENVS = Path()


def engines() -> list[Engine]:
    """Return the systems; `ENVS` must be set."""
    snake = [_tool("snakemake", "snakemake"), "-c1", "--quiet", "all"]
    flow = [_tool("metaflow", "python"), "flow.py", "--quiet"]
    return [
        Engine("Nightforge", nightforge, [sys.executable, "driver.py"]),
        Engine("doit", doit, [_tool("doit", "doit"), "-v0"]),
        Engine(
            "Luigi",
            luigi,
            [_tool("luigi", "python"), "-m", "luigi", "--module", "chain", "Chain", "--i", "COUNT"]
            + ["--local-scheduler", "--log-level", "ERROR"],
        ),
        Engine("Snakemake", snakemake, snake, [[*snake, "--unlock"], [*snake, "--rerun-incomplete"]]),
        Engine("DVC", dvc, [_tool("dvc", "dvc"), "repro", "-q"]),
        Engine("Metaflow", metaflow, [*flow, "run"], [[*flow, "resume"]]),
    ]


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of every engine; all may keep their bytecode, as an installed package does."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "HOME": str(folder / "home"),
        "USER": "benchmark",
        "PYTHONPATH": str(folder),
        "NIGHTFORGE_ROOT": str(folder),
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder),
        "DVC_NO_ANALYTICS": "1",
    }


class Place:
    """One engine in a fresh folder."""

    def __init__(self, engine: Engine, folder: Path, count: int) -> None:
        folder.mkdir()
        (folder / "home").mkdir()
        _script(folder)
        engine.prepare(folder, count)
        self.folder, self.engine, self.count = folder, engine, count

    def start(self, command: list[str]) -> subprocess.Popen[bytes]:
        line = [part if part != "COUNT" else str(self.count - 1) for part in command]
        return subprocess.Popen(
            line,
            cwd=self.folder,
            env=environment(self.folder),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def run(self, command: list[str]) -> tuple[float, int]:
        """Return seconds and exit code."""
        began = time.monotonic()
        code = self.start(command).wait()
        return time.monotonic() - began, code

    def ran(self) -> int:
        path = self.folder / "ran"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def finished(self) -> bool:
        return (self.folder / "out" / str(self.count)).exists()


def killed(place: Place) -> tuple[int, int]:
    """Kill the engine at half; return (commands typed by hand beside the first, commands that ran twice)."""
    process = place.start(place.engine.command)
    while place.ran() < place.count // 2:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(1.0)  # a command that was under way may end
    typed = 0
    place.run(place.engine.command)
    for repair in place.engine.repair:
        if place.finished() and place.engine.name != "Metaflow":
            break
        typed += 1
        place.run(repair)
    return (typed if place.finished() else -1), place.ran() - place.count


def shell(folder: Path, count: int) -> float:
    """Return the seconds of the same commands in a shell loop."""
    folder.mkdir()
    _script(folder)
    began = time.monotonic()
    subprocess.run(["sh", "-c", " && ".join(_lines(count))], cwd=folder, check=True)
    return time.monotonic() - began


def install() -> None:
    for name, pin in PINS.items():
        folder = ENVS / name.lower()
        if not (folder / "bin" / "python").exists():
            print(f"installing {pin}", flush=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            subprocess.run([str(folder / "bin" / "python"), "-m", "pip", "install", "-q", pin], check=True)


def main() -> None:
    global ENVS
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--envs", type=Path, required=True, help="folder of the engines' environments")
    parser.add_argument("--stages", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    ENVS = given.envs.resolve()
    install()
    found: dict[str, dict[str, list[float]]] = {}
    for number in range(given.rounds):
        with tempfile.TemporaryDirectory() as name:
            base = Path(name)
            floor = shell(base / "shell", given.stages)
            print(f"round {number + 1}: shell {floor * 1e3 / given.stages:.1f} ms per command", flush=True)
            for engine in engines():
                place = Place(engine, base / engine.name, given.stages)
                cold, code = place.run(engine.command)
                assert code == 0 and place.finished(), (engine.name, code)
                again, _ = place.run(engine.command)
                row = found.setdefault(engine.name, {"cold": [], "warm": [], "again": []})
                row["cold"].append((cold - floor) / given.stages * 1e3)
                row["warm"].append(again)
                row["again"].append(place.ran() - given.stages)
    print(f"\n{'engine':<11} {'overhead, ms per command':<28} {'all done, s':<14} after SIGKILL at half")
    for engine in engines():
        row = found[engine.name]
        with tempfile.TemporaryDirectory() as name:
            typed, twice = killed(Place(engine, Path(name) / "killed", given.stages))
        hands = "not finished" if typed < 0 else f"{typed} typed by hand"
        cold = f"{statistics.median(row['cold']):.1f} ({min(row['cold']):.1f} to {max(row['cold']):.1f})"
        warm = f"{statistics.median(row['warm']):.2f}" + (" (runs all)" if row["again"][-1] else "")
        print(f"{engine.name:<11} {cold:<28} {warm:<14} {hands}, {twice} ran twice", flush=True)


if __name__ == "__main__":
    main()
