"""20 - Merge all rows, remove duplicates, split by structure, and refuse leaks; or check one file.

Reads    data/blueprint/synthetic.jsonl (03), lessons.jsonl (13), manual.jsonl (02, if it exists),
         translated/ (05, if it exists); lessons/*.json and the tests of 09, to know what is held out
         with --dataset: the one file named, which need not be of this project
Writes   data/blueprint/train.jsonl, val.jsonl, dataset.json, card.json, card.md  (read by 06, 00, 04, 12, 14)
         with --dataset and --apply: that file, its old content beside it as NAME_before_TIME.jsonl
Needs    stages 03 and 13; exits 1 and writes nothing if a held-out prompt is in the result
By hand  python scripts/20_deduplicate_dataset.py --dry-run
         python scripts/20_deduplicate_dataset.py --dataset data/blueprint/train.jsonl --struct-cap 5 --apply
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
    parser.add_argument("--dry-run", action="store_true", help="merge and show the card, write nothing")
    parser.add_argument("--dataset", type=Path, metavar="FILE", help="only show the duplicates of this file")
    parser.add_argument("--apply", action="store_true", help="with --dataset: remove them from the file")
    parser.add_argument(
        "--struct-cap",
        type=int,
        default=0,
        metavar="N",
        help="with --dataset: rows kept per structure, 0: all",
    )


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.dataset import build_dataset
    from nightforge.blueprint.deduplicate import deduplicate_file
    from nightforge.core.errors import InputError

    args = stage.args
    if args.dataset is not None:
        if args.struct_cap < 0:
            raise InputError(f"--struct-cap must be 0 or more, not {args.struct_cap}")
        return deduplicate_file(
            args.dataset, stage.paths, args.struct_cap, stage.report, apply=args.apply and not args.dry_run
        )
    if args.struct_cap:
        raise InputError(
            "--struct-cap belongs to --dataset; the merge reads synthetic.structure_cap",
            next_command="python scripts/20_deduplicate_dataset.py --help",
        )
    return build_dataset(stage.config, stage.paths, stage.report, write=not args.dry_run)


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
