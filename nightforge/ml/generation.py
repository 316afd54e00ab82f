"""Batched greedy decoding, shared by inference, exam and evaluation.

B rows, T tokens, V vocabulary. Prompts are sorted by length and decoded in batches with left padding; a
finished row leaves its batch once enough have finished, so short answers don't wait for long ones at full
width. In float32 the texts equal those of batch 1; in bfloat16 rounding depends on the batch shape (peers
4.1), so scores name their batch. No repetition penalty: graphs repeat themselves rightly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from nightforge.core.errors import StoppedError
from nightforge.ml.chat import decode_answer, end_of_answer, pad_id

_SHRINK_AT = 0.75  # compact the batch when this share of its rows is still busy: the copy costs a step's time


@dataclass(frozen=True)
class Answer:
    """One decoded answer; `index` counts the prompts as they were given; `finished` is false when it was cut
    off.
    """

    index: int
    text: str
    tokens: int
    finished: bool


@dataclass(frozen=True)
class Settings:
    """Decoding limits: answer length in tokens, rows decoded together."""

    max_new_tokens: int
    batch_size: int


@dataclass
class Tally:
    """Tokens and seconds of a whole call."""

    tokens: int = 0
    seconds: float = 0.0
    answers: list[Answer] = field(default_factory=list)

    @property
    def tokens_per_s(self) -> float:
        return self.tokens / self.seconds if self.seconds else 0.0


def generate_batch(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[list[int]],
    settings: Settings,
    should_stop: Callable[[], bool] = lambda: False,
    on_answer: Callable[[Answer], None] = lambda answer: None,
) -> Tally:
    """Answer `prompts` (token ids) greedily; `on_answer` hears of each answer when its batch is done.

    Returns the answers in the order of `prompts`. Raises StoppedError between two tokens once `should_stop()`
    is true; answers handed to `on_answer` before that stand.
    """
    tally = Tally()
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    found: dict[int, Answer] = {}
    started = time.monotonic()
    for at in range(0, len(order), settings.batch_size):
        indices = order[at : at + settings.batch_size]
        produced = _decode(
            model, tokenizer, [prompts[i] for i in indices], settings.max_new_tokens, should_stop
        )
        for index, (ids, finished) in zip(indices, produced, strict=True):
            answer = Answer(index, decode_answer(tokenizer, ids), len(ids), finished)
            found[index] = answer
            tally.tokens += answer.tokens
            on_answer(answer)
    tally.seconds = time.monotonic() - started
    tally.answers = [found[index] for index in range(len(prompts))]
    return tally


@torch.inference_mode()
def _decode(
    model: Any, tokenizer: Any, prompts: list[list[int]], limit: int, should_stop: Callable[[], bool]
) -> list[tuple[list[int], bool]]:
    """Decode one batch; returns (ids without the end token, finished) per prompt."""
    from transformers import DynamicCache

    end = end_of_answer(tokenizer)
    ids, mask = _left_pad(prompts, pad_id(tokenizer), model.device)  # (B, T)
    rows = torch.arange(len(prompts), device=model.device)  # which prompt each batch row answers
    busy = torch.ones(len(prompts), dtype=torch.bool, device=model.device)
    produced: list[list[int]] = [[] for _ in prompts]
    finished = [False] * len(prompts)
    positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
    cache = DynamicCache(config=model.config)
    for _ in range(limit):
        if should_stop():
            raise StoppedError("stopped while decoding; answers already given are kept")
        logits = model(
            input_ids=ids,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]  # (B, V)
        token = logits.argmax(dim=-1)  # (B,)
        for row, value, is_busy in zip(rows.tolist(), token.tolist(), busy.tolist(), strict=True):
            if is_busy and value == end:
                finished[row] = True
            elif is_busy:
                produced[row].append(value)
        busy = busy & (token != end)
        if not bool(busy.any()):
            break
        ids, positions = token[:, None], positions[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
        if int(busy.sum()) <= _SHRINK_AT * len(busy):
            cache.batch_select_indices(busy.nonzero().flatten())
            ids, positions, mask, rows = ids[busy], positions[busy], mask[busy], rows[busy]
            busy = busy[busy]
    return list(zip(produced, finished, strict=True))


def _left_pad(prompts: list[list[int]], pad: int, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(len(prompt) for prompt in prompts)
    ids = torch.tensor([[pad] * (longest - len(p)) + p for p in prompts], device=device)
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=device)
    # The last column must be the last prompt token of every row, else the first answer token is nonsense.
    assert bool(mask[:, -1].all())
    return ids, mask
