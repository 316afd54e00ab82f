"""The generator is seeded, always valid, covers the catalog, and says everything it builds."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest

from nightforge.blueprint.canonical import canonicalize, content_key, structure_key
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.check import validate
from nightforge.blueprint.graph import Struct, Value
from nightforge.blueprint.parser import parse
from nightforge.blueprint.synthesis import Example, corpus, generate

NOT_DRAWN = {"FunctionEntry"}  # entry of a function graph; the generator writes event graphs only


@pytest.fixture(scope="module")
def sample() -> list[Example]:
    return generate(Random(11), 1500)


def test_the_same_seed_gives_the_same_examples_and_another_seed_others() -> None:
    assert generate(Random(3), 40) == generate(Random(3), 40)
    assert generate(Random(3), 40) != generate(Random(4), 40)


def test_every_program_is_valid_without_a_warning_and_in_canonical_text(sample: list[Example]) -> None:
    for example in sample[:300]:
        result = validate(example.text)
        assert result.valid and not result.diagnostics, (
            example.instruction,
            example.text,
            result.diagnostics,
        )
        assert canonicalize(example.blueprint) == example.blueprint
        assert parse(example.text).blueprint == example.blueprint


def test_an_instruction_determines_its_program(sample: list[Example]) -> None:
    programs: dict[str, set[str]] = {}
    for example in [*sample, *generate(Random(12), 500)]:
        programs.setdefault(example.instruction, set()).add(content_key(example.blueprint))
    assert [text for text, contents in programs.items() if len(contents) > 1] == []


def test_every_name_number_and_text_of_the_program_is_said(sample: list[Example]) -> None:
    for example in sample[:500]:
        names = [variable.name for variable in example.blueprint.variables]
        literals = [value for node in example.blueprint.nodes() for _, value in node.properties]
        literals += [v.default for v in example.blueprint.variables if v.default is not None]
        said = set(re.findall(r"-?[\w.]*\w", example.instruction))
        for text in (*names, *(text for value in literals for text in _words(value))):
            assert text in said, (text, example.instruction, example.text)


def test_the_programs_have_the_size_asked_for(sample: list[Example]) -> None:
    sizes = Counter(sum(1 for _ in example.blueprint.nodes()) for example in sample)
    assert min(sizes) == 2 and max(sizes) <= 12
    assert sum(count for size, count in sizes.items() if size <= 8) > 0.8 * len(sample)
    assert max(sum(1 for _ in e.blueprint.nodes()) for e in generate(Random(5), 100, max_nodes=5)) <= 5


def test_thousands_of_structures_not_ten_templates(sample: list[Example]) -> None:
    assert len({structure_key(example.blueprint) for example in sample}) > 0.8 * len(sample)


@pytest.mark.slow
def test_every_sensible_node_type_appears() -> None:
    drawn = {node.type for example in generate(Random(1), 2500) for node in example.blueprint.nodes()}
    assert set(load_catalog().core()) - drawn <= NOT_DRAWN


@pytest.mark.slow
@pytest.mark.parametrize("node_type", ["Gate", "ForEachLoop", "ClampFloat", "Event_Hit"])
def test_focus_raises_the_share_of_a_node_type(node_type: str) -> None:
    def share(focus: dict[str, float]) -> float:
        found = generate(Random(9), 250, focus=focus)
        return sum(any(n.type == node_type for n in e.blueprint.nodes()) for e in found) / len(found)

    assert share({node_type: 6.0}) > 1.5 * share({})


def test_the_corpus_is_seeded_and_never_pairs_an_instruction_with_its_program() -> None:
    documents = list(corpus(Random(2), 60_000))
    assert documents == list(corpus(Random(2), 60_000))
    assert 60_000 <= sum(map(len, documents)) < 63_000
    with_program = [text for text in documents if "BLUEPRINT:" in text]
    assert len(with_program) > 50 and len(with_program) < len(documents)
    for text in with_program:
        before = text[: text.index("BLUEPRINT:")].splitlines()
        assert all(line.startswith("# ") for line in before), text
        assert validate(text).valid


def test_the_corpus_leaves_out_excluded_structures() -> None:
    programs = [parse(text).blueprint for text in corpus(Random(2), 40_000) if "BLUEPRINT:" in text]
    keys = {structure_key(program) for program in programs if program}
    left = [parse(text).blueprint for text in corpus(Random(2), 40_000, exclude=keys) if "BLUEPRINT:" in text]
    assert left and not keys & {structure_key(program) for program in left if program}


def _words(value: Value) -> list[str]:
    """The words a literal must be said with; true, false, zeros and fixed signs are said in other words."""
    if isinstance(value, bool):
        return []
    if isinstance(value, int | float):
        return [f"{abs(value):g}"] if value else []
    if isinstance(value, Struct):
        return [word for _, field in value.fields for word in _words(field)]
    return re.findall(r"\w+", value)
