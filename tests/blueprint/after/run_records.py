"""A finished run on disk, as stages 04, 12, 09, 20 and the orchestrator write it; small, with every field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from nightforge.core.paths import Project

RUN = "20261121-171500-3f2a"


def put(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value, indent=1)
    path.write_text(text, encoding="utf-8")


def estimate(value: float, half: float = 0.05) -> dict[str, Any]:
    return {"value": value, "ci95": [max(0.0, value - half), min(1.0, value + half)]}


def scores(n: int, score: float, valid: float = 1.0) -> dict[str, Any]:
    names = ("exact", "node_f1", "wire_f1", "property_acc", "score")
    return {"n": n, "valid": estimate(valid), **{name: estimate(score) for name in names}}


def answer(
    prompt: str, exposure: str, score: float, types: dict[str, tuple[int, int, int]]
) -> dict[str, Any]:
    return {
        "prompt_id": prompt,
        "lesson_id": "holdout_01" if exposure == "unseen" else "lesson_01",
        "category": "basics",
        "exposure": exposure,
        "instruction": f"Print a greeting ({prompt})",
        "expected_dsl": "...",
        "actual_dsl": "...",
        "raw_output": "...",
        "valid": score > 0,
        "exact": score == 1.0,
        "node_f1": score,
        "wire_f1": score,
        "property_acc": score,
        "score": score,
        "missing_nodes": [name for name, (wanted, found, _) in types.items() if found < wanted],
        "reasons": [
            f"node {name} is missing" for name, (wanted, found, _) in types.items() if found < wanted
        ],
        "extra_nodes": [],
        "missing_wires": [],
        "extra_wires": [],
        "errors": [],
        "node_types": {k: {"expected": e, "matched": m, "actual": a} for k, (e, m, a) in types.items()},
        "tokens": 60,
        "finished": True,
    }


def put_adapter(project: Project, version: int, *, day: int, run_id: str = RUN, loss: float = 0.1) -> None:
    folder = project.models / f"blueprint-lora-v{version}"
    put(folder / "adapter_model.safetensors", "weights")
    steps = range(10, 210, 10)
    log = {
        "train": [[step, loss + 2.0 * 0.85 ** (step / 10)] for step in steps],
        "eval": [[step, loss + 0.02 + 2.0 * 0.8 ** (step / 10)] for step in steps if step % 50 == 0],
        "lr": [[step, 2e-4] for step in steps],
        "seconds": 61.5,
        "steps": 200,
        "rows": 1600,
        "tokens": 300_000,
    }
    put(folder / "training_log.json", log)
    put(folder / "training_config.json", {"training": {"epochs": 1, "learning_rate": 0.0002}})
    manifest = {
        "schema_version": 1,
        "version": version,
        "created_at": f"2026-11-{day:02d}T17:20:00.000Z",
        "run_id": run_id,
        "profile": "tiny",
        "base_model": "tiny",
        "base_hash": "abcdef0123456789",
        "data_hash": "d" * 16,
        "files": {"adapter_model.safetensors": "0" * 64},
    }
    put(folder / "manifest.json", manifest)


def put_exam(project: Project, name: str, *, day: int, unseen: float, seen: float | None = None) -> None:
    seen = unseen + 0.05 if seen is None else seen
    folder = project.results / "exams" / name
    held_out = [
        answer(f"H{i:02d}", "unseen", unseen, {"Event": (1, 1, 1), "PrintString": (2, round(2 * unseen), 2)})
        for i in range(12)
    ]
    lesson = [answer(f"L{i:02d}", "seen", seen, {"Event": (1, 1, 1), "Branch": (1, 1, 1)}) for i in range(8)]
    put(folder / "holdout_01.jsonl", "".join(json.dumps(row) + "\n" for row in held_out))
    put(folder / "lesson_01.jsonl", "".join(json.dumps(row) + "\n" for row in lesson))
    summary = {
        "schema_version": 1,
        "version": "base" if name.startswith("base") else name,
        "model": f"models/blueprint-lora-{name}",
        "base_model": "tiny",
        "base_hash": "abcdef0123456789",
        "profile": "tiny",
        "run_id": RUN,
        "created_at": f"2026-11-{day:02d}T17:25:00.000Z",
        "batch": 32,
        "tokens_per_s": 700.0,
        "seconds": 9.5,
        "n_prompts": 20,
        "free": {
            "all": scores(20, (12 * unseen + 8 * seen) / 20),
            "by_exposure": {"unseen": scores(12, unseen), "seen": scores(8, seen), "near": scores(0, 0.0)},
            "by_lesson": {"holdout_01": scores(12, unseen), "lesson_01": scores(8, seen)},
            "by_category": {"basics": scores(20, unseen)},
            "by_node_type": {
                "Event": {"n": 20, "precision": 1.0, "recall": 1.0, "f1": 1.0, "ci95": [0.9, 1.0]}
            },
        },
    }
    put(folder / "summary.json", summary)


def put_evaluation(project: Project, version: int, *, day: int) -> None:
    results = [
        {
            "test_id": f"T{i}",
            "tier": 1 + i // 4,
            "prompt": "Print",
            "passed": i < 9,
            "score": 1.0 if i < 9 else 0.25,
            "output": "...",
            "checks": [{"name": "valid", "ok": True, "detail": ""}],
            "errors": [],
        }
        for i in range(11)
    ]
    value = {
        "schema_version": 1,
        "version": f"v{version}",
        "model": f"models/blueprint-lora-v{version}",
        "created_at": f"2026-11-{day:02d}T17:27:00.000Z",
        "summary": {"total": 11, "passed": 9, "mean_score": 0.86, "seconds": 3.0},
        "results": results,
        "compare": None,
    }
    put(project.results / "evaluations" / f"v{version}.json", value)


def put_data(project: Project) -> None:
    rows = [
        {
            "id": f"r{i}",
            "instruction": f"Do {i}",
            "output": "...",
            "source": {"kind": "lesson" if i % 10 == 0 else "synthetic", "ref": "x"},
            "hash": f"{i:016x}",
            "structure": "s",
            "split": "train",
        }
        for i in range(100)
    ]
    put(project.blueprint_data / "train.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    dataset = {
        "schema_version": 1,
        "rows": 105,
        "train": 100,
        "val": 5,
        "by_source": {"synthetic": 95, "lesson": 10},
        "node_types": {"Event": 100, "PrintString": 40, "Branch": 9},
        "hash": "d" * 16,
    }
    put(project.blueprint_data / "dataset.json", dataset)


def put_state(project: Project, *, failed: str | None = None) -> Path:
    def stage(key: str, title: str, start: int, end: int) -> dict[str, Any]:
        status = "failed" if key == failed else "succeeded"
        return {
            "id": key,
            "title": title,
            "phase": 1,
            "status": status,
            "attempt": 1,
            "started_at": f"2026-11-21T17:{start:02d}:00.000Z",
            "ended_at": f"2026-11-21T17:{end:02d}:00.000Z",
            "message": "out of memory" if key == failed else "",
        }

    state = {
        "schema_version": 1,
        "run_id": RUN,
        "pipeline": "blueprint",
        "profile": "tiny",
        "mode": "full",
        "status": "running",
        "started_at": "2026-11-21T17:15:00.000Z",
        "stages": [
            stage("03", "Generate synthetic data", 15, 16),
            stage("04", "Train LoRA adapter", 16, 19),
            stage("12", "Exam", 19, 21),
        ],
        "errors": [],
        "alerts": [],
    }
    folder = project.run_dir(RUN)
    put(folder / "state.json", state)
    return folder


def finished_project(root: Path) -> Project:
    """Two versions: v1 of the day before, v2 of the run; base, exam, evaluation, data and state."""
    project = Project(root)
    put(project.config_file, "{}")
    put_adapter(project, 1, day=20, run_id="20261120-171500-aaaa")
    put_exam(project, "v1", day=20, unseen=0.55)
    put_evaluation(project, 1, day=20)
    put_adapter(project, 2, day=21)
    put_exam(project, "v2", day=21, unseen=0.75)
    put_evaluation(project, 2, day=21)
    put_exam(project, "base-abcdef01", day=20, unseen=0.10)
    put_data(project)
    put_state(project)
    return project
