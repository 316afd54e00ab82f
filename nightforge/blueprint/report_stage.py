"""Stage 14: choose the champion, write the report and the hub's data."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nightforge.blueprint.champion import paired, update_champion
from nightforge.blueprint.hub import hub_data, version_before
from nightforge.blueprint.mastery import read_mastery
from nightforge.blueprint.report import Failure, Morning, RunFacts, StageTime, report_text
from nightforge.blueprint.results import VersionRecords, base_exam_dir, convert, read_exam, read_version
from nightforge.core import versions
from nightforge.core.atomic import read_json, write_text
from nightforge.core.clock import parse_time
from nightforge.core.errors import InputError
from nightforge.core.generations import write_kept
from nightforge.core.paths import Project
from nightforge.core.reporting import Report


@dataclass(frozen=True)
class BackupFacts:
    """What the backup layer knows, handed in by the script. card: the hub's; attempts: oldest first."""

    card: dict[str, Any] | None = None
    attempts: Sequence[dict[str, Any]] = ()


def update_dashboard(
    project: Project, run_dir: Path | None, report: Report, backups: BackupFacts
) -> dict[str, Any]:
    """Write report.md and results/dashboard.json; returns their paths, the version and the champion decision.

    By hand (`run_dir` None) the report is results/report.md and speaks of the newest version.
    """
    report.phase("14.1", "read all versions")
    records = _read_all(project, report)
    current = _version_of_run(records, run_dir)
    report.phase("14.2", "choose the champion")
    decision = update_champion(project, current) if current else None
    if decision:
        report.message(decision.reason)
    report.phase("14.3", "write the hub's data")
    hub = hub_data(project, records, backups.card)
    write_kept(project.hub_data, hub)
    report.phase("14.4", "write the report")
    before = version_before(records, current)
    base = base_exam_dir(project, current.adapter) if current else None
    morning = Morning(
        run=read_run(run_dir if run_dir else _run_folder(project, current)),
        records=current,
        run_id=run_dir.name if run_dir else None,
        base=read_exam(base) if base else None,
        before=before,
        change=paired(current.answers, before.answers, random.Random(0)) if current and before else None,
        decision=decision,
        mastery=read_mastery(project, current.version) if current else (),
        health=_health_of(project, hub, current),
        backups=_attempts(backups, run_dir, current),
    )
    path = (run_dir or project.results) / "report.md"
    write_text(path, report_text(morning))
    unseen = current.unseen.score.value if current and current.unseen and current.unseen.score else None
    report.metric(unseen_score=unseen, champion=hub["champion"]["version"] if hub["champion"] else None)
    return {
        "report": project.relative(path),
        "version": f"v{current.version}" if current else None,
        "promoted": bool(decision and decision.promote),
        "reason": decision.reason if decision else "nothing has been trained yet",
        "hub": project.relative(project.hub_data),
    }


def read_run(run_dir: Path | None) -> RunFacts | None:
    """The run's state.json as the report needs it; None by hand or without one."""
    path = run_dir / "state.json" if run_dir else None
    if path is None or not path.exists():
        return None
    state = convert(read_json(path), dict[str, Any], path)
    stages = convert(state.get("stages") or [], list[dict[str, Any]], path)
    return RunFacts(
        run_id=str(state.get("run_id")),
        mode=str(state.get("mode")),
        profile=str(state.get("profile")),
        started_at=str(state.get("started_at")),
        stages=tuple(_stage(stage, path) for stage in stages),
        failures=tuple(_failure(entry) for entry in _entries(state, "errors", path)),
        changes=tuple(_change(entry) for entry in _entries(state, "recoveries", path)),
    )


def _entries(state: dict[str, Any], name: str, path: Path) -> list[dict[str, Any]]:
    return convert(state.get(name) or [], list[dict[str, Any]], path)


def _failure(entry: dict[str, Any]) -> Failure:
    return Failure(
        stage=str(entry.get("stage")),
        attempt=int(entry.get("attempt") or 0),
        kind=str(entry.get("words") or entry.get("kind")),
        message=str(entry.get("message") or ""),
        seconds=entry.get("seconds"),
        before=entry.get("mark_before"),
        after=entry.get("mark_after"),
    )


def _change(entry: dict[str, Any]) -> str:
    setting = f"stage {entry.get('stage')}, {entry.get('setting')}"
    return f"{setting} {entry.get('old')} -> {entry.get('new')} ({entry.get('reason')})"


def _stage(stage: dict[str, Any], path: Path) -> StageTime:
    started, ended = stage.get("started_at"), stage.get("ended_at")
    try:
        seconds = (parse_time(ended) - parse_time(started)).total_seconds() if started and ended else None
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: stage {stage.get('id')} has a time that cannot be read") from error
    return StageTime(
        key=str(stage.get("id")),
        title=str(stage.get("title")),
        status=str(stage.get("status")),
        seconds=seconds,
        message=str(stage.get("message") or ""),
    )


def _read_all(project: Project, report: Report) -> list[VersionRecords]:
    found: list[VersionRecords] = []
    known = versions.list_versions(project.models)
    for version in known:
        try:
            found.append(read_version(project, version))
        except InputError as error:
            if version == known[-1]:
                raise
            # One damaged old record must not cost the new version its report; the page says what is left out.
            report.alert("warning", f"v{version} is left out of the hub", error.message)
    return found


def _version_of_run(records: list[VersionRecords], run_dir: Path | None) -> VersionRecords | None:
    trained = [r for r in records if run_dir is not None and r.adapter.run_id == run_dir.name]
    return trained[-1] if trained else records[-1] if records else None


def _run_folder(project: Project, current: VersionRecords | None) -> Path | None:
    run_id = current.adapter.run_id if current else None
    return project.run_dir(run_id) if run_id else None


def _health_of(
    project: Project, hub: dict[str, Any], current: VersionRecords | None
) -> dict[str, Any] | None:
    health: dict[str, Any] | None = hub["health"]
    return health if current and health and health["version"] == f"v{current.version}" else None


def _attempts(
    backups: BackupFacts, run_dir: Path | None, current: VersionRecords | None
) -> list[dict[str, Any]]:
    run_id = run_dir.name if run_dir else current.adapter.run_id if current else None
    found = [entry for entry in backups.attempts if run_id and entry.get("run_id") == run_id]
    return found if run_dir else found or list(backups.attempts[-1:])
