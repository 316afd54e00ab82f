"""Wrong input, full and read-only disks: told with thing, place and cure, and nothing is started."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_project import TinyProject

from nightforge.pipeline import launch, preflight
from nightforge.pipeline.options import parse_options


def refused(tiny: TinyProject, *arguments: str) -> int:
    """Type the command in this process; whatever gets past the checks would start a real run."""
    return launch.main(parse_options(arguments), arguments, tiny.project)


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("unknown key", ("--set", "training.epoch=2"), "did you mean training.epochs"),
        ("wrong type", ("--set", "training.epochs=many"), "training.epochs"),
        (
            "both widths",
            ("--set", "quantization.use_8bit=true", "--set", "quantization.use_4bit=true"),
            "use_4bit",
        ),
        ("unknown profile", ("--profile", "tinny"), "did you mean 'tiny'"),
        ("nothing to resume", ("--resume",), "no run to resume"),
        ("a run that does not exist", ("--resume", "20200101-000000-abcd"), "20200101-000000-abcd"),
        ("the same in the foreground", ("--foreground", "--set", "training.epoch=2"), "training.epochs"),
        ("the same dry", ("--dry-run", "--set", "training.epoch=2"), "training.epochs"),
    ],
)
def test_wrong_input_ends_with_2_and_starts_nothing(
    tiny: TinyProject, name: str, arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(tiny, *arguments) == 2, name
    assert words in capsys.readouterr().err
    assert not tiny.project.runs.exists()


def test_broken_configuration_names_line_and_column(
    tiny: TinyProject, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny.project.config_file.write_text('{"training": {\n  "epochs": }\n}')
    assert refused(tiny) == 2
    assert "pipeline_config.json, line 2, column 13" in capsys.readouterr().err
    assert not tiny.project.logs.exists()


def test_a_missing_stage_script_is_named(tiny: TinyProject, capsys: pytest.CaptureFixture[str]) -> None:
    (tiny.root / "scripts" / "06_validate_dsl.py").unlink()
    assert refused(tiny, "--data-only") == 2
    assert "scripts/06_validate_dsl.py is missing" in capsys.readouterr().err
    assert not tiny.project.runs.exists()


def test_a_file_in_place_of_a_folder_is_named(tiny: TinyProject, capsys: pytest.CaptureFixture[str]) -> None:
    (tiny.root / "results").write_text("")
    assert refused(tiny) == 2
    assert "results must be a folder" in capsys.readouterr().err
    assert not tiny.project.runs.exists()


def test_too_little_space_ends_with_75_and_both_numbers(
    tiny: TinyProject, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight, "free_bytes", lambda _: 120 * 2**20)
    assert refused(tiny) == 75
    told = capsys.readouterr().err
    assert "120 MB free" in told and "next:" in told
    # 15 stage logs of 64 MB, data and results, checkpoints, the reserve
    assert re.search(r"about 1,\d\d\d MB needed \(.*checkpoints.*logs 968.*reserve 1", told), told
    assert not tiny.project.runs.exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 8 MB, where mounting is allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m", "nightforge-test", str(folder)]
    if sys.platform != "linux" or shutil.which("mount") is None:
        pytest.skip("needs Linux")
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_read_only_disk_ends_with_2_and_starts_nothing(
    small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = TinyProject(small_disk / "project")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert refused(tiny) == 2
    assert "read-only disk" in capsys.readouterr().err
    assert not tiny.project.logs.exists()


def test_a_small_disk_is_refused_before_the_run(small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiny = TinyProject(small_disk / "project")
    assert refused(tiny, "--data-only") == 75
    assert "8 MB free" in capsys.readouterr().err
    assert not tiny.project.runs.exists()


@pytest.mark.slow
def test_a_disk_that_fills_up_in_the_middle_does_not_end_the_orchestrator(small_disk: Path) -> None:
    tiny = TinyProject(small_disk / "project")
    fill = """
import errno
filler = stage.paths.root / "filler"
with open(filler, "wb", buffering=0) as file:
    try:
        while True:
            file.write(b"x" * 65536)
    except OSError as error:
        assert error.errno == errno.ENOSPC
time.sleep(4)
filler.unlink()
stage.report.progress(2, 2, "rows")
return {}
"""
    tiny.behave("20", fill)
    done = tiny.orchestrate("--data-only", small_disk=True)
    assert done.returncode == 0, done.stderr
    state = tiny.state()
    assert state["status"] == "succeeded"
    told = [alert["title"] for alert in state["alerts"]]
    assert told == ["The disk refuses writes", "The reserve was given up"]
