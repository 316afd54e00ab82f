"""Prompts carry one begin token, loss covers the answer and its end, nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from transformers import AutoTokenizer

from nightforge.core.errors import StageError
from nightforge.ml.chat import IGNORED, decode_answer, encode_example, encode_prompt, end_of_answer
from tests.ml.conftest import make_model_folder


@pytest.fixture(scope="module")
def tokenizer(model_folder: Path):  # noqa: ANN201
    return AutoTokenizer.from_pretrained(model_folder)


def test_labels_cover_exactly_the_answer_and_its_end_token(tokenizer) -> None:
    row = encode_example(tokenizer, "open door", "NODE n1 Branch")
    learnt = [
        (i, label)
        for i, (i_id, label) in enumerate(zip(row.input_ids, row.labels, strict=True))
        if label != IGNORED
    ]
    assert [label for _, label in learnt] == [
        *tokenizer("NODE n1 Branch")["input_ids"],
        tokenizer.eos_token_id,
    ]
    assert [i for i, _ in learnt] == list(range(row.prompt_tokens, len(row)))
    assert row.labels[: row.prompt_tokens] == [IGNORED] * row.prompt_tokens


@pytest.mark.parametrize("template", [True, False], ids=["own template", "plain template"])
def test_a_prompt_starts_with_exactly_one_begin_token(tmp_path: Path, template: bool) -> None:
    tokenizer = AutoTokenizer.from_pretrained(make_model_folder(tmp_path, template))
    ids = encode_prompt(tokenizer, "open door", "be brief")
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids[0] == tokenizer.bos_token_id


def test_a_template_that_doubles_the_begin_token_is_refused(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(make_model_folder(tmp_path))
    tokenizer.chat_template = "<begin>" + tokenizer.chat_template
    with pytest.raises(StageError, match="two begin-of-text"):
        encode_prompt(tokenizer, "open door")


def test_the_prompt_a_model_is_trained_on_is_the_prompt_it_answers(tokenizer) -> None:
    row = encode_example(tokenizer, "open door", "NODE", "be brief")
    assert row.input_ids[: row.prompt_tokens] == encode_prompt(tokenizer, "open door", "be brief")


def test_the_end_of_an_answer_is_what_the_chat_template_puts_there(tokenizer) -> None:
    assert end_of_answer(tokenizer) == tokenizer.convert_tokens_to_ids("<end>")


def test_decoding_gives_the_answer_back_without_markers(tokenizer) -> None:
    row = encode_example(tokenizer, "open door", 'NODE n1\nEXEC n2 [A="ü, x"]')
    assert decode_answer(tokenizer, row.input_ids[row.prompt_tokens :]) == 'NODE n1\nEXEC n2 [A="ü, x"]'
