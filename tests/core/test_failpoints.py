"""Failpoints are off unless asked for, happen once, and stand at every durable step."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from nightforge.core import failpoints

ROOT = Path(__file__).resolve().parents[2]
# Not part of keeping a state: a measurement, and helpers of functions that have their own places.
NOT_NEEDED = {
    ("core/atomic.py", "move"),
    ("core/atomic.py", "sync_folder"),
    ("pipeline/doctor.py", "_disk"),
    ("pipeline/limits.py", "_load"),
}


def steps() -> list[tuple[str, str]]:
    """Return (file, function) of every function with a durable step of its own and no failpoint."""
    found = []
    for folder in ("core", "pipeline", "ml"):
        for path in sorted((ROOT / "nightforge" / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.FunctionDef):
                    calls = [ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)]
                    durable = any(call in ("os.replace", "os.fsync", "os.rename") for call in calls)
                    if durable and "reach" not in calls:
                        found.append((f"{folder}/{path.name}", node.name))
    return found


def test_every_durable_step_has_a_failpoint() -> None:
    assert set(steps()) <= NOT_NEEDED


def killed(tmp_path: Path, plan: str | None) -> tuple[int, list[str]]:
    code = (
        "from nightforge.core import failpoints; from nightforge.core.atomic import write_json\n"
        "from pathlib import Path; failpoints.be('stage')\n"
        f"[write_json(Path({str(tmp_path / 'state.json')!r}), n) for n in (1, 2, 3)]"
    )
    log = tmp_path / "log"
    environment = {**os.environ, failpoints.LOG_VARIABLE: str(log)}
    if plan:
        environment[failpoints.VARIABLE] = f"{plan} {tmp_path / 'mark'}"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=False)
    lines = log.read_text().splitlines()
    log.unlink()
    return done.returncode, lines


def test_places_are_told_in_order(tmp_path: Path) -> None:
    code, lines = killed(tmp_path, None)
    assert code == 0
    assert lines[:3] == [f"stage replace.{word} state.json 1" for word in ("before", "written", "after")]
    assert lines[-1] == "stage replace.after state.json 3"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL; the kill matrix runs on Linux")
def test_a_plan_kills_once(tmp_path: Path) -> None:
    code, lines = killed(tmp_path, "stage replace.written state.json 2")
    assert code == -9
    assert lines[-1] == "stage replace.written state.json 2"
    assert (tmp_path / "state.json").read_text() == "1\n"
    assert killed(tmp_path, "stage replace.written state.json 2")[0] == 0


def test_off_without_a_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("killed"))
    failpoints.reach("replace.before", "x")
    assert not list(tmp_path.iterdir())
