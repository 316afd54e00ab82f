"""Stages 02, 03, 13 and 20 do their work as subprocesses and refuse wrong input with the right exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from nightforge.blueprint import dataset
from nightforge.blueprint.leak import Holdout
from nightforge.blueprint.lessons import load_lessons
from nightforge.blueprint.merging import merge
from nightforge.blueprint.next_lessons import plan_next, read_focus
from nightforge.config import load_config
from nightforge.core.atomic import read_json, read_jsonl, write_json, write_jsonl
from nightforge.core.errors import GateError, InputError, NothingNewError
from nightforge.core.paths import Project
from nightforge.stage import Reporter

Run = Callable[..., "CompletedProcess[str]"]
SMALL = ("--set", "synthetic.count=60")


def _ok(result: CompletedProcess[str]) -> None:
    assert result.returncode == 0, result.stderr


def _build(run_script: Run) -> None:
    _ok(run_script("03_generate_synthetic_data.py", *SMALL))
    _ok(run_script("13_lesson_to_training.py"))


def test_the_data_stages_make_a_training_set_that_keeps_exams_out(project: Project, run_script: Run) -> None:
    _build(run_script)
    _ok(run_script("20_deduplicate_dataset.py"))
    data = project.blueprint_data
    train, val, summary = (
        read_jsonl(data / "train.jsonl"),
        read_jsonl(data / "val.jsonl"),
        read_json(data / "dataset.json"),
    )
    assert (
        summary["train"] == len(train)
        and summary["val"] == len(val)
        and summary["rows"] == len(train) + len(val)
    )
    assert summary["leak_gate"] == {"checked": len(train) + len(val), "flagged": 0}
    assert not {row["structure"] for row in train} & {row["structure"] for row in val}
    held_out = {p.structure for lesson in load_lessons(project.lessons, holdout=True) for p in lesson.prompts}
    assert not held_out & {row["structure"] for row in (*train, *val)}
    assert set(train[0]) == {"id", "instruction", "output", "source", "hash", "structure", "split"}
    _ok(run_script("03_generate_synthetic_data.py", *SMALL))
    _ok(run_script("20_deduplicate_dataset.py"))
    assert read_json(data / "dataset.json")["hash"] == summary["hash"]


def _plant(project: Project) -> str:
    """Put an exam answer under another instruction into the lesson rows; returns the exam prompt's id."""
    stolen = read_json(project.lessons / "exam_01.json")["prompts"][0]
    rows = read_jsonl(project.blueprint_data / "lessons.jsonl")
    rows[0]["output"] = stolen["expected_dsl"]
    write_jsonl(project.blueprint_data / "lessons.jsonl", rows)
    return str(stolen["id"])


@pytest.mark.slow
def test_an_exam_answer_among_the_lesson_rows_is_removed(project: Project, run_script: Run) -> None:
    _build(run_script)
    _plant(project)
    _ok(run_script("20_deduplicate_dataset.py"))
    assert read_json(project.blueprint_data / "dataset.json")["removed"]["holdout_answer"] >= 1


