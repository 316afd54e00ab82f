"""The boxes of the track's graph and what leads to what. A run reports their states by these ids.

`idle, running, done, fail`; which stage lights which box stands in nightforge/pipeline/registry.py, and the
orchestrator derives what a stage could not say itself.
"""

from __future__ import annotations

from typing import NamedTuple

Edge = tuple[str, str]


class View(NamedTuple):
    """One picture of the graph: its boxes as id -> label, and its edges."""

    nodes: dict[str, str]
    edges: tuple[Edge, ...]


TRAINING_FLOW = View(
    {
        "orchestrator": "Orchestrator",
        "data-prep": "Prepare data",
        "dqvl": "Data quality",
        "patchtst": "PatchTST",
        "swinmae": "Swin model",
        "calibrate": "Calibrate",
        "artifact-save": "Save and back up",
        "validation-gate": "Validation",
        "report": "Report",
        "run-summary": "Run summary",
    },
    (
        ("orchestrator", "data-prep"),
        ("data-prep", "dqvl"),
        ("dqvl", "patchtst"),
        ("dqvl", "swinmae"),
        ("patchtst", "calibrate"),
        ("swinmae", "calibrate"),
        ("calibrate", "artifact-save"),
        ("artifact-save", "validation-gate"),
        ("validation-gate", "report"),
        ("report", "run-summary"),
    ),
)

BATCH_DECISION = View(
    {
        "batch-orchestrator": "Orchestrator",
        "batch-import": "Import batch",
        "batch-dqvl": "Data quality",
        "batch-patchtst": "Score sensors",
        "batch-swinmae": "Score vibration",
        "batch-decision": "Decide",
        "batch-report": "Events and report",
        "batch-bridge": "Hand to the page",
    },
    (
        ("batch-orchestrator", "batch-import"),
        ("batch-import", "batch-dqvl"),
        ("batch-dqvl", "batch-patchtst"),
        ("batch-dqvl", "batch-swinmae"),
        ("batch-patchtst", "batch-decision"),
        ("batch-swinmae", "batch-decision"),
        ("batch-decision", "batch-report"),
        ("batch-report", "batch-bridge"),
    ),
)

ARTIFACT_GATE = View(
    {
        "checkpoint-check": "Models",
        "scaler-check": "Scaling",
        "runs-check": "Training logs",
        "config-check": "Configuration",
        "release-ready": "Release ready",
    },
    (
        ("checkpoint-check", "release-ready"),
        ("scaler-check", "release-ready"),
        ("runs-check", "release-ready"),
        ("config-check", "release-ready"),
    ),
)

VIEWS: dict[str, View] = {
    "training-flow": TRAINING_FLOW,
    "batch-decision": BATCH_DECISION,
    "artifact-gate": ARTIFACT_GATE,
}
NODES: tuple[str, ...] = tuple(name for view in VIEWS.values() for name in view.nodes)
