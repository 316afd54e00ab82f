"""Stages 06 and 08 keep their contracts: exit codes, counts, the prompt file."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from language_cases import LANTERN, body

from nightforge.blueprint.prompt import system_prompt
from nightforge.blueprint.validation import summary, validate_files
from nightforge.core.errors import InputError
from nightforge.core.paths import Project

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"
GOOD = {"instruction": "Light it.", "output": LANTERN}
WIRELESS = {"instruction": "Do nothing.", "output": body()}


def stage(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rows(path: Path, *entries: object) -> Path:
    lines = [entry if isinstance(entry, str) else json.dumps(entry) for entry in entries]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_valid_files_exit_0(project: Project, tmp_path: Path) -> None:
    dsl = tmp_path / "a.dsl"
    dsl.write_text(LANTERN, encoding="utf-8")
    done = stage("06_validate_dsl.py", dsl, rows(tmp_path / "b.jsonl", GOOD, GOOD))
    assert done.returncode == 0, done.stderr
    assert "2 of 2 good" in done.stdout


def test_any_invalid_row_exits_2_and_json_lists_the_findings(project: Project, tmp_path: Path) -> None:
    bad = {"instruction": "x", "output": LANTERN.replace("GreaterThan", "Greaterr")}
    done = stage("06_validate_dsl.py", "--json", rows(tmp_path / "b.jsonl", GOOD, bad))
    assert done.returncode == 2
    result = json.loads(done.stdout)
    assert not result["ok"] and result["totals"]["valid"] == 1 and result["totals"]["parses"] == 2
    assert any("Greaterr" in e["message"] and e["row"] == 2 for e in result["files"][0]["errors"])
    assert "next: python scripts/06_validate_dsl.py" in done.stderr


def test_a_missing_file_exits_2_and_is_named(project: Project, tmp_path: Path) -> None:
    done = stage("06_validate_dsl.py", tmp_path / "gone.dsl")
    assert done.returncode == 2 and "gone.dsl is missing" in done.stderr


def test_counts_reach_the_run_as_metrics(project: Project, tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    stage("06_validate_dsl.py", rows(tmp_path / "b.jsonl", GOOD), "--run-dir", run_dir, "--stage-key", "06")
    events = [
        json.loads(line) for line in (run_dir / "06.events.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    [metric] = [event["values"] for event in events if event["type"] == "metric"]
    assert metric == {"programs": 1, "parses": 1, "valid": 1, "has_wires": 1, "has_instruction": 1, "good": 1}
    assert events[-1]["type"] == "done"


BAD_ROWS = {
    "a program without a wire": (WIRELESS, "no wire"),
    "an empty instruction": ({**GOOD, "instruction": "  "}, "instruction"),
    "no instruction": ({"output": LANTERN}, "instruction"),
    "no output": ({"instruction": "x"}, "`output` is missing"),
    "a list for a row": ([1], "JSON object"),
    "broken JSON": ('{"output": ', "no JSON"),
    "an empty program": ({"instruction": "x", "output": ""}, "header is required"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_counted_and_named(case: str, tmp_path: Path) -> None:
    entry, message = BAD_ROWS[case]
    [report] = validate_files([rows(tmp_path / "b.jsonl", GOOD, "", entry)])
    assert not report.ok
    assert (report.programs, report.good) == (2, 1)
    assert any(message in error["message"] and error["row"] == 3 for error in report.errors)


def test_an_empty_training_set_is_not_good(tmp_path: Path) -> None:
    [report] = validate_files([rows(tmp_path / "b.jsonl")])
    assert not report.ok and not summary([report])["ok"]


def test_a_program_file_may_have_no_wire_but_must_be_text(tmp_path: Path) -> None:
    plain, binary = tmp_path / "a.dsl", tmp_path / "b.dsl"
    plain.write_text(body(), encoding="utf-8")
    binary.write_bytes(b"\xff\xfe\x00")
    first, second = validate_files([plain, binary])
    assert first.ok and first.has_wires == 0
    assert not second.ok and "no UTF-8 text: it is UTF-16" in second.errors[0]["message"]
    assert second.errors[0]["code"] == "DSL001"


def test_a_folder_is_searched_and_one_bad_file_stops_no_other(project: Project, tmp_path: Path) -> None:
    inner = tmp_path / "programs" / "inner"
    inner.mkdir(parents=True)
    (inner / "bad.dsl").write_bytes(b"BLUEPRINT: A\nPARENT: \xff\n")
    (inner / "good.dsl").write_text(LANTERN, encoding="utf-8")
    (inner / "notes.txt").write_text("no program", encoding="utf-8")
    rows(tmp_path / "programs" / "rows.jsonl", GOOD)
    done = stage("06_validate_dsl.py", tmp_path / "programs")
    assert done.returncode == 2
    assert "line 2, column 9: DSL001" in done.stdout
    assert done.stdout.count("1 of 1 good") == 2 and "files with errors: bad.dsl\n" in done.stderr


def test_a_folder_without_programs_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no .dsl or .jsonl file"):
        validate_files([tmp_path])


def test_a_file_of_100_mb_is_refused_by_its_size_alone(tmp_path: Path) -> None:
    large = tmp_path / "large.dsl"
    with large.open("wb") as file:
        file.truncate(100 * 2**20)
    before = time.monotonic()
    [report] = validate_files([large])
    assert time.monotonic() - before < 1.0
    assert "100 MiB; a program may have at most 16 MiB" in report.errors[0]["message"]


def test_a_row_beyond_the_limit_ends_the_reading_of_its_file(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("nightforge.blueprint.validation.MAX_BYTES", 600)
    [report] = validate_files([rows(tmp_path / "b.jsonl", GOOD, {**GOOD, "note": "x" * 900}, GOOD)])
    assert (report.programs, report.good) == (2, 1)
    assert report.errors[0]["row"] == 2 and "is not read" in report.errors[0]["message"]


SLOPPY = LANTERN.replace("GetVar [VarName", "VariableGet [Variable").replace("GRAPH", "# light\n\nGRAPH")


def test_fix_rewrites_aliases_in_place_and_says_so(project: Project, tmp_path: Path) -> None:
    sloppy, broken = tmp_path / "a.dsl", tmp_path / "b.dsl"
    sloppy.write_bytes(SLOPPY.replace("\n", "\r\n").encode("utf-8"))
    broken.write_text(SLOPPY.replace("Branch", "Bramch"), encoding="utf-8")
    done = stage("06_validate_dsl.py", "--fix", "--dry-run", tmp_path)
    assert "a.dsl: would be rewritten" in done.stdout and b"\r" in sloppy.read_bytes()
    done = stage("06_validate_dsl.py", "--fix", tmp_path)
    assert done.returncode == 2 and "b.dsl: refused: 1 errors" in done.stdout
    assert 'VariableGet [Variable="Fuel"] -> NODE n2: GetVar [VarName="Fuel"]' in done.stdout
    assert sloppy.read_text(encoding="utf-8") == LANTERN.replace("GRAPH", "# light\nGRAPH")
    assert "VariableGet" in broken.read_text(encoding="utf-8")


def test_dry_run_alone_is_refused(project: Project, tmp_path: Path) -> None:
    done = stage("06_validate_dsl.py", "--dry-run", tmp_path)
    assert done.returncode == 2 and "--dry-run goes with --fix" in done.stderr


@pytest.mark.parametrize("style", ["minimal", "full"])
def test_stage_08_writes_the_prompt_of_the_configured_style(project: Project, style: str) -> None:
    done = stage("08_generate_system_prompt.py", "--set", f"model.system_prompt={style}")
    assert done.returncode == 0, done.stderr
    assert (project.blueprint_data / "system_prompt.txt").read_text(encoding="utf-8") == system_prompt(style)


def test_preview_prints_and_writes_nothing(project: Project) -> None:
    done = stage("08_generate_system_prompt.py", "--preview", "--set", "model.system_prompt=compact")
    assert done.stdout == system_prompt("compact")
    assert not (project.blueprint_data / "system_prompt.txt").exists()


@pytest.mark.parametrize("script", ["06_validate_dsl.py", "08_generate_system_prompt.py"])
def test_help_says_what_is_read_and_written(script: str) -> None:
    done = stage(script, "--help")
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("Reads", "Writes", "Needs", "By hand"))
