"""A stage is kept only if inputs, settings, code, versions and outputs are what they were."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny_project import TinyProject

from nightforge.config import Config, load_config
from nightforge.core.paths import Project
from nightforge.pipeline.contents import Contents, standing
from nightforge.pipeline.plan import Plan
from nightforge.pipeline.registry import StageSpec

SPEC = StageSpec(
    "03", "scripts/03.py", "Make", 1, "data", ("in.txt", "folder/"), ("out.txt", "models/blueprint-lora-vN/")
)


class Place:
    """A project with one stage that has succeeded."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("scripts", "folder", "models/blueprint-lora-v2", "logs/runs/r1/attempts"):
            (root / name).mkdir(parents=True)
        (root / SPEC.script).write_text("from nightforge.core import clock\nx = 1\n")
        (root / "in.txt").write_text("in")
        (root / "folder" / "a.txt").write_text("a")
        (root / "models/blueprint-lora-v2/manifest.json").write_text("{}")
        self.config = Config()
        contents = self.contents()
        contents.begin(SPEC, 1)
        (root / "out.txt").write_text("out")
        contents.finish(SPEC, 1, {"version": "v2"}, ["synthetic", "training"])
        contents.save()

    def contents(self, **values: object) -> Contents:
        self.root.joinpath("pipeline_config.json").write_text("{}")
        (self.root / "profiles").mkdir(exist_ok=True)
        (self.root / "profiles" / "tiny.json").write_text("{}")
        project = Project(self.root)
        overrides = tuple(f"{name.replace('__', '.')}={value}" for name, value in values.items())
        return Contents(
            project, load_config(project, None, overrides), "blueprint", self.root / "logs/runs/r1"
        )

    def why(self, **values: object) -> str:
        look = self.contents(**values).look(SPEC)
        return "kept" if look.kept else look.why


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_nothing_changed(place: Place) -> None:
    look = place.contents().look(SPEC)
    assert look.kept and look.record is not None
    assert look.record["result"] == {"version": "v2"} and look.record["run_id"] == "r1"


def test_dates_and_layout_do_not_count(place: Place) -> None:
    for name in ("in.txt", "out.txt", "folder/a.txt"):
        text = (place.root / name).read_text()
        (place.root / name).unlink()
        (place.root / name).write_text(text)
    (place.root / SPEC.script).write_text(
        '"""Words."""\nfrom nightforge.core import clock\n\n# more words\nx  =  1\n'
    )
    assert place.why() == "kept"


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("in.txt", "other", "input in.txt has changed"),
        ("in.txt", None, "input in.txt is gone"),
        ("folder/b.txt", "b", "input folder/b.txt is new"),
        ("folder/a.txt", None, "input folder/a.txt is gone"),
        ("out.txt", "other", "its output out.txt has been changed"),
        ("out.txt", None, "its output out.txt is missing"),
        (
            "models/blueprint-lora-v2/manifest.json",
            None,
            "its output models/blueprint-lora-v2/manifest.json is",
        ),
        ("scripts/03.py", "from nightforge.core import clock\nx = 2\n", "code of 03.py has changed"),
        ("logs/stages/blueprint/03.json", "{", "it has not succeeded here before"),
        ("logs/stages/blueprint/03.json", '{"contract": 1}', "the record of its last success cannot be read"),
    ],
)
def test_what_counts(place: Place, path: str, text: str | None, expected: str) -> None:
    (place.root / path).unlink(missing_ok=True)
    if text is not None:
        (place.root / path).write_text(text)
    assert place.why().startswith(expected)


def test_only_settings_that_were_read_count(place: Place) -> None:
    assert place.why(exam__limit=3) == "kept"
    assert place.why(training__logging_steps=1) == "kept"  # changes what is told, not what is made
    assert place.why(training__learning_rate=0.5).startswith("setting training.learning_rate has changed: ")


def test_a_stage_that_changes_its_own_input_runs_again(place: Place) -> None:
    contents = place.contents()
    contents.begin(SPEC, 2)
    (place.root / "in.txt").write_text("changed by the stage itself")
    contents.finish(SPEC, 2, {}, [])
    assert place.why().startswith("input in.txt has changed")


def test_without_an_output_there_is_no_record(place: Place) -> None:
    (place.root / "logs/stages/blueprint/03.json").unlink()
    (place.root / "out.txt").unlink()
    contents = place.contents()
    contents.begin(SPEC, 2)
    contents.finish(SPEC, 2, {}, [])
    assert place.why() == "it has not succeeded here before"


def test_a_success_without_anything_new_keeps_its_result(place: Place) -> None:
    contents = place.contents()
    contents.begin(SPEC, 2)
    contents.finish(SPEC, 2, None, None)
    look = contents.look(SPEC)
    assert look.kept and look.record is not None and look.record["result"] == {"version": "v2"}


