"""06 - Validate Blueprint programs and training rows under the strict parser and checks.

Reads    FILE...: .dsl programs, or .jsonl rows whose `output` is a program   (train.jsonl, val.jsonl of 20)
Writes   nothing; findings go to the terminal, with --json one object to standard output
Needs    nothing
Exits    0 all valid; 1 any invalid (rows also need a wire and an instruction); 2 a file is missing
By hand  python scripts/06_validate_dsl.py data/blueprint/train.jsonl
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bootstrap

bootstrap.ensure(__file__)

from nightforge.stage import Stage, stage_main

SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help=".dsl or .jsonl files")
    parser.add_argument("--json", action="store_true", help="print one JSON object with every finding")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.validation import summary, validate_files
    from nightforge.core.errors import GateError

    stage.report.phase("2.1", "validate programs")
    reports = validate_files(stage.args.files)
    result = summary(reports)
    totals = result["totals"]
    stage.report.metric(**totals)
    if stage.args.json:
        print(json.dumps(result, ensure_ascii=False))
    for report in reports:
        if not stage.args.json:
            print(f"{report.file}: {report.good} of {report.programs} good, {report.warnings} warnings")
        for error in report.errors[: 0 if stage.args.json else SHOWN]:
            row = f"row {error['row']}, " if error["row"] else ""
            expected = f" (expected {error['expected']})" if error["expected"] else ""
            print(f"  {row}line {error['line']}, column {error['column']}: {error['message']}{expected}")
        if len(report.errors) > SHOWN and not stage.args.json:
            print(f"  and {len(report.errors) - SHOWN} more errors; --json lists all")
    if not result["ok"]:
        bad = next(report for report in reports if not report.ok)
        count = totals["programs"] - totals["good"]
        raise GateError(
            f"{count} of {totals['programs']} programs are not good, first in {bad.file}",
            next_command=f"python scripts/06_validate_dsl.py --json {bad.file}",
        )
    return totals


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
