"""Health rules about data, exam and node types. Each threshold stands in its rule."""

from __future__ import annotations

import math

from nightforge.blueprint.health_facts import Alert, Facts, exposure_gap, number, some
from nightforge.blueprint.mastery import NodeMastery

_EXAM = "python scripts/12_run_exam.py"
_RUN = "python launch_pipeline.py"


# data


def lesson_share(facts: Facts) -> list[Alert]:
    data = facts.dataset
    if data is None or not data.rows or data.lesson_rows / data.rows <= 0.40:
        return []
    return [
        Alert(
            level="WARNING",
            dimension="dataset_quality",
            title="Lessons dominate the training rows",
            detail=f"{data.lesson_rows:,} of {data.rows:,} rows; lesson prompts get easy, others do not.",
            metric="lesson_share",
            value=data.lesson_rows / data.rows,
            threshold=0.40,
            action="Generate more rows.",
            next_command=f"{_RUN} --set synthetic.count={math.ceil(data.lesson_rows / 0.40)}",
        )
    ]


def repeated_rows(facts: Facts) -> list[Alert]:
    data = facts.dataset
    if data is None or not data.rows or data.repeated == 0:
        return []
    share = data.repeated / data.rows
    return [
        Alert(
            level="WARNING" if share > 0.05 else "SUGGESTION",
            dimension="dataset_quality",
            title="Rows occur more than once",
            detail=f"{data.repeated:,} of {data.rows:,} rows repeat an instruction and its program.",
            metric="repeated_share",
            value=share,
            threshold=0.05,
            action="Merge the rows again.",
            next_command="python scripts/20_deduplicate_dataset.py",
        )
    ]


def untaught_types(facts: Facts) -> list[Alert]:
    if facts.dataset is None or facts.dataset.types is None:
        return []
    known = facts.dataset.types
    missing = sorted(n.node_type for n in facts.mastery if n.n > 0 and known.get(n.node_type, 0) == 0)
    if not missing:
        return []
    return [
        Alert(
            level="SUGGESTION",
            dimension="dataset_quality",
            title="The exam asks for node types that no row teaches",
            detail=f"{len(missing)}: {some(missing)}.",
            metric="untaught_types",
            value=len(missing),
            threshold=0,
            action="Write a lesson with them or widen the generator.",
            next_command="python scripts/13_lesson_to_training.py --plan-next",
        )
    ]


# exam


def worse_than_base(facts: Facts) -> list[Alert]:
    ours, base = facts.entry.scores.get("unseen"), facts.base.exposure("unseen") if facts.base else None
    if ours is None or base is None or base.score is None or ours > base.score.value:
        return []
    return [
        Alert(
            level="CRITICAL",
            dimension="generalisation",
            title="Not better than the base model",
            detail=f"Unseen prompts score {ours:.2f}, the base model alone {base.score.value:.2f}.",
            metric="unseen_score",
            value=ours,
            threshold=base.score.value,
            action="Do not use this version; look at the loss curve and the exam answers.",
            next_command="python scripts/10_training_dashboard.py",
        )
    ]


def seen_above_unseen(facts: Facts) -> list[Alert]:
    gap = exposure_gap(facts)
    if gap is None or gap <= 0.15:
        return []
    return [
        Alert(
            level="WARNING",
            dimension="generalisation",
            title="Known prompts are answered much better than new ones",
            detail=f"Seen prompts score {gap:.2f} above unseen ones.",
            metric="exposure_gap",
            value=gap,
            threshold=0.15,
            action="Add varied rows; more epochs would widen the gap.",
        )
    ]


