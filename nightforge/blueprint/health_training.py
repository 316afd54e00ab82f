"""Health rules about training: epochs, overfitting, learning rate, time; thresholds stand in the rules."""

from __future__ import annotations

import math

from nightforge.blueprint.health_facts import Alert, Facts, exposure_gap, number, seconds_per_step

_RUN = "python launch_pipeline.py"


# epoch efficiency


def many_rows_learnt_well(facts: Facts) -> list[Alert]:
    rows, score = facts.entry.rows or 0, facts.entry.scores.get("unseen")
    if score is None or rows <= 2500 or score <= 0.90:
        return []
    return [
        Alert(
            level="SUGGESTION",
            dimension="epoch_efficiency",
            title="Fewer epochs may be enough",
            detail=f"{rows:,} rows and {score:.2f} on unseen prompts: less time may teach as much.",
            metric="unseen_score",
            value=score,
            threshold=0.90,
            action="Try one epoch less and compare the unseen score.",
            next_command=_epochs(facts, 2 / 3),
        )
    ]


def still_learning(facts: Facts) -> list[Alert]:
    score, log = facts.entry.scores.get("unseen"), facts.training
    if score is None or score >= 0.85 or log is None or len(log.eval) < 3:
        return []
    values = [value for _, value in log.eval]
    if (
        values[-1] > min(values[:-1]) * 0.99
    ):  # held-out loss has stopped falling: more of the same will not help
        return [
            Alert(
                level="SUGGESTION",
                dimension="epoch_efficiency",
                title="More varied rows rather than more epochs",
                detail=f"Unseen prompts score {score:.2f}; the held-out loss stays at {values[-1]:.3f}.",
                metric="unseen_score",
                value=score,
                threshold=0.85,
                action="Add lessons for the weakest node types or generate more rows.",
                next_command="python scripts/13_lesson_to_training.py --plan-next",
            )
        ]
    return [
        Alert(
            level="SUGGESTION",
            dimension="epoch_efficiency",
            title="More epochs may help",
            detail=f"Unseen prompts score {score:.2f} and the held-out loss was still falling at the end.",
            metric="unseen_score",
            value=score,
            threshold=0.85,
            action="Train longer.",
            next_command=_epochs(facts, 1.5),
        )
    ]


def slower_than_before(facts: Facts) -> list[Alert]:
    now = seconds_per_step(facts.entry)
    before = [s for s in map(seconds_per_step, facts.earlier) if s is not None]
    if now is None or not before:
        return []
    mean = sum(before) / len(before)
    change = now / mean - 1
    if abs(change) <= 0.10:
        return []
    slow = change > 0.15
    return [
        Alert(
            level="WARNING" if slow else "INFO",
            dimension="epoch_efficiency" if slow else "resource_usage",
            title="Training is slower than before" if slow else "Training time changed",
            detail=f"{now:.2f} s per step, {mean:.2f} s in {len(before)} earlier versions ({change:+.0%}).",
            metric="seconds_per_step",
            value=now,
            threshold=mean * 1.15,
            action="Look for another program on the device, heat, or a changed batch size." if slow else "",
        )
    ]


# overfitting


def loss_is_not_a_number(facts: Facts) -> list[Alert]:
    values = [value for _, value in facts.training.train] if facts.training else []
    if not values:
        return []
    broken = [value for value in values if not math.isfinite(value)]
    first, last = values[0], facts.entry.train_loss
    if broken:
        title, detail = "The loss is not a number", f"{len(broken)} of {len(values)} logged losses."
    elif last is not None and last > first:
        title, detail = "The loss went up", f"It began at {first:.3f} and ended at {last:.3f}."
    else:
        return []
    return [
        Alert(
            level="CRITICAL",
            dimension="learning_rate",
            title=title,
            detail=detail,
            metric="train_loss",
            value=last if last is not None and math.isfinite(last) else None,
            threshold=first if math.isfinite(first) else None,
            action="Do not use this version; train again with a smaller learning rate.",
            next_command=f"{_RUN} --force --set training.learning_rate=1e-4",
        )
    ]