@pytest.mark.slow
def test_the_gate_stops_the_run_where_the_merge_misses_a_leak(
    project: Project, run_script: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    _build(run_script)
    planted = _plant(project)
    monkeypatch.setattr(dataset, "merge", lambda rows, _, cap: merge(rows, Holdout(), cap))  # blind
    said = rf"row lesson-\w+ \(lesson lesson_01:L01-01\) gives away {planted} of exam_01: its program"
    with pytest.raises(GateError, match=said):
        dataset.build_dataset(load_config(project), project, Reporter(None, lambda _: None))
    assert not (project.blueprint_data / "train.jsonl").exists()


def test_programs_that_cannot_exist_are_refused(run_script: Run) -> None:
    result = run_script("03_generate_synthetic_data.py", "--set", "synthetic.max_nodes=1")
    assert result.returncode == 2 and "synthetic.max_nodes is 1" in result.stderr


def test_merging_without_its_sources_says_what_to_run(run_script: Run) -> None:
    result = run_script("20_deduplicate_dataset.py")
    assert result.returncode == 2
    assert "lessons.jsonl is missing" in result.stderr and "13_lesson_to_training.py" in result.stderr


def test_a_broken_lesson_stops_stage_13_with_its_place(project: Project, run_script: Run) -> None:
    path = project.lessons / "lesson_01.json"
    data = read_json(path)
    data["prompts"][3]["expected_dsl"] += "NODE n1: PrintString\n"
    write_json(path, data)
    result = run_script("13_lesson_to_training.py")
    assert result.returncode == 2 and "prompt L01-04: expected_dsl line" in result.stderr


@pytest.mark.slow
def test_programs_by_hand_are_appended_once_and_checked_first(
    project: Project, run_script: Run, tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.dsl", tmp_path / "bad.dsl"
    good.write_text(
        read_json(project.lessons / "lesson_01.json")["prompts"][0]["expected_dsl"], encoding="utf-8"
    )
    bad.write_text("BLUEPRINT: A\nGRAPH: EventGraph\nNODE n1: Nonsense\n", encoding="utf-8")
    texts = tmp_path / "texts.txt"
    texts.write_text(
        "# comments are skipped\nSay welcome at the start.\n\nGreet the player at the start.\n",
        encoding="utf-8",
    )
    name, target = "02_dsl_to_training_entry.py", project.blueprint_data / "manual.jsonl"
    _ok(run_script(name, str(good), "--descriptions", str(texts)))
    _ok(
        run_script(
            name, str(good), "--describe", "Say welcome at the start.", "--describe", "Print a welcome first."
        )
    )
    assert [row["instruction"] for row in read_jsonl(target)] == [
        "Say welcome at the start.",
        "Greet the player at the start.",
        "Print a welcome first.",
    ]
    before = target.read_bytes()
    result = run_script(name, str(good), str(bad), "--describe", "Anything at all here.")
    assert result.returncode == 2 and "bad.dsl, line" in result.stderr
    assert run_script(name, str(good)).returncode == 2
    assert target.read_bytes() == before


def _record(
    prompt_id: str, lesson_id: str, score: float, counts: dict[str, tuple[int, int, int]]
) -> dict[str, Any]:
    types = {k: dict(zip(("expected", "matched", "actual"), v, strict=True)) for k, v in counts.items()}
    empty: dict[str, Any] = {
        key: [] for key in ("missing_nodes", "extra_nodes", "missing_wires", "extra_wires", "errors")
    }
    fixed = {"category": "c", "instruction": "i", "valid": True}
    return {
        "prompt_id": prompt_id,
        "lesson_id": lesson_id,
        "score": score,
        "node_types": types,
        **fixed,
        **empty,
    }


@pytest.mark.slow
def test_planning_before_any_exam_exits_3(run_script: Run) -> None:
    result = run_script("13_lesson_to_training.py", "--plan-next")
    assert result.returncode == 3 and "no lesson has been examined yet" in result.stderr


def test_the_plan_comes_from_lesson_answers_of_the_newest_version_only(project: Project) -> None:
    exams = project.results / "exams"
    write_jsonl(
        exams / "v9" / "lesson_01.jsonl", [_record("L01-01", "lesson_01", 0.0, {"Branch": (9, 0, 0)})]
    )
    write_jsonl(
        exams / "v10" / "lesson_01.jsonl",
        [
            _record("L01-02", "lesson_01", 0.4, {"PrintString": (2, 2, 2), "Delay": (2, 1, 2)}),
            _record("L01-01", "lesson_01", 1.0, {"PrintString": (1, 1, 1)}),
            _record("X01-01", "exam_01", 0.0, {"Gate": (1, 0, 0)}),
        ],
    )
    write_jsonl(exams / "v10" / "exam_01.jsonl", [_record("X01-02", "exam_01", 0.0, {"Gate": (1, 0, 0)})])
    nodes = [{"node_type": "Sin", "status": "untested"}, {"node_type": "Gate", "status": "weak"}]
    write_json(project.results / "mastery.json", {"nodes": nodes})
    plan = plan_next(project)
    assert plan["version"] == "v10"
    assert plan["focus"] == {"Delay": 1.0, "Sin": 0.5}
    assert [prompt["prompt_id"] for prompt in plan["prompts"]] == ["L01-02"]
    assert read_focus(project, 2.0) == {"Delay": 2.0, "Sin": 1.0}
    assert read_focus(project, 0.0) == {}


def test_a_version_without_lesson_answers_is_not_planned_from(project: Project) -> None:
    write_jsonl(project.results / "exams" / "v3" / "exam_01.jsonl", [_record("X01-02", "exam_01", 0.0, {})])
    with pytest.raises(NothingNewError):
        plan_next(project)


def test_a_damaged_plan_is_refused(project: Project) -> None:
    write_json(project.results / "next_lessons.json", {"focus": ["Delay"]})
    with pytest.raises(InputError, match="focus must map"):
        read_focus(project, 1.0)


def test_help_says_what_each_stage_reads_and_writes(run_script: Run) -> None:
    for name in ("02_dsl_to_training_entry", "03_generate_synthetic_data", "13_lesson_to_training"):
        result = run_script(f"{name}.py", "--help")
        assert result.returncode == 0
        assert all(word in result.stdout for word in ("Reads", "Writes", "Needs", "By hand", name))
