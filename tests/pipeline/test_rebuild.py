"""A damaged journal is kept, and the run goes on from what its attempts have left."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tiny_project import TinyProject

from nightforge.core.errors import InputError
from nightforge.core.events import EventWriter
from nightforge.pipeline.journal import JOURNAL, read_journal
from nightforge.pipeline.rebuild import load_run, mend_journal

KEYS = ["03", "13", "20", "06", "08"]
_MARKING = """
with open(stage.paths.root / "marks", "a") as marks:
    marks.write(stage.stage_key + "\\n")
stage.report.progress(1, 1, "rows")
if stage.stage_key == "06" and not (stage.paths.root / "go").exists():
    raise ValueError("not yet")
return {"key": stage.stage_key}
"""


def damage(path: Path, line: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line][: len(lines[line]) // 2] + b"\xff\n"
    path.write_bytes(b"".join(lines))


@pytest.fixture
def broken_off(tiny: TinyProject) -> TinyProject:
    """A run that ended in stage 06, its journal damaged behind the first stage's end."""
    for key in KEYS:
        tiny.behave(key, _MARKING)
    assert tiny.orchestrate("--data-only").returncode == 1
    path = tiny.project.run_dir(tiny.record()["run_id"]) / JOURNAL
    ends = [n for n, line in enumerate(path.read_text().splitlines()) if '"stage_ended"' in line]
    damage(path, ends[0] + 2)
    return tiny


def test_stages_that_were_done_stay_done_after_damage_in_the_middle(broken_off: TinyProject) -> None:
    tiny = broken_off
    folder = tiny.project.run_dir(tiny.record()["run_id"])
    before = (folder / JOURNAL).read_bytes()
    state, _ = load_run(folder)
    assert (folder / JOURNAL).read_bytes() == before  # looking changes nothing
    assert {stage.id: stage.status for stage in state.stages}["20"] == "succeeded"
    (tiny.root / "go").touch()
    done = tiny.orchestrate("--resume")
    assert done.returncode == 0, done.stderr
    marks = (tiny.root / "marks").read_text().split()
    assert {key: marks.count(key) for key in ("03", "13", "20", "08")} == dict.fromkeys(
        ("03", "13", "20", "08"), 1
    )
    assert [stage["result"] for stage in tiny.state()["stages"]] == [{"key": key} for key in KEYS]
    titles = [alert["title"] for alert in tiny.state()["alerts"]]
    assert titles.count("The journal of this run was damaged") == 1
    (kept,) = folder.glob("events.jsonl.broken-*")
    assert kept.read_bytes() == before
    attempts = [e for e in read_journal(folder).events if e["type"] == "stage_started"]
    assert len({(e["stage"], e["attempt"]) for e in attempts}) == len(attempts)  # ids are used once


def test_a_stage_counts_as_done_only_with_its_done_event_and_its_adapter(broken_off: TinyProject) -> None:
    tiny = broken_off
    folder = tiny.project.run_dir(tiny.record()["run_id"])
    (folder / "13.events.jsonl").write_bytes(b"")
    writer = EventWriter(folder / "20.events.jsonl")
    writer.write("done", result={"adapter": "models/blueprint-lora-v7"})  # which is not there
    writer.close()
    state, _ = load_run(folder)
    statuses = {stage.id: stage.status for stage in state.stages}
    assert statuses["03"] == "succeeded"
    assert statuses["13"] == "failed" and statuses["20"] == "failed"


def test_every_single_damaged_line_leaves_a_run_that_can_be_loaded(tiny: TinyProject) -> None:
    for key in KEYS:
        tiny.behave(key, _MARKING)
    (tiny.root / "go").touch()
    assert tiny.orchestrate("--data-only").returncode == 0
    folder = tiny.project.run_dir(tiny.record()["run_id"])
    whole = (folder / JOURNAL).read_bytes()
    generator = random.Random(5)
    count = len(whole.splitlines())
    for line in [0, *generator.sample(range(1, count), min(15, count - 1))]:
        (folder / JOURNAL).write_bytes(whole)
        damage(folder / JOURNAL, line)
        if line == 0:
            with pytest.raises(InputError, match="line 1"):
                load_run(folder)
            continue
        found = mend_journal(folder)
        assert found is not None and found.line == line + 1
        assert mend_journal(folder) is None
        state, seq = load_run(folder)
        assert [stage.status for stage in state.stages] == ["succeeded"] * len(KEYS), line
        events = [json.loads(text) for text in (folder / JOURNAL).read_text().splitlines()]
        assert [event["seq"] for event in events] == list(range(1, seq + 1))
