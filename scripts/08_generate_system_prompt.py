"""08 - Write the system prompt from the node catalog, in the style the configuration names.

Reads    nightforge/blueprint/catalog.json; model.system_prompt: minimal, compact or full;
         model.prompt_reference: which node types it lists; with --count-tokens the profile's tokenizer
Writes   data/blueprint/system_prompt.txt, to look at: 04 makes the same text from the same settings and
         stores it with the adapter, and 07, 09 and 12 ask with what is stored there
Needs    nothing; --count-tokens needs the tokenizer on this computer (00, or the hub's cache)
By hand  python scripts/08_generate_system_prompt.py --preview --count-tokens
         python scripts/08_generate_system_prompt.py --preview --reference core
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
    parser.add_argument("--count-tokens", action="store_true", help="count its tokens as the model would")
    parser.add_argument(
        "--reference",
        choices=("core", "all"),
        help="add the table of node types; to train with it, set model.prompt_reference",
    )


def run(stage: Stage) -> dict[str, Any]:
    from nightforge.blueprint.prompt import configured_prompt, system_prompt
    from nightforge.core.atomic import write_text

    model, reference = stage.config.model, stage.args.reference
    stage.report.phase("2.3", "system prompt")
    text = system_prompt(model.system_prompt, reference or model.prompt_reference)
    counted = {"characters": len(text)}
    if stage.args.count_tokens:
        from nightforge.ml.token_count import open_counter

        counter = open_counter(stage.config, stage.paths)
        (counted["tokens"],) = counter.count([text])
        stage.report.message(
            f"{counted['tokens']} tokens of {counter.name}, of {model.max_seq_length} in a row"
        )
    if stage.args.preview:
        print(text, end="")
    else:
        target = stage.paths.blueprint_data / "system_prompt.txt"
        write_text(target, text)
        stage.report.message(f"wrote {stage.paths.relative(target)}, style {model.system_prompt}")
    if text != configured_prompt(model):
        stage.report.message(
            f"Training uses another prompt, unless --set model.prompt_reference={reference}."
        )
    stage.report.metric(
        **{f"prompt_{name}": count for name, count in counted.items()}, prompt_words=len(text.split())
    )
    return {"style": model.system_prompt, **counted}


if __name__ == "__main__":
    sys.exit(stage_main(run, doc=__doc__, add_arguments=add_arguments))
