"""Curves in the terminal show the shape, and the CSV holds every number."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from run_records import finished_project

from nightforge.blueprint.curves import (
    comparison_lines,
    curve_lines,
    export_csv,
    plot,
    sparkline,
    summary_lines,
)
from nightforge.blueprint.results import VersionRecords, read_version


@pytest.fixture
def records(tmp_path: Path) -> list[VersionRecords]:
    project = finished_project(tmp_path)
    return [read_version(project, version) for version in (1, 2)]


def test_a_falling_line_falls_from_the_upper_left_to_the_lower_right() -> None:
    lines = plot([("*", [(x, 10.0 - x) for x in range(11)])], width=11, height=11)
    cells = [line.split("│")[1] for line in lines[:11]]
    assert [row.index("*") for row in cells] == list(range(11))
    assert lines[0].strip().startswith("10") and lines[10].strip().startswith("0")
    assert lines[-1].split() == ["step", "0", "10"]


def test_a_flat_line_a_single_point_and_no_point_are_drawn_without_dividing_by_zero() -> None:
    assert sum(line.count("*") for line in plot([("*", [(1, 2.0), (2, 2.0)])])) == 2
    assert sum(line.count("*") for line in plot([("*", [(1, 2.0)])])) == 1
    assert plot([("*", [])]) == ["(no points)"] == plot([("*", [(1, float("nan"))])])


def test_a_sparkline_goes_from_high_to_low_and_leaves_out_what_is_no_number() -> None:
    assert sparkline([8, 7, 6, 5, 4, 3, 2, 1]) == "█▇▆▅▄▃▂▁"
    assert len(sparkline(list(range(1000)), width=24)) == 24
    assert sparkline([float("nan")]) == "" and sparkline([]) == ""


def test_summary_compare_and_single_view_name_every_version(records: list[VersionRecords]) -> None:
    summary = summary_lines(records)
    assert len(summary) == 3 and summary[1].split()[:2] == ["v1", "1,600"] and "0.55" in summary[1]
    assert "1 = v1" in comparison_lines(records)[0] and "2 = v2" in comparison_lines(records)[0]
    single = curve_lines(records[1])
    assert "training loss" in single[0] and any("·" in line for line in single[1:])


def test_a_version_without_a_log_says_so(records: list[VersionRecords]) -> None:
    bare = VersionRecords(version=7, adapter=records[0].adapter)
    assert curve_lines(bare) == ["v7 has no training log"]
    assert summary_lines([bare])[1].split()[:2] == ["v7", "–"]


def test_the_export_holds_every_point(records: list[VersionRecords], tmp_path: Path) -> None:
    assert export_csv(records, tmp_path / "curves.csv") == 40
    rows = list(csv.DictReader((tmp_path / "curves.csv").read_text().splitlines()))
    last = [row for row in rows if row["version"] == "v2"][-1]
    assert last["step"] == "200" and float(last["lr"]) == 2e-4 and float(last["eval_loss"]) > 0
    assert [row["eval_loss"] for row in rows[:4]] == ["", "", "", ""]
