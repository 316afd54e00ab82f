"""01 - Show what copies from the Unreal editor hold: objects, pins, links, events, calls, variables.

Reads    INPUT...: files and folders of clipboard texts, `-` for standard input  (default:
         data/blueprint/exports/)
Writes   --output DIR (default: data/blueprint/analysis/): NAME-HASH.analysis.json per text; never into a
         folder that is read
Needs    texts copied from a graph of the editor, of any kind (Blueprint, Control Rig, Material ...)
Exits    0 all read; 1 any failed, all listed at the end; 2 a missing input or a forbidden output
By hand  python scripts/01_analyze_blueprint_clipboard.py lamp.txt --output out
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
    parser.add_argument("inputs", nargs="*", metavar="INPUT", help="files, folders or - for standard input")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="where the JSON goes; never an input folder"
    )


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.clipboard.stages import analyze_stage

    outcome = analyze_stage(stage.args, stage.paths, stage.report, by_hand=stage.run_dir is None)
    for line in outcome.lines:
        print(line)
    if outcome.error is not None:
        raise outcome.error
    return outcome.result


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
