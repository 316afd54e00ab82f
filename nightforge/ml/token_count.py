"""Counts tokens as the profile's model would, without torch: only tokenizer.json is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.config import Config
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.ml.sources import BUILD_COMMAND, local_folder

_FILE = "tokenizer.json"


@dataclass(frozen=True)
class TokenCounter:
    """A tokenizer that only counts; `name` is the base model it belongs to."""

    name: str
    tokenizer: Any

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, begin- and end-of-text marks not counted."""
        return [
            len(found.ids) for found in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        ]


def open_counter(config: Config, project: Project) -> TokenCounter:
    """Open the tokenizer of the configured base model.

    Raises InputError with the command that fetches it where it is not on this computer; nothing is
    downloaded.
    """
    from tokenizers import Tokenizer

    return TokenCounter(config.model.base_model, Tokenizer.from_file(str(_tokenizer_file(config, project))))


def _tokenizer_file(config: Config, project: Project) -> Path:
    name = config.model.base_model
    if config.model.source == "hub":
        from huggingface_hub import try_to_load_from_cache

        found = try_to_load_from_cache(name, _FILE, revision=config.model.revision)
        if isinstance(found, str):
            return Path(found)
        raise InputError(
            f"the tokenizer of {name} is not on this computer", next_command=f"hf download {name} {_FILE}"
        )
    path = local_folder(config, project) / _FILE
    if not path.is_file():
        raise InputError(
            f"{path} is missing; the tokenizer of {name} must be saved as {_FILE}", next_command=BUILD_COMMAND
        )
    return path
