"""18 - Bring the project back to a backup: verified first, saved before, swapped by rename.

Reads    backups/<label>/ (or the mirror with --from-mirror)
Writes   the folders the backup holds; a safety backup (trigger pre_restore) comes first
Needs    no run in progress; folders the backup does not hold stay as they are
By hand  python scripts/18_restore_backup.py --list
         python scripts/18_restore_backup.py --show LABEL | --diff LABEL | --restore LABEL [--yes]
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
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--list", action="store_true", help="list the backups, newest last")
    what.add_argument("--show", metavar="LABEL", help="what a backup holds")
    what.add_argument("--diff", metavar="LABEL", help="how the project differs from a backup")
    what.add_argument("--restore", metavar="LABEL", help="put a backup back")
    parser.add_argument("--yes", action="store_true", help="do not ask before restoring (for unattended use)")
    parser.add_argument("--from-mirror", action="store_true", help="use the mirror instead of backups/")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.backup import commands
    from nightforge.backup.restore import restore

    args, project, config = stage.args, stage.paths, stage.config.backup
    source = commands.source_store(project, config, args.from_mirror)
    if args.list:
        return commands.show_list(project, print, source)
    if args.show:
        return commands.show_snapshot(source, args.show, print)
    if args.diff:
        return commands.show_difference(project, source, args.diff, print)
    source.require(args.restore)
    if not args.yes:
        commands.confirm(args.restore, sys.stdin)
    result = restore(project, config, args.restore, stage.report, source)
    print(f"restored {args.restore}: {', '.join(result['units'])}")
    if result["safety_backup"]:
        print(f"what was there before is {result['safety_backup']}")
    return result


if __name__ == "__main__":
    sys.exit(stage_main(run, __doc__, add_arguments))
