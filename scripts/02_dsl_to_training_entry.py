"""02 - Add programs with descriptions to the training data.

Reads    one or more .dsl files, and what they do: --describe TEXT (repeatable) or --descriptions FILE
Writes   data/blueprint/manual.jsonl                   (appended, never overwritten; read by 20)
Needs    valid programs without opaque nodes; one row per program and description, all of them or none;
         rows that exist already are not added again, and what an exam asks is refused
By hand  python scripts/02_dsl_to_training_entry.py door.dsl \\
             --describe "When the game starts, print \\"hello\\"."
         python scripts/02_dsl_to_training_entry.py door.dsl --descriptions door.txt
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
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="programs in the DSL")
    parser.add_argument(
        "--describe", action="append", default=[], metavar="TEXT", help="what the programs do"
    )
    parser.add_argument(
        "--descriptions", type=Path, metavar="FILE", help="one description per line; # starts a comment"
    )


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.handmade import add_manual, read_descriptions

    texts = [*stage.args.describe, *read_descriptions(stage.args.descriptions)]
    return add_manual(stage.paths, stage.args.files, texts, stage.report)


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
