"""24 - Fit the detectors and take thresholds of known false-alarm rates from held-out normal data.

Reads    data/anomaly/<fdc|vib>/train/ (21), models/patchtst-vN/ (22), models/swin-mim-vN/ (23)
Writes   models/anomaly-<patchtst|swinmae>-vN/: detectors.npz, thresholds.json, manifest.json; always a new
         version, an old one is never edited
Needs    enough calibration windows for anomaly.alpha_anomaly: 99 that do not overlap for 1 %
Exits    0 done; 2 data, a model or calibration windows are missing; 3 nothing new (--force calibrates again)
By hand  python scripts/24_calibrate_thresholds.py
         python scripts/24_calibrate_thresholds.py --set anomaly.patchtst_detector=pca --force
         python scripts/24_calibrate_thresholds.py --stream patchtst --normal "data/normal/*.csv"
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
        "--force", action="store_true", help="make a new version even when nothing has changed"
    )

    parser.add_argument(
        "--normal",
        nargs="+",
        metavar="GLOB",
        help="take new thresholds from these files, which must be normal; the detectors stay",
    )
    parser.add_argument("--stream", choices=("patchtst", "swinmae"), help="the stream of --normal")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.anomaly.calibrate import calibrate, recalibrate
    from nightforge.core.errors import InputError

    args = stage.args
    if args.normal and not args.stream:
        raise InputError("--normal needs --stream patchtst (sensor tables) or --stream swinmae (vibration)")
    if args.normal:
        return recalibrate(
            stage.config, stage.paths, stage.report, stage.should_stop, args.stream, tuple(args.normal)
        )
    return calibrate(
        stage.config,
        stage.paths,
        stage.report,
        stage.should_stop,
        force=args.force,
        run_id=stage.run_id,
    )


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
