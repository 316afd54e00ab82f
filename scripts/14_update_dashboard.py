"""14 - Write the run's report and the hub's data, and promote the champion.

Reads    models/, results/exams, results/evaluations, results/health, results/mastery.json,
         backups/history.jsonl, logs/runs/<run_id>/state.json
Writes   results/dashboard.json, models/champion.json, logs/runs/<run_id>/report.md
         (by hand: results/report.md)
Needs    nothing; what is missing is said in the report
By hand  python scripts/14_update_dashboard.py
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bootstrap

bootstrap.ensure(__file__)

from nightforge.stage import Stage, stage_main


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.backup.history import hub_status, read_history
    from nightforge.blueprint.report_stage import BackupFacts, update_dashboard

    backups = BackupFacts(hub_status(stage.paths), read_history(stage.paths.backups))
    return update_dashboard(stage.paths, stage.run_dir, stage.report, backups)


if __name__ == "__main__":
    sys.exit(stage_main(run, __doc__))
