"""23 - Train the Swin masked-image model on the prepared vibration.

Reads    data/anomaly/vib/train/                       (written by 21)
Writes   models/swin-mim-vN/                           (read by 24, 25, 26)
Needs    nothing else; the network begins with random weights. Resumes from its own last good checkpoint.
         Exits 3 when the newest model was trained on the same recordings and settings, unless --force;
         exits 4 after saving a checkpoint when asked to stop
By hand  python scripts/23_train_swin_mim.py --set swinmae.training.max_steps=800
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
    parser.add_argument("--force", action="store_true", help="train although nothing has changed")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.anomaly.swin_training import train

    return train(
        stage.config,
        stage.paths,
        stage.report,
        stage.should_stop,
        force=stage.args.force,
        run_id=stage.run_id,
    )


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
