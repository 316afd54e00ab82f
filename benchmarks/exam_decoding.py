"""Answers per second of exam decoding at the configured batch against batch 1, on the newest tiny adapter,
float32.

Checks that both give the same answers. Needs a trained adapter (python launch_pipeline.py).
By hand  python benchmarks/exam_decoding.py --prompts 64
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--prompts", type=int, default=64)
    parser.add_argument("--profile", default="tiny")
    args = parser.parse_args()

    from nightforge.blueprint.answers import open_author
    from nightforge.blueprint.lessons import load_lessons
    from nightforge.config import load_config
    from nightforge.core.paths import Project

    project = Project.find()
    config = load_config(project, args.profile)
    author = open_author(config, project, None)
    prompts = [prompt.instruction for lesson in load_lessons(project.lessons) for prompt in lesson.prompts]
    prompts = prompts[: args.prompts]
    author.write(prompts[:2])  # warm up
    found = {}
    for batch in (1, author.settings.batch_size):
        timed = replace(author, settings=replace(author.settings, batch_size=batch))
        started = time.monotonic()
        tally = timed.write(prompts)
        seconds = time.monotonic() - started
        found[batch] = (len(prompts) / seconds, [answer.text for answer in tally.answers])
        print(f"batch {batch:>3}: {found[batch][0]:7.1f} answers/s, {tally.tokens_per_s:7.0f} tokens/s")
    (single, texts), (batched, other) = found.values()
    same = sum(a == b for a, b in zip(texts, other, strict=True))
    faster = f"{batched / single:.1f} times faster"
    print(f"{faster}; {same} of {len(prompts)} answers equal ({author.loaded.info.dtype})")


if __name__ == "__main__":
    main()
