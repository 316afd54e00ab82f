"""Failures of real processes: what the guard and the stage leave behind is enough to name the class."""

from __future__ import annotations

import json

import pytest
from tiny_project import TinyProject

pytestmark = pytest.mark.slow

_ONCE = """
once = stage.run_dir / "failed-once"
first = not once.exists()
once.touch()
"""


def test_out_of_memory_reaches_the_next_attempt_as_settings(tiny: TinyProject) -> None:
    tiny.behave(
        "04",
        """
from nightforge.core.errors import OutOfMemory
stage.report.mark(0, "steps", resumed=True)
rung = stage.config.ladder
if rung.micro_batch is None or rung.micro_batch > 2:
    raise OutOfMemory("a training step does not fit", kind="oom_train", details="resident 1 byte")
return {"micro": rung.micro_batch}
""",
    )
    done = tiny.orchestrate("--train-only", "--set", "training.batch_size=6")
    assert done.returncode == 0, done.stderr
    state = tiny.state()
    stage = next(stage for stage in state["stages"] if stage["id"] == "04")
    assert (stage["attempt"], stage["result"]["micro"]) == (4, 2)
    assert [change["new"] for change in state["recoveries"]] == ["4 x 12", "3 x 16", "2 x 24"]
    folder = tiny.project.run_dir(state["run_id"])
    assert (folder / "attempts" / "04-1.memory.txt").read_text() == "resident 1 byte"
    order = json.loads((folder / "attempts" / "04-4.order.json").read_text())
    assert "ladder.micro_batch=2" in order["argv"]
    error = state["errors"][0]
    assert (error["kind"], error["words"]) == ("oom_train", "out of memory in training")
    again = tiny.orchestrate("--train-only", "--force", "--set", "training.batch_size=6")
    assert again.returncode == 0
    stage = next(stage for stage in tiny.state()["stages"] if stage["id"] == "04")
    assert stage["attempt"] == 1  # starts on the rung it remembers


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("if first: os.abort()", "native_crash"),
        ("if first: os.kill(os.getpid(), 9)", "killed"),
        ("if first: raise OSError(28, 'No space left on device', 'models/x')", "disk_full"),
        ("if first: raise ConnectionResetError(104, 'reset')", "network"),
        (
            "if first: raise RuntimeError('CUDA error: an illegal memory access was encountered')",
            "device_fault",
        ),
    ],
)
def test_what_can_pass_is_tried_again_under_its_class(tiny: TinyProject, body: str, kind: str) -> None:
    tiny.behave("03", f"{_ONCE}\n{body}\nreturn {{}}")
    done = tiny.orchestrate("--data-only")
    assert done.returncode == 0, done.stderr
    assert [error["kind"] for error in tiny.state()["errors"]] == [kind]


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ("import a_package_that_is_not_there", "dependency", 1),
        ("b'\\xff'.decode('utf-8')", "encoding", 1),
        ("import json; json.loads('{')", "bad_data", 1),
    ],
)
def test_what_stays_broken_is_not_tried_again(tiny: TinyProject, body: str, kind: str, code: int) -> None:
    tiny.behave("03", body)
    assert tiny.orchestrate("--data-only").returncode in (code, 2)
    assert [(error["kind"], error["attempt"]) for error in tiny.state()["errors"]] == [(kind, 1)]


def test_a_script_that_dies_before_it_can_report_is_told_by_its_log(tiny: TinyProject) -> None:
    (tiny.root / "scripts" / "03_generate_synthetic_data.py").write_text(
        "import a_package_that_is_not_there\n"
    )
    assert tiny.orchestrate("--data-only").returncode == 1
    assert [(error["kind"], error["attempt"]) for error in tiny.state()["errors"]] == [("dependency", 1)]


def test_the_exit_record_counts_the_kernels_memory_kills(tiny: TinyProject) -> None:
    assert tiny.orchestrate("--data-only").returncode == 0
    folder = tiny.project.run_dir(tiny.state()["run_id"])
    assert json.loads((folder / "attempts" / "03-1.exit.json").read_text())["oom_kills"] == 0
