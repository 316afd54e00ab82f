"""06 - Validate Blueprint programs and training rows under the strict parser and checks.

Reads    PATH...: .dsl programs, .jsonl rows whose `output` is a program, or folders of them (20: train.jsonl)
Writes   nothing; with --fix the .dsl files, in their one spelling (aliases, blanks, order; comments stay)
Needs    nothing
Exits    0 all valid; 2 something is invalid (rows also need a wire and an instruction) or a path is missing
By hand  python scripts/06_validate_dsl.py --fix my_programs/
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
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="PATH", help=".dsl or .jsonl files, or folders"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object with every finding")
    parser.add_argument("--fix", action="store_true", help="rewrite .dsl files in their one spelling first")
    parser.add_argument("--dry-run", action="store_true", help="with --fix: list the changes, write nothing")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.validation import fix_files, summary, validate_files
    from nightforge.core.errors import BadDataError, InputError

    if stage.args.dry_run and not stage.args.fix:
        raise InputError("--dry-run goes with --fix", next_command="python scripts/06_validate_dsl.py --help")
    if stage.args.fix:
        stage.report.phase("2.0", "fix programs")
        for fixed in fix_files(stage.args.files, write=not stage.args.dry_run):
            _show_fix(fixed, planned=stage.args.dry_run, quiet=stage.args.json)
    stage.report.phase("2.1", "validate programs")
    reports = validate_files(stage.args.files)
    result = summary(reports)
    totals = result["totals"]
    stage.report.metric(**totals)
    if stage.args.json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        for report in reports:
            _show(report)
    bad = [report for report in reports if not report.ok]
    if bad:
        count = totals["programs"] - totals["good"]
        names = ", ".join(Path(report.file).name for report in bad[:SHOWN])
        raise BadDataError(
            f"{count} of {totals['programs']} programs are not good; files with errors: {names}"
            + (f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""),
            next_command=f"python scripts/06_validate_dsl.py --json {bad[0].file}",
        )
    return totals


def _show_fix(fixed: Any, planned: bool, quiet: bool) -> None:
    """Say on the terminal what was changed, or would be; with --json on standard error."""
    out = sys.stderr if quiet else sys.stdout
    outcome = "would be rewritten" if planned and fixed.outcome == "rewritten" else fixed.outcome
    reason = f": {len(fixed.errors)} errors are for you to mend" if fixed.errors else ""
    print(f"{fixed.file}: {outcome}{reason}", file=out)
    for change in fixed.changes:
        print(f"  {change}", file=out)
    if fixed.outcome == "rewritten" and not fixed.changes:
        print("  blanks, line ends or the order of lines", file=out)


def _show(report: Any) -> None:
    """Print the counts and the first findings of one file."""
    print(f"{report.file}: {report.good} of {report.programs} good, {report.warnings} warnings")
    for error in report.errors[:SHOWN]:
        row = f"row {error['row']}, " if error["row"] else ""
        code = f"{error['code']} " if error["code"] else ""
        expected = f" (expected {error['expected']})" if error["expected"] else ""
        place = f"{row}line {error['line']}, column {error['column']}"
        print(f"  {place}: {code}{error['message']}{expected}")
        if error["fix"]:
            print(f"    fix: write {error['fix']['text']!r} at column {error['fix']['column']}")
    if len(report.errors) > SHOWN:
        print(f"  and {len(report.errors) - SHOWN} more errors; --json lists all")


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
