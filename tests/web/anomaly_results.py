"""Writes what stages 21 to 27 leave for the anomaly page: results of one run, two in the history."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from nightforge.core.paths import Project

LABEL = "20261121-171500-3f2a"
EARLIER = "20261118-201000-77aa"
MADE = "2026-11-21T17:18:00.000Z"
ATTACK = "<img src=x onerror=window.hacked=1>"
FILES = {"patchtst": ("line-1.csv", "line-2.csv"), "swinmae": ("pump-7.csv", "pump-8.csv")}
THRESHOLDS = {"warn": 2.1, "anomaly": 3.4, "alpha_warn": 0.05, "alpha_anomaly": 0.01, "n": 480}
CHECKS = (
    ("checkpoints", "models/patchtst-v2 and models/swin-mim-v2 load strictly; their hashes match"),
    ("scaler", "8 and 3 channels, all finite"),
    ("training logs", "600 and 300 steps, all losses finite"),
    ("frozen configs", "the stored configuration has the run's hash"),
    ("backup archive", "left out: anomaly.bundle is false"),
    ("scoring smoke", "256 windows scored twice, bit for bit the same"),
    ("split policy", "parts disjoint in time, gaps of 42 rows"),
)


def write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def put_files(project: Project, stream: str = "fdc", part: str = "train", count: int = 3) -> None:
    """Write small sensor files where the user's own would lie."""
    folder = project.root / "data" / "local" / part / stream
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        rows = "".join(f"{n},{math.sin(n / 9):.4f},{math.cos(n / 7):.4f}\n" for n in range(400))
        (folder / f"line-{number}.csv").write_text("timestamp,flow,pressure\n" + rows, encoding="utf-8")


def put_results(project: Project, hostile: bool = False) -> None:
    """Write quality reports, decisions, checklist, state and history of one finished run."""
    root = project.anomaly_results
    for stream, folder in (("patchtst", "fdc"), ("swinmae", "vib")):
        write_json(root / "quality" / f"{folder}.json", quality(stream, hostile))
        (root / "quality" / f"{folder}.html").write_text("<!doctype html><title>Data quality</title><p>ok")
        run = root / "runs" / LABEL
        write_json(run / f"chart_{stream}.json", chart(stream, hostile))
        (run / f"{stream}_alarms.csv").write_text(alarms(stream, hostile), encoding="utf-8")
    write_json(run / "summary.json", summary())
    write_json(run / "checklist.json", {"items": checklist()})
    (run / "report.html").write_text("<!doctype html><title>Report</title><p>2 events")
    write_json(root / "latest.json", {"label": LABEL, "run_id": LABEL})
    write_json(root / "dashboard-state.json", snapshot(LABEL, 0.0))
    for run_id, shift in ((LABEL, 0.0), (EARLIER, 0.06)):
        write_json(root / "history" / f"{run_id}.json", snapshot(run_id, shift))
    write_json(
        root / "history" / "index.json",
        {"generated_at": MADE, "runs": [entry(LABEL, 0.0), entry(EARLIER, 0.06)]},
    )


def quality(stream: str, hostile: bool = False) -> dict[str, Any]:
    name = ATTACK if hostile else "line-3.csv" if stream == "patchtst" else "pump-3.csv"
    kept = [
        {
            "file_id": file,
            "part": "train",
            "decision": "keep",
            "hard_fails": [],
            "warnings": [],
            "metrics": {},
        }
        for file in FILES[stream]
    ]
    kept[0]["warnings"] = ["channel pressure: 7.2 % of its values are missing, more than 5 %"]
    drop = {"file_id": name, "part": "train", "decision": "drop", "warnings": [], "metrics": {}}
    drop["hard_fails"] = ["timestamps go backwards 14 times; set dqvl.allow_sort_fix to sort them"]
    return {"schema_version": "0.2", "run_id": LABEL, "stream": stream, "files": [*kept, drop]}


