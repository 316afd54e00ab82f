"""10 - Show training curves in the terminal.

Reads    models/blueprint-lora-vN/training_log.json, results/exams/vN/summary.json
Writes   nothing, or a CSV file with --export
Needs    a trained adapter
By hand  python scripts/10_training_dashboard.py [v3]
         python scripts/10_training_dashboard.py --summary | --compare v2 v3 | --export curves.csv
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
    parser.add_argument("version", nargs="?", help="adapter to show, such as v3 (default: the newest)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--summary", action="store_true", help="one line per version")
    what.add_argument(
        "--compare", nargs="+", metavar="VERSION", help="loss curves of these versions together"
    )
    what.add_argument("--export", type=Path, metavar="FILE", help="write all curves as CSV")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint import curves
    from nightforge.blueprint.health_stage import choose_version, parse_version
    from nightforge.blueprint.results import read_version
    from nightforge.core.versions import list_versions

    args, project = stage.args, stage.paths
    newest = choose_version(project, parse_version(args.version) if args.version else None)
    if args.compare:
        chosen = [choose_version(project, parse_version(text)) for text in args.compare]
    elif (args.summary or args.export) and not args.version:
        chosen = list_versions(project.models)
    else:
        chosen = [newest]
    records = [read_version(project, version) for version in chosen]
    if args.export:
        rows = curves.export_csv(records, args.export)
        print(f"{args.export}: {rows} rows")
        return {"export": str(args.export), "rows": rows}
    lines = curves.summary_lines(records) if args.summary else []
    if args.compare:
        lines = curves.comparison_lines(records)
    for line in lines or curves.curve_lines(records[0]):
        print(line)
    return {"versions": [f"v{version}" for version in chosen]}


if __name__ == "__main__":
    sys.exit(stage_main(run, __doc__, add_arguments))
