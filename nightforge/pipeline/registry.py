"""The stages of each pipeline, one row each; adding a stage is one row here, one script, one function, one
test.

Standard library only and cheap to import: `--help`, `--dry-run` and the docs read this table too.
"""

from __future__ import annotations

from typing import NamedTuple


class StageSpec(NamedTuple):
    """One stage of a plan; `key` is unique in a plan.

    `reads` and `writes` are project paths whose content decides whether an earlier result still stands; a
    folder ends with `/`, `vN` is the newest adapter version.
    """

    key: str
    script: str
    title: str
    phase: int
    kind: str  # data | validate | training | eval | exam | utility: decides retries and stall limits
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    args: tuple[str, ...] = ()
    force_args: tuple[str, ...] = ()  # added by --force: do it again although nothing is new
    always: bool = False  # runs each time: its work is about the run itself
    gpu: bool = False  # computes on the GPU where there is one: passes the GPU gate before each attempt
    work: tuple[str, ...] = ()  # project files whose size its duration grows with; without: none it knows of

    @property
    def number(self) -> str:
        """Return the two digits of the script."""
        return self.script.rsplit("/", 1)[-1][:2]


PHASES: dict[int, str] = {
    1: "Data",
    2: "Pre-flight",
    3: "Model",
    4: "Training",
    5: "Post-training",
    6: "Exam",
    7: "Evaluation",
    8: "Lessons",
    9: "Report",
}

_ROWS = ("data/blueprint/train.jsonl", "data/blueprint/val.jsonl")
_ADAPTER = "models/blueprint-lora-vN/"