def chart(stream: str, hostile: bool = False) -> dict[str, Any]:
    rng = np.random.default_rng(3 if stream == "patchtst" else 5)
    scores = 1.0 + 0.35 * np.abs(rng.standard_normal(1200)) + 0.2 * np.sin(np.arange(1200) / 60)
    for first, last, high in ((310, 345, 5.2), (800, 812, 3.1)):
        scores[first:last] += high
    points = [
        {"index": n, "file_id": FILES[stream][n // 600], "time": time_of(n), "score": round(float(score), 4)}
        for n, score in enumerate(scores)
    ]
    events = [event_row(stream, n) for n in (0, 1)]
    if hostile:
        events[0]["id"] = points[0]["file_id"] = ATTACK
    return {
        "stream": stream,
        "run_id": LABEL,
        "detector": "fused",
        "thresholds": THRESHOLDS,
        "points": points,
        "events": events,
    }


def time_of(window: int) -> str:
    return f"2026-11-20T{6 + window // 120:02d}:{window % 120 // 2:02d}:{30 * (window % 2):02d}.000Z"


def event_row(stream: str, number: int) -> dict[str, Any]:
    first, last = ((310, 344), (800, 811))[number]
    return {"id": f"{stream}:{number + 1:06d}", "state": "anomaly", "from": first, "to": last}


def alarms(stream: str, hostile: bool = False) -> str:
    head = "event_id,stream,file,start,end,duration_s,peak_score,peak_time,p_min,state,channels,windows"
    rows = [head]
    for number in (0, 1):
        event = event_row(stream, number)
        names = "pressure 0.71; flow 0.18; valve 0.05" if stream == "patchtst" else "y 0.64; x 0.21; z 0.15"
        file = FILES[stream][event["from"] // 600]
        start, end = time_of(event["from"]), time_of(event["to"])
        cells = [
            event["id"],
            stream,
            file,
            start,
            end,
            "1020.0",
            "6.91",
            start,
            "0.0007",
            "anomaly",
            names,
            "35",
        ]
        if hostile:
            cells[2] = cells[10] = ATTACK
        rows.append(",".join(cells))
    return "\n".join(rows) + "\n"


def summary() -> dict[str, Any]:
    counts = {"normal": 1121, "warn": 32, "anomaly": 47}
    block = {
        "thresholds": THRESHOLDS,
        "summary": {"window_count": 1200, "decision_counts": counts, "events": 2},
        "warnings": ["the batch has drifted from the training data: pressure, flow"],
        "too_short": [],
        "data": {"source": "csv"},
    }
    return {"generated_at": MADE, "run_id": LABEL, "streams": {"patchtst": block, "swinmae": block}}


def checklist() -> list[dict[str, Any]]:
    rows = []
    for number, (title, detail) in enumerate(CHECKS, 1):
        skipped = title == "backup archive"
        rows.append({"index": number, "title": title, "passed": not skipped, "detail": detail})
        rows[-1]["state"] = "skipped" if skipped else "pass"
        rows[-1]["hint"] = "set anomaly.bundle to true to have one" if skipped else ""
    return rows


def losses(shift: float) -> list[dict[str, Any]]:
    return [
        {
            "epoch": n,
            "step": n * 20,
            "train_loss": 0.25 + shift + math.exp(-n / 6),
            "val_loss": 0.28 + shift + math.exp(-n / 7),
        }
        for n in range(1, 31)
    ]


def snapshot(run_id: str, shift: float) -> dict[str, Any]:
    ready = ("checkpoints", "scaler", "logs", "configs", "smoke", "split_policy")
    nodes = {name: {"status": "done", "message": "", "updated_at": MADE} for name in ("orchestrator", "dqvl")}
    streams = ("patchtst", "swinmae")
    return {
        "meta": {"run_id": run_id, "timestamp": MADE},
        "nodes": nodes,
        "checklist": checklist(),
        "metrics": {stream: {"loss": losses(shift), "config": {}} for stream in streams},
        "artifacts": {"readiness": {f"{name}_ready": True for name in ready} | {"backup_ready": False}},
        "scores": scores(shift),
        "thresholds": {stream: THRESHOLDS for stream in streams},
        "settings": {"patchtst": {"training": {"lr": 0.001 + shift / 10, "max_steps": 600}}},
    }


def scores(shift: float) -> dict[str, Any]:
    told = {"summary": {"window_count": 1200, "events": 2 + int(shift > 0)}, "thresholds": THRESHOLDS}
    return {"patchtst": told, "swinmae": told}


def entry(run_id: str, shift: float) -> dict[str, Any]:
    final = losses(shift)[-1]["val_loss"]
    return {
        "run_id": run_id,
        "file": f"{run_id}.json",
        "timestamp": MADE,
        "checklist": {"passed": 6, "total": 7},
        "final_val_loss": {"patchtst": final, "swinmae": final},
        "scores": scores(shift),
    }
