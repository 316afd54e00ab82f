"""The page a person reads in the morning: what was trained, how good it is, what is safe, what to do next.

Pure: a `Morning` in, Markdown out. What is missing is said in words, never shown as zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nightforge.blueprint.champion import Decision, Difference
from nightforge.blueprint.mastery import NodeMastery
from nightforge.blueprint.results import EXPOSURES, Estimate, ExamSummary, Scores, VersionRecords

_EXAM = "python scripts/12_run_exam.py"


@dataclass(frozen=True)
class StageTime:
    """One stage of the run. seconds of wall time, None while it runs or if it never started."""

    key: str
    title: str
    status: str
    seconds: float | None
    message: str = ""


@dataclass(frozen=True)
class Failure:
    """A failed attempt, or the reason why there was no further one. `kind` is its class in words."""

    stage: str
    attempt: int
    kind: str
    message: str
    seconds: float | None = None
    before: float | None = None
    after: float | None = None


@dataclass(frozen=True)
class RunFacts:
    """The run as the orchestrator recorded it; mode and profile as started. `changes`: what recoveries have
    changed, one sentence each.
    """

    run_id: str
    mode: str
    profile: str
    started_at: str
    stages: tuple[StageTime, ...] = ()
    failures: tuple[Failure, ...] = ()
    changes: tuple[str, ...] = ()

    def stage(self, key: str) -> StageTime | None:
        """The stage with this key, or None when the plan did not hold it."""
        return next((stage for stage in self.stages if stage.key == key), None)


@dataclass(frozen=True)
class Morning:
    """All the report may mention. records: the version it is about, None before the first training."""

    run: RunFacts | None
    records: VersionRecords | None
    run_id: str | None = None
    base: ExamSummary | None = None
    before: VersionRecords | None = None
    change: Difference | None = None
    decision: Decision | None = None
    mastery: Sequence[NodeMastery] = ()
    health: dict[str, Any] | None = None
    backups: Sequence[dict[str, Any]] = field(default_factory=tuple)


def report_text(morning: Morning) -> str:
    """The report as Markdown, ending with the commands that make sense now."""
    sections = [
        _title(morning),
        _trained(morning),
        _scored(morning),
        _evaluated(morning),
        _nodes(morning),
        _health(morning),
        _backed_up(morning),
        _times(morning),
        _recovered(morning),
        _next(morning),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections if lines) + "\n"


def _title(morning: Morning) -> list[str]:
    run_id = morning.run.run_id if morning.run else morning.run_id
    head = f"# Run {run_id}" if run_id else "# Report"
    if morning.records is None:
        return [head, "", "Nothing has been trained yet, so there is nothing to grade."]
    return [head, "", _headline(morning, morning.records)]


def _headline(morning: Morning, records: VersionRecords) -> str:
    name = f"v{records.version}"
    ours = records.unseen
    trained_here = morning.run is None or records.adapter.run_id == morning.run.run_id
    start = (
        f"**{name}** was trained" if trained_here else f"No new adapter was trained; this is about **{name}**"
    )
    if ours is None or ours.score is None:
        return f"{start}. It has not been examined on unseen prompts, so nobody knows yet how good it is."
    words = [f"{start}. It scores {_share(ours.score)} on {ours.n} prompts it has never seen"]
    base = morning.base.exposure("unseen") if morning.base else None
    if base and base.score:
        words.append(f", the base model alone {base.score.value:.2f}")
    if morning.before and morning.change:
        words.append(f"; against v{morning.before.version} that is {_change(morning.change)}")
    verdict = f" {_sentence(morning.decision.reason)}" if morning.decision else ""
    return "".join(words) + "." + verdict


def _trained(morning: Morning) -> list[str]:
    lines = ["## What was trained", ""]
    records = morning.records
    stage = _stage_trouble(morning, "04", "Training")
    if records is None:
        return [*lines, stage or "Nothing yet."]
    log, adapter = records.training, records.adapter
    lines.append(
        f"- adapter `models/blueprint-lora-v{records.version}`, profile {adapter.profile or 'not recorded'}"
    )
    lines.append(
        f"- base model {adapter.base_model or 'not recorded'}, data {adapter.data_hash or 'not recorded'}"
    )
    if log is None:
        lines.append("- the training log is missing, so rows, steps and loss are not known")
    else:
        lines.append(f"- {_count(log.rows, 'rows')}, {_count(log.steps, 'steps')}, {_duration(log.seconds)}")
        lines.append(f"- loss {_loss(log.final_loss)} in training, {_loss(log.final_eval)} on held-out rows")
    if stage:
        lines.append(f"- {stage}")
    return lines


def _scored(morning: Morning) -> list[str]:
    lines = ["## How it scored", ""]
    records = morning.records
    if records is None or records.exam is None:
        return [*lines, _stage_trouble(morning, "12", "The exam") or _missing(records, "exam")]
    lines.append("| prompts | n | score | valid | exact | node F1 | wire F1 |")
    lines.append("|---|---|---|---|---|---|---|")
    for name in EXPOSURES:
        scores = records.exam.exposure(name)
        lines.append(_score_row(name, scores) if scores else f"| {name} | 0 | none asked | | | | |")
    lines.append(_score_row("all", records.exam.free.all))
    trouble = _stage_trouble(morning, "12", "The exam")
    if trouble and morning.run and morning.run.stage("12"):
        lines += ["", f"{trouble} These figures are from an exam before that."]
    lines += ["", *_compared(morning, records)]
    return lines


def _compared(morning: Morning, records: VersionRecords) -> list[str]:
    lines = []
    ours = records.unseen.score if records.unseen else None
    base = morning.base.exposure("unseen") if morning.base else None
    if base is None or base.score is None:
        lines.append(f"- the base model was not examined; `{_EXAM} --base` does it")
    elif ours is not None:
        gain = ours.value - base.score.value
        lines.append(f"- base model on unseen prompts {_share(base.score)}; the adapter adds {gain:+.2f}")
    if morning.before is None:
        lines.append("- there is no earlier examined version of this profile to compare with")
    elif morning.change is None:
        lines.append(f"- v{morning.before.version} answered none of the same unseen prompts")
    else:
        old = morning.before.unseen.score if morning.before.unseen else None
        shown = f"{_share(old)}; " if old else ""
        lines.append(f"- version before, v{morning.before.version}: {shown}change {_change(morning.change)}")
    return lines


def _evaluated(morning: Morning) -> list[str]:
    lines = ["## Evaluation", ""]
    records = morning.records
    if records is None or records.evaluation is None:
        return [*lines, _stage_trouble(morning, "09", "The evaluation") or _missing(records, "evaluation")]
    summary = records.evaluation.summary
    lines.append(f"{summary.passed} of {summary.total} tests passed, mean score {summary.mean_score:.2f}.")
    failed = [test.test_id for test in records.evaluation.results if not test.passed]
    if failed:
        lines += ["", f"Not passed: {', '.join(failed[:8])}" + (" and more." if len(failed) > 8 else ".")]
    return lines


def _nodes(morning: Morning) -> list[str]:
    lines = ["## Node types", ""]
    tested = [node for node in morning.mastery if node.f1 is not None]
    if not tested:
        return [*lines, "Mastery is not known: it needs an exam and stage 19."]
    mastered = sum(node.status == "mastered" for node in tested)
    lines.append(
        f"{mastered} of {len(tested)} examined types are mastered; {len(morning.mastery)} are in the catalog."
    )
    lines += [
        "",
        "| weakest | F1 (95 %) | n | | strongest | F1 (95 %) | n |",
        "|---|---|---|---|---|---|---|",
    ]
    strongest = sorted(tested, key=lambda node: (-(node.f1 or 0.0), -node.n, node.node_type))
    for weak, strong in zip(tested[:5], strongest[:5], strict=True):
        lines.append(f"| {_node(weak)} | | {_node(strong)} |")
    return lines


def _health(morning: Morning) -> list[str]:
    lines = ["## Health", ""]
    if morning.health is None:
        return [*lines, _stage_trouble(morning, "19", "The health check") or "Not checked yet."]
    serious = [a for a in morning.health["alerts"] if a.get("level") != "INFO"]
    lines.append(f"Overall: **{morning.health['overall']}**." + ("" if serious else " Nothing to act on."))
    lines += [""] if serious else []
    for alert in serious:
        command = f" `{alert['next_command']}`" if alert.get("next_command") else ""
        action = f" {alert['action']}" if alert.get("action") else ""
        lines.append(f"- {alert['level'].lower()}: {alert['title']}. {alert['detail']}{action}{command}")
    return lines


def _backed_up(morning: Morning) -> list[str]:
    lines = ["## Backups", ""]
    if not morning.backups:
        return [*lines, "No backup was made in this run." if morning.run else "No backup was made yet."]
    for entry in morning.backups:
        if entry.get("status") == "failed":
            lines.append(f"- {entry.get('trigger')}: **failed**, {'; '.join(entry.get('messages', []))}")
            continue
        mirror = entry.get("mirror") or {}
        size = f"{_bytes(entry['bytes'])} ({_bytes(entry['new_bytes'])} new)"
        lines.append(
            f"- `{entry['label']}`: {entry['files']} files, {size},"
            f" read back and equal at {_clock(entry['verified_at'])};"
            f" mirror: {mirror.get('message', 'not known')}"
        )
        lines += [f"  - {text}" for text in entry.get("messages", []) if text != mirror.get("message")]
    return lines


def _times(morning: Morning) -> list[str]:
    if morning.run is None:
        return []
    lines = ["## Time per stage", "", "| stage | result | time |", "|---|---|---|"]
    for stage in morning.run.stages:
        note = (
            f", {_cell(stage.message)}"
            if stage.message and stage.status not in {"succeeded", "running"}
            else ""
        )
        status = "writes this report" if stage.status == "running" else stage.status
        lines.append(f"| {stage.key} {stage.title} | {status}{note} | {_duration(stage.seconds)} |")
    total = sum(stage.seconds or 0.0 for stage in morning.run.stages)
    lines.append(f"| together | | {_duration(total)} |")
    return lines


def _recovered(morning: Morning) -> list[str]:
    """What failed on the way and what was changed to go on. # ops R4, B3"""
    run = morning.run
    if run is None or not (run.failures or run.changes):
        return []
    lines = ["## What went wrong on the way", ""]
    if run.failures:
        lines += [
            "| stage, attempt | class | time | saved before | saved after | cause |",
            "|---|---|---|---|---|---|",
        ]
    for failure in run.failures:
        marks = " | ".join("-" if mark is None else f"{mark:g}" for mark in (failure.before, failure.after))
        start = f"| {failure.stage}, {failure.attempt} | {failure.kind} | {_duration(failure.seconds)}"
        lines.append(f"{start} | {marks} | {_cell(failure.message)} |")
    if run.failures and run.changes:
        lines.append("")
    return [*lines, *(f"- changed: {change}" for change in run.changes)]


