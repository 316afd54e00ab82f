"""The first command makes the environment once, and says in words when it can't."""

from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

import bootstrap

ROOT = Path(bootstrap.__file__).parent


@pytest.fixture
def fake_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(bootstrap, "ROOT", tmp_path)
    monkeypatch.setattr(bootstrap, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / ".venv" / "nightforge.json")
    (tmp_path / ".venv").mkdir()
    return tmp_path


def stamp(root: Path, **fields: object) -> None:
    value = {"fingerprint": bootstrap._fingerprint(), "extras": [], **fields}
    (root / ".venv" / "nightforge.json").write_text(json.dumps(value), encoding="utf-8")


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    for name in [*project["dependencies"], *project["optional-dependencies"]["dev"]]:
        assert f"\n{name}==" in f"\n{pins}", f"{name} has no pin in constraints.txt"


def test_an_environment_counts_only_when_its_installation_finished(fake_root: Path) -> None:
    assert not bootstrap._stamped(None)
    (fake_root / ".venv" / "nightforge.json").write_text('{"fingerp', encoding="utf-8")
    assert not bootstrap._stamped(None)
    stamp(fake_root)
    assert bootstrap._stamped(None)
    assert not bootstrap._stamped("dev")
    stamp(fake_root, extras=["dev"])
    assert bootstrap._stamped("dev")


def test_changed_pins_make_the_environment_old(fake_root: Path) -> None:
    stamp(fake_root)
    with (fake_root / "constraints.txt").open("a", encoding="utf-8") as file:
        file.write("six==1.16.0\n")
    assert not bootstrap._stamped(None)


def test_an_old_python_gets_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit) as caught:
        bootstrap.ensure("launch_pipeline.py")
    assert caught.value.code == 2
    assert "Python 3.11 or later" in capsys.readouterr().err


def test_a_failed_installation_ends_with_words_and_no_stamp(
    fake_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[list[str]] = []

    def refuse(command: list[str]) -> int:
        calls.append(command)
        return 1

    monkeypatch.setattr(bootstrap.subprocess, "call", refuse)
    with pytest.raises(SystemExit) as caught:
        bootstrap._install(["msgspec"], None)
    assert caught.value.code == 1
    assert calls, "nothing was tried"
    assert "run the same command again" in capsys.readouterr().err
    assert not bootstrap._stamped(None)


def test_an_environment_with_everything_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def must_not_run(*arguments: object) -> None:
        raise AssertionError("an installation was started")

    monkeypatch.setattr(bootstrap, "_install", must_not_run)
    monkeypatch.setattr(bootstrap, "_run_inside", must_not_run)
    bootstrap.ensure("run_tests.py", extra="dev")


def test_a_stage_inside_a_run_never_installs(monkeypatch: pytest.MonkeyPatch) -> None:
    def must_not_run(*arguments: object) -> None:
        raise AssertionError("an installation was started")

    monkeypatch.setenv("NIGHTFORGE_RUN_ID", "20261121-171500-3f2a")
    monkeypatch.setattr(bootstrap, "_missing", lambda names: ["msgspec"])
    monkeypatch.setattr(bootstrap, "_install", must_not_run)
    monkeypatch.setattr(bootstrap, "_run_inside", must_not_run)
    bootstrap.ensure("scripts/04_train_blueprint_lora.py")


def test_every_numbered_script_makes_its_environment_when_started_by_hand() -> None:
    for path in sorted((ROOT / "scripts").glob("[0-9][0-9]_*.py")):
        text = path.read_text(encoding="utf-8")
        ensured, first_import = text.find("bootstrap.ensure(__file__)"), text.find("from nightforge")
        assert 0 < ensured < first_import, f"{path.name} imports the package before bootstrap.ensure"
