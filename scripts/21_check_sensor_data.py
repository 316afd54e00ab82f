"""21 - Import sensor and vibration files, check their quality, divide them in time.

Reads    data/local/{train,test}/{fdc,vib}/, or what patchtst.data.path and .test_path, swinmae.data.path and
         .test_path name: CSV, Parquet (sensors), NPY (vibration), zips of them; none: seeded synthetic data
Writes   data/anomaly/<fdc|vib>/train, score           (read by 22, 23, 24, 25)
         results/anomaly/quality/<fdc|vib>.json, .html
Needs    nothing; exits 2 with the numbers when no usable file is left, and then leaves older data alone
By hand  python scripts/21_check_sensor_data.py --set patchtst.data.path=FOLDER --set swinmae.enabled=false
"""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bootstrap

bootstrap.ensure(__file__)

from nightforge.stage import Stage, stage_main


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.anomaly.prepare import prepare

    return prepare(stage.config, stage.paths, stage.report, stage.should_stop, stage.run_id)


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__))
