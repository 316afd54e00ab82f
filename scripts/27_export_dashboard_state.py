"""27 - Export what the anomaly page shows, keep the run in the history, write its report.

Reads    models/, data/anomaly/, results/anomaly/, backups/, logs/runs/<run_id>/state.json
Writes   results/anomaly/dashboard-state.json, results/anomaly/history/<run_id>.json and index.json,
         results/anomaly/runs/<label>/<stream>_loss.csv, logs/runs/<run_id>/report.md
         (by hand: results/anomaly/report.md)
Needs    anything the track has made; also works after a run that failed and says what is missing
By hand  python scripts/27_export_dashboard_state.py
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bootstrap

bootstrap.ensure(__file__)

from nightforge.stage import Stage, stage_main


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.anomaly.export import export

    return export(stage.config, stage.paths, stage.report, run_dir=stage.run_dir)


if __name__ == "__main__":
    sys.exit(stage_main(run, __doc__))
