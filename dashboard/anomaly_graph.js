// The three views of the anomaly pipeline's node graph; the ids are those the stages report. Pure.

const node = (id, label) => ({ id, label });

export const VIEWS = [
  {
    id: "training-flow", name: "Training",
    layers: [
      [node("orchestrator", "Orchestrator")], [node("data-prep", "Prepare data")], [node("dqvl", "Data quality")],
      [node("patchtst", "PatchTST"), node("swinmae", "Swin model")], [node("calibrate", "Calibrate")],
      [node("artifact-save", "Save and back up")], [node("validation-gate", "Validation")], [node("report", "Report")], [node("run-summary", "Run summary")],
    ],
    edges: [
      ["orchestrator", "data-prep"], ["data-prep", "dqvl"], ["dqvl", "patchtst"], ["dqvl", "swinmae"], ["patchtst", "calibrate"],
      ["swinmae", "calibrate"], ["calibrate", "artifact-save"], ["artifact-save", "validation-gate"], ["validation-gate", "report"], ["report", "run-summary"],
    ],
  },
  {
    id: "batch-decision", name: "Decisions",
    layers: [
      [node("batch-orchestrator", "Orchestrator")], [node("batch-import", "Import batch")], [node("batch-dqvl", "Data quality")],
      [node("batch-patchtst", "Score sensors"), node("batch-swinmae", "Score vibration")], [node("batch-decision", "Decide")],
      [node("batch-report", "Events and report")], [node("batch-bridge", "Hand to the page")],
    ],
    edges: [
      ["batch-orchestrator", "batch-import"], ["batch-import", "batch-dqvl"], ["batch-dqvl", "batch-patchtst"], ["batch-dqvl", "batch-swinmae"],
      ["batch-patchtst", "batch-decision"], ["batch-swinmae", "batch-decision"], ["batch-decision", "batch-report"], ["batch-report", "batch-bridge"],
    ],
  },
  {
    id: "artifact-gate", name: "Release gate",
    layers: [
      [node("checkpoint-check", "Models"), node("scaler-check", "Scaling"), node("runs-check", "Training logs"), node("config-check", "Configuration")],
      [node("release-ready", "Release ready")],
    ],
    edges: [["checkpoint-check", "release-ready"], ["scaler-check", "release-ready"], ["runs-check", "release-ready"], ["config-check", "release-ready"]],
  },
];
