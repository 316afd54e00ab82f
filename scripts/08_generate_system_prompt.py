"""08 - Write the system prompt from the node catalog, in the style the configuration names.

Reads    nightforge/blueprint/catalog.json; model.system_prompt: minimal, compact or full
Writes   data/blueprint/system_prompt.txt              (read by 04, 07, 09, 12)
Needs    nothing
By hand  python scripts/08_generate_system_prompt.py --preview --set model.system_prompt=compact
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
    parser.add_argument("--preview", action="store_true", help="print the prompt and write nothing")


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.prompt import system_prompt
    from nightforge.core.atomic import write_text

    style = stage.config.model.system_prompt
    stage.report.phase("2.3", "system prompt")
    text = system_prompt(style)
    if stage.args.preview:
        print(text, end="")
    else:
        target = stage.paths.blueprint_data / "system_prompt.txt"
        write_text(target, text)
        stage.report.message(f"wrote {stage.paths.relative(target)}, style {style}")
    stage.report.metric(prompt_characters=len(text), prompt_words=len(text.split()))
    return {"style": style, "characters": len(text)}


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