def _next(morning: Morning) -> list[str]:
    lines = ["## What to do next", ""]
    records = morning.records
    if records is None:
        return [*lines, "- train a first version: `python launch_pipeline.py`"]
    model = f"models/blueprint-lora-v{records.version}"
    failed = [s for s in morning.run.stages if s.status in {"failed", "stopped"}] if morning.run else []
    if failed:
        lines.append(f"- finish the run, stage {failed[0].key} did not: `python launch_pipeline.py --resume`")
    if records.exam is None:
        lines.append(f"- examine this version: `python launch_pipeline.py --eval-only` or `{_EXAM}`")
    bad = [b for b in morning.backups if b.get("status") == "failed"]
    if bad:
        lines.append("- make a backup: `python scripts/16_backup.py`")
    lines.append(
        f'- try it: `python scripts/07_inference.py --model {model} --prompt "Print hello on begin play"`'
    )
    if any(node.status in {"weak", "learning"} for node in morning.mastery):
        lines.append("- train again with more rows for the weak node types: `python launch_pipeline.py`")
    lines.append(
        "- see curves and scores: `python scripts/10_training_dashboard.py --summary`, or the hub page"
    )
    return lines


def _stage_trouble(morning: Morning, key: str, what: str) -> str | None:
    """Why a part is missing, from the run's record; None if its stage succeeded or there is no run."""
    if morning.run is None:
        return None
    stage = morning.run.stage(key)
    if stage is None:
        return f"{what} was not part of this run (mode {morning.run.mode})."
    if stage.status in {"succeeded", "running"}:
        return None
    reason = f": {stage.message}" if stage.message else ""
    return f"{what} {'was skipped' if stage.status == 'skipped' else stage.status}{reason}."


