"""09 - Evaluate an adapter on tiered tests whose requirements are checked on the parsed graph.

Reads    models/blueprint-lora-vN/ (04): the newest version, or --model DIR
Writes   results/evaluations/vN.json; with --quick or --tier a file of its own beside it
Needs    an adapter and the base model of the profile
By hand  python scripts/09_evaluate_model.py
         python scripts/09_evaluate_model.py --quick --compare models/blueprint-lora-v1
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
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="adapter folder (default: the newest version)"
    )
    parser.add_argument(
        "--compare", type=Path, metavar="DIR", help="test this adapter too and show the differences"
    )
    parser.add_argument(
        "--tier", type=int, default=0, metavar="N", help="only the tests of this tier, 1 to 4"
    )
    parser.add_argument("--quick", action="store_true", help="only the first test of each tier")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the result here as well")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.evaluation import Selection, run_evaluation

    args = stage.args
    selection = Selection(args.model, args.compare, args.tier, args.quick, args.report)
    return run_evaluation(stage.config, stage.paths, stage.report, stage.should_stop, selection)


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
