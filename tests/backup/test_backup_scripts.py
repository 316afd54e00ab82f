"""Stages 16 and 18 as a user runs them: exit codes, labels, next commands."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from backup_fakes import Reports, make_project, tree, write

from nightforge.backup.history import record
from nightforge.backup.watch import look_at_backups, make_if_changed
from nightforge.config.schema import Backup
from nightforge.stage import stage_main

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a stage in this process: parser, configuration and exit codes of the script, without its start."""
    make_project(tmp_path)
    monkeypatch.setenv("NIGHTFORGE_ROOT", str(tmp_path))
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def call(name: str, *arguments: str) -> int:
        spec = importlib.util.spec_from_file_location("stage_under_test", ROOT / "scripts" / f"{name}.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return stage_main(module.run, module.__doc__, module.add_arguments, list(arguments))

    return call


def test_backup_list_verify_pin_and_restore_by_hand(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("16_backup") == 0
    before = tree(tmp_path)
    label = json.loads((tmp_path / "backups/history.jsonl").read_text())["label"]
    assert run("16_backup", "--list") == 0 and label in capsys.readouterr().out
    assert run("16_backup", "--pin", label) == 0
    assert run("16_backup", "--verify", label) == 0 and "8 files match" in capsys.readouterr().out
    assert run("16_backup", "--trigger", "scheduled") == 3
    write(tmp_path, {"lessons/lesson_01.json": "lost"})
    assert run("18_restore_backup", "--show", label) == 0
    assert run("18_restore_backup", "--diff", label) == 0
    assert "lessons/lesson_01.json" in capsys.readouterr().out
    assert run("18_restore_backup", "--restore", label, "--yes") == 0
    assert tree(tmp_path) == before


def test_a_bad_label_exits_2_with_the_list_command(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (("--show", "nope"), ("--diff", "nope"), ("--restore", "nope")):
        assert run("18_restore_backup", *arguments) == 2
        assert "18_restore_backup.py --list" in capsys.readouterr().err
    assert run("16_backup", "--verify", "nope") == 2
    assert run("16_backup", "--pin", "nope") == 2


def test_a_restore_without_a_terminal_asks_for_yes(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("16_backup") == 0
    label = json.loads((tmp_path / "backups/history.jsonl").read_text())["label"]
    with open("/dev/null" if sys.platform != "win32" else "NUL") as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        assert run("18_restore_backup", "--restore", label) == 2
    assert "--yes" in capsys.readouterr().err


def test_a_damaged_backup_makes_verify_exit_1(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("16_backup") == 0
    next((tmp_path / "backups/.objects").glob("??/*")).write_bytes(b"rot")
    assert run("16_backup", "--verify") == 1
    assert "DAMAGED" in capsys.readouterr().out


def test_backups_switched_off_skip_the_ones_around_training_only(run: Run) -> None:
    off = ("--set", "backup.enabled=false")
    assert run("16_backup", "--trigger", "pre_train", *off) == 3
    assert run("16_backup", *off) == 0


def test_the_mirror_is_set_up_by_one_command(run: Run, tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    mirror = ("--set", f'backup.mirror="{(tmp_path / "drive").as_posix()}"')
    assert run("16_backup", "--init-mirror", *mirror) == 0
    assert run("16_backup", *mirror) == 0
    assert run("16_backup", "--verify", *mirror) == 0
    assert run("18_restore_backup", "--list", "--from-mirror", *mirror) == 0
    assert run("16_backup", "--init-mirror") == 2


def test_the_scheduled_look_backs_up_once_and_complains_of_a_missing_mirror(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("17_scheduled_backup", "--check") == 0
    assert not (tmp_path / "backups").exists()
    assert run("17_scheduled_backup") == 0 and "A backup was made" in capsys.readouterr().out
    assert run("17_scheduled_backup") == 0 and "No backup was needed" in capsys.readouterr().out
    write(tmp_path, {"pipeline_config.json": json.dumps({"backup": {"mirror": str(tmp_path / "gone")}})})
    assert run("17_scheduled_backup", "--check") == 0
    assert "The mirror is not there" in capsys.readouterr().out
    (found,) = json.loads((tmp_path / "logs/watchdog.json").read_text())["found"]
    assert found["level"] == "warning"


def test_the_scheduled_look_tells_of_an_old_and_of_a_failed_backup(tmp_path: Path) -> None:
    project = make_project(tmp_path)
    config = Backup(enabled=True)
    make_if_changed(project, config, Reports(), lambda: False)
    later = datetime.now(UTC) + timedelta(hours=config.stale_hours + 1)
    assert look_at_backups(project, config, later) == []  # old, and nothing has changed
    changed = tmp_path / "lessons/lesson_01.json"
    os.utime(changed, (later.timestamp(), later.timestamp()))
    (old,) = look_at_backups(project, config, later)
    assert old.title == "The backup is old" and "49 hours" in old.detail
    record(project.backups, {"time": "t", "status": "failed", "messages": ["no room"]})
    failed = look_at_backups(project, config, datetime.now(UTC))[0]
    assert (failed.level, failed.title) == ("critical", "The last backup failed")
