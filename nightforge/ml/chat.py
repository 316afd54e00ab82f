"""Prompts and answers as token ids: one place decides the markup, so training and generation cannot disagree.

The tokenizer's own chat template is used where it has one, else the plain template below (base checkpoints
know no chat markup). Prompt and answer are tokenized apart and joined, so the ids a model was trained on are
exactly the ids it sees when it generates. # facts W-33: doubled begin-of-text token, chat markup on a base
model
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nightforge.core.errors import StageError

IGNORED = -100  # label that torch's cross entropy leaves out
_PLAIN = "### Task\n{instruction}\n\n### Blueprint\n"


@dataclass(frozen=True)
class Example:
    """One training row: `input_ids` (T,) = prompt + answer + end; `labels` (T,) = IGNORED on the prompt."""

    input_ids: list[int]
    labels: list[int]
    prompt_tokens: int

    def __len__(self) -> int:
        return len(self.input_ids)


def encode_prompt(tokenizer: Any, instruction: str, system: str = "") -> list[int]:
    """Return the ids a model reads before it answers: exactly one begin-of-text token where the tokenizer has
    one.
    """
    if tokenizer.chat_template:
        messages = [{"role": "system", "content": system}] if system else []
        messages.append({"role": "user", "content": instruction})
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    else:
        text = (f"{system}\n\n" if system else "") + _PLAIN.format(instruction=instruction)
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    begin = tokenizer.bos_token_id
    if begin is not None and ids[:1] != [begin]:
        ids = [begin, *ids]
    if begin is not None and ids[1:2] == [begin]:
        raise StageError("the prompt starts with two begin-of-text tokens; the chat template is broken")
    return ids


def encode_answer(tokenizer: Any, answer: str) -> list[int]:
    """Return the ids of an answer followed by the end-of-answer token."""
    ids: list[int] = tokenizer(answer, add_special_tokens=False)["input_ids"]
    return [*ids, end_of_answer(tokenizer)]


def encode_example(tokenizer: Any, instruction: str, answer: str, system: str = "") -> Example:
    """Build one training row whose loss covers the answer and its end token, nothing else."""
    prompt = encode_prompt(tokenizer, instruction, system)
    reply = encode_answer(tokenizer, answer)
    return Example(prompt + reply, [IGNORED] * len(prompt) + reply, len(prompt))


def end_of_answer(tokenizer: Any) -> int:
    """Return the id that closes an assistant turn: what the chat template puts there, else the end-of-text
    token.
    """
    if tokenizer.chat_template:
        marker = "ANSWER"
        messages = [{"role": "user", "content": "q"}, {"role": "assistant", "content": marker}]
        text = tokenizer.apply_chat_template(messages, tokenize=False)
        tail = tokenizer(text[text.rindex(marker) + len(marker) :], add_special_tokens=False)["input_ids"]
        if tail and tail[0] in tokenizer.all_special_ids:
            return int(tail[0])
    if tokenizer.eos_token_id is None:
        raise StageError("the tokenizer has no end-of-text token, so answers could never end")
    return int(tokenizer.eos_token_id)


def pad_id(tokenizer: Any) -> int:
    """Return a padding id; the end token serves where there is none, since masks and labels never look at
    ids.
    """
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else end_of_answer(tokenizer))


def decode_answer(tokenizer: Any, ids: list[int]) -> str:
    """Turn generated ids into text, without the end token and other markers."""
    text: str = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    return text.strip("\n")
