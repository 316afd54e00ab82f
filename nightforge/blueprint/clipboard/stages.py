"""Stages 01 and 05: wishes of the command line, the inbox of a run, what is printed, and the failures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.blueprint.clipboard.analysis import analyze, summary_text
from nightforge.blueprint.clipboard.batch import (
    EXPORTS,
    PROGRAMS,
    FileReport,
    each,
    find_inputs,
    named,
    totals,
    translate_all,
    write_all,
)
from nightforge.blueprint.clipboard.reading import decode
from nightforge.core.atomic import write_json
from nightforge.core.errors import GateError, InputError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

INBOX = "exports"  # below data/blueprint: where a user puts copies from the editor
TRANSLATED, ANALYSIS = "translated", "analysis"
SHOWN = 20  # failures listed


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a stage did: its counts, the lines to print, and by hand the error that lists what failed."""

    result: dict[str, Any]
    lines: list[str]
    error: GateError | None


def translate_stage(args: argparse.Namespace, project: Project, report: Report, by_hand: bool) -> Outcome:
    """Run stage 05; raises InputError for a wrong place.

    Within a run a broken copy in the inbox raises an alert only: it must not cost the night.
    """
    report.phase(
        "1.2", "write text for the clipboard" if args.to_clipboard else "translate copies to programs"
    )
    output = args.output or project.blueprint_data / TRANSLATED
    endings = PROGRAMS if args.to_clipboard else (*EXPORTS, *PROGRAMS) if args.svg else EXPORTS
    inputs = _inputs(args.inputs, endings, output, project, report)
    if args.to_clipboard:
        reports = write_all(inputs, output)
    else:
        reports = translate_all(
            inputs, output, args.parent, args.svg, lambda done, total: report.progress(done, total, "texts")
        )
    result = totals(reports)
    if args.report:
        write_json(args.report, {"files": [entry.to_dict() for entry in reports], "totals": result})
    report.metric(**{key: value for key, value in result.items() if isinstance(value, int)})
    error = _failures(reports, report, by_hand, "05_auto_translate_export.py")
    return Outcome(result, [_line(entry) for entry in reports if entry.error is None], error)


def analyze_stage(args: argparse.Namespace, project: Project, report: Report, by_hand: bool) -> Outcome:
    """Run stage 01; errors as in `translate_stage`."""
    report.phase("1.1", "analyse copies from the editor")
    output = args.output or project.blueprint_data / ANALYSIS
    inputs = _inputs(args.inputs, EXPORTS, output, project, report)
    lines: list[str] = []

    def work(data: bytes, stem: str, source: str) -> FileReport:
        found = analyze(decode(data), source)
        path = output / f"{named(stem, data)}.analysis.json"
        write_json(path, found, durable=False)
        lines.append(f"{summary_text(found)}\n  written to {path}")
        return FileReport(source, outputs=[str(path)])

    reports = [each(source, work) for source in inputs]
    failed = sum(entry.error is not None for entry in reports)
    report.metric(files=len(reports), failed=failed)
    error = _failures(reports, report, by_hand, "01_analyze_blueprint_clipboard.py")
    return Outcome({"files": len(reports), "failed": failed}, lines, error)


def _inputs(
    given: Sequence[str], endings: tuple[str, ...], output: Path, project: Project, report: Report
) -> list[str]:
    """Return the inputs that were named, or those of the inbox; an absent inbox has none."""
    inbox = project.blueprint_data / INBOX
    if given or inbox.is_dir():
        found = find_inputs(given or [str(inbox)], endings, output)
        if not found:
            places = ", ".join(given) or project.relative(inbox)
            kinds = ", ".join(endings)
            if given:
                raise InputError(f"no file to read in {places}; folders are searched for {kinds}")
            report.message(f"no copies from the editor in {places}")
        return found
    report.message(f"no copies from the editor: {project.relative(inbox)} does not exist")
    return []


def _line(entry: FileReport) -> str:
    ledger = entry.ledger
    counts = f"{ledger.nodes_kept} nodes, {ledger.wires_kept} wires, {ledger.defaults_kept} literals"
    if ledger.opaque:
        counts += f", {sum(ledger.opaque.values())} opaque"
    head = f"{entry.file}: {counts}" if ledger.nodes_in or ledger.comments_in else entry.file
    lines = [f"{head} -> {', '.join(entry.outputs)}"]
    return "\n".join([*lines, *(f"  note: {warning}" for warning in entry.warnings)])


def _failures(reports: Sequence[FileReport], report: Report, by_hand: bool, script: str) -> GateError | None:
    """Return the error that lists the inputs that failed; within a run an alert is raised instead."""
    failed = [entry for entry in reports if entry.error is not None]
    if not failed:
        return None
    shown = "\n".join(f"  {entry.file}: {entry.error}" for entry in failed[:SHOWN])
    more = f"\n  and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    title = f"{len(failed)} of {len(reports)} texts failed; the others are done"
    if by_hand:
        return GateError(f"{title}:\n{shown}{more}")
    report.alert("warning", title, shown + more, f"python scripts/{script} --help")
    return None