def memorised(facts: Facts) -> list[Alert]:
    train, held_out = facts.entry.train_loss, facts.entry.eval_loss
    if train is None or not train < 0.05:
        return []
    gap = exposure_gap(facts)
    # The language is regular: a low loss alone is no fault as long as unseen rows and prompts are as easy.
    agrees = held_out is not None and held_out - train < 0.05 and (gap is None or gap < 0.10)
    return [
        Alert(
            level="SUGGESTION" if agrees else "CRITICAL",
            dimension="overfitting",
            title="Training loss is very low" if agrees else "The model is memorising its rows",
            detail=f"Training loss {train:.3f}, held-out loss {number(held_out)}"
            + (f", seen prompts {gap:+.2f} above unseen ones." if gap is not None else "."),
            metric="train_loss",
            value=train,
            threshold=0.05,
            action="Held-out rows agree, so nothing is wrong yet; add harder rows."
            if agrees
            else "Use fewer epochs, more rows, or a smaller lora.lora_r.",
        )
    ]


def loss_gap(facts: Facts) -> list[Alert]:
    train, held_out = facts.entry.train_loss, facts.entry.eval_loss
    if train is None or held_out is None or not (math.isfinite(train) and math.isfinite(held_out)):
        return []
    gap = held_out - train
    word = "healthy" if gap < 0.05 else "moderate" if gap < 0.10 else "large"
    wide = train < 0.5 * held_out and gap >= 0.05  # a ratio of two tiny losses means nothing
    return [
        Alert(
            level="WARNING" if wide else "INFO",
            dimension="overfitting",
            title="Held-out loss is more than twice the training loss" if wide else f"Loss gap is {word}",
            detail=f"Training {train:.3f}, held-out {held_out:.3f}, gap {gap:+.3f}.",
            metric="loss_gap",
            value=gap,
            threshold=0.05,
            action="Use fewer epochs or more varied rows." if wide else "",
        )
    ]


def plateau(facts: Facts) -> list[Alert]:
    scores = [e.scores["unseen"] for e in [*facts.earlier, facts.entry][-3:] if "unseen" in e.scores]
    if len(scores) < 3 or max(scores) - min(scores) >= 0.005 or scores[-1] >= 0.95:
        return []
    return [
        Alert(
            level="WARNING",
            dimension="overfitting",
            title="No progress over three versions",
            detail=f"Unseen scores {', '.join(f'{score:.3f}' for score in scores)}.",
            metric="unseen_score_range",
            value=max(scores) - min(scores),
            threshold=0.005,
            action="Change the data: more lessons for the weakest node types.",
            next_command="python scripts/13_lesson_to_training.py --plan-next",
        )
    ]


# learning rate


def slow_start(facts: Facts) -> list[Alert]:
    values = [value for _, value in facts.training.train] if facts.training else []
    if len(values) < 5 or not all(map(math.isfinite, values)) or values[0] <= 0:
        return []
    early = values[: max(2, math.ceil(len(values) / 5))]
    drop = 1 - early[-1] / values[0]
    if drop >= 0.05:
        return []
    return [
        Alert(
            level="WARNING",
            dimension="learning_rate",
            title="Slow start",
            detail=f"The first fifth of the steps changed the loss by {-drop:+.1%}.",
            metric="early_drop",
            value=drop,
            threshold=0.05,
            action="Raise training.learning_rate or shorten training.warmup_steps.",
        )
    ]


def jumping_loss(facts: Facts) -> list[Alert]:
    values = [value for _, value in facts.training.train] if facts.training else []
    if len(values) < 10:
        return []
    steps = [b - a for a, b in zip(values, values[1:], strict=False)]
    turns = sum(a * b < 0 for a, b in zip(steps, steps[1:], strict=False)) / (len(steps) - 1)
    if turns <= 0.70:
        return []
    return [
        Alert(
            level="WARNING",
            dimension="learning_rate",
            title="The loss jumps up and down",
            detail=f"It changed direction at {turns:.0%} of the logged steps.",
            metric="direction_changes",
            value=turns,
            threshold=0.70,
            action="Lower training.learning_rate or raise training.gradient_accumulation_steps.",
        )
    ]


def _epochs(facts: Facts, factor: float) -> str | None:
    now = facts.entry.epochs
    if not now:
        return None
    then = max(1, round(now * factor)) if factor < 1 else math.ceil(now * factor)
    return f"{_RUN} --set training.epochs={then}"
