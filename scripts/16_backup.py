"""16 - Make a verified backup of data, lessons, results, configuration and the adapters that matter.

Reads    data/blueprint, lessons, results, profiles, pipeline_config.json, models/champion.json,
         the newest adapter and the champion's (never base models or checkpoints)
Writes   backups/<label>/ with manifest.json last, backups/history.jsonl; the mirror folder if configured
Needs    nothing; an interrupted backup leaves nothing to unlock or repair
By hand  python scripts/16_backup.py
         python scripts/16_backup.py --list | --verify [LABEL] | --pin LABEL | --init-mirror
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
    from nightforge.backup.manifest import TRIGGERS

    parser.add_argument("--trigger", choices=TRIGGERS, default="manual", help="why this backup is made")
    parser.add_argument("--reason", help="why it may be smaller than the last one; accepts a shrink alarm")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list the backups, newest last")
    what.add_argument(
        "--verify", nargs="?", const="", metavar="LABEL", help="read back one backup, or all of them"
    )
    what.add_argument("--pin", metavar="LABEL", help="keep this backup for good")
    what.add_argument("--init-mirror", action="store_true", help="mark the configured folder as the mirror")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.backup import commands
    from nightforge.backup.mirror import init_mirror
    from nightforge.backup.snapshot import Request, create_backup

    args, project, config = stage.args, stage.paths, stage.config.backup
    if args.list:
        return commands.show_list(project, print)
    if args.verify is not None:
        return commands.verify(project, config, args.verify or None, print)
    if args.pin:
        return commands.pin_label(project, args.pin, print)
    if args.init_mirror:
        result = init_mirror(project, config.mirror)
        print(f"{'adopted' if result['adopted'] else 'marked'} {result['mirror']} ({result['uuid']})")
        return result
    commands.require_enabled(config, args.trigger)
    request = Request(trigger=args.trigger, run_id=stage.run_id, reason=args.reason)
    entry = create_backup(project, config, request, stage.report, stage.should_stop)
    commands.show_result(entry, stage.report)
    # Without "version": the run's version is the one stage 04 trains, not the newest one a backup finds.
    return {key: value for key, value in entry.items() if key not in {"time", "version"}}


if __name__ == "__main__":
    sys.exit(stage_main(run, __doc__, add_arguments))
