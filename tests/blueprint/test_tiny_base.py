"""The tiny base is built once, the same each time, whole or not at all; it reads no chat and no exam."""

from __future__ import annotations

import itertools
import random

import msgspec
import pytest
import torch

from nightforge.blueprint.canonical import structure_key
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.graph import Blueprint
from nightforge.blueprint.parser import parse
from nightforge.blueprint.synthesis.generate import generate
from nightforge.blueprint.tiny_base import (
    ASSISTANT,
    USER,
    build_tiny_base,
    content_hash,
    documents,
    in_words,
    outline,
    pretrain,
    train_tokenizer,
)
from nightforge.config import Config
from nightforge.config.schema import Model, TinyBase
from nightforge.core.atomic import read_json
from nightforge.core.errors import InputError, NothingNewError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.versions import read_manifest
from nightforge.ml.chat import encode_prompt
from nightforge.ml.loading import load
from nightforge.ml.sources import find_source
from tests.ml.conftest import SilentReport


@pytest.fixture(autouse=True)
def few_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learn tokens from fewer texts: two seconds less for each tokenizer."""
    monkeypatch.setattr("nightforge.blueprint.tiny_base._TOKENIZER_EXAMPLES", 300)


TINY = TinyBase(hidden_size=64, intermediate_size=96, layers=2, heads=4, vocab_size=700, pretrain_steps=3)


@pytest.fixture
def config() -> Config:
    return Config(model=Model(tiny=TINY))


@pytest.mark.slow
def test_it_is_built_once_and_the_loader_finds_it(config: Config, project: Project) -> None:
    manifest = build_tiny_base(config, project, SilentReport(), lambda: False)
    folder = project.models / "tiny-base" / manifest["hash"]
    assert read_json(project.models / "tiny-base" / "current.json") == {"hash": manifest["hash"]}
    assert read_manifest(folder, check_hashes=True)["documents_read"] == 24
    assert load(config, project).info.parameters == manifest["parameters"]
    with pytest.raises(NothingNewError):
        build_tiny_base(config, project, SilentReport(), lambda: False)
    other = Config(model=Model(tiny=msgspec.structs.replace(TINY, seed=8)))
    with pytest.raises(InputError, match="other model.tiny settings"):
        find_source(other, project)


def test_a_stop_leaves_nothing_behind_that_looks_built(config: Config, project: Project) -> None:
    with pytest.raises(StoppedError):
        build_tiny_base(config, project, SilentReport(), lambda: True)
    assert not (project.models / "tiny-base" / "current.json").exists()
    assert build_tiny_base(config, project, SilentReport(), lambda: False)["documents_read"] == 24


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights() -> None:
    tokenizer = train_tokenizer(TINY)
    assert tokenizer.get_vocab() == train_tokenizer(TINY).get_vocab()
    first, again = (
        pretrain(tokenizer, TINY, documents(8), SilentReport(), lambda: False)[0] for _ in range(2)
    )
    for ours, theirs in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_the_hash_follows_the_settings() -> None:
    assert content_hash(TINY) == content_hash(TINY)
    assert content_hash(TINY) != content_hash(msgspec.structs.replace(TINY, pretrain_steps=4))


def test_no_document_is_a_chat_and_most_are_commented_programs() -> None:
    read = list(itertools.islice(documents(3), 300))
    assert not any(mark in given + learnt for given, learnt in read for mark in (USER, ASSISTANT))
    commented = [(given, learnt) for given, learnt in read if given.startswith("# ")]
    assert len(commented) > 200
    assert all(learnt.startswith("BLUEPRINT:") and given.count("\n") == 1 for given, learnt in commented)


def test_what_is_excluded_is_never_read() -> None:
    def structures(exclude: frozenset[str]) -> set[str]:
        programs = (learnt for _, learnt in itertools.islice(documents(3, exclude), 200) if "NODE" in learnt)
        return {structure_key(blueprint_of(text)) for text in programs}

    most_common = frozenset(structures(frozenset()))
    assert most_common
    assert not structures(most_common) & most_common


def blueprint_of(text: str) -> Blueprint:
    found = parse(text).blueprint
    assert found is not None
    return found


def test_programs_come_back_from_tokens_unchanged_and_a_wire_is_five_tokens() -> None:
    tokenizer = train_tokenizer(TinyBase())
    for example in generate(random.Random(5), 40):
        assert tokenizer.decode(tokenizer(example.text)["input_ids"]) == example.text
    assert len(tokenizer("\nEXEC n1.Then -> n2.Execute")["input_ids"]) == 5


def test_the_prompt_has_one_begin_token_and_no_system_turn() -> None:
    tokenizer = train_tokenizer(TINY)
    text = tokenizer.decode(encode_prompt(tokenizer, "print", "be brief"))
    assert text == "<|begin|><|user|>print<|assistant|>"


@pytest.mark.parametrize(
    "name, words",
    [
        ("Event_BeginPlay", "event begin play"),
        ("SetActorScale3D", "set actor scale 3d"),
        ("GetVar", "get var"),
        ("DoN", "do n"),
    ],
)
def test_names_are_spelt_in_words(name: str, words: str) -> None:
    assert in_words(name) == words


def test_an_outline_names_the_parts_in_order() -> None:
    example = generate(random.Random(1), 1)[0]
    text = outline(example.blueprint)
    place = 0
    for graph in example.blueprint.graphs:
        for node in graph.nodes:
            place = text.index(in_words(node.type), place) + 1
    assert "->" not in text


def test_no_token_is_a_mere_step_towards_another() -> None:
    tokenizer = train_tokenizer(TinyBase())
    assert len(tokenizer) <= TinyBase().vocab_size
    for node in load_catalog().core().values():
        assert len(tokenizer(f": {node.name}")["input_ids"]) == 1, node.name
    strange = 'ein Aufzug "größer" 日本\t#!'
    assert tokenizer.decode(tokenizer(strange)["input_ids"]) == strange


def test_a_small_vocabulary_keeps_its_size_and_every_text() -> None:
    tokenizer = train_tokenizer(TinyBase(vocab_size=400))
    assert len(tokenizer) == 400
    text = generate(random.Random(5), 1)[0].text
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
