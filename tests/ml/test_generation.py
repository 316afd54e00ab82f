"""Batched decoding gives each prompt the text it gets alone, in the order asked, and ends at the end."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from nightforge.config.schema import Config
from nightforge.core.errors import StoppedError
from nightforge.core.paths import Project
from nightforge.ml.chat import encode_prompt, end_of_answer
from nightforge.ml.generation import Settings, _left_pad, generate_batch
from nightforge.ml.loading import Loaded, load

PROMPTS = [
    "open door",
    "light",
    "when key pressed then print hello hello hello",
    "print",
    "on off on off on",
    "n1 n2",
]


@pytest.fixture(scope="module")
def loaded(model_folder: Path) -> Loaded:
    from nightforge.config.schema import Model

    config = Config(model=Model(source="folder", base_model=str(model_folder), max_seq_length=128))
    found = load(config, Project(model_folder))
    # Random weights hardly ever choose the end token; make it likely, so that rows finish at different times.
    with torch.no_grad():
        weight = found.model.get_input_embeddings().weight
        weight[end_of_answer(found.tokenizer)] += 0.1 * torch.randn(
            weight.shape[1], generator=torch.Generator().manual_seed(5)
        )
    return found


def texts(loaded: Loaded, batch: int, limit: int = 24) -> list[tuple[str, int, bool]]:
    prompts = [encode_prompt(loaded.tokenizer, text) for text in PROMPTS]
    tally = generate_batch(loaded.model, loaded.tokenizer, prompts, Settings(limit, batch))
    return [(answer.text, answer.tokens, answer.finished) for answer in tally.answers]


@pytest.mark.parametrize("batch", [2, 4, 6])
def test_a_batch_answers_as_single_prompts_do_in_float32(loaded: Loaded, batch: int) -> None:
    assert texts(loaded, batch) == texts(loaded, 1)


def test_our_loop_agrees_with_transformers_generate(loaded: Loaded) -> None:
    for prompt, (text, _, _) in zip(PROMPTS, texts(loaded, 6), strict=True):
        ids = torch.tensor([encode_prompt(loaded.tokenizer, prompt)])
        theirs = loaded.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=24, do_sample=False
        )
        expected = loaded.tokenizer.decode(theirs[0, ids.shape[1] :], skip_special_tokens=True)
        assert text == expected.strip("\n")


def test_padding_is_on_the_left() -> None:
    ids, mask = _left_pad([[7, 8, 9], [5]], pad=2, device="cpu")
    assert ids.tolist() == [[7, 8, 9], [2, 2, 5]]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]


def test_an_answer_that_reaches_the_limit_says_so(loaded: Loaded) -> None:
    cut = texts(loaded, 6, limit=1)
    assert all(tokens <= 1 for _, tokens, _ in cut)
    assert not all(finished for _, _, finished in cut)


def test_a_stop_keeps_the_answers_already_given(loaded: Loaded) -> None:
    given: list[int] = []
    prompts = [encode_prompt(loaded.tokenizer, text) for text in PROMPTS]
    with pytest.raises(StoppedError):
        generate_batch(
            loaded.model,
            loaded.tokenizer,
            prompts,
            Settings(8, 2),
            should_stop=lambda: len(given) >= 2,
            on_answer=lambda answer: given.append(answer.index),
        )
    assert len(given) == 2
