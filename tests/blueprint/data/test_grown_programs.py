"""The grown generator is seeded, valid, covers the catalog, and aims at what it is asked for."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import msgspec
import pytest

from nightforge.blueprint.canonical import canonicalize, structure_key
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.check import validate
from nightforge.blueprint.parser import parse
from nightforge.blueprint.rowmaking import write_synthetic
from nightforge.blueprint.rows import read_rows
from nightforge.blueprint.synthesis import Example, generate
from nightforge.blueprint.synthesis.grown import Request, grow
from nightforge.blueprint.synthesis.grown.naming import ADJECTIVES, THINGS, Names
from nightforge.config.load import load_config
from nightforge.config.schema import Synthetic
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.stage import Reporter

ROOT = Path(__file__).resolve().parents[3]
CORE_DIGEST = "8791f977453019b2"  # 400 core programs of profile tiny's seed and size; changed on purpose only


def drawn(count: int, seed: int = 5, **request: object) -> list[Example]:
    stream = grow(Random(seed), Request(**request))  # type: ignore[arg-type]
    return [next(stream) for _ in range(count)]


@pytest.fixture(scope="module")
def sample() -> list[Example]:
    return drawn(120)


def test_the_core_scope_gives_profile_tiny_the_same_bytes_as_ever() -> None:
    digest = hashlib.sha256()
    for example in generate(Random(42), 400, max_nodes=8):
        digest.update(f"{example.instruction}\n{example.text}\n{'+'.join(example.patterns)}\n".encode())
    assert digest.hexdigest()[:16] == CORE_DIGEST


def test_the_profiles_choose_their_scope() -> None:
    scopes = {
        name: load_config(Project(ROOT), profile=name).synthetic.scope
        for name in ("tiny", "smol", "8b", "70b")
    }
    assert scopes == {"tiny": "core", "smol": "core", "8b": "catalog", "70b": "catalog"}


def test_the_same_seed_gives_the_same_bytes_whatever_the_hashing_of_the_process() -> None:
    code = (
        "from random import Random\n"
        "from nightforge.blueprint.synthesis.grown import Request, grow\n"
        "stream = grow(Random(3), Request())\n"
        "print([(e.instruction, e.text) for e in (next(stream) for _ in range(10))])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert drawn(10, seed=3) != drawn(10, seed=4)


def test_every_program_is_valid_without_a_warning_and_in_canonical_text(sample: list[Example]) -> None:
    for example in sample:
        result = validate(example.text)
        assert result.valid and not result.diagnostics, (example.text, result.diagnostics)
        assert canonicalize(example.blueprint) == example.blueprint
        assert parse(example.text).blueprint == example.blueprint


def test_every_node_type_of_the_catalog_can_be_asked_for() -> None:
    for name in load_catalog().nodes:
        example = drawn(1, targets=(name,))[0]
        assert name in {node.type for node in example.blueprint.nodes()}, (name, example.text)


@pytest.mark.slow
def test_every_node_type_of_the_catalog_occurs_in_a_few_thousand_programs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    counts = Counter(name for e in drawn(3000) for name in {node.type for node in e.blueprint.nodes()})
    assert set(load_catalog().nodes) <= set(counts)
    assert min(counts[name] for name in load_catalog().nodes) >= 3
    assert not caplog.records, caplog.text  # no pair was left out for a defect


def test_a_defect_costs_a_pair_and_not_the_run(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([["a lie"]])
    module = "nightforge.blueprint.synthesis.grown.generate.problems"
    monkeypatch.setattr(module, lambda instruction, blueprint: next(answers, []))
    assert len(drawn(2)) == 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "a lie" in caplog.text


def test_hardly_two_programs_have_the_same_structure(sample: list[Example]) -> None:
    assert len({structure_key(example.blueprint) for example in sample}) > 0.95 * len(sample)


def test_difficulty_decides_how_large_programs_grow() -> None:
    def mean_nodes(difficulty: str) -> float:
        found = drawn(25, difficulty=difficulty, max_nodes=40)
        return sum(sum(1 for _ in e.blueprint.nodes()) for e in found) / len(found)

    easy, medium, hard = (mean_nodes(name) for name in ("easy", "medium", "hard"))
    assert easy * 1.3 < medium and medium * 1.3 < hard


def test_no_program_is_larger_than_asked_for() -> None:
    assert max(sum(1 for _ in e.blueprint.nodes()) for e in drawn(25, max_nodes=6)) <= 6


def test_focus_raises_the_share_of_a_node_type() -> None:
    def share(focus: dict[str, float]) -> float:
        found = drawn(40, focus=focus, difficulty="easy")
        return sum(any(n.type == "ClampFloat" for n in e.blueprint.nodes()) for e in found) / len(found)

    assert share({"ClampFloat": 60.0}) > 2 * share({}) + 0.05


def test_invented_names_stand_in_no_list_and_differ_from_seed_to_seed() -> None:
    listed = {*ADJECTIVES, *THINGS}
    first, second = (
        {Names(Random(seed), 1.0).word() for seed in range(start, start + 400)} for start in (0, 1000)
    )
    assert not first & listed
    assert len(first) > 350 and len(first & second) < 40


@pytest.mark.slow
def test_variables_have_names_that_hardly_any_other_seed_gives() -> None:
    def names(seed: int, invented: float) -> set[str]:
        return {v.name for e in drawn(60, seed, invented=invented) for v in e.blueprint.variables}

    invented, listed = (names(1, share) & names(2, share) for share in (1.0, 0.0))
    assert len(invented) < 10 and len(listed) > 2 * len(invented) + 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"targets": ("Gait",)}, "Gait"),
        ({"scope": "core", "targets": ("Gate",)}, "scope"),
        ({"targets": ("Lerp",), "max_nodes": 2}, "Lerp"),
    ],
)
def test_what_cannot_be_generated_is_named(tmp_path: Path, change: dict[str, object], words: str) -> None:
    settings = msgspec.structs.replace(Synthetic(), count=5, **change)
    with pytest.raises(InputError, match=words):
        write_synthetic(settings, Project(tmp_path), Reporter(None, lambda _: None), lambda: False)


def test_stage_03_writes_rows_of_the_targets_that_stage_20_can_read(tmp_path: Path) -> None:
    settings = msgspec.structs.replace(Synthetic(), count=30, targets=("Gate", "Sin"))
    counts = write_synthetic(settings, Project(tmp_path), Reporter(None, lambda _: None), lambda: False)
    rows = read_rows(Project(tmp_path).blueprint_data / "synthetic.jsonl", "")
    assert counts["rows"] == len(rows) == 30
    assert all("NODE" in row.output and (": Gate" in row.output or ": Sin" in row.output) for row in rows)
    assert {row.ref.split("+")[1] for row in rows} == {"Gate", "Sin"}
