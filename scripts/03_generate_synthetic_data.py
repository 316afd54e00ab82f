"""03 - Generate instruction and program pairs.

Reads    results/next_lessons.json if it exists        (written by 13 --plan-next: node types to favour)
Writes   data/blueprint/synthetic.jsonl                (read by 20)
Needs    nothing; the same synthetic.seed gives the same rows
By hand  python scripts/03_generate_synthetic_data.py --set synthetic.count=500
         python scripts/03_generate_synthetic_data.py --profile smol --set synthetic.difficulty=hard
         python scripts/03_generate_synthetic_data.py --profile smol --set 'synthetic.targets=["Gate","Sin"]'
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bootstrap

bootstrap.ensure(__file__)

from nightforge.stage import Stage, stage_main


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.rowmaking import write_synthetic

    return write_synthetic(stage.config.synthetic, stage.paths, stage.report, stage.should_stop)


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__))
