"""11 - The pipeline orchestrator, by hand: the same run as launch_pipeline.py, attached to this terminal.

Reads    pipeline_config.json, profiles/, the plan of nightforge/pipeline/registry.py
Writes   logs/runs/<run_id>/, logs/pipeline_live_state.json, logs/pipeline_live.log, logs/pipeline_heartbeat
Needs    no other run in this project; takes the same options as launch_pipeline.py
By hand  python scripts/11_pipeline_orchestrator.py --profile tiny --data-only
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import bootstrap

bootstrap.ensure(__file__)


def main(argv: list[str]) -> int:
    from nightforge.pipeline.launch import main as launch
    from nightforge.pipeline.options import parse_options

    options = parse_options(argv, program="11_pipeline_orchestrator.py", doc=__doc__)
    attached = options._replace(action="foreground") if options.action == "start" else options
    return launch(attached, argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
