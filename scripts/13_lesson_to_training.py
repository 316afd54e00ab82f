"""13 - Turn lessons into training rows, or plan what to teach next.

Reads    lessons/*.json (never the held-out ones)
         with --plan-next: results/exams/vN/<lesson>.jsonl, results/mastery.json
Writes   data/blueprint/lessons.jsonl (read by 20); with --plan-next results/next_lessons.json (read by 03)
Needs    --plan-next needs an exam of the lessons (12); before the first one it exits 3
By hand  python scripts/13_lesson_to_training.py
         python scripts/13_lesson_to_training.py --plan-next
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
    parser.add_argument("--plan-next", action="store_true", help="plan the next lessons from the newest exam")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.rowmaking import write_lessons, write_plan

    if stage.args.plan_next:
        return write_plan(stage.paths, stage.report)
    return write_lessons(stage.paths, stage.report, stage.config.exam.scope)


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
