"""Each rule fires on the numbers it is about, is silent on the neighbouring ones, and never fails a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from run_records import finished_project, put_adapter, put_exam, put_state, scores

from nightforge.blueprint import health
from nightforge.blueprint.health_facts import DatasetFacts, Facts
from nightforge.blueprint.health_stage import parse_version, run_health
from nightforge.blueprint.history import HistoryEntry, read_history, updated
from nightforge.blueprint.mastery import NodeMastery
from nightforge.blueprint.results import ExamSummary, TrainingLog
from nightforge.core.errors import InputError, NothingNewError
from nightforge.core.paths import Project

FALLING = [(float(i), 2.0 * 0.9**i) for i in range(20)]
ENTRY = HistoryEntry(
    version=3,
    date="2026-11-21T17:20:00.000Z",
    profile="tiny",
    rows=1000,
    steps=100,
    seconds=50.0,
    train_loss=0.30,
    eval_loss=0.33,
    scores={"all": 0.88, "unseen": 0.88, "seen": 0.92, "valid": 0.99},
)
HEALTHY = Facts(entry=ENTRY, training=TrainingLog(train=FALLING), dataset=DatasetFacts(1000, 100))


class Reports:
    def __init__(self) -> None:
        self.alerts: list[tuple[str, str]] = []
        self.messages: list[str] = []

    def phase(self, step: str, title: str) -> None: ...

    def watch(self, phase: str, done: int = 0) -> None: ...

    def metric(self, **values: Any) -> None: ...

    def message(self, text: str) -> None:
        self.messages.append(text)

    def alert(self, level: str, title: str, detail: str = "", next_command: str | None = None) -> None:
        self.alerts.append((level, title))


def entry(**changes: Any) -> HistoryEntry:
    return msgspec.structs.replace(ENTRY, **changes)


def facts(**changes: Any) -> Facts:
    """Healthy facts with other scores, other fields of the entry, or other facts."""
    fields = {name: changes.pop(name) for name in list(changes) if name in HistoryEntry.__struct_fields__}
    if "scores" in fields:
        fields["scores"] = {**ENTRY.scores, **fields["scores"]}
    return replace(HEALTHY, entry=entry(**fields), **changes)


def node(name: str, f1: float, before: float | None, n: int = 50) -> NodeMastery:
    return NodeMastery(name, n, f1, (max(0, f1 - 0.05), min(1, f1 + 0.05)), "learning", "new", before, [])


def log(values: list[float], held_out: list[float] | None = None) -> TrainingLog:
    points = [(float(i), value) for i, value in enumerate(values)]
    return TrainingLog(train=points, eval=[(float(i), v) for i, v in enumerate(held_out or [])])


def base_exam(score: float) -> ExamSummary:
    value = {"version": "base", "created_at": "2026-11-20T00:00:00.000Z", "n_prompts": 12}
    free = {"all": scores(12, score), "by_exposure": {"unseen": scores(12, score)}}
    return msgspec.convert({**value, "free": free}, ExamSummary)


EARLIER = [entry(version=v, node_scores={"Branch": 0.5}) for v in (1, 2)]

CASES = [
    (
        "WARNING",
        "Training is slower",
        facts(seconds=60.0, earlier=EARLIER),
        facts(seconds=57.0, earlier=EARLIER),
    ),
    (
        "INFO",
        "Training time changed",
        facts(seconds=56.0, earlier=EARLIER),
        facts(seconds=54.0, earlier=EARLIER),
    ),
    ("SUGGESTION", "Fewer epochs", facts(rows=2600, scores={"unseen": 0.93}), facts(scores={"unseen": 0.93})),
    (
        "SUGGESTION",
        "More epochs",
        facts(scores={"unseen": 0.8}, training=log([2, 1.5, 1, 0.8, 0.6], [1, 0.8, 0.6])),
        facts(scores={"unseen": 0.8}, training=log([2, 1.5, 1, 0.8, 0.6], [1, 0.6, 0.6])),
    ),
    (
        "SUGGESTION",
        "More varied rows",
        facts(scores={"unseen": 0.8}, training=log([2, 1.5, 1, 0.8, 0.6], [1, 0.6, 0.6])),
        facts(scores={"unseen": 0.9}, training=log([2, 1.5, 1, 0.8, 0.6], [1, 0.6, 0.6])),
    ),
    ("CRITICAL", "The loss is not a number", facts(training=log([2, float("nan")])), HEALTHY),
    ("CRITICAL", "The loss went up", facts(training=log([2, 3, 4]), train_loss=3.0), HEALTHY),
    (
        "CRITICAL",
        "memorising",
        facts(train_loss=0.04, eval_loss=0.30),
        facts(train_loss=0.06, eval_loss=0.30),
    ),
    (
        "CRITICAL",
        "memorising",
        facts(train_loss=0.04, eval_loss=None),
        facts(train_loss=0.04, eval_loss=0.05),
    ),
    (
        "CRITICAL",
        "memorising",
        facts(train_loss=0.04, eval_loss=0.05, scores={"seen": 0.99, "unseen": 0.7}),
        facts(train_loss=0.04, eval_loss=0.05, scores={"seen": 0.9}),
    ),
    ("SUGGESTION", "very low", facts(train_loss=0.04, eval_loss=0.05), HEALTHY),
    (
        "WARNING",
        "more than twice",
        facts(train_loss=0.2, eval_loss=0.41),
        facts(train_loss=0.21, eval_loss=0.41),
    ),
    ("INFO", "gap is healthy", facts(eval_loss=0.34), facts(eval_loss=0.36)),
    ("INFO", "gap is moderate", facts(eval_loss=0.36), facts(eval_loss=0.45)),
    ("INFO", "gap is large", facts(eval_loss=0.45), facts(eval_loss=0.34)),
    ("WARNING", "No progress", facts(earlier=EARLIER), facts(earlier=EARLIER, scores={"unseen": 0.89})),
    ("WARNING", "No progress", facts(earlier=EARLIER), facts(earlier=EARLIER[:1])),
    (
        "WARNING",
        "Slow start",
        facts(training=log([2, 1.95, 1, 1, 1])),
        facts(training=log([2, 1.8, 1, 1, 1])),
    ),
    ("WARNING", "Slow start", facts(training=log([2, 2, 2, 1, 1])), facts(training=log([2, 2, 1, 1]))),
    ("WARNING", "jumps up and down", facts(training=log([2, 1] * 6)), facts(training=log([2, 1] * 4))),
    (
        "WARNING",
        "Lessons dominate",
        facts(dataset=DatasetFacts(100, 41)),
        facts(dataset=DatasetFacts(100, 40)),
    ),
    (
        "WARNING",
        "more than once",
        facts(dataset=DatasetFacts(100, 0, 6)),
        facts(dataset=DatasetFacts(100, 0, 0)),
    ),
    ("SUGGESTION", "more than once", facts(dataset=DatasetFacts(100, 0, 5)), HEALTHY),
    (
        "SUGGESTION",
        "no row teaches",
        facts(mastery=[node("Delay", 0.5, None)], dataset=DatasetFacts(100, types={"Event": 9})),
        facts(mastery=[node("Delay", 0.5, None)], dataset=DatasetFacts(100, types={"Delay": 9})),
    ),
    ("CRITICAL", "Not better than the base", facts(base=base_exam(0.88)), facts(base=base_exam(0.87))),
    ("WARNING", "Known prompts", facts(scores={"seen": 0.99, "unseen": 0.8}), facts(scores={"seen": 0.95})),
    ("WARNING", "not valid programs", facts(scores={"valid": 0.94}), facts(scores={"valid": 0.95})),
    ("WARNING", "cut off", facts(unfinished=6, answers=100), facts(unfinished=5, answers=100)),
    ("CRITICAL", "Branch was forgotten", facts(mastery=[node("Branch", 0.7, 0.85)]), HEALTHY),
    (
        "CRITICAL",
        "Branch was forgotten",
        facts(mastery=[node("Branch", 0.7, 0.85)]),
        facts(mastery=[node("Branch", 0.7, 0.79)]),
    ),
    (
        "SUGGESTION",
        "within the noise",
        facts(mastery=[msgspec.structs.replace(node("Branch", 0.7, 0.85), ci95=(0.3, 0.95))]),
        facts(mastery=[node("Branch", 0.7, 0.85)]),
    ),
    (
        "WARNING",
        "do not improve",
        facts(earlier=EARLIER, node_scores={"Branch": 0.52}),
        facts(earlier=EARLIER, node_scores={"Branch": 0.6}),
    ),
]


@pytest.mark.parametrize(("level", "title", "fires", "silent"), CASES, ids=lambda value: None)
def test_a_rule_fires_above_its_threshold_and_is_silent_below(
    level: str, title: str, fires: Facts, silent: Facts
) -> None:
    def found(given: Facts) -> list[str]:
        return [a.level for a in health.assess(given) if title in a.title]

    assert found(fires) == [level]
    assert level not in found(silent)


def test_every_rule_has_a_case() -> None:
    fired = {rule.__name__ for rule in health.RULES for _, _, given, _ in CASES if rule(given)}
    assert fired == {rule.__name__ for rule in health.RULES}


def test_healthy_facts_are_healthy_and_the_worst_level_names_the_whole() -> None:
    assert health.overall(health.assess(HEALTHY)) == "healthy"
    worse = health.assess(facts(train_loss=0.04, eval_loss=0.30, dataset=DatasetFacts(100, 41)))
    assert health.overall(worse) == "critical" and worse[0].level == "CRITICAL"


def test_missing_parts_silence_rules_instead_of_breaking_them() -> None:
    bare = Facts(entry=HistoryEntry(version=1, date="2026-11-21T17:20:00.000Z"))
    assert health.assess(bare) == []
    record = health.health_record(bare, [])
    assert record["summary"] == {
        "total_alerts": 0,
        "by_level": {"INFO": 0, "SUGGESTION": 0, "WARNING": 0, "CRITICAL": 0},
        "overall_health": "healthy",
    }


def test_the_stage_writes_health_history_and_mastery_of_the_newest_version(tmp_path: Path) -> None:
    project = finished_project(tmp_path)
    run_health(project, 1, Reports())
    result = run_health(project, None, Reports())
    assert result["version"] == "v2"
    record = json.loads((project.results / "health/v2.json").read_text())
    assert record["current"]["scores"]["unseen"] == 0.75 and record["current"]["rows"] == 1600
    assert [row[:1] for row in record["trends"]["loss"]] == [[1], [2]]
    assert [e.version for e in read_history(project)] == [1, 2]
    mastery = json.loads((project.results / "mastery.json").read_text())
    by_type = {n["node_type"]: n for n in mastery["nodes"]}
    assert mastery["version"] == "v2" and by_type["PrintString"]["previous_f1"] == 0.5
    alerts = {a["title"] for a in record["alerts"]}
    assert "Mastery" in alerts and "Training time" in alerts


def test_the_same_version_replaces_its_entry_and_a_run_without_exam_keeps_the_scores(tmp_path: Path) -> None:
    project = finished_project(tmp_path)
    run_health(project, 2, Reports())
    (project.results / "exams/v2/summary.json").unlink()
    run_health(project, 2, Reports())
    assert len(read_history(project)) == 1 and read_history(project)[0].scores["unseen"] == 0.75
    retrained = entry(version=3, date="2026-11-22T00:00:00.000Z", scores={})
    assert updated([ENTRY], retrained) == [
        retrained
    ]  # another adapter under the same number: nothing is inherited


def test_an_exam_older_than_the_adapter_is_left_out_with_a_reason(tmp_path: Path) -> None:
    project = finished_project(tmp_path)
    put_adapter(project, 2, day=25)
    report = Reports()
    run_health(project, 2, report)
    assert any("older than the adapter" in text for text in report.messages)
    assert read_history(project)[0].scores == {}


def test_versions_of_another_profile_are_not_compared(tmp_path: Path) -> None:
    project = finished_project(tmp_path)
    run_health(project, 1, Reports())
    path = project.models / "blueprint-lora-v1/manifest.json"
    entries = json.loads((project.logs / "training_history.json").read_text())
    entries[0]["profile"] = "70b"
    (project.logs / "training_history.json").write_text(json.dumps(entries))
    run_health(project, 2, Reports())
    record = json.loads((project.results / "health/v2.json").read_text())
    assert path.exists() and len(record["trends"]["loss"]) == 1


def test_critical_and_warning_findings_reach_the_page(tmp_path: Path) -> None:
    project = finished_project(tmp_path)
    put_exam(project, "v2", day=21, unseen=0.05, seen=0.99)
    report = Reports()
    result = run_health(project, 2, report)
    assert result["overall_health"] == "critical"
    assert ("critical", "Not better than the base model") in report.alerts
    assert {level for level, _ in report.alerts} <= {"critical", "warning"}


def test_nothing_trained_says_so_and_an_unknown_version_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(NothingNewError, match="nothing has been trained yet") as caught:
        run_health(Project(tmp_path), None, Reports())
    assert caught.value.exit_code == 3 and caught.value.next_command == "python launch_pipeline.py"
    project = finished_project(tmp_path)
    with pytest.raises(InputError, match="v1, v2"):
        run_health(project, 7, Reports())
    with pytest.raises(InputError, match="not a version"):
        parse_version("newest")
    assert parse_version("v10") == 10


@pytest.mark.parametrize(
    ("path", "text", "names"),
    [
        (
            "models/blueprint-lora-v2/training_log.json",
            '{"train": [[1, "low"]]}',
            r"training_log.json.*\$.train",
        ),
        ("results/exams/v2/summary.json", '{"version": "v2"', "summary.json, line 1"),
        ("results/exams/v2/holdout_01.jsonl", '{"prompt_id": 7}\n', "holdout_01.jsonl"),
        ("results/evaluations/v2.json", "[]", "v2.json"),
        ("logs/training_history.json", '[{"version": "two"}]', "training_history.json"),
    ],
)
def test_a_record_of_the_wrong_shape_names_file_and_field(
    tmp_path: Path, path: str, text: str, names: str
) -> None:
    project = finished_project(tmp_path)
    put_state(project)
    (project.root / path).parent.mkdir(parents=True, exist_ok=True)
    (project.root / path).write_text(text)
    with pytest.raises(InputError, match=names):
        run_health(project, 2, Reports())
    assert (project.root / path).read_text() == text  # unreadable is not empty: it is not overwritten
