"""Merging keeps what is sound, counts what it drops, and never lets a structure cross the split."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from nightforge.blueprint.canonical import structure_key
from nightforge.blueprint.dataset import merge, split
from nightforge.blueprint.leak import Holdout
from nightforge.blueprint.parser import parse
from nightforge.blueprint.rows import Row, make_row
from nightforge.blueprint.synthesis import generate

ALONE = "BLUEPRINT: A\nPARENT: Actor\nGRAPH: EventGraph\nNODE n1: Event_BeginPlay\n"
INVALID = ALONE + "NODE n2: PrintString\nEXEC n1.Then -> n2.Nowhere\n"
OPAQUE = ALONE + "NODE n2: K2Node_Unheard\nEXEC n1.Then -> n2.Execute\n"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return [make_row("synthetic", "", e.instruction, e.blueprint) for e in generate(Random(21), 600)]


@pytest.mark.slow
def test_no_structure_is_in_both_splits_even_when_keyed_anew(rows: list[Row]) -> None:
    train, val = split(rows, 0.2, seed=1)
    assert len(train) + len(val) == len(rows) and abs(len(val) - 120) <= 10
    keys = [
        {structure_key(program) for row in part if (program := parse(row.output).blueprint)}
        for part in (train, val)
    ]
    assert not keys[0] & keys[1]
    assert {row.split for row in train} == {"train"} and {row.split for row in val} == {"val"}


def test_structures_keep_their_side_when_rows_are_added(rows: list[Row]) -> None:
    _, few = split(rows[:500], 0.2, seed=1)
    train, _ = split(rows, 0.2, seed=1)
    moved = {row.structure for row in few} & {row.structure for row in train}
    assert len(moved) <= 0.1 * len(few)


def test_lesson_rows_are_never_held_back(rows: list[Row]) -> None:
    taught = [replace(row, kind="lesson") for row in rows[:50]]
    _, val = split([*taught, *rows[50:]], 0.5, seed=1)
    assert not {row.structure for row in val} & {row.structure for row in taught}


BAD = {
    "unreadable": {"output": "BLUEPRINT: A\nNODE"},
    "invalid": {"output": INVALID},
    "opaque_nodes": {"output": OPAQUE},
    "no_wires": {"output": ALONE},
    "no_instruction": {"instruction": "do it"},
    "exact_duplicate": {"id": "again"},
    "normalised_duplicate": {"instruction": "upper"},
    "same_instruction_other_answer": {"output": "other"},
}


@pytest.mark.parametrize("reason", BAD)
def test_a_bad_row_is_dropped_and_counted(reason: str, rows: list[Row]) -> None:
    change = dict(BAD[reason])
    if reason == "same_instruction_other_answer":
        change["output"] = rows[1].output
    if reason == "normalised_duplicate":
        spaced = "  ".join(rows[0].instruction.upper().rstrip(".").split())
        change = {"instruction": spaced, "output": rows[0].output.replace("n1", "start")}
    merged = merge([rows[0], replace(rows[0], **change)], Holdout(), cap=9)
    assert dict(merged.removed) == {("synthetic", reason): 1}
    assert [row.hash for row in merged.rows] == [rows[0].hash]


def test_the_cap_limits_generated_rows_of_a_structure_and_spares_lessons(rows: list[Row]) -> None:
    copies = [replace(rows[0], instruction=f"{rows[0].instruction} Number {n}.") for n in range(5)]
    assert merge(copies, Holdout(), cap=2).reasons == {"structure_cap": 3}
    assert len(merge([replace(row, kind="lesson") for row in copies], Holdout(), cap=2).rows) == 5
