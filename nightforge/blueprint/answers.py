"""Ask a loaded model for programs: the one place that joins prompt, decoding and extraction for 07, 09 and
12.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from nightforge.blueprint.prompt import configured_prompt
from nightforge.config import Config
from nightforge.config.rungs import generation_batch
from nightforge.core import versions
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.ml.chat import encode_prompt
from nightforge.ml.generation import Answer, Settings, Tally, generate_batch
from nightforge.ml.loading import Loaded, load
from nightforge.ml.oom import memory_of

_FENCE = re.compile(r"```[\w+-]*\n(.*?)(?:\n```|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Author:
    """A loaded model with the prompt it was trained under; `version` is `v3`, or `base` without."""

    loaded: Loaded
    system: str
    version: str
    settings: Settings

    def write(
        self,
        instructions: Sequence[str],
        should_stop: Callable[[], bool] = lambda: False,
        on_answer: Callable[[Answer], None] = lambda answer: None,
    ) -> Tally:
        """Decode one answer per instruction, in batches; see generate_batch."""
        tokenizer = self.loaded.tokenizer
        prompts = [encode_prompt(tokenizer, text, self.system) for text in instructions]
        with memory_of("eval"):
            return generate_batch(
                self.loaded.model, tokenizer, prompts, self.settings, should_stop, on_answer
            )


def open_author(
    config: Config,
    project: Project,
    adapter: Path | None,
    base: bool = False,
    report: Report | None = None,
) -> Author:
    """Load the adapter in `adapter`, else the newest one, else (with `base`) the bare base model.

    Raises InputError when there is no adapter yet.
    """
    folder = None if base else adapter or newest_adapter(project)
    loaded = load(config, project, adapter=folder, report=report)
    prompt_file = folder / "system_prompt.txt" if folder else None
    system = (
        prompt_file.read_text(encoding="utf-8")
        if prompt_file and prompt_file.is_file()
        else configured_prompt(config.model)
    )
    settings = Settings(config.generation.max_new_tokens, generation_batch(config))
    return Author(loaded, system, version_name(folder), settings)


def newest_adapter(project: Project) -> Path:
    """Return the folder of the highest complete version."""
    newest = versions.latest(project.models)
    if newest is None:
        raise InputError(
            "no adapter has been trained yet", next_command="python scripts/04_train_blueprint_lora.py"
        )
    return versions.adapter_dir(project.models, newest)


def version_name(folder: Path | None) -> str:
    """Name an adapter folder as results do: `v3`; `base` for none."""
    return "base" if folder is None else f"v{versions.version_of(folder)}"


def extract_program(text: str) -> str:
    """Return the program in an answer: the first code fence where there is one, else the whole text."""
    found = _FENCE.search(text)
    return (found.group(1) if found else text).strip("\n")
