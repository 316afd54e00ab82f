"""The stages of each pipeline, one row each; adding a stage is one row here, one script, one function, one
test.

Standard library only and cheap to import: `--help`, `--dry-run` and the docs read this table too.
"""

from __future__ import annotations

from typing import NamedTuple


class StageSpec(NamedTuple):
    """One stage of a plan; `key` is unique in a plan.

    `reads` and `writes` are project paths whose content decides whether an earlier result still stands; a
    folder ends with `/`, `*` is a pattern, `vN` the newest version, `<label>` the newest decisions.
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
    language_model: bool = True  # False: nothing of it depends on the base model of the configuration
    stream: str = ""  # of the anomaly track: part of a plan while this stream is enabled
    nodes: tuple[str, ...] = ()  # boxes of the track's graph that show how this stage is getting on

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

ANOMALY_PHASES: dict[int, str] = {
    1: "Data",
    2: "Training",
    3: "Calibration",
    4: "Decisions",
    5: "Backup",
    6: "Validation",
    7: "Export",
}

# Where the user's own files lie unless the configuration says otherwise.
RAW_DATA: dict[str, tuple[str, str]] = {
    "patchtst": ("data/local/train/fdc/*", "data/local/test/fdc/*"),
    "swinmae": ("data/local/train/vib/*", "data/local/test/vib/*"),
}
# How the names of a stream's own files can be told.
STREAM_MARKS: dict[str, tuple[str, ...]] = {"patchtst": ("patchtst", "fdc"), "swinmae": ("swin", "vib")}


def _prepared(which: str, *folders: str) -> tuple[str, ...]:
    names = ("dataset.json", "profile.json", "split.json", "rows/")
    return tuple(f"data/anomaly/{folder}/{which}/{name}" for folder in folders for name in names)


_PATCHTST, _SWIN = "models/patchtst-vN/", "models/swin-mim-vN/"
_DETECTORS = ("models/anomaly-patchtst-vN/", "models/anomaly-swinmae-vN/")
_RESULT = "results/anomaly/runs/<label>"

ANOMALY: tuple[StageSpec, ...] = tuple(
    spec._replace(language_model=False)
    for spec in (
        StageSpec(
            key="21",
            script="scripts/21_check_sensor_data.py",
            title="Check and prepare sensor data",
            phase=1,
            kind="data",
            reads=(*RAW_DATA["patchtst"], *RAW_DATA["swinmae"]),
            writes=(
                *_prepared("train", "fdc", "vib"),
                *_prepared("score", "fdc", "vib"),
                "results/anomaly/quality/fdc.json",
                "results/anomaly/quality/vib.json",
            ),
            nodes=("data-prep", "dqvl", "batch-import", "batch-dqvl"),
        ),
        StageSpec(
            key="22",
            script="scripts/22_train_patchtst.py",
            title="Train PatchTST on sensor tables",
            phase=2,
            kind="training",
            reads=_prepared("train", "fdc"),
            writes=(_PATCHTST,),
            force_args=("--force",),
            gpu=True,
            stream="patchtst",
            nodes=("patchtst",),
        ),
        StageSpec(
            key="23",
            script="scripts/23_train_swin_mim.py",
            title="Train Swin on vibration",
            phase=2,
            kind="training",
            reads=_prepared("train", "vib"),
            writes=(_SWIN,),
            force_args=("--force",),
            gpu=True,
            stream="swinmae",
            nodes=("swinmae",),
        ),
        StageSpec(
            key="24",
            script="scripts/24_calibrate_thresholds.py",
            title="Fit and calibrate detectors",
            phase=3,
            kind="eval",
            reads=(*_prepared("train", "fdc", "vib"), _PATCHTST, _SWIN),
            writes=_DETECTORS,
            force_args=("--force",),
            work=("data/anomaly/fdc/train/rows", "data/anomaly/vib/train/rows"),
            nodes=("calibrate",),
        ),
        StageSpec(
            key="25",
            script="scripts/25_score_batch.py",
            title="Score and decide",
            phase=4,
            kind="eval",
            reads=(*_prepared("score", "fdc", "vib"), _PATCHTST, _SWIN, *_DETECTORS),
            writes=(
                "results/anomaly/latest.json",
                f"{_RESULT}/summary.json",
                f"{_RESULT}/patchtst_events.json",
                f"{_RESULT}/swinmae_events.json",
                f"{_RESULT}/report.html",
            ),
            work=("data/anomaly/fdc/score/rows", "data/anomaly/vib/score/rows"),
            nodes=(
                "batch-orchestrator",
                "batch-patchtst",
                "batch-swinmae",
                "batch-decision",
                "batch-report",
            ),
        ),
        StageSpec(
            key="16-post",
            script="scripts/16_backup.py",
            title="Backup models and decisions",
            phase=5,
            kind="utility",
            reads=(_PATCHTST, _SWIN, *_DETECTORS, "results/"),
            writes=("backups/",),
            args=("--trigger", "post_train"),
            always=True,
            nodes=("artifact-save",),
        ),
        StageSpec(
            key="26",
            script="scripts/26_validate_training_outputs.py",
            title="Validate everything",
            phase=6,
            kind="validate",
            reads=(_PATCHTST, _SWIN, *_DETECTORS, f"{_RESULT}/", "backups/"),
            writes=(f"{_RESULT}/checklist.json", f"{_RESULT}/bundle.zip"),
            always=True,
            nodes=(
                "validation-gate",
                "checkpoint-check",
                "scaler-check",
                "runs-check",
                "config-check",
                "release-ready",
            ),
        ),
        StageSpec(
            key="27",
            script="scripts/27_export_dashboard_state.py",
            title="Export, history, report",
            phase=7,
            kind="utility",
            reads=("results/anomaly/", "models/", "logs/runs/"),
            writes=(
                "results/anomaly/dashboard-state.json",
                "results/anomaly/history/index.json",
                "logs/runs/<run_id>/report.md",
            ),
            always=True,
            nodes=("batch-bridge", "report", "run-summary"),
        ),
    )
)

PIPELINES: dict[str, tuple[StageSpec, ...]] = {"blueprint": BLUEPRINT, "anomaly": ANOMALY}
# Which phases each mode runs.
MODES: dict[str, tuple[int, ...]] = {
    "full": (1, 2, 3, 4, 5, 6, 7, 8, 9),
    "data-only": (1, 2),
    "train-only": (3, 4, 5),
    "eval-only": (6, 7, 8, 9),
}
ANOMALY_MODES: dict[str, tuple[int, ...]] = {
    "full": (1, 2, 3, 4, 5, 6, 7),
    "data-only": (1,),
    "train-only": (2, 3, 5),
    "eval-only": (4, 6, 7),
}


def phases_of(pipeline: str) -> dict[int, str]:
    """Return number -> title of a pipeline's phases."""
    return ANOMALY_PHASES if pipeline == "anomaly" else PHASES


def modes_of(pipeline: str) -> dict[str, tuple[int, ...]]:
    """Return mode -> the phases it runs."""
    return ANOMALY_MODES if pipeline == "anomaly" else MODES
