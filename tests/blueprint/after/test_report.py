"""The report says in plain words what happened, and in plain words what is missing."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest
from run_records import RUN, answer, finished_project, put, put_adapter, put_exam, put_state

from nightforge.backup.history import hub_status, read_history
from nightforge.backup.snapshot import Request, create_backup
from nightforge.blueprint.champion import decide, paired, read_champion, update_champion
from nightforge.blueprint.health_stage import run_health
from nightforge.blueprint.report_stage import BackupFacts
from nightforge.blueprint.report_stage import update_dashboard as write_both
from nightforge.blueprint.results import ExamRecord, read_version
from nightforge.config.schema import Backup
from nightforge.core.errors import InputError
from nightforge.core.paths import Project


class Reports:
    def __init__(self) -> None:
        self.alerts: list[str] = []

    def phase(self, step: str, title: str) -> None: ...

    def watch(self, phase: str, done: int = 0) -> None: ...

    def progress(self, done: int, total: int, unit: str) -> None: ...

    def metric(self, **values: Any) -> None: ...

    def message(self, text: str) -> None: ...

    def alert(self, level: str, title: str, detail: str = "", next_command: str | None = None) -> None:
        self.alerts.append(f"{level} {title} {detail}")


def update_dashboard(project: Project, run_dir: Path | None, report: Reports) -> dict[str, Any]:
    backups = BackupFacts(hub_status(project), read_history(project.backups))
    return write_both(project, run_dir, report, backups)


def hub(project: Project) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(
        (project.results / "dashboard.json").read_text(), parse_constant=no_nan
    )
    return value


def no_nan(name: str) -> None:
    raise AssertionError(f"{name} is no JSON: the page could not read it")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return finished_project(tmp_path)


def full_run(project: Project) -> str:
    create_backup(project, Backup(), Request(trigger="post_train", run_id=RUN), Reports())
    run_health(project, 2, Reports())
    result = update_dashboard(project, project.run_dir(RUN), Reports())
    return (project.root / result["report"]).read_text(encoding="utf-8")


def test_the_report_of_a_full_run_answers_every_question_on_one_page(project: Project) -> None:
    text = full_run(project)
    for words in (
        f"# Run {RUN}",
        "**v2** was trained. It scores 0.75 (0.70–0.80) on 12 prompts it has never seen",
        "the base model alone 0.10",
        "against v1 that is +0.20 (+0.20 to +0.20 over 12 shared prompts)",
        "profile tiny",
        "1,600 rows, 200 steps, 1 min 02 s",
        "| unseen | 12 | 0.75 (0.70–0.80) | 1.00",
        "| near | 0 | none asked",
        "| seen | 8 | 0.80",
        "the adapter adds +0.65",
        "9 of 11 tests passed, mean score 0.86.\n\nNot passed: T9, T10.",
        "| weakest |",
        "PrintString | 1.00",
        "## Health",
        "-post_train-v2`: ",
        "read back and equal at",
        "no mirror is configured",
        "| 04 Train LoRA adapter | succeeded | 3 min 00 s |",
        "python scripts/07_inference.py --model models/blueprint-lora-v2",
    ):
        assert words in text, words
    assert len(text.splitlines()) < 90 and "None" not in text and "nan" not in text


def test_a_run_without_an_exam_says_so_instead_of_showing_zeros(project: Project) -> None:
    for name in ("exams/v2/summary.json", "evaluations/v2.json"):
        (project.results / name).unlink()
    state = json.loads((project.run_dir(RUN) / "state.json").read_text())
    state["mode"] = "train-only"
    state["stages"] = state["stages"][:2]
    put(project.run_dir(RUN) / "state.json", state)
    text = (project.root / update_dashboard(project, project.run_dir(RUN), Reports())["report"]).read_text()
    assert "nobody knows yet how good it is" in text
    assert "The exam was not part of this run (mode train-only)." in text
    assert "The evaluation was not part of this run" in text
    assert "python launch_pipeline.py --eval-only" in text
    assert "No backup was made in this run." in text and "Mastery is not known" in text
    assert hub(project)["versions"][1]["exam"] is None and hub(project)["champion"] is None


def test_a_failed_exam_is_named_with_its_reason_and_the_way_on(project: Project) -> None:
    (project.results / "exams/v2/summary.json").unlink()
    put_state(project, failed="12")
    text = (project.root / update_dashboard(project, project.run_dir(RUN), Reports())["report"]).read_text()
    assert "The exam failed: out of memory." in text
    assert "| 12 Exam | failed, out of memory |" in text
    assert "python launch_pipeline.py --resume" in text


def test_figures_of_an_earlier_exam_are_called_that(project: Project) -> None:
    put_state(project, failed="12")
    text = (project.root / update_dashboard(project, project.run_dir(RUN), Reports())["report"]).read_text()
    assert "The exam failed: out of memory. These figures are from an exam before that." in text


def test_a_run_that_trained_nothing_new_speaks_of_the_newest_version(project: Project) -> None:
    folder = project.run_dir("20261122-010000-bbbb")
    put(folder / "state.json", {"run_id": folder.name, "mode": "eval-only", "profile": "tiny", "stages": []})
    text = (project.root / update_dashboard(project, folder, Reports())["report"]).read_text()
    assert "No new adapter was trained; this is about **v2**" in text


def test_by_hand_the_report_goes_to_results_and_an_empty_project_gets_the_first_command(
    tmp_path: Path,
) -> None:
    empty = Project(tmp_path)
    result = update_dashboard(empty, None, Reports())
    text = (tmp_path / "results/report.md").read_text()
    assert result["report"] == "results/report.md" and result["version"] is None
    assert "Nothing has been trained yet" in text and "python launch_pipeline.py" in text
    assert hub(empty)["champion"] is None and hub(empty)["versions"] == []


def test_the_hub_holds_every_part_of_its_schema(project: Project) -> None:
    full_run(project)
    data = hub(project)
    assert data["champion"] == {
        "version": "v2",
        "run_id": RUN,
        "unseen": {"value": 0.75, "ci95": [0.7, 0.8]},
        "valid": {"value": 1.0, "ci95": [0.95, 1.0]},
        "all": {"value": 0.77, "ci95": [0.72, 0.8200000000000001]},
    }
    assert data["previous"]["version"] == "v1" and data["base"]["unseen"]["value"] == 0.1
    assert [row["version"] for row in data["versions"]] == ["v1", "v2"]
    row = data["versions"][1]
    assert row["train_rows"] == 1600 and row["evaluation"] == {"passed": 9, "total": 11, "mean_score": 0.86}
    assert row["exam"]["unseen"]["n"] == 12 and "near" not in row["exam"]
    assert data["dataset"]["train"] == 100 and data["dataset"]["node_types"] == 3
    assert data["backup"]["status"] == "ok" and data["backup"]["verified_at"]
    assert data["health"]["overall"] in {"healthy", "suggestion", "warning", "critical"}
    assert {node["node_type"] for node in data["mastery"]} >= {"Event", "PrintString", "Branch"}


def test_only_the_base_model_the_adapter_was_trained_on_is_compared(project: Project) -> None:
    path = project.results / "exams/base-abcdef01/summary.json"
    put(path, {**json.loads(path.read_text()), "base_hash": "another"})
    update_dashboard(project, None, Reports())
    assert hub(project)["base"] is None
    assert "the base model was not examined" in (project.results / "report.md").read_text()


def test_a_loss_that_is_not_a_number_stays_out_of_the_files(project: Project) -> None:
    path = project.models / "blueprint-lora-v2/training_log.json"
    log = json.loads(path.read_text())
    log["train"][-1][1] = float("nan")
    put(path, log)
    text = full_run(project)
    assert hub(project)["versions"][1]["loss"] is None and "loss not known in training" in text
    assert "The loss is not a number" in text
    json.loads((project.results / "health/v2.json").read_text(), parse_constant=no_nan)
    json.loads((project.logs / "training_history.json").read_text(), parse_constant=no_nan)


def test_v10_is_newer_than_v9(project: Project) -> None:
    for version in (9, 10):
        put_adapter(project, version, day=22 + version % 9)
        put_exam(project, f"v{version}", day=22 + version % 9, unseen=0.8)
    update_dashboard(project, None, Reports())
    assert hub(project)["champion"]["version"] == "v10" and hub(project)["previous"]["version"] == "v9"


def test_the_champion_stays_when_the_new_version_is_worse_and_the_report_says_why(project: Project) -> None:
    update_champion(project, read_version(project, 2))
    put_adapter(project, 3, day=23)
    put_exam(project, "v3", day=23, unseen=0.5)
    result = update_dashboard(project, None, Reports())
    champion = read_champion(project)
    assert champion is not None and champion.version == 2 and not result["promoted"]
    assert result["reason"] == "v2 stays champion: v3 scores -0.25 on 12 shared unseen prompts"
    first_section = (project.results / "report.md").read_text().split("##")[0]
    assert " v2 stays champion: v3 scores -0.25" in first_section
    assert hub(project)["champion"]["version"] == "v2"


def test_an_equal_version_is_promoted_and_one_without_exam_never(project: Project) -> None:
    update_champion(project, read_version(project, 2))
    put_adapter(project, 3, day=23)
    assert not decide(read_version(project, 3), read_version(project, 2)).promote
    put_exam(project, "v3", day=23, unseen=0.75)
    assert update_champion(project, read_version(project, 3)).promote
    champion = read_champion(project)
    assert champion is not None and champion.version == 3 and champion.score == 0.75
    assert not update_champion(project, read_version(project, 3)).promote  # it is the champion already


def test_a_version_no_better_than_the_base_model_is_never_champion(project: Project) -> None:
    put_exam(project, "base-abcdef01", day=20, unseen=0.75)
    result = update_dashboard(project, None, Reports())
    assert result["reason"].startswith(
        "v2 was not promoted: not better than the base model, 0.75 against 0.75"
    )
    assert read_champion(project) is None and hub(project)["champion"] is None
    assert hub(project)["previous"]["version"] == "v1"


def test_a_deleted_champion_is_replaced(project: Project) -> None:
    put(
        project.models / "champion.json",
        {"version": 7, "score": 0.99, "promoted_at": "2026-11-01T00:00:00.000Z"},
    )
    assert update_champion(project, read_version(project, 2)).promote


def test_a_broken_old_record_costs_one_row_and_a_broken_new_one_stops(project: Project) -> None:
    put(project.results / "exams/v1/summary.json", "{}")
    report = Reports()
    update_dashboard(project, None, report)
    assert [row["version"] for row in hub(project)["versions"]] == ["v2"]
    assert "v1 is left out" in report.alerts[0] and "summary.json" in report.alerts[0]
    put(project.results / "exams/v2/summary.json", "{}")
    with pytest.raises(InputError, match="v2/summary.json"):
        update_dashboard(project, None, Reports())


def test_only_prompts_both_answered_are_compared_and_chance_is_called_chance() -> None:
    def exam(scores: dict[str, float]) -> list[ExamRecord]:
        return [msgspec.convert(answer(name, "unseen", s, {}), ExamRecord) for name, s in scores.items()]

    old = exam({"a": 0.5, "b": 0.5, "gone": 0.0})
    new = exam({"a": 1.0, "b": 0.2, "new": 1.0})
    change = paired(new, old, random.Random(1))
    assert change is not None and change.n == 2 and change.mean == pytest.approx(0.1)
    assert change.ci95 == (pytest.approx(-0.3), pytest.approx(0.5))
    assert paired(new, exam({"x": 1.0}), random.Random(1)) is None


def test_a_state_with_an_unreadable_time_is_named(project: Project) -> None:
    state = json.loads((project.run_dir(RUN) / "state.json").read_text())
    state["stages"][0]["ended_at"] = "yesterday"
    put(project.run_dir(RUN) / "state.json", state)
    with pytest.raises(InputError, match=r"state.json: stage 03"):
        update_dashboard(project, project.run_dir(RUN), Reports())


def test_the_champions_valid_share_is_that_of_its_unseen_prompts(project: Project) -> None:
    full_run(project)
    path = project.root / "results/exams/v2/summary.json"
    summary = json.loads(path.read_text())
    summary["free"]["by_exposure"]["unseen"]["valid"] = {"value": 0.5, "ci95": [0.3, 0.7]}
    path.write_text(json.dumps(summary))
    update_dashboard(project, project.run_dir(RUN), Reports())
    assert hub(project)["champion"]["valid"]["value"] == 0.5
    assert hub(project)["versions"][1]["exam"]["all"]["valid"]["value"] == 1.0


def test_failed_attempts_and_what_recoveries_changed_are_in_the_report(project: Project) -> None:
    folder = project.run_dir(RUN)
    state = json.loads((folder / "state.json").read_text())
    cause = "a training step does not fit into memory"
    facts = {"words": "out of memory in training", "seconds": 66.0, "mark_before": None, "mark_after": 80}
    state["errors"] = [{"stage": "04", "attempt": 1, "kind": "oom_train", "message": cause, **facts}]
    state["recoveries"] = [
        {
            "stage": "04",
            "setting": "micro-batch x accumulation",
            "old": "8 x 1",
            "new": "4 x 2",
            "reason": cause,
        }
    ]
    put(folder / "state.json", state)
    update_dashboard(project, folder, Reports())
    text = (folder / "report.md").read_text()
    assert f"| 04, 1 | out of memory in training | 1 min 06 s | - | 80 | {cause} |" in text
    assert f"- changed: stage 04, micro-batch x accumulation 8 x 1 -> 4 x 2 ({cause})" in text
