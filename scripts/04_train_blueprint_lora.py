"""04 - Train a LoRA adapter on the Blueprint lessons.

Reads    data/blueprint/train.jsonl, val.jsonl         (written by 20)
Writes   models/blueprint-lora-vN/                     (read by 07, 09, 12)
Needs    the base model of the profile (00); resumes from its own last good checkpoint.
         Exits 3 when the newest adapter was trained on the same rows and settings, unless --force;
         exits 4 after saving a checkpoint when asked to stop
By hand  python scripts/04_train_blueprint_lora.py --profile tiny --set lora.lora_r=8
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
    from nightforge.blueprint.training import train_adapter

    return train_adapter(
        stage.config,
        stage.paths,
        stage.report,
        stage.should_stop,
        force=stage.args.force,
        run_id=stage.run_id,
    )


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
