"""Stage 09: a dozen tests in four tiers; what they require is checked on the parsed graph.

A text that does not parse scores 0 whatever words it holds (facts W-8); an invalid program scores half. A
test passes when the program is valid and at least 70 % of its requirements hold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.blueprint.answers import extract_program, open_author, version_name
from nightforge.blueprint.check import validate
from nightforge.blueprint.evaluation_tests import Test, load_tests
from nightforge.blueprint.requirements import describe, holds
from nightforge.config import Config
from nightforge.core.atomic import write_json
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.ml.generation import Answer

PASS_SCORE = 0.7
_INVALID_FACTOR = 0.5


@dataclass(frozen=True)
class Selection:
    """Which tests, on which adapter, against which; the report goes to `report_file` as well."""

    adapter: Path | None = None
    compare: Path | None = None
    tier: int = 0
    quick: bool = False
    report_file: Path | None = None


def choose_tests(tests: Sequence[Test], tier: int = 0, quick: bool = False) -> list[Test]:
    """Return the tests of one tier (0: all); `quick` keeps the first of each tier."""
    tiers = sorted({test.tier for test in tests})
    if tier and tier not in tiers:
        raise InputError(f"--tier {tier} does not exist; tiers are {', '.join(map(str, tiers))}")
    chosen = [test for test in tests if tier in (0, test.tier)]
    if quick:
        chosen = [next(test for test in chosen if test.tier == t) for t in sorted({t.tier for t in chosen})]
    return chosen


def run_evaluation(
    config: Config, project: Project, report: Report, should_stop: Callable[[], bool], selection: Selection
) -> dict[str, Any]:
    """Test an adapter, write results/evaluations/vN.json and return its summary."""
    tests = choose_tests(load_tests(), selection.tier, selection.quick)
    outcome = _test_adapter(config, project, report, should_stop, (selection.adapter, tests))
    if selection.compare is not None:
        other = _test_adapter(config, project, report, should_stop, (selection.compare, tests))
        outcome["compare"] = compare(outcome, other)
    report.phase("7.5", "save")
    report.watch("save")
    partial = selection.quick or selection.tier
    suffix = f"-{'quick' if selection.quick else 'tier' + str(selection.tier)}" if partial else ""
    write_json(project.results / "evaluations" / f"{outcome['version']}{suffix}.json", outcome)
    if selection.report_file is not None:
        write_json(selection.report_file, outcome)
    summary: dict[str, Any] = outcome["summary"]
    report.metric(**summary)
    return {"version": outcome["version"], **summary}


def grade_test(test: Test, text: str) -> dict[str, Any]:
    """Score one answer 0..1; returns the entry for `results`."""
    program = extract_program(text)
    validation = validate(program, opaque="error")
    blueprint = validation.blueprint
    met = [blueprint is not None and holds(check, blueprint) for check in test.checks]
    share = sum(met) / len(met)
    score = 0.0 if blueprint is None else share * (1.0 if validation.valid else _INVALID_FACTOR)
    return {
        "test_id": test.id,
        "tier": test.tier,
        "prompt": test.prompt,
        "passed": bool(validation.valid and score >= PASS_SCORE),
        "score": round(score, 4),
        "output": program,
        "checks": [
            {"name": describe(check), "ok": ok, "detail": "" if ok else "not found in the graph"}
            for check, ok in zip(test.checks, met, strict=True)
        ],
        "errors": [str(error) for error in validation.errors],
    }


def compare(mine: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Set two evaluations side by side: totals of the other, and each test whose score differs."""
    theirs = {result["test_id"]: result["score"] for result in other["results"]}
    changed = [
        {"test_id": result["test_id"], "score": result["score"], "other": theirs[result["test_id"]]}
        for result in mine["results"]
        if result["score"] != theirs[result["test_id"]]
    ]
    return {"version": other["version"], "summary": other["summary"], "changed": changed}


def _test_adapter(
    config: Config,
    project: Project,
    report: Report,
    should_stop: Callable[[], bool],
    subject: tuple[Path | None, Sequence[Test]],
) -> dict[str, Any]:
    folder, tests = subject
    report.phase("7.1", f"load {version_name(folder) if folder else 'the newest adapter'}")
    author = open_author(config, project, folder, report=report)
    report.message(author.loaded.info.sentence())
    report.phase("7.2", f"{len(tests)} tests")
    report.watch("generate")
    started = time.monotonic()
    graded: dict[int, dict[str, Any]] = {}

    def on_answer(answer: Answer) -> None:
        graded[answer.index] = grade_test(tests[answer.index], answer.text)
        report.progress(len(graded), len(tests), "tests")

    author.write([test.prompt for test in tests], should_stop, on_answer)
    results = [graded[index] for index in range(len(tests))]
    return {
        "schema_version": 1,
        "version": author.version,
        "model": author.loaded.info.adapter,
        "created_at": utc_now(),
        "summary": {
            "total": len(results),
            "passed": sum(result["passed"] for result in results),
            "mean_score": round(sum(result["score"] for result in results) / len(results), 4),
            "seconds": round(time.monotonic() - started, 2),
        },
        "results": results,
        "compare": None,
    }
