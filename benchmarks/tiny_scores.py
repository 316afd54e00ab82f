"""Scores of the tiny profile on unseen exam prompts over three seeds, against the base model: mean and
spread.

By hand  python benchmarks/tiny_scores.py            (about ten minutes on two cores; writes results to a
temporary python benchmarks/tiny_scores.py --seeds 1   folder, prints one table)
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA_STAGES = (
    ("03_generate_synthetic_data.py",),
    ("13_lesson_to_training.py",),
    ("20_deduplicate_dataset.py",),
)


def run(project: Path, *command: str) -> float:
    """Run one stage on `project`; returns its seconds, and stops the benchmark when it fails."""
    started = time.monotonic()
    environment = {**os.environ, "NIGHTFORGE_ROOT": str(project)}
    script = str(ROOT / "scripts" / command[0])
    done = subprocess.run(
        [sys.executable, script, *command[1:]], env=environment, capture_output=True, text=True
    )
    if done.returncode not in (0, 3):
        sys.exit(f"{command[0]} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return time.monotonic() - started


def measure(project: Path, seed: int) -> dict[str, float]:
    """Train and examine with one seed for weights, rows and adapter."""
    seeds = [f"model.tiny.seed={seed}", f"training.seed={seed}", f"synthetic.seed={seed}"]
    options = [word for entry in seeds for word in ("--set", entry)]
    seconds = {"data": sum(run(project, *stage, *options) for stage in DATA_STAGES)}
    seconds["base"] = run(project, "00_build_tiny_base.py", *options)
    seconds["train"] = run(project, "04_train_blueprint_lora.py", "--force", *options)
    seconds["exam"] = run(project, "12_run_exam.py", *options)
    exams = sorted(
        (project / "results" / "exams").glob("*/summary.json"), key=lambda path: path.stat().st_mtime
    )
    found = {json.loads(path.read_text())["version"]: json.loads(path.read_text()) for path in exams}
    newest = max((name for name in found if name != "base"), key=lambda name: int(name[1:]))
    mine, base = (found[name]["free"]["by_exposure"]["unseen"] for name in (newest, "base"))
    scores = {"unseen": mine["n"], "valid": mine["valid"]["value"], "score": mine["score"]["value"]}
    return {**scores, "base_score": base["score"]["value"], **seconds}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    count = parser.parse_args().seeds
    results = []
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        shutil.copy(ROOT / "pipeline_config.json", project)
        for name in ("profiles", "lessons"):
            shutil.copytree(ROOT / name, project / name)
        for seed in range(1, count + 1):
            results.append(measure(project, seed))
            print(f"seed {seed}: " + ", ".join(f"{k} {v:.3g}" for k, v in results[-1].items()), flush=True)
    for name in ("valid", "score", "base_score"):
        values = [result[name] for result in results]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        each = ", ".join(f"{value:.3f}" for value in values)
        print(f"{name:<12} mean {statistics.mean(values):.3f}  spread {spread:.3f}  ({each})")


if __name__ == "__main__":
    main()
