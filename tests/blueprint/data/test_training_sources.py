"""Programs from the editor become rows only with a description and without opaque nodes; 02 says why not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from plants import PLANTS

from nightforge.blueprint.dataset import build_dataset
from nightforge.blueprint.deduplicate import deduplicate_file
from nightforge.blueprint.graph import Comment
from nightforge.blueprint.handmade import add_manual
from nightforge.blueprint.leak import Holdout
from nightforge.blueprint.lessons import load_lessons
from nightforge.blueprint.merging import merge
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.rowmaking import write_lessons, write_synthetic
from nightforge.blueprint.rows import Row, make_row
from nightforge.blueprint.sources import TRANSLATED, translated_rows
from nightforge.config import load_config
from nightforge.core.atomic import append_jsonl, read_json, read_jsonl, write_json
from nightforge.core.errors import EncodingError, InputError
from nightforge.core.paths import Project
from nightforge.stage import Reporter

QUIET = Reporter(None, lambda _: None)
BELL = """BLUEPRINT: BP_Bell
PARENT: Actor
GRAPH: EventGraph
NODE n1: Event_AnyDamage
NODE n2: SetActorHiddenInGame [bNewHidden=true, @AdvancedPinDisplay="Shown"]
EXEC n1.Then -> n2.Execute
NODE n3: Delay [Duration=2.5]
EXEC n2.Then -> n3.Execute
"""
COMMENT = 'COMMENT: "Hide the bell when it is struck\\n and wait" (n1, n2)\n'
OPAQUE = BELL + "NODE n4: K2Node_Unheard (in execute: exec)\nEXEC n3.Completed -> n4.execute\n" + COMMENT
PROGRAMS = {
    "described.dsl": BELL + COMMENT,
    "silent.dsl": BELL,
    "short.dsl": BELL + 'COMMENT: "Bell stuff" (n1)\n',
    "opaque.dsl": OPAQUE,
    "broken.dsl": "BLUEPRINT: A\nNODE",
    "unwired.dsl": "BLUEPRINT: A\nPARENT: Actor\nGRAPH: EventGraph\nNODE n1: Event_BeginPlay\n"
    + COMMENT.replace(", n2", ""),
}


def put_translated(project: Project, **programs: str) -> Path:
    folder = project.blueprint_data / TRANSLATED
    folder.mkdir(parents=True)
    for name, text in (programs or PROGRAMS).items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_a_translated_program_is_a_row_only_when_it_says_what_it_does(small_project: Project) -> None:
    folder = put_translated(small_project)
    (folder / "wrong_encoding.dsl").write_bytes(BELL.encode("utf-16"))
    merged = merge(translated_rows(small_project, []), Holdout(), cap=9)
    assert [row.instruction for row in merged.rows] == ["Hide the bell when it is struck and wait."]
    assert "COMMENT" not in merged.rows[0].output and "@" not in merged.rows[0].output
    assert merged.rows[0].source == "translated data/blueprint/translated/described.dsl"
    refused = {reason: count for (_, reason), count in merged.removed.items()}
    assert refused == {"no_instruction": 2, "opaque_nodes": 1, "unreadable": 2, "no_wires": 1}


def test_a_program_described_by_hand_is_not_read_twice(small_project: Project) -> None:
    folder = put_translated(small_project)
    add_manual(small_project, [folder / "silent.dsl"], ["Hide the bell when it takes damage."], QUIET)
    (row,) = [Row(**_flat(value)) for value in read_jsonl(small_project.blueprint_data / "manual.jsonl")]
    assert row.kind == "translated" and "@" not in row.output
    assert "silent.dsl" not in " ".join(found.ref for found in translated_rows(small_project, [row]))


def _flat(value: dict[str, Any]) -> dict[str, str]:
    return {key: text for key, text in value.items() if key != "source"} | value["source"]


REFUSED = {
    "opaque": (
        "opaque.dsl",
        "Ring the bell at once.",
        "opaque nodes, which no model can learn: K2Node_Unheard",
    ),
    "invalid": ("broken.dsl", "Ring the bell at once.", "broken.dsl, line 1, column 1"),
    "short": ("silent.dsl", "Ring it", "fewer than 3 words"),
    "unwired": ("unwired.dsl", "Ring the bell at once.", "nothing runs"),
    "missing": ("nowhere.dsl", "Ring the bell at once.", "is missing"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_stage_02_refuses_what_the_merge_would_drop(small_project: Project, case: str) -> None:
    folder = put_translated(small_project)
    name, text, words = REFUSED[case]
    with pytest.raises(InputError, match=words):
        add_manual(small_project, [folder / "silent.dsl", folder / name], [text], QUIET)
    assert not (small_project.blueprint_data / "manual.jsonl").exists()


def test_stage_02_refuses_what_an_exam_asks(small_project: Project, tmp_path: Path) -> None:
    prompt = read_json(small_project.lessons / "exam_01.json")["prompts"][3]
    stolen = tmp_path / "stolen.dsl"
    stolen.write_text(prompt["expected_dsl"], encoding="utf-8")
    with pytest.raises(InputError, match=f"gives away {prompt['id']} of exam_01"):
        add_manual(small_project, [stolen], ["Something nobody asked before."], QUIET)


def test_stage_02_refuses_one_description_of_two_programs(small_project: Project, tmp_path: Path) -> None:
    paths = [tmp_path / "one.dsl", tmp_path / "two.dsl"]
    for path, seconds in zip(paths, ("2.5", "4.5"), strict=True):
        path.write_text(BELL.replace("2.5", seconds), encoding="utf-8")
    with pytest.raises(InputError, match="two.dsl.*same description"):
        add_manual(small_project, paths, ["Hide the bell when it takes damage."], QUIET)
    assert not (small_project.blueprint_data / "manual.jsonl").exists()


def test_rows_are_appended_behind_a_line_that_an_editor_left_open(
    small_project: Project, tmp_path: Path
) -> None:
    program = tmp_path / "bell.dsl"
    program.write_bytes(b"\xef\xbb\xbf" + BELL.replace("\n", "\r\n").encode())
    target = small_project.blueprint_data / "manual.jsonl"
    add_manual(small_project, [program], ["Hide the bell when it takes damage."], QUIET)
    target.write_bytes(target.read_bytes().rstrip(b"\n"))
    add_manual(small_project, [program], ["After damage, hide the bell and wait."], QUIET)
    assert len(read_jsonl(target)) == 2
    program.write_bytes(BELL.encode("utf-16"))
    with pytest.raises(EncodingError, match="not UTF-8"):
        add_manual(small_project, [program], ["Hide the bell when it takes damage."], QUIET)


def _dataset(project: Project, report: Reporter = QUIET, **synthetic: Any) -> dict[str, Any]:
    """Merge a few generated rows and the lessons, in this process."""
    config = load_config(project)
    settings = msgspec.structs.replace(config.synthetic, count=20, **synthetic)
    write_synthetic(settings, project, QUIET, lambda: False)
    write_lessons(project, QUIET, "core")
    return build_dataset(msgspec.structs.replace(config, synthetic=settings), project, report)


def test_reinforced_lessons_outlive_the_merge_and_are_marked(small_project: Project) -> None:
    summary = _dataset(small_project, reinforce_lessons=("lesson_01",), reinforce_copies=2)
    rows = read_jsonl(small_project.blueprint_data / "train.jsonl")
    copies = [row for row in rows if row["source"]["kind"] == "reinforcement"]
    answers = len({row["output"] for row in rows if row["source"]["ref"].startswith("lesson_01:")})
    assert len(copies) == summary["by_source"]["reinforcement"] == 2 * answers
    assert len({row["id"] for row in rows}) == len(rows) == summary["train"]
    assert set(Counter(row["hash"] for row in copies).values()) == {2}
    card = read_json(small_project.blueprint_data / "card.json")
    assert card["reinforcement"] == {"lessons": ["lesson_01"], "copies": 2, "rows": len(copies)}
    path = small_project.blueprint_data / "train.jsonl"
    deduplicate_file(path, small_project, 0, QUIET, apply=True)
    assert sum(row["source"]["kind"] == "reinforcement" for row in read_jsonl(path)) == len(copies)
    with pytest.raises(InputError, match="lesson_99"):
        _dataset(small_project, reinforce_lessons=("lesson_99",))


def test_a_lesson_that_leaks_is_left_out_and_named(small_project: Project) -> None:
    exam, path = read_json(small_project.lessons / "exam_01.json"), small_project.lessons / "lesson_01.json"
    lesson = read_json(path)
    lesson["prompts"][0]["expected_dsl"] = exam["prompts"][5]["expected_dsl"]
    write_json(path, lesson)
    said: list[str] = []
    _dataset(small_project, Reporter(None, said.append))
    assert any("(lesson lesson_01:L01-01) gives away" in line for line in said)
    kept_out = read_json(small_project.blueprint_data / "card.json")["leaks"]["kept_out"]
    assert exam["prompts"][5]["id"] in {found["prompt"] for found in kept_out}


def test_a_planted_exam_answer_reaches_training_from_no_source(small_project: Project) -> None:
    exam = load_lessons(small_project.lessons, holdout=True)[0].prompts
    data = small_project.blueprint_data
    put_translated(small_project)
    wanted = 0
    _dataset(small_project)
    for number, (clothes, change) in enumerate(PLANTS.items()):
        blueprint = change(exam[number].blueprint)
        asked = f"Task number {number}, {clothes}, that nobody has set before."
        for kind, file in (("manual", "manual"), ("lesson", "lessons"), ("synthetic", "synthetic")):
            row = make_row(kind, "plant", f"{asked} As {kind}.", blueprint)
            append_jsonl(data / f"{file}.jsonl", row.to_dict())
        graph = replace(blueprint.graphs[0], comments=(Comment(asked),))
        (data / TRANSLATED / f"plant{number}.dsl").write_text(to_text(replace(blueprint, graphs=(graph,))))
        wanted += 4
    build_dataset(load_config(small_project), small_project, QUIET)
    kept_out = read_json(data / "card.json")["leaks"]["kept_out"]
    planted = [found for found in kept_out if "plant" in found["source"]]
    assert Counter(found["source"].split()[0] for found in planted) == dict.fromkeys(
        ("manual", "lesson", "synthetic", "translated"), len(PLANTS)
    )
    assert len(planted) == wanted
    answers = {prompt.structure for prompt in exam}
    rows = read_jsonl(data / "train.jsonl") + read_jsonl(data / "val.jsonl")
    assert not answers & {row["structure"] for row in rows}
