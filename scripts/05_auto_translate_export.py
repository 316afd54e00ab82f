"""05 - Translate copies from the Unreal editor into programs, and programs back into text for its clipboard.

Reads    INPUT...: files and folders of clipboard texts, `-` for standard input  (default:
         data/blueprint/exports/)
Writes   --output DIR (default: data/blueprint/translated/): NAME-HASH.dsl per text, --svg: NAME-HASH.svg too;
         --to-clipboard: NAME-HASH.txt to paste into the editor. Never into the folder of an input
Needs    texts copied from a Blueprint graph (Ctrl+C); --show-map prints what becomes what and needs nothing
Exits    0 all translated; 1 any failed, all listed at the end; 2 a missing input or a forbidden output
By hand  python scripts/05_auto_translate_export.py lamp.txt --output out --svg
         python scripts/05_auto_translate_export.py out/lamp-1a2b3c4d.dsl --to-clipboard --output paste
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
        "--output", type=Path, metavar="DIR", help="where the results go; never an input folder"
    )
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write counts and errors per file as JSON"
    )
    parser.add_argument("--parent", metavar="CLASS", help="parent class of the programs; the text has none")
    parser.add_argument(
        "--svg", action="store_true", help="draw every program too; .dsl inputs are only drawn"
    )
    parser.add_argument(
        "--to-clipboard", action="store_true", help="inputs are .dsl; write text for the editor"
    )
    parser.add_argument("--show-map", action="store_true", help="print node types and their Unreal identity")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.clipboard.stages import translate_stage

    if stage.args.show_map:
        from nightforge.blueprint.catalog_table import table

        print(table())
        return {}
    outcome = translate_stage(stage.args, stage.paths, stage.report, by_hand=stage.run_dir is None)
    for line in outcome.lines:
        print(line)
    if outcome.error is not None:
        raise outcome.error
    return outcome.result


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
