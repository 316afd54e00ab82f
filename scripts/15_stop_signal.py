"""15 - Stop, resume or look at the pipeline.

Reads    logs/pipeline.json, logs/pipeline_live_state.json
Writes   logs/stop_request.json, which the run answers at its next safe boundary
Needs    nothing; says so when no pipeline runs
By hand  python scripts/15_stop_signal.py            (or --now, --resume, --status)
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bootstrap

bootstrap.ensure(__file__)


def main(argv: list[str]) -> int:
    from nightforge.pipeline.launch import main as launch
    from nightforge.pipeline.options import Options

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--stop", action="store_true", help="stop at the next safe boundary (default)")
    choice.add_argument("--now", action="store_true", help="end the running stage within 30 s")
    choice.add_argument("--resume", action="store_true", help="continue the last stopped or failed run")
    choice.add_argument("--status", action="store_true", help="print what runs, or what ran last")
    given = parser.parse_args(argv)
    if given.resume:
        return launch(Options("start", resume=""), ["--resume"])
    if given.status:
        return launch(Options("status"), [])
    return launch(Options("stop", now=given.now), [])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
