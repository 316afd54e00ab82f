"""The command line is read before anything heavy is imported, and nonsense ends with exit code 2."""

from __future__ import annotations

import pytest

from nightforge.pipeline.options import Options, parse_options


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], Options("start")),
        (["--foreground", "--train-only"], Options("foreground", mode="train-only")),
        (["--status", "--json"], Options("status", json=True)),
        (["--stop", "--now"], Options("stop", now=True)),
        (["--resume"], Options("start", resume="")),
        (["--resume", "20261121-171500-3f2a"], Options("start", resume="20261121-171500-3f2a")),
        (["--resume", "--foreground"], Options("foreground", resume="")),
        (
            ["--set", "training.epochs=2", "--set", "exam.limit=3", "--profile", "smol"],
            Options("start", profile="smol", overrides=("training.epochs=2", "exam.limit=3")),
        ),
        (["--force", "--dry-run"], Options("dry-run", force=True)),
    ],
)
def test_arguments_become_options(argv: list[str], expected: Options) -> None:
    assert parse_options(argv) == expected


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--data-only", "--eval-only"], "not allowed with"),
        (["--status", "--stop"], "not allowed with"),
        (["--pipeline", "sound"], "choose from"),
        (["--json"], "belongs to --status"),
        (["--now"], "belongs to --stop"),
        (["--resume", "--profile", "smol"], "own profile"),
        (["--resume", "--status"], "cannot be combined"),
        (["--frobnicate"], "unrecognized"),
        (["--data"], "unrecognized"),
    ],
)
def test_nonsense_ends_with_exit_code_2(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse_options(argv)
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
