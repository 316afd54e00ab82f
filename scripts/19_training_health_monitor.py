"""19 - Check the health of a trained version and the mastery of every node type.

Reads    models/blueprint-lora-vN/, results/exams/vN, results/evaluations/vN.json, data/blueprint/train.jsonl,
         logs/training_history.json
Writes   results/health/vN.json, results/mastery.json, logs/training_history.json
Needs    a trained adapter; findings never fail the run
By hand  python scripts/19_training_health_monitor.py --version v3
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bootstrap

bootstrap.ensure(__file__)

from nightforge.stage import Stage, stage_main


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", help="adapter to check, such as v3 (default: the newest)")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.health_stage import parse_version, run_health

    wanted = parse_version(stage.args.version) if stage.args.version else None
    return run_health(stage.paths, wanted, stage.report)


if __name__ == "__main__":
    sys.exit(stage_main(run, __doc__, add_arguments))
