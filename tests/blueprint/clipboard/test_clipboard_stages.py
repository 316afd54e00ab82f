"""Stages 01 and 05: files and folders in, other folders out, one bad file never stops the others."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from clipboard_samples import SAMPLES

from nightforge.blueprint.check import validate
from nightforge.blueprint.clipboard.stages import Outcome, analyze_stage, translate_stage
from nightforge.core.errors import GateError, InputError
from nightforge.core.paths import Project

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
LAMP = SAMPLES["call_with_literals"]().text()


class Told:
    """A report that keeps what it is told."""

    def __init__(self) -> None:
        self.alerts: list[tuple[str, ...]] = []
        self.messages: list[str] = []

    def alert(self, *words: str) -> None:
        self.alerts.append(words)

    def message(self, text: str) -> None:
        self.messages.append(text)

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None


def run(
    project: Project, *inputs: object, by_hand: bool = True, told: Told | None = None, **wishes: Any
) -> Outcome:
    given = {"output": None, "report": None, "parent": None, "svg": False, "to_clipboard": False, **wishes}
    args = argparse.Namespace(inputs=[str(entry) for entry in inputs], **given)
    stage = analyze_stage if wishes.get("analyze") else translate_stage
    return stage(args, project, told or Told(), by_hand)  # type: ignore[arg-type]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    (folder / "lamp.txt").write_text(LAMP, encoding="utf-16")
    (folder / "deep" / "fence.T3D").write_text(SAMPLES["knots_in_a_row"]().text(), encoding="utf-8")
    (folder / "half.txt").write_text(LAMP[: len(LAMP) // 2], encoding="utf-8")
    (folder / "notes.md").write_text("no export", encoding="utf-8")
    (folder / "old.dsl").write_text("BLUEPRINT: Old\n", encoding="utf-8")
    return folder


def test_a_folder_is_translated_and_the_bad_file_is_listed_at_the_end(
    project, inbox: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    done = run(project, inbox, output=tmp_path / "out", report=report)
    assert isinstance(done.error, GateError) and done.error.exit_code == 1
    assert "1 of 3 texts failed" in str(done.error) and "half.txt" in str(done.error)
    written = sorted(path.name.rpartition("-")[0] for path in (tmp_path / "out").iterdir())
    assert written == ["fence", "lamp"]
    entries = {Path(entry["file"]).name: entry for entry in json.loads(report.read_text())["files"]}
    assert set(entries) == {"lamp.txt", "fence.T3D", "half.txt"}
    lamp = entries["lamp.txt"]
    assert lamp["error"] is None and lamp["round_trip"] is True
    assert (lamp["nodes_in"], lamp["nodes_kept"]) == (2, 2)
    assert (lamp["wires_in"], lamp["wires_kept"], lamp["defaults_in"], lamp["defaults_kept"]) == (1, 1, 1, 1)
    assert "CLIP104" in entries["half.txt"]["error"]
    assert done.result["files"] == 3 and done.result["failed"] == 1 and done.result["round_trips"] == 2


def test_a_rerun_writes_the_same_files_and_no_others(project, inbox: Path, tmp_path: Path) -> None:
    def contents() -> dict[str, str]:
        return {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "out").iterdir()}

    run(project, inbox, output=tmp_path / "out")
    before = contents()
    run(project, inbox, output=tmp_path / "out")
    assert contents() == before
    assert all(validate(text).blueprint is not None for text in before.values())


@pytest.mark.parametrize("where", ["in", "in/deep", "in/deep/new"])
def test_the_output_never_lies_in_an_input_folder(project, inbox: Path, tmp_path: Path, where: str) -> None:
    before = sorted(inbox.rglob("*"))
    with pytest.raises(InputError, match="lies in the input folder"):
        run(project, inbox, output=tmp_path / where)
    assert sorted(inbox.rglob("*")) == before


def test_a_file_is_never_answered_beside_itself(project, inbox: Path) -> None:
    with pytest.raises(InputError, match="never written to"):
        run(project, inbox / "lamp.txt", output=inbox)


def test_missing_inputs_and_empty_folders_are_named(project, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone.txt is missing"):
        run(project, tmp_path / "gone.txt", output=tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no file to read in"):
        run(project, tmp_path / "empty", output=tmp_path / "out")


def test_standard_input_is_one_of_the_inputs(
    project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(LAMP.encode())))
    done = run(project, "-", output=tmp_path / "out")
    assert done.error is None
    assert [path.name.rpartition("-")[0] for path in (tmp_path / "out").iterdir()] == ["clipboard"]


def test_there_and_back_with_a_picture(project, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "lamp.txt").write_text(LAMP, encoding="utf-8")
    run(project, tmp_path / "in", output=tmp_path / "out", svg=True)
    program = next((tmp_path / "out").glob("*.dsl"))
    assert next((tmp_path / "out").glob("*.svg")).read_text(encoding="utf-8").startswith("<svg")
    run(project, program, output=tmp_path / "paste", to_clipboard=True)
    text = next((tmp_path / "paste").glob("*.txt"))
    run(project, text, output=tmp_path / "again")
    assert next((tmp_path / "again").glob("*.dsl")).read_text() == program.read_text()
    run(project, program, output=tmp_path / "drawn", svg=True)
    assert [path.suffix for path in (tmp_path / "drawn").iterdir()] == [".svg"]


def test_a_program_that_cannot_be_read_is_an_error_with_its_place(project, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.dsl").write_text("BLUEPRINT: A\nNODE\n", encoding="utf-8")
    done = run(project, tmp_path / "in", output=tmp_path / "out", to_clipboard=True)
    assert done.error is not None and "bad.dsl: line" in str(done.error)


def test_within_a_run_a_bad_copy_is_an_alert_and_no_inbox_is_a_sentence(project: Project) -> None:
    told = Told()
    done = run(project, by_hand=False, told=told)
    assert done.result["files"] == 0 and "does not exist" in told.messages[0]
    inbox = project.blueprint_data / "exports"
    inbox.mkdir(parents=True)
    (inbox / "half.txt").write_text(LAMP[:500], encoding="utf-8")
    (inbox / "lamp.txt").write_text(LAMP, encoding="utf-8")
    done = run(project, by_hand=False, told=told)
    assert done.error is None and done.result["failed"] == 1
    assert told.alerts[0][0] == "warning" and "half.txt" in told.alerts[0][2]
    assert len(list((project.blueprint_data / "translated").glob("lamp-*.dsl"))) == 1


def test_the_analysis_names_what_a_text_holds(project, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("variables_get_and_set", "call_with_literals", "macros_of_the_engine"):
        (tmp_path / "in" / f"{name}.txt").write_text(SAMPLES[name]().text(), encoding="utf-8")
    done = run(project, tmp_path / "in", output=tmp_path / "out", analyze=True)
    found = {
        path.name.rpartition("-")[0]: json.loads(path.read_text()) for path in (tmp_path / "out").iterdir()
    }
    lamp = found["call_with_literals"]
    assert set(lamp) == {"schema_version", "source", "nodes", "summary"}
    node = lamp["nodes"][1]
    assert node["class"] == "/Script/BlueprintGraph.K2Node_CallFunction"
    assert {"name", "properties", "pins", "custom_properties", "children"} <= set(node)
    summary = lamp["summary"]
    assert summary["total_nodes"] == 2
    assert summary["events"] == ["ReceiveBeginPlay"]
    assert summary["function_calls"] == ["KismetSystemLibrary.PrintString"]
    assert summary["connections"] == [
        {"from_node": "K2Node_Event_0", "from_pin": "then", "to": "K2Node_CallFunction_0.execute"}
    ]
    assert found["variables_get_and_set"]["summary"]["variables_referenced"] == ["Fuel Left", "Log", "Lamps"]
    assert "ForEachLoop" in found["macros_of_the_engine"]["summary"]["function_calls"]
    assert any("calls: KismetSystemLibrary.PrintString" in line for line in done.lines)


def test_the_analysis_reads_graphs_of_other_kinds_too(project, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    text = 'Begin Object Class=/Script/RigVMDeveloper.RigVMUnitNode Name="Bend"\n   Key=1\nEnd Object\n'
    (tmp_path / "in" / "rig.txt").write_text(text, encoding="utf-8")
    assert run(project, tmp_path / "in", output=tmp_path / "out", analyze=True).error is None
    done = run(project, tmp_path / "in", output=tmp_path / "programs")
    assert done.error is not None and "rig.txt" in str(done.error) and "Control Rig" in str(done.error)


def test_the_scripts_exit_with_what_happened(project: Project, inbox: Path, tmp_path: Path) -> None:
    def stage(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    done = stage("05_auto_translate_export.py", inbox, "--output", tmp_path / "out")
    assert done.returncode == 1 and "half.txt" in done.stderr
    assert "lamp.txt: 2 nodes, 1 wires, 1 literals -> " in done.stdout
    assert stage("01_analyze_blueprint_clipboard.py", inbox / "gone.txt").returncode == 2
    shown = stage("05_auto_translate_export.py", "--show-map")
    assert shown.returncode == 0 and "ReceiveBeginPlay" in shown.stdout