def test_accepted(place: Place) -> None:
    (place.root / "in.txt").write_text("other")
    contents = place.contents()
    assert contents.accept(SPEC) is not None
    assert place.why() == "kept"
    (place.root / "in.txt").write_text("yet another")
    assert place.why().startswith("input in.txt has changed")


def test_inputs_written_by_later_stages_of_the_same_run_do_not_count(place: Place) -> None:
    later = StageSpec("13", "scripts/03.py", "Later", 2, "data", (), ("folder/",))
    (place.root / "folder" / "a.txt").write_text("written by 13")
    contents, plan = place.contents(), Plan("blueprint", "full", (SPEC, later))
    assert standing(contents, plan, SPEC, done=True, worked=False).kept
    assert not standing(contents, plan, SPEC, done=False, worked=False).kept
    (place.root / "in.txt").write_text("written by a person")
    assert not standing(contents, plan, SPEC, done=True, worked=False).kept


def test_force_keeps_nothing(place: Place) -> None:
    plan = Plan("blueprint", "full", (SPEC,), force=True)
    assert not standing(place.contents(), plan, SPEC, done=False, worked=False).kept


COUNT = """
path = stage.paths.root / 'count-{key}'
path.write_text(str(int(path.read_text()) + 1 if path.exists() else 1))
made = stage.paths.blueprint_data / '{name}'
made.parent.mkdir(parents=True, exist_ok=True)
stage.config.synthetic.count
source = stage.paths.root / 'lessons' / 'l.json'
made.write_text(source.read_text())
{more}
return {{}}
"""


def teach(tiny: TinyProject, text: str) -> None:
    (tiny.root / "lessons").mkdir(exist_ok=True)
    (tiny.root / "lessons" / "l.json").write_text(text)


def _counted(tiny: TinyProject, *keys: str) -> list[int]:
    return [int((tiny.root / f"count-{key}").read_text()) for key in keys]


@pytest.mark.slow
def test_a_second_start_keeps_what_stands_and_why_tells(tiny: TinyProject) -> None:
    teach(tiny, "1")
    tiny.behave("13", COUNT.format(key="13", name="lessons.jsonl", more=""))
    tiny.behave("03", COUNT.format(key="03", name="synthetic.jsonl", more=""))
    mode = ("--data-only", "--foreground")
    assert tiny.launch(*mode).returncode == 0
    assert tiny.launch(*mode).returncode == 0
    assert _counted(tiny, "03", "13") == [1, 1]
    assert tiny.statuses()["13"] == "skipped"
    teach(tiny, "2")
    told = tiny.launch("--why", "13", "--data-only").stdout
    assert "runs: input lessons/l.json has changed" in told
    assert "is kept" in tiny.launch("--why", "03", "--data-only").stdout
    assert tiny.launch(*mode).returncode == 0
    assert _counted(tiny, "03", "13") == [1, 2]
    assert tiny.launch(*mode, "--set", "synthetic.count=5").returncode == 0
    assert _counted(tiny, "03", "13") == [2, 3]
    assert tiny.launch(*mode, "--set", "synthetic.count=5", "--force").returncode == 0
    assert _counted(tiny, "03", "13") == [3, 4]


@pytest.mark.slow
def test_a_start_continues_a_run_that_failed(tiny: TinyProject) -> None:
    teach(tiny, "1")
    tiny.behave("03", COUNT.format(key="03", name="synthetic.jsonl", more=""))
    tiny.behave("13", COUNT.format(key="13", name="lessons.jsonl", more="raise SystemExit(2)"))
    assert tiny.orchestrate("--data-only").returncode == 2
    run_id = tiny.state()["run_id"]
    told = tiny.launch("--why", "13", "--data-only").stdout
    assert "Last     failed in run" in told and f"continues run {run_id}" in told
    tiny.behave("13", COUNT.format(key="13", name="lessons.jsonl", more=""))
    assert tiny.orchestrate("--data-only").returncode == 0
    assert tiny.state()["run_id"] == run_id
    assert _counted(tiny, "03", "13") == [1, 2]


@pytest.mark.slow
def test_a_resumed_run_repeats_what_has_lost_its_ground(tiny: TinyProject) -> None:
    teach(tiny, "1")
    tiny.behave("03", COUNT.format(key="03", name="synthetic.jsonl", more=""))
    tiny.behave("13", COUNT.format(key="13", name="lessons.jsonl", more=""))
    tiny.behave("20", "raise SystemExit(2)")
    assert tiny.orchestrate("--data-only").returncode == 2
    teach(tiny, "2")
    tiny.behave("20", "return {}")
    assert tiny.orchestrate("--resume").returncode == 0
    assert _counted(tiny, "03", "13") == [1, 2]


def test_an_unknown_stage_is_named(tiny: TinyProject) -> None:
    told = tiny.launch("--why", "99")
    assert told.returncode == 2 and "no stage '99'" in told.stderr and "03, 13" in told.stderr
    told = tiny.launch("--accept", "03")
    assert told.returncode == 2 and "no earlier result" in told.stderr
