"""The doctor says what it has tried, and is right when something is wrong."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_project import TinyProject

from nightforge.config import Config
from nightforge.config.schema import Backup, Dashboard
from nightforge.pipeline import doctor
from nightforge.pipeline.options import Options, parse_options

PROOF: dict[str, Any] = {
    "device": "CPU (2 threads)",
    "int8": {"forward_error": 0.01, "backward_error": 0.012, "limit": 0.05, "seconds": 0.2},
    "memory": {"need_gb": 1.0, "free_gb": 20.0, "model": "tiny"},
    "quantization": "8-bit",
}


def by_name(findings: list[doctor.Finding]) -> dict[str, bool | None]:
    return {finding.name: finding.fine for finding in findings}


@pytest.fixture
def proven(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [e for e in doctor.EXAMINATIONS if e is not doctor._proof]
    monkeypatch.setattr(doctor, "EXAMINATIONS", (*kept, lambda *_: doctor.judge_proof(PROOF)))


@pytest.mark.usefixtures("proven")
def test_a_sound_project_is_ready_for_a_night(
    tiny: TinyProject, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "logout_warning", lambda: None)
    assert doctor.run_doctor(tiny.project, parse_options(["--doctor"])) == 0
    shown = capsys.readouterr().out
    assert "ready for a night" in shown
    assert "FAIL" not in shown
    assert not list(tiny.root.glob(".doctor-*"))


@pytest.mark.usefixtures("proven")
def test_a_missing_script_and_a_missing_mirror_are_told_and_the_exit_code_is_1(
    tiny: TinyProject, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny.root / "scripts" / "04_train_blueprint_lora.py").unlink()
    tiny.configure({"backup": {"mirror": str(tiny.root / "unplugged")}})
    assert doctor.run_doctor(tiny.project, parse_options(["--doctor"])) == 1
    shown = capsys.readouterr().out
    assert "FAIL  start      scripts/04_train_blueprint_lora.py is missing" in shown
    assert "FAIL  mirror" in shown and "unplugged is not there" in shown


@pytest.mark.skipif(sys.platform != "linux", reason="systemd is Linux")
def test_a_logout_that_ends_programs_is_a_failure_with_the_cure(
    tiny: TinyProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "logout_warning", lambda: "Note     this system ends programs at logout")
    (finding,) = doctor._logout(tiny.project, Config(), Options("doctor"))
    assert finding == doctor.Finding("logout", False, "this system ends programs at logout")


def test_a_clock_of_the_past_is_wrong(tiny: TinyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    class Past(doctor.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Past:
            return cls(2001, 1, 1, tzinfo=tz)

    monkeypatch.setattr(doctor, "datetime", Past)
    assert doctor._clock(tiny.project, Config(), Options("doctor"))[0].fine is False


def test_a_held_port_is_worth_knowing_and_names_who_holds_it(tiny: TinyProject) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        config = Config(dashboard=Dashboard(port=port))
        (finding,) = doctor._port(tiny.project, config, Options("doctor"))
    assert finding.fine is None
    assert str(port) in finding.words
    assert doctor._port(tiny.project, config, Options("doctor"))[0].fine is True


def test_a_read_only_mirror_fails_with_its_name(tiny: TinyProject, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tiny.root / "mirror"
    mirror.mkdir()
    assert doctor._mirror(str(mirror)).fine is True

    def refuse(_: int) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(doctor.os, "fsync", refuse)
    _, finding = doctor._disks(tiny.project, Config(backup=Backup(mirror=str(mirror))), Options("doctor"))
    assert finding == doctor.Finding("mirror", False, f"{mirror}: Read-only file system")
    assert list(mirror.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, set()),
        ({"int8": {**PROOF["int8"], "backward_error": 0.4}}, {"8-bit"}),
        ({"memory": {"need_gb": 72.0, "free_gb": 48.0, "model": "llama"}}, {"memory"}),
        ({"error": "hardware.gpu_name asks for 'H200', but this process sees no GPU at all"}, {"device"}),
    ],
)
def test_what_the_proof_found_is_judged(change: dict[str, Any], wrong: set[str]) -> None:
    found = by_name(doctor.judge_proof({**PROOF, **change}))
    assert {name for name, fine in found.items() if fine is False} == wrong


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for the interpreter")
def test_a_process_that_hangs_or_says_nothing_does_not_hold_the_doctor(
    tiny: TinyProject, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for body, words in (("import time; time.sleep(60)", "no answer within"), ("1/0", "ZeroDivisionError")):
        fake = tmp_path / "python"
        fake.write_text(f'#!/bin/sh\nexec {sys.executable} -c "{body}"\n')
        fake.chmod(0o755)
        monkeypatch.setattr(doctor.sys, "executable", str(fake))
        monkeypatch.setattr(doctor, "PROOF_LIMIT_S", 1.0)
        (finding,) = doctor._proof(tiny.project, Config(), Options("doctor"))
        monkeypatch.undo()
        assert finding.fine is False
        assert words in finding.words


@pytest.mark.slow
def test_the_real_doctor_multiplies_for_real(tiny: TinyProject) -> None:
    done = tiny.launch("--doctor")
    assert "8-bit      one product on it" in done.stdout, done.stdout + done.stderr
    assert done.returncode in (0, 1)
    assert ("ready for a night" in done.stdout) == (done.returncode == 0)
