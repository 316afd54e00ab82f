"""07 - Write a Blueprint program for an instruction.

Reads    models/blueprint-lora-vN/ (04): the newest version, or --model DIR
Writes   the program alone to standard output, everything else to standard error; --output FILE with --batch;
         --clipboard: the text to paste into the editor in place of the program, nothing for an invalid one
Needs    an adapter and the base model of the profile. Exits 0 also for an invalid program, and says so
By hand  python scripts/07_inference.py --prompt 'When the game starts, print "hello".'
         python scripts/07_inference.py --batch instructions.txt --output answers.jsonl
         python scripts/07_inference.py --prompt "Print hello at the start." --clipboard > paste.txt
         python scripts/07_inference.py --interactive
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
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--prompt", metavar="TEXT", help="one instruction")
    what.add_argument("--batch", type=Path, metavar="FILE", help="a text file, one instruction per line")
    what.add_argument("--interactive", action="store_true", help="read instructions from the terminal")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="with --batch: append the answers as JSON lines"
    )
    parser.add_argument(
        "--clipboard", action="store_true", help="write text to paste into the editor, not the program"
    )
    parser.add_argument(
        "--model", type=Path, metavar="DIR", help="adapter folder (default: the newest version)"
    )


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.inference import run_inference

    return run_inference(stage.config, stage.paths, stage.report, stage.should_stop, stage.args)


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
