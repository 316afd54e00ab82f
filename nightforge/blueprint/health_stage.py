"""Stage 19: read one version's records, apply the rules, write health, history and mastery."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

from nightforge.blueprint import health
from nightforge.blueprint import mastery as masteries
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.health_facts import Alert, DatasetFacts, Facts
from nightforge.blueprint.history import HistoryEntry, entry_for, read_history, updated, write_history
from nightforge.blueprint.results import (
    VersionRecords,
    base_exam_dir,
    exam_dir,
    read_answers,
    read_exam,
    read_version,
)
from nightforge.core import versions
from nightforge.core.atomic import read_json, read_jsonl, write_json
from nightforge.core.errors import InputError, NothingNewError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report


def run_health(project: Project, version: int | None, report: Report) -> dict[str, Any]:
    """Check one version (default: the newest); returns overall health and counts.

    NothingNewError (3) before the first training; InputError (2) for a version that does not exist.
    """
    chosen = choose_version(project, version)
    report.phase("19.1", f"read the records of v{chosen}")
    records = read_version(project, chosen)
    for note in records.notes:
        report.message(note)
    facts = gather(project, records)
    report.phase("19.2", "apply the rules")
    alerts = health.assess(facts)
    record = health.health_record(facts, alerts)
    write_json(project.results / "health" / f"v{chosen}.json", record)
    write_history(project, updated(read_history(project), facts.entry))
    if records.exam is not None:
        masteries.write_mastery(project, chosen, facts.mastery)
    tell(alerts, report)
    counts = {level.lower(): count for level, count in record["summary"]["by_level"].items()}
    statuses = Counter(node.status for node in facts.mastery)
    report.metric(
        health=record["summary"]["overall_health"], **{f"nodes_{k}": v for k, v in statuses.items()}
    )
    return {"version": f"v{chosen}", "overall_health": record["summary"]["overall_health"], "alerts": counts}


def choose_version(project: Project, wanted: int | None) -> int:
    """The wanted complete adapter, or the newest one."""
    known = versions.list_versions(project.models)
    if not known:
        raise NothingNewError("nothing has been trained yet", next_command="python launch_pipeline.py")
    if wanted is not None and wanted not in known:
        names = ", ".join(f"v{version}" for version in known)
        raise InputError(f"there is no complete adapter v{wanted}; there is {names}")
    return wanted if wanted is not None else known[-1]


def parse_version(text: str) -> int:
    """Read `v3` or `3`; InputError for anything else."""
    match = re.fullmatch(r"v?(\d+)", text.strip())
    if match is None:
        raise InputError(f"{text!r} is not a version; write v3 or 3")
    return int(match[1])


def gather(project: Project, records: VersionRecords) -> Facts:
    """Read what the rules need beside the version's own records."""
    dataset = read_dataset_facts(project)
    earlier = earlier_entries(read_history(project), records)
    vocabulary = load_catalog().nodes if records.exam is not None else ()
    nodes = masteries.assess(records.answers, vocabulary, _answers_before(project, records, earlier))
    base = base_exam_dir(project, records.adapter)
    entry = entry_for(records, dataset.lesson_rows if dataset else None, nodes)
    return Facts(
        entry=entry,
        training=records.training,
        dataset=dataset,
        exam=records.exam,
        base=read_exam(base) if base else None,
        unfinished=sum(not answer.finished for answer in records.answers),
        answers=len(records.answers),
        mastery=nodes,
        earlier=earlier,
    )


def earlier_entries(history: Iterable[HistoryEntry], records: VersionRecords) -> list[HistoryEntry]:
    """Entries before this version on the same profile: a tiny model says nothing about a large one."""
    return [e for e in history if e.version < records.version and e.profile == records.adapter.profile]


def read_dataset_facts(project: Project) -> DatasetFacts | None:
    """Count the training rows by origin, repeats and node types; None without data/blueprint/train.jsonl."""
    path = project.blueprint_data / "train.jsonl"
    if not path.exists():
        return None
    rows = read_jsonl(path)
    kinds = Counter(_kind(row) for row in rows)
    unmarked = [row for row in rows if _kind(row) != "reinforcement"]  # copies made on purpose are no mistake
    hashes = Counter(str(row.get("hash") or (row.get("instruction"), row.get("output"))) for row in unmarked)
    return DatasetFacts(
        rows=len(rows),
        lesson_rows=kinds["lesson"],
        repeated=sum(count - 1 for count in hashes.values()),
        types=_types(project),
    )


def tell(alerts: Iterable[Alert], report: Report) -> None:
    """Raise warnings and critical findings on the page; the rest is in the file."""
    for alert in alerts:
        if alert.level in {"WARNING", "CRITICAL"}:
            detail = f"{alert.detail} {alert.action}".strip()
            report.alert(alert.level.lower(), alert.title, detail, alert.next_command)
        else:
            report.message(f"{alert.level.lower()}: {alert.title}. {alert.detail}")


def _answers_before(project: Project, records: VersionRecords, earlier: list[HistoryEntry]) -> list[Any]:
    for entry in reversed(earlier):
        folder = exam_dir(project, f"v{entry.version}")
        if folder.is_dir():
            return read_answers(folder)
    return []


def _kind(row: dict[str, Any]) -> str:
    source = row.get("source")
    return str(source.get("kind")) if isinstance(source, dict) else ""


def _types(project: Project) -> dict[str, int] | None:
    path = project.blueprint_data / "dataset.json"
    value = read_json(path) if path.exists() else {}
    types = value.get("node_types") if isinstance(value, dict) else None
    if not isinstance(types, dict) or not all(isinstance(count, int) for count in types.values()):
        return None
    return types
