"""12 - Examine an adapter on lessons and held-out exams, and grade its graphs.

Reads    lessons/*.json, models/blueprint-lora-vN/ (04), data/blueprint/train.jsonl (20: what was seen)
Writes   results/exams/vN/<lesson_id>.jsonl, one line per answer as it comes, and summary.json;
         results/exams/base-<hash>/ the same for the base model without adapter, once
Needs    an adapter, or --base. Answers already on disk are not asked again
By hand  python scripts/12_run_exam.py
         python scripts/12_run_exam.py --lesson lessons/exam_01.json --limit 5
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
        "--lesson", type=Path, nargs="+", default=[], metavar="FILE", help="lesson files to ask"
    )
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="adapter folder (default: the newest version)"
    )
    parser.add_argument("--limit", type=int, default=0, metavar="N", help="ask at most N prompts")
    parser.add_argument("--base", action="store_true", help="examine the base model without an adapter")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.exam import Request, run_exam

    request = Request(
        lessons=tuple(stage.args.lesson),
        adapter=stage.args.model,
        limit=max(0, stage.args.limit),
        base=stage.args.base,
        run_id=stage.run_id,
    )
    return run_exam(stage.config, stage.paths, stage.report, stage.should_stop, request)


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
