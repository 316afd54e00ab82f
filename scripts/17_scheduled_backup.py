"""17 - Look after the project from outside, for cron, a systemd timer or the Task Scheduler.

Reads    logs (how the last run stands), backups and the mirror
Writes   a new backup if anything has changed; logs/watchdog.json; starts an interrupted run again
Needs    nothing; a stopped or failed run is never started
By hand  python scripts/17_scheduled_backup.py
         python scripts/17_scheduled_backup.py --check      (only looks)
Exit     0 in order or put in order, 1 not; what is not in order is told once to whom notify.* names
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
    parser.add_argument("--check", action="store_true", help="only look: start nothing, back nothing up")


def run(stage: Stage) -> dict[str, Any]:
    from datetime import UTC, datetime

    from nightforge.backup.watch import look_at_backups, make_if_changed
    from nightforge.core.errors import StageError
    from nightforge.pipeline.launch import start
    from nightforge.pipeline.options import Options
    from nightforge.pipeline.watchdog import conclude, look_at_run

    project, config = stage.paths, stage.config

    def start_again() -> int:
        return start(project, Options(action="start", resume=""), ["--resume"])

    found = [look_at_run(project, None if stage.args.check else start_again)]
    if not stage.args.check:
        found.append(make_if_changed(project, config.backup, stage.report, stage.should_stop))
    found += look_at_backups(project, config.backup, datetime.now(UTC))
    for finding in found:
        line = f"{finding.level:<9}{finding.title}: {finding.detail}"
        print(line + (f"\n         next: {finding.next_command}" if finding.next_command else ""))
    if not conclude(project, config.notify, found):
        worst = [finding.title for finding in found if finding.level == "critical"]
        if worst:
            raise StageError("; ".join(worst))
    return {"found": len([finding for finding in found if finding.level != "ok"])}


if __name__ == "__main__":
    sys.exit(stage_main(run, __doc__, add_arguments))
