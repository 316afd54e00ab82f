"""Time and memory of importing one large sensor table: does the cost stay in line with the rows?

Writes a CSV of 8 channels with a date in each row, runs stage 21 on it in a process of its own and prints
rows per second and the largest memory. By hand:

    python benchmarks/sensor_import.py --rows 1000000 10000000
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
CHANNELS = 8
_AT_ONCE = 500_000
_CHILD = """
import json, resource, sys, time
from pathlib import Path
from nightforge.anomaly.prepare import prepare
from nightforge.config import load_config
from nightforge.core.paths import Project

class Silent:
    def __getattr__(self, name):
        return lambda *args, **kwargs: None

project = Project(Path(sys.argv[1]))
config = load_config(project, None, ["swinmae.enabled=false"], None)
start, cpu = time.monotonic(), time.process_time()
result = prepare(config, project, Silent(), lambda: False)["patchtst"]
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
found = {"wall_s": time.monotonic() - start, "cpu_s": time.process_time() - cpu, "max_mib": used / 1024}
print(json.dumps({"rows": result["rows"], **found}))
"""


def write_table(path: Path, rows: int, seed: int = 0) -> None:
    """Write a CSV of `rows` rows at 1 Hz, in pieces."""
    rng = np.random.default_rng(seed)
    path.parent.mkdir(parents=True)
    with path.open("w", encoding="utf-8") as file:
        file.write("timestamp," + ",".join(f"c{i}" for i in range(CHANNELS)) + "\n")
        for first in range(0, rows, _AT_ONCE):
            number = np.arange(first, min(rows, first + _AT_ONCE))
            frame = pd.DataFrame(rng.normal(size=(len(number), CHANNELS)).round(4))
            frame.insert(0, "time", np.datetime64("2026-01-01T00:00:00") + number.astype("timedelta64[s]"))
            frame.to_csv(file, header=False, index=False)


def measure(rows: int) -> dict[str, float]:
    """Import a table of `rows` rows in a scratch project."""
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        shutil.copy(ROOT / "pipeline_config.json", root)
        shutil.copytree(ROOT / "profiles", root / "profiles")
        write_table(root / "data/local/train/fdc/big.csv", rows)
        command = [sys.executable, "-c", _CHILD, str(root)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000])
    for rows in parser.parse_args().rows:
        found = measure(rows)
        rate = rows / found["cpu_s"]
        print(
            f"{rows:>11,} rows x {CHANNELS}: {found['wall_s']:.0f} s, {found['cpu_s']:.0f} s of processor "
            f"time ({rate:,.0f} rows/s), at most {found['max_mib']:,.0f} MiB",
            flush=True,
        )


if __name__ == "__main__":
    main()