BLUEPRINT: tuple[StageSpec, ...] = (
    StageSpec(
        key="03",
        script="scripts/03_generate_synthetic_data.py",
        title="Generate synthetic data",
        phase=1,
        kind="data",
        reads=("nightforge/blueprint/catalog.json", "results/next_lessons.json"),
        writes=("data/blueprint/synthetic.jsonl",),
    ),
    StageSpec(
        key="13",
        script="scripts/13_lesson_to_training.py",
        title="Lessons to training rows",
        phase=1,
        kind="data",
        reads=("lessons/",),
        writes=("data/blueprint/lessons.jsonl",),
    ),
    StageSpec(
        key="20",
        script="scripts/20_deduplicate_dataset.py",
        title="Merge, de-duplicate, split, leak gate",
        phase=1,
        kind="data",
        reads=(
            "data/blueprint/synthetic.jsonl",
            "data/blueprint/lessons.jsonl",
            "data/blueprint/manual.jsonl",
            "data/blueprint/translated/",
            "lessons/",
            "nightforge/blueprint/catalog.json",
            "nightforge/blueprint/evaluation_tests.json",
        ),
        writes=(
            *_ROWS,
            "data/blueprint/dataset.json",
            "data/blueprint/card.json",
            "data/blueprint/card.md",
        ),
        work=(
            "data/blueprint/synthetic.jsonl",
            "data/blueprint/lessons.jsonl",
            "data/blueprint/manual.jsonl",
        ),
    ),
    StageSpec(
        key="06",
        script="scripts/06_validate_dsl.py",
        title="Validate the training set",
        phase=2,
        kind="validate",
        reads=_ROWS,
        writes=(),
        args=_ROWS,
        work=_ROWS,
    ),
    StageSpec(
        key="08",
        script="scripts/08_generate_system_prompt.py",
        title="System prompt",
        phase=2,
        kind="data",
        reads=("nightforge/blueprint/catalog.json",),
        writes=("data/blueprint/system_prompt.txt",),
    ),
    StageSpec(
        key="00",
        script="scripts/00_build_tiny_base.py",
        title="Base model",
        phase=3,
        kind="training",
        reads=("lessons/",),
        writes=("models/tiny-base/",),
        gpu=True,
    ),
    StageSpec(
        key="16-pre",
        script="scripts/16_backup.py",
        title="Backup before training",
        phase=4,
        kind="utility",
        reads=("data/blueprint/", "lessons/", "results/", "models/"),
        writes=("backups/",),
        args=("--trigger", "pre_train"),
        always=True,
    ),
    StageSpec(
        key="04",
        script="scripts/04_train_blueprint_lora.py",
        title="Train LoRA adapter",
        phase=4,
        kind="training",
        reads=(*_ROWS, "data/blueprint/system_prompt.txt", "models/tiny-base/"),
        writes=(_ADAPTER,),
        force_args=("--force",),
        gpu=True,
        work=_ROWS,
    ),
    StageSpec(
        key="16-post",
        script="scripts/16_backup.py",
        title="Backup the new adapter",
        phase=5,
        kind="utility",
        reads=(_ADAPTER,),
        writes=("backups/",),
        args=("--trigger", "post_train"),
        always=True,
    ),
    StageSpec(
        key="12",
        script="scripts/12_run_exam.py",
        title="Exam",
        phase=6,
        kind="exam",
        reads=("lessons/", "data/blueprint/train.jsonl", _ADAPTER),
        writes=("results/exams/vN/",),
        gpu=True,
    ),
    StageSpec(
        key="09",
        script="scripts/09_evaluate_model.py",
        title="Evaluation",
        phase=7,
        kind="eval",
        reads=(_ADAPTER,),
        writes=("results/evaluations/vN.json",),
        gpu=True,
    ),
    StageSpec(
        key="19",
        script="scripts/19_training_health_monitor.py",
        title="Health and mastery",
        phase=8,
        kind="utility",
        reads=("results/exams/vN/", "results/evaluations/vN.json", _ADAPTER),
        writes=("results/health/vN.json", "results/mastery.json", "logs/training_history.json"),
    ),
    StageSpec(
        key="13-next",
        script="scripts/13_lesson_to_training.py",
        title="Plan next lessons",
        phase=8,
        kind="data",
        reads=("results/mastery.json", "results/exams/vN/"),
        writes=("results/next_lessons.json",),
        args=("--plan-next",),
    ),
    StageSpec(
        key="16-exam",
        script="scripts/16_backup.py",
        title="Backup the results",
        phase=9,
        kind="utility",
        reads=("results/", "lessons/", _ADAPTER),
        writes=("backups/",),
        args=("--trigger", "exam"),
        always=True,
    ),
    StageSpec(
        key="14",
        script="scripts/14_update_dashboard.py",
        title="Report and hub data",
        phase=9,
        kind="utility",
        reads=("results/", "models/", "logs/runs/"),
        writes=("results/dashboard.json", "models/champion.json", "logs/runs/<run_id>/report.md"),
        always=True,
    ),
)

# Copies from the Unreal editor; these stages are part of a plan while the folder exists.
EXPORTS = "data/blueprint/exports"
EXPORT_STAGES: tuple[StageSpec, ...] = (
    StageSpec(
        key="01",
        script="scripts/01_analyze_blueprint_clipboard.py",
        title="Analyse copies from the editor",
        phase=1,
        kind="data",
        reads=(f"{EXPORTS}/",),
        writes=("data/blueprint/analysis/",),
        work=(f"{EXPORTS}/",),
    ),
    StageSpec(
        key="05",
        script="scripts/05_auto_translate_export.py",
        title="Translate copies from the editor",
        phase=1,
        kind="data",
        reads=(f"{EXPORTS}/", "nightforge/blueprint/catalog.json"),
        writes=("data/blueprint/translated/",),
        work=(f"{EXPORTS}/",),
    ),
)

PIPELINES: dict[str, tuple[StageSpec, ...]] = {"blueprint": BLUEPRINT}
# Which phases each mode runs, first and last included.
MODES: dict[str, tuple[int, int]] = {
    "full": (1, 9),
    "data-only": (1, 2),
    "train-only": (3, 5),
    "eval-only": (6, 9),
}