def broken_answers(facts: Facts) -> list[Alert]:
    found = []
    valid = facts.entry.scores.get("valid")
    if valid is not None and valid < 0.95:
        found.append(
            ("Answers that are not valid programs", "valid_share", valid, 0.95, f"{valid:.1%} are valid.")
        )
    cut = facts.unfinished / facts.answers if facts.answers else 0.0
    if cut > 0.05:
        detail = f"{facts.unfinished} of {facts.answers} reached generation.max_new_tokens."
        found.append(("Answers are cut off", "cut_share", cut, 0.05, detail))
    return [
        Alert(
            level="WARNING",
            dimension="generalisation",
            title=title,
            detail=detail,
            metric=metric,
            value=value,
            threshold=threshold,
            action="Raise generation.max_new_tokens."
            if metric == "cut_share"
            else "Read the errors in the exam.",
            next_command=_EXAM,
        )
        for title, metric, value, threshold, detail in found
    ]


# node mastery


def node_drops(facts: Facts) -> list[Alert]:
    dropped = [
        (n, n.previous_f1 - n.f1) for n in facts.mastery if n.f1 is not None and n.previous_f1 is not None
    ]
    dropped = sorted((pair for pair in dropped if pair[1] > 0.10), key=lambda pair: -pair[1])
    sure = [n for n, _ in dropped if n.ci95 and n.previous_f1 is not None and n.ci95[1] < n.previous_f1]
    alerts = [_drop_alert(node) for node in sure[:5]]
    unsure = [node.node_type for node, _ in dropped if node not in sure]
    if unsure:
        alerts.append(
            Alert(
                level="SUGGESTION",
                dimension="node_mastery",
                title="Scores fell within the noise of few prompts",
                detail=f"{len(unsure)} node types: {some(unsure)}.",
                metric="node_drops",
                value=len(unsure),
                threshold=0.10,
                action="Watch them in the next version; more exam prompts would tell.",
            )
        )
    return alerts


def stuck_nodes(facts: Facts) -> list[Alert]:
    series = [*facts.earlier, facts.entry][-3:]
    if len(series) < 3:
        return []
    stuck = []
    for name in sorted(facts.entry.node_scores):
        scores = [e.node_scores[name] for e in series if name in e.node_scores]
        if len(scores) == 3 and max(scores) - min(scores) < 0.05 and scores[-1] < 0.85:
            stuck.append(name)
    if not stuck:
        return []
    return [
        Alert(
            level="WARNING",
            dimension="node_mastery",
            title="Node types do not improve over three versions",
            detail=f"{len(stuck)}: {some(stuck)}.",
            metric="stuck_nodes",
            value=len(stuck),
            threshold=0.05,
            action="Write lessons for them.",
            next_command="python scripts/13_lesson_to_training.py --plan-next",
        )
    ]


def statistics(facts: Facts) -> list[Alert]:
    entry, found = facts.entry, []
    if entry.seconds and entry.rows:
        words = f"{entry.seconds:.0f} s for {entry.rows:,} rows, {entry.steps or 0:,} steps."
        found.append(
            ("resource_usage", "Training time", "seconds_per_row", entry.seconds / entry.rows, words)
        )
    tested = [node for node in facts.mastery if node.n > 0]
    if tested:
        mastered = sum(node.status == "mastered" for node in tested)
        words = (
            f"{mastered} of {len(tested)} examined node types mastered, {len(facts.mastery)} in the catalog."
        )
        found.append(("node_mastery", "Mastery", "mastered_share", mastered / len(tested), words))
    return [
        Alert(level="INFO", dimension=dimension, title=title, detail=detail, metric=metric, value=value)
        for dimension, title, metric, value, detail in found
    ]


def _drop_alert(node: NodeMastery) -> Alert:
    return Alert(
        level="CRITICAL",
        dimension="node_mastery",
        title=f"{node.node_type} was forgotten",
        detail=f"F1 {number(node.f1)} over {node.n} prompts, {number(node.previous_f1)} one version before.",
        metric=f"f1:{node.node_type}",
        value=node.f1,
        threshold=(node.previous_f1 or 0.0) - 0.10,
        action="Keep the version before until lessons for this type were trained again.",
        next_command="python scripts/13_lesson_to_training.py --plan-next",
    )
