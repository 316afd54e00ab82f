"""Orchestrator, guard and stage killed at every named place of a run: the same command again reaches the same
end, what was done is not done again, and nothing is left. # ops 17, row 1

By default every third place; NIGHTFORGE_FAILPOINTS=each: each place once, =all: each time it is passed.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny_project import TinyProject

from nightforge.core import failpoints
from nightforge.core.records import JOURNAL, running_record
from nightforge.pipeline.rebuild import load_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="counts processes through /proc"),
]
KEYS = ("03", "13", "20", "06", "08")
LEAST = 40
# Reads what the stage before it wrote, so that the end tells whether each has done its part.
_WORK = """
folder = stage.paths.blueprint_data
folder.mkdir(parents=True, exist_ok=True)
with open(stage.paths.root / "marks", "a") as marks:
    marks.write(f"{stage.stage_key}\\n")
stage.report.progress(1, 1, "rows")
before = sorted(path.name for path in folder.iterdir() if path.name not in OUT)
for name in OUT:
    (folder / name).write_text(stage.stage_key)
return {"saw": " ".join(before)}
"""
_OUT = {
    "03": ["synthetic.jsonl"],
    "13": ["lessons.jsonl"],
    "20": ["train.jsonl", "val.jsonl", "dataset.json", "card.json", "card.md"],
    "06": [],
    "08": ["system_prompt.txt"],
}


def prepare(root: Path) -> TinyProject:
    tiny = TinyProject(root)
    for key in KEYS:
        tiny.behave(key, _WORK.replace("OUT", repr(_OUT[key])))
    return tiny


def passed(root: Path) -> list[str]:
    """Return the places an undisturbed run passes, as lines of the failpoint log."""
    tiny = prepare(root)
    log = root / "places"
    tiny.environment[failpoints.LOG_VARIABLE] = str(log)
    assert tiny.orchestrate("--data-only").returncode == 0
    return [line for line in log.read_text().splitlines() if not line.startswith("launcher")]


def chosen(lines: list[str]) -> Iterator[str]:
    how = os.environ.get("NIGHTFORGE_FAILPOINTS", "")
    if how == "all":
        yield from lines
        return
    first = list({line.rpartition(" ")[0]: line for line in reversed(lines)}.values())
    yield from first if how == "each" else first[::3]


def outcome(tiny: TinyProject) -> dict[str, object]:
    state = tiny.state()
    data = tiny.project.blueprint_data
    return {
        "status": state["status"],
        # Killed behind its last word, a run has succeeded: the next one keeps all of it.
        "done": {stage["id"]: stage["status"] in ("succeeded", "skipped") for stage in state["stages"]},
        "results": {stage["id"]: stage["result"] for stage in state["stages"]},
        "files": {path.name: path.read_text() for path in sorted(data.iterdir())},
    }


def done_in(tiny: TinyProject) -> set[str]:
    found = set()
    for folder in tiny.project.runs.glob("*"):
        if (folder / JOURNAL).exists():
            state, _ = load_run(folder)
            found |= {stage.id for stage in state.stages if stage.status == "succeeded"}
    return found


def marks(tiny: TinyProject) -> list[str]:
    path = tiny.root / "marks"
    return path.read_text().split() if path.exists() else []


def test_killed_at_every_named_place(tmp_path: Path) -> None:
    expected = prepare(tmp_path / "expected")
    assert expected.orchestrate("--data-only").returncode == 0
    wanted = outcome(expected)
    places = list(chosen(passed(tmp_path / "recorded")))
    assert len(places) >= LEAST
    assert {line.split()[0] for line in places} == {"orchestrator", "guard", "stage"}
    wrong = {}
    for number, place in enumerate(places):
        tiny = prepare(tmp_path / f"p{number}")
        try:
            wrong[place] = attempt(tiny, place, wanted)
        finally:
            tiny.end_everything()
    print(f"{len(places)} places")
    assert {place: words for place, words in wrong.items() if words} == {}


def attempt(tiny: TinyProject, place: str, wanted: dict[str, object]) -> str:
    """Run with a kill at `place`, then the same command until it is through; returns what is wrong."""
    mark = tiny.root / "killed"
    tiny.environment[failpoints.VARIABLE] = f"{place} {mark}"
    first = tiny.orchestrate("--data-only")
    del tiny.environment[failpoints.VARIABLE]
    if not mark.exists():
        return "the place was not passed"
    if first.returncode != 0:
        tiny.wait(lambda: running_record(tiny.project) is None)
    done, before = done_in(tiny), marks(tiny)
    if first.returncode != 0:
        again = tiny.orchestrate("--data-only")
        if again.returncode != 0:
            return f"the second start ended with {again.returncode}: {again.stderr[-300:]}"
    json.loads(tiny.project.live_state.read_bytes())
    repeated = sorted(done & set(marks(tiny)[len(before) :]))
    if repeated:
        return f"done before, done again: {repeated}"
    if max(marks(tiny).count(key) for key in KEYS) > 2:
        return f"a stage ran more than twice: {marks(tiny)}"
    if outcome(tiny) != wanted:
        return f"another end: {outcome(tiny)}"
    tiny.wait(lambda: not tiny.own_processes(), 20)
    return ""
