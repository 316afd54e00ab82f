"""ueblueprint, a reader written by others, shows the nodes and links that we write."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

import ueblueprint as bench
from clipboard_programs import program_of

from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.graph import Blueprint, Graph
from nightforge.blueprint.synthesis.generate import generate

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def reader() -> Iterator[Any]:
    """The package in a tab; fetched through npm into the user's cache where it is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this computer (apt-get install chromium)")
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed, so ueblueprint can't be fetched (apt-get install npm)")
    package = bench.package_folder(bench.cache_folder())
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=bench.FLAGS)
        yield bench.Reader(browser, package)
        browser.close()


def test_lessons_and_exams_are_shown_whole(reader: bench.Reader) -> None:
    """Every eighth program; `benchmarks/ueblueprint.py` shows all of them."""
    seen = [reader.see(case) for case in list(bench.lesson_cases())[::8]]
    assert len(seen) >= 40
    assert [entry for entry in seen if not entry.agrees] == []


def test_generated_programs_are_shown_whole(reader: bench.Reader) -> None:
    programs = [example.blueprint for example in generate(Random(23), 30)]
    seen = [reader.see(bench.case_of(bp.name, bp)) for bp in programs]
    assert [entry for entry in seen if not entry.agrees] == []


def test_every_node_type_is_shown(reader: bench.Reader) -> None:
    names = list(load_catalog().nodes)
    for start in range(0, len(names), 20):
        nodes = tuple(
            replace(node, id=f"{node.id}_{name}")
            for name in names[start : start + 20]
            for node in program_of(load_catalog().nodes[name]).graphs[0].nodes[:1]
        )
        bp = Blueprint("BP_Test", "Actor", (), (Graph("EventGraph", nodes),))
        seen = reader.see(bench.case_of(f"{names[start]} and the next", bp))
        assert seen.agrees, seen.case.name


def test_a_reader_that_sees_less_is_noticed(reader: bench.Reader) -> None:
    case = next(bench.lesson_cases())
    cut = case.text.partition("End Object\n")[2]
    seen = reader.see(bench.Case("a node is missing", cut, case.nodes, case.links))
    assert seen.nodes == case.nodes - 1
    assert not seen.agrees
