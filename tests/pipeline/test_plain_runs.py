"""Real runs that nobody disturbs: what is printed, logged and left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tiny_project import TinyProject


def test_dry_run_prints_the_plan_and_touches_nothing(tiny: TinyProject) -> None:
    def snapshot() -> dict[str, Any]:
        return {str(path): path.stat().st_mtime_ns for path in tiny.root.rglob("*")}

    before = snapshot()
    done = tiny.launch("--dry-run", "--train-only")
    assert done.returncode == 0
    assert "Train LoRA adapter" in done.stdout and "models/blueprint-lora-vN/" in done.stdout
    assert snapshot() == before


def test_stage_output_lands_in_its_log_and_hostile_amounts_hold_nobody_up(tiny: TinyProject) -> None:
    tiny.behave("20", "sys.stdout.write('x' * 5_000_000)\nprint('\\nlast words', flush=True)\nreturn {}")
    assert tiny.orchestrate("--data-only").returncode == 0
    log = Path(tiny.project.run_dir(tiny.state()["run_id"]) / "20.log").read_text()
    assert log.startswith("==== attempt 1: python scripts/20_deduplicate_dataset.py")
    assert "last words" in log
