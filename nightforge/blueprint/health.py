"""Look at one trained version and say what a person should look at. Findings are data, never a failure.

Every rule is a function of `Facts`; docs/health.md explains each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from nightforge.blueprint import health_exam as exam
from nightforge.blueprint import health_training as training
from nightforge.blueprint.health_facts import LEVELS, Alert, Facts
from nightforge.core.clock import utc_now

RULES: tuple[Callable[[Facts], list[Alert]], ...] = (
    training.many_rows_learnt_well,
    training.still_learning,
    training.slower_than_before,
    training.loss_is_not_a_number,
    training.memorised,
    training.loss_gap,
    training.plateau,
    training.slow_start,
    training.jumping_loss,
    exam.lesson_share,
    exam.repeated_rows,
    exam.untaught_types,
    exam.worse_than_base,
    exam.seen_above_unseen,
    exam.broken_answers,
    exam.node_drops,
    exam.stuck_nodes,
    exam.statistics,
)


def assess(facts: Facts) -> list[Alert]:
    """Every finding, most serious first."""
    found = [alert for rule in RULES for alert in rule(facts)]
    return sorted(found, key=lambda alert: -LEVELS.index(alert.level))


def overall(alerts: Sequence[Alert]) -> str:
    """critical, warning, suggestion or healthy: the most serious level present; information is healthy."""
    worst = max((LEVELS.index(alert.level) for alert in alerts), default=0)
    return "healthy" if worst == 0 else LEVELS[worst].lower()


def health_record(facts: Facts, alerts: Sequence[Alert]) -> dict[str, Any]:
    """The content of results/health/vN.json."""
    series = [*facts.earlier, facts.entry]
    return {
        "schema_version": 1,
        "generated": utc_now(),
        "version": f"v{facts.entry.version}",
        "run_id": facts.entry.run_id,
        "summary": {
            "total_alerts": len(alerts),
            "by_level": {level: sum(alert.level == level for alert in alerts) for level in LEVELS},
            "overall_health": overall(alerts),
        },
        "alerts": msgspec.to_builtins(list(alerts)),
        "current": msgspec.to_builtins(facts.entry),
        "trends": {
            "loss": [[e.version, e.train_loss, e.eval_loss] for e in series],
            "accuracy": [[e.version, e.scores.get("all"), e.scores.get("unseen")] for e in series],
            "dataset_size": [[e.version, e.rows, e.lesson_rows] for e in series],
            "training_time": [[e.version, e.seconds, e.steps] for e in series],
        },
    }
