"""The card tells what is in the files beside it; one file's duplicates are found, shown, and removed once."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from nightforge.blueprint.card_text import card_text
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.dataset import build_dataset
from nightforge.blueprint.deduplicate import deduplicate_file, sort_duplicates
from nightforge.blueprint.hub import hub_data
from nightforge.blueprint.leak import Holdout
from nightforge.blueprint.merging import merge
from nightforge.blueprint.parser import parse
from nightforge.blueprint.rowmaking import write_lessons, write_synthetic
from nightforge.blueprint.rows import Row, make_row
from nightforge.blueprint.synthesis import generate
from nightforge.config import Config, load_config
from nightforge.config.schema import Model
from nightforge.core.atomic import read_json, read_jsonl, sha256_file, write_json, write_jsonl
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.ml.token_count import open_counter
from nightforge.stage import Reporter

QUIET = Reporter(None, lambda _: None)


@pytest.fixture
def built(small_project: Project) -> Project:
    """A project with a small training set, one row of it read twice."""
    config = load_config(small_project)
    write_lessons(small_project, QUIET, "core")
    write_synthetic(config.synthetic.__class__(count=60), small_project, QUIET, lambda: False)
    path = small_project.blueprint_data / "synthetic.jsonl"
    rows = read_jsonl(path)
    write_jsonl(path, [*rows, rows[0]])
    build_dataset(config, small_project, QUIET)
    return small_project


def test_the_card_agrees_with_the_rows_beside_it(built: Project) -> None:
    data = built.blueprint_data
    card: dict[str, Any] = read_json(data / "card.json")
    train, val = read_jsonl(data / "train.jsonl"), read_jsonl(data / "val.jsonl")
    rows = [*train, *val]
    assert card["hash"] == read_json(data / "dataset.json")["hash"]
    assert card["rows"] == {"total": len(rows), "train": len(train), "val": len(val)}
    kinds = Counter(row["source"]["kind"] for row in train)
    for source in card["sources"]:
        assert source["train"] == kinds[source["kind"]]
        assert source["read"] == source["train"] + source["val"] + sum(source["refused"].values())
    used = Counter(
        name
        for row in train
        if (blueprint := parse(row["output"]).blueprint)
        for name in {node.type for node in blueprint.nodes()}
    )
    coverage = card["coverage"]
    assert coverage["types"] == used
    assert set(coverage["missing"]) == set(load_catalog().nodes) - set(used)
    assert coverage["used"] + len(coverage["missing"]) == coverage["catalog"] == len(load_catalog().nodes)
    lengths = sorted(len(row["output"]) for row in rows)
    assert (card["lengths"]["program_characters"]["min"], lengths[-1]) == (
        lengths[0],
        card["lengths"]["program_characters"]["max"],
    )
    assert sum(card["lengths"]["histogram"]["counts"]) == len(rows)
    assert card["duplicates"]["exact"] == {"found": 1, "dropped": 1}
    assert {found["id"] for found in card["leaks"]["sets"]} >= {"exam_01", "evaluation tests"}
    files = {found["file"]: found for found in card["inputs"]["files"]}
    assert files["synthetic.jsonl"]["rows"] == 61
    assert files["synthetic.jsonl"]["sha256"] == sha256_file(data / "synthetic.jsonl")


def test_the_page_says_what_the_json_says(built: Project) -> None:
    card = read_json(built.blueprint_data / "card.json")
    page = (built.blueprint_data / "card.md").read_text(encoding="utf-8")
    assert page == card_text(card)
    assert f"Hash `{card['hash']}`" in page and "| exam_01 |" in page
    assert "Tokens were not counted: the tiny base model has not been built yet." in page
    tokens = {"limit": 512, "over_limit": 3} | dict.fromkeys(
        ("instruction", "program", "row"), card["lengths"]["program_characters"]
    )
    counted = card | {"lengths": card["lengths"] | {"tokens": tokens, "tokenizer": "tiny"}}
    assert "Tokens of tiny. 3 rows exceed 512" in card_text(counted)


@pytest.mark.slow
def test_lengths_are_counted_in_tokens_where_the_tokenizer_is_here(built: Project, tmp_path: Path) -> None:
    tokenizer = Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text("{}")
    config = load_config(built)
    model = Model(source="folder", base_model=str(tmp_path), max_seq_length=150)
    build_dataset(msgspec.structs.replace(config, model=model), built, QUIET)
    lengths = read_json(built.blueprint_data / "card.json")["lengths"]
    data = built.blueprint_data
    rows = [*read_jsonl(data / "train.jsonl"), *read_jsonl(data / "val.jsonl")]
    counter = open_counter(Config(model=model), built)
    counts = [sum(counter.count([row["instruction"], row["output"]])) for row in rows]
    assert lengths["tokens"]["row"]["max"] == max(counts) and lengths["tokens"]["limit"] == 150
    assert lengths["tokens"]["over_limit"] == sum(count > 150 for count in counts) > 0


def test_the_hub_shows_the_card_of_the_present_rows_only(built: Project) -> None:
    shown = hub_data(built, [], None)["card"]
    assert shown["rows"] == read_json(built.blueprint_data / "card.json")["rows"]
    assert "kept_out" not in shown["leaks"] and "types" not in shown["coverage"]
    path = built.blueprint_data / "dataset.json"
    write_json(path, read_json(path) | {"hash": "of other rows"})
    assert hub_data(built, [], None)["card"] is None
    path.unlink()
    assert hub_data(built, [], None)["card"] is None


def test_a_dry_run_shows_the_card_and_writes_nothing(small_project: Project) -> None:
    write_lessons(small_project, QUIET, "core")
    config = load_config(small_project)
    write_synthetic(config.synthetic.__class__(count=20), small_project, QUIET, lambda: False)
    before = sorted(small_project.blueprint_data.iterdir())
    said: list[str] = []
    build_dataset(config, small_project, Reporter(None, said.append), write=False)
    assert sorted(small_project.blueprint_data.iterdir()) == before
    assert "# Training data" in "\n".join(said) and "Nothing was written" in "\n".join(said)


def twins() -> tuple[list[Row], dict[str, int]]:
    """Ten rows and copies of the first: two exact, one in other clothes, three with other names."""
    rows = [make_row("synthetic", "", e.instruction, e.blueprint) for e in generate(Random(4), 10)]
    first, program = rows[0], parse(rows[0].output).blueprint
    assert program is not None
    renamed = [replace(program, name=f"BP_Other{n}") for n in range(3)]
    made = [make_row("synthetic", "", f"{first.instruction} Call it {p.name}.", p) for p in renamed]
    clothes = replace(
        first, instruction=f" {first.instruction.upper()} ", output=first.output.replace("n1", "z")
    )
    copy = replace(first, id="another", kind="lesson")
    deliberate = replace(first, id="reinforcement-1", kind="reinforcement")
    everything = [*rows, copy, replace(first, id="third"), clothes, *made, deliberate]
    return everything, {"exact": 2, "normalised": 1, "structural": 3}


def test_duplicates_are_counted_by_kind(tmp_path: Path) -> None:
    rows, wanted = twins()
    structures = len({row.structure for row in rows[:10]})
    result = sort_duplicates(rows, cap=0)
    # The deliberate copy is a structural twin as well, and so are generated rows of one structure.
    assert dict(result.found) == wanted | {"structural": 3 + 1 + 10 - structures}
    assert dict(+result.dropped) == {"exact": 2, "normalised": 1}
    assert [row.kind for row in result.kept].count("reinforcement") == 1
    assert sort_duplicates(rows, cap=1).largest.most_common(1)[0][1] == 2  # the copy outlives the cap
    merged = merge([row for row in rows if row.kind != "reinforcement"], Holdout(), cap=99)
    assert merged.reasons == {"exact_duplicate": 2, "normalised_duplicate": 1}


def test_a_file_is_cleaned_once_and_its_old_content_kept(small_project: Project) -> None:
    rows, _ = twins()
    path = small_project.blueprint_data / "some.jsonl"
    write_jsonl(path, [row.to_dict() for row in rows])
    before = path.read_bytes()
    said: list[str] = []
    outcome = deduplicate_file(path, small_project, 0, Reporter(None, said.append), apply=False)
    assert outcome["dropped"] == 3 and path.read_bytes() == before
    assert "| exact | 2 | 2 |" in said and "--apply removes 3 rows" in " ".join(said)
    outcome = deduplicate_file(path, small_project, 0, QUIET, apply=True)
    assert Path(str(outcome["backup"])).read_bytes() == before
    cleaned, files = path.read_bytes(), sorted(path.parent.iterdir())
    assert len(cleaned.splitlines()) == len(rows) - 3
    assert deduplicate_file(path, small_project, 0, QUIET, apply=True)["dropped"] == 0
    assert path.read_bytes() == cleaned and sorted(path.parent.iterdir()) == files


def test_a_broken_row_stops_the_cleaning_with_its_place(small_project: Project) -> None:
    rows, _ = twins()
    path = small_project.blueprint_data / "some.jsonl"
    write_jsonl(path, [row.to_dict() for row in rows[:2]])
    path.write_text(path.read_text() + json.dumps({"instruction": "x"}) + "\n")
    with pytest.raises(InputError, match="some.jsonl, row 3: id, output"):
        deduplicate_file(path, small_project, 0, QUIET, apply=True)
