"""25 - Judge files against the calibration: windows, events with ranked channels, report.

Reads    data/anomaly/<fdc|vib>/score/ (21), models/anomaly-<patchtst|swinmae>-vN/ (24) and the model it is
         bound to
Writes   results/anomaly/runs/<label>/: summary.json, <stream>_events.json and .csv (every window),
         <stream>_alarms.csv (events), chart_<stream>.json, report.html; then results/anomaly/latest.json
Needs    model, profile, channels, rate and settings of the calibration; anything else is refused
Exits    0 done; 2 something is missing or does not belong together
By hand  python scripts/25_score_batch.py
         python scripts/25_score_batch.py --model-version 1
         python scripts/25_score_batch.py --stream patchtst --input "data/new/*.csv"
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
        "--model-version", type=int, metavar="N", help="calibration to use (default: the newest)"
    )

    parser.add_argument(
        "--input", nargs="+", metavar="GLOB", help="judge these files in place of the prepared batch"
    )
    parser.add_argument(
        "--stream", choices=("patchtst", "swinmae"), help="judge only this stream; needed with --input"
    )


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.anomaly.score import ByHand, score_batch
    from nightforge.core.errors import InputError

    args = stage.args
    if args.input and not args.stream:
        raise InputError("--input needs --stream patchtst (sensor tables) or --stream swinmae (vibration)")
    return score_batch(
        stage.config,
        stage.paths,
        stage.report,
        stage.should_stop,
        run_id=stage.run_id,
        by_hand=ByHand(args.model_version, args.stream, tuple(args.input or ())),
    )


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
