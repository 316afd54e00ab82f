"""26 - Validate what a run of the anomaly track has made: seven checks, each of the thing it names.

Reads    models/{patchtst,swin-mim,anomaly-<stream>}-vN, data/anomaly/, backups/,
         results/anomaly/runs/<label>/
Writes   results/anomaly/runs/<label>/checklist.json and bundle.zip (anomaly.bundle)
Needs    decisions (25) of the streams that are enabled; exits 1 when a check fails. A missing backup is told
         and holds nothing back; a check that was left out counts as skipped, not as passed
By hand  python scripts/26_validate_training_outputs.py
         python scripts/26_validate_training_outputs.py --skip-smoke
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
    parser.add_argument(
        "--skip-smoke", action="store_true", help="leave the scoring of windows out (check 6)"
    )


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.anomaly.export import export_failed
    from nightforge.anomaly.validate import validate
    from nightforge.core.errors import GateError

    try:
        return validate(
            stage.config,
            stage.paths,
            stage.report,
            stage.should_stop,
            run_id=stage.run_id,
            skip_smoke=stage.args.skip_smoke,
        )
    except GateError:
        export_failed(stage.config, stage.paths, stage.run_dir)
        raise


if __name__ == "__main__":
    sys.exit(stage_main(run, __doc__, add_arguments))