def _missing(records: VersionRecords | None, word: str) -> str:
    found = [note for note in (records.notes if records else ()) if word[:6] in note]
    return _sentence(found[0]) if found else f"There is no {word}."


def _score_row(name: str, scores: Scores) -> str:
    cells = (scores.score, scores.valid, scores.exact, scores.node_f1, scores.wire_f1)
    return f"| {name} | {scores.n} | " + " | ".join(_share(cell) if cell else "" for cell in cells) + " |"


def _node(node: NodeMastery) -> str:
    low, high = node.ci95 or (0.0, 1.0)
    return f"{node.node_type} | {node.f1 or 0.0:.2f} ({low:.2f}–{high:.2f}) | {node.n}"


def _share(estimate: Estimate) -> str:
    if estimate.ci95 is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} ({estimate.ci95[0]:.2f}–{estimate.ci95[1]:.2f})"


def _change(change: Difference) -> str:
    low, high = change.ci95
    sure = "" if low > 0 or high < 0 else ", which may be chance"
    return f"{change.mean:+.2f} ({low:+.2f} to {high:+.2f} over {change.n} shared prompts{sure})"


def _count(value: int | None, unit: str) -> str:
    return f"{unit} not known" if value is None else f"{value:,} {unit}"


def _loss(value: float | None) -> str:
    return "not known" if value is None else f"{value:.3f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
    )


def _bytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} KB"


def _clock(moment: str) -> str:
    return moment[:19].replace("T", " ") + " UTC"


def _cell(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")[:120]


def _sentence(text: str) -> str:
    # A version keeps its small v: "v2 stays champion", not "V2".
    first = text[:1] if text[1:2].isdigit() else text[:1].upper()
    return first + text[1:] + ("" if text.endswith(".") else ".")
