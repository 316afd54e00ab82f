"""20 - Merge all rows, remove duplicates, split by structure, and refuse exam leaks.

Reads    data/blueprint/synthetic.jsonl (03), lessons.jsonl (13), manual.jsonl (02, if it exists)
         lessons/*.json, to know what is held out
Writes   data/blueprint/train.jsonl, val.jsonl, dataset.json   (read by 06, 00, 04, 12)
Needs    stages 03 and 13; exits 1 and writes nothing if an exam prompt is in the result
By hand  python scripts/20_deduplicate_dataset.py
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bootstrap

bootstrap.ensure(__file__)

from nightforge.stage import Stage, stage_main


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.dataset import build_dataset

    return build_dataset(stage.config, stage.paths, stage.report)


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__))
