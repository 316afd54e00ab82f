"""Where everything lives, from one root."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Project:
    """The folders and files of one project; all paths absolute."""

    root: Path

    @classmethod
    def find(cls) -> Project:
        """Take the root from NIGHTFORGE_ROOT, else the folder that holds this package."""
        given = os.environ.get("NIGHTFORGE_ROOT")
        return cls(Path(given).resolve() if given else Path(__file__).resolve().parents[2])

    # what the user brings
    @property
    def config_file(self) -> Path:
        return self.root / "pipeline_config.json"

    @property
    def profiles(self) -> Path:
        return self.root / "profiles"

    @property
    def scripts(self) -> Path:
        return self.root / "scripts"

    @property
    def lessons(self) -> Path:
        return self.root / "lessons"

    @property
    def dashboard(self) -> Path:
        return self.root / "dashboard"

    # what a run makes
    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def blueprint_data(self) -> Path:
        return self.data / "blueprint"

    @property
    def anomaly_data(self) -> Path:
        return self.data / "anomaly"

    @property
    def anomaly_results(self) -> Path:
        return self.results / "anomaly"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def results(self) -> Path:
        return self.root / "results"

    @property
    def hub_data(self) -> Path:
        return self.results / "dashboard.json"

    @property
    def backups(self) -> Path:
        return self.root / "backups"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def runs(self) -> Path:
        return self.logs / "runs"

    @property
    def live_state(self) -> Path:
        return self.logs / "pipeline_live_state.json"

    @property
    def heartbeat(self) -> Path:
        return self.logs / "pipeline_heartbeat"

    @property
    def live_log(self) -> Path:
        return self.logs / "pipeline_live.log"

    @property
    def timing_history(self) -> Path:
        return self.logs / "step_timing_history.json"

    @property
    def stall_limits(self) -> Path:
        return self.logs / "stall_limits.json"

    @property
    def forecasts(self) -> Path:
        return self.logs / "eta_forecasts.json"

    @property
    def gpu_baselines(self) -> Path:
        return self.logs / "gpu_baselines.json"

    @property
    def server_pid(self) -> Path:
        return self.logs / "dashboard_server.pid"

    @property
    def stop_request(self) -> Path:
        return self.logs / "stop_request.json"

    @property
    def reserve(self) -> Path:
        return self.logs / "reserve.bin"

    @property
    def lock(self) -> Path:
        return self.logs / "pipeline.lock"

    def run_dir(self, run_id: str) -> Path:
        """Return the folder of one run."""
        return self.runs / run_id

    def relative(self, path: Path) -> str:
        """Write a path below the root with forward slashes; others stay absolute."""
        try:
            return path.resolve().relative_to(self.root.resolve()).as_posix()
        except ValueError:
            return str(path)
