"""An exam asks each prompt once per set of weights, survives a stop and a torn line, and grades what was
answered.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from nightforge.blueprint.exam import Request, Sitting, choose_prompts, make_record, prompts_for_base, sit
from nightforge.blueprint.exam_scores import bootstrap, by_node_type, scores, summarize
from nightforge.blueprint.lessons import Prompt, load_lessons
from nightforge.blueprint.mastery import wilson
from nightforge.config import Config
from nightforge.config.schema import Exam
from nightforge.core.atomic import read_jsonl
from nightforge.core.errors import InputError, StoppedError
from nightforge.core.paths import Project
from nightforge.ml.generation import Answer, Tally
from nightforge.ml.loading import ModelInfo
from tests.ml.conftest import SilentReport

INFO = ModelInfo("tiny", "b" * 16, "cpu", "CPU", "float32", "not quantised", 3, 0.1, "blueprint-lora-v1", 0.0)


class Report(SilentReport):
    def __init__(self) -> None:
        super().__init__()
        self.answers: list[dict[str, Any]] = []

    def answer(self, **fields: Any) -> None:
        self.answers.append(fields)


@dataclass
class Loaded:
    info: ModelInfo = INFO


@dataclass
class ScriptedAuthor:
    """Answers every instruction with a known text; stops after `stop_after` answers."""

    texts: dict[str, str]
    stop_after: int = 1000
    asked: list[str] = field(default_factory=list)
    version: str = "v1"
    loaded: Loaded = field(default_factory=Loaded)

    def write(self, instructions: list[str], should_stop: Any, on_answer: Any) -> Tally:
        tally = Tally(seconds=1.0)
        for index, text in enumerate(instructions):
            if len(self.asked) >= self.stop_after:
                raise StoppedError("stopped")
            self.asked.append(text)
            tally.tokens += 5
            on_answer(Answer(index, self.texts[text], 5, True))
        return tally


@pytest.fixture
def prompts(project: Project) -> list[Prompt]:
    return list(load_lessons(project.lessons, holdout=True)[0].prompts[:6])


def sitting(author: ScriptedAuthor, folder: Path, prompts: list[Prompt], identity: str = "w1") -> Sitting:
    return Sitting(author, "v1", folder, identity, {prompt.hash: "unseen" for prompt in prompts})  # type: ignore[arg-type]


def take(author: ScriptedAuthor, folder: Path, prompts: list[Prompt], identity: str = "w1") -> dict[str, Any]:
    context = (Config(), Request())
    return sit(sitting(author, folder, prompts, identity), prompts, Report(), lambda: False, context)  # type: ignore[arg-type]


def perfect(prompts: list[Prompt]) -> dict[str, str]:
    return {prompt.instruction: prompt.expected_dsl for prompt in prompts}


def test_right_answers_score_one_and_every_measure_has_an_interval(
    prompts: list[Prompt], tmp_path: Path
) -> None:
    summary = take(ScriptedAuthor(perfect(prompts)), tmp_path / "v1", prompts)
    everything = summary["free"]["all"]
    assert everything["n"] == 6
    for name in ("valid", "exact", "node_f1", "wire_f1", "property_acc", "score"):
        assert everything[name]["value"] == 1.0
        assert len(everything[name]["ci95"]) == 2
    assert json.loads((tmp_path / "v1" / "summary.json").read_text()) == summary


def test_constant_nonsense_scores_zero(prompts: list[Prompt], tmp_path: Path) -> None:
    texts = {prompt.instruction: "NODE EXEC DATA PrintString Event_BeginPlay" for prompt in prompts}
    everything = take(ScriptedAuthor(texts), tmp_path / "v1", prompts)["free"]["all"]
    assert everything["score"]["value"] == everything["valid"]["value"] == 0.0


def test_a_stopped_exam_goes_on_where_it_ended_without_doubles(prompts: list[Prompt], tmp_path: Path) -> None:
    first = ScriptedAuthor(perfect(prompts), stop_after=2)
    with pytest.raises(StoppedError):
        take(first, tmp_path / "v1", prompts)
    second = ScriptedAuthor(perfect(prompts))
    summary = take(second, tmp_path / "v1", prompts)
    assert sorted(first.asked + second.asked) == sorted(prompt.instruction for prompt in prompts)
    lines = read_jsonl(tmp_path / "v1" / f"{prompts[0].lesson_id}.jsonl")
    assert sorted(line["prompt_id"] for line in lines) == sorted(prompt.id for prompt in prompts)
    assert summary["free"]["all"]["n"] == 6


def test_a_line_cut_by_a_power_loss_is_asked_again(prompts: list[Prompt], tmp_path: Path) -> None:
    take(ScriptedAuthor(perfect(prompts)), tmp_path / "v1", prompts)
    path = tmp_path / "v1" / f"{prompts[0].lesson_id}.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    again = ScriptedAuthor(perfect(prompts))
    take(again, tmp_path / "v1", prompts)
    assert len(again.asked) == 1
    assert len(read_jsonl(path)) == 6


def test_other_weights_under_the_same_number_are_asked_everything(
    prompts: list[Prompt], tmp_path: Path
) -> None:
    take(ScriptedAuthor(perfect(prompts)), tmp_path / "v1", prompts, identity="w1")
    other = ScriptedAuthor(perfect(prompts))
    take(other, tmp_path / "v1", prompts, identity="w2")
    assert len(other.asked) == 6
    assert len(read_jsonl(tmp_path / "v1" / f"{prompts[0].lesson_id}.jsonl")) == 6


def test_a_program_in_a_code_fence_is_graded_without_it(prompts: list[Prompt]) -> None:
    fenced = f"Here it is:\n```text\n{prompts[0].expected_dsl}```\n"
    record = make_record(prompts[0], "unseen", Answer(0, fenced, 9, True))
    assert record["exact"] and record["valid"]
    assert record["raw_output"] == fenced


@pytest.mark.slow
def test_a_limit_takes_prompts_from_every_file(project: Project) -> None:
    config = Config(exam=Exam(limit=10))
    chosen = choose_prompts(config, project, Request())
    assert len(chosen) == 10
    assert len({prompt.lesson_id for prompt in chosen}) == 10
    assert len(choose_prompts(config, project, Request(limit=16))) == 16
    only = choose_prompts(Config(), project, Request(lessons=(project.lessons / "exam_01.json",)))
    assert {prompt.lesson_id for prompt in only} == {"exam_01"}


def test_the_scope_core_asks_only_what_keeps_to_the_core_of_the_catalog(project: Project) -> None:
    everything = choose_prompts(Config(), project, Request())
    core = choose_prompts(Config(exam=Exam(scope="core")), project, Request())
    wide = {lesson.lesson_id for lesson in load_lessons(project.lessons) if lesson.scope == "catalog"}
    assert wide == {"exam_03", *(f"lesson_{n:02}" for n in range(7, 13))}
    expected = [p for p in everything if p.level == "core" and p.lesson_id not in wide]
    assert core == expected and len(core) == 180
    assert [prompt.id for prompt in core[:60]] == [f"X0{n}-{k:02d}" for n in (1, 2) for k in range(1, 31)]
    assert {prompt.level for prompt in everything} == {"core", "more"}


def test_a_file_without_any_prompt_of_the_scope_is_refused(project: Project, tmp_path: Path) -> None:
    lesson = json.loads((project.lessons / "exam_01.json").read_text("utf-8"))
    beyond = {**lesson, "prompts": lesson["prompts"][30:]}
    (tmp_path / "beyond.json").write_text(json.dumps(beyond), encoding="utf-8")
    request = Request(lessons=(tmp_path / "beyond.json",))
    with pytest.raises(InputError, match=r"no prompt .* keeps to the core"):
        choose_prompts(Config(exam=Exam(scope="core")), project, request)
    assert len(choose_prompts(Config(), project, request)) == 10


def test_levels_and_tiers_are_scored_apart_and_follow_the_lesson_file(
    project: Project, tmp_path: Path
) -> None:
    exam = load_lessons(project.lessons, holdout=True)[0].prompts
    asked = [exam[0], exam[1], exam[-1]]
    texts = {**perfect(asked[:2]), asked[2].instruction: "nothing"}
    found = take(ScriptedAuthor(texts), tmp_path / "v1", asked)["free"]
    assert {name: part["n"] for name, part in found["by_level"].items()} == {"core": 2, "more": 1}
    assert found["by_level"]["core"]["score"]["value"] == 1.0
    assert found["by_level"]["more"]["score"]["value"] == 0.0
    retold = [replace(prompt, tier="advanced") for prompt in asked]
    again = take(ScriptedAuthor({}), tmp_path / "v1", retold)["free"]  # nothing is asked twice
    assert {name: part["n"] for name, part in again["by_tier"].items()} == {"advanced": 3}


def test_exposures_are_scored_apart(prompts: list[Prompt]) -> None:
    records = [
        make_record(prompts[0], "seen", Answer(0, prompts[0].expected_dsl, 1, True)),
        make_record(prompts[1], "unseen", Answer(1, "nothing", 1, True)),
    ]
    found = summarize(records)["by_exposure"]
    assert found["seen"]["score"]["value"] == 1.0
    assert found["unseen"]["score"]["value"] == 0.0
    assert found["near"] == {"n": 0}


def test_intervals_hold_the_mean_and_shrink_with_more_prompts() -> None:
    low, high = wilson(19 / 20, 20)
    assert 0.75 < low < 0.95 < high < 1.0
    assert wilson(0.0, 10)[0] == 0.0
    few, many = bootstrap([0.0, 1.0] * 5), bootstrap([0.0, 1.0] * 200)
    assert few[0] < many[0] < 0.5 < many[1] < few[1]
    assert bootstrap([0.2, 0.4, 0.9]) == bootstrap([0.2, 0.4, 0.9])


def test_node_types_count_what_was_expected_matched_and_written() -> None:
    records = [
        {"node_types": {"Branch": {"expected": 2, "matched": 1, "actual": 1}}},
        {"node_types": {"Branch": {"expected": 0, "matched": 0, "actual": 3}}},
    ]
    branch = by_node_type(records)["Branch"]
    assert branch["n"] == 1
    assert (branch["precision"], branch["recall"]) == (0.25, 0.5)
    assert branch["f1"] == pytest.approx(1 / 3, abs=1e-4)


def test_no_record_gives_only_a_count() -> None:
    assert scores([]) == {"n": 0}


def test_the_base_is_asked_what_it_is_compared_on(prompts: list[Prompt]) -> None:
    exposures = {prompt.hash: "unseen" if place < 2 else "seen" for place, prompt in enumerate(prompts)}
    assert prompts_for_base(prompts, exposures) == prompts[:2]
    assert prompts_for_base(prompts[2:], exposures) == prompts[2:]
