"""Which adapter is the champion: the newest one that is not worse on prompts nobody trained on.

Two versions are compared prompt by prompt on the unseen prompts both answered: a changed exam can't decide.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from nightforge.blueprint.results import (
    ExamRecord,
    ExamSummary,
    VersionRecords,
    base_exam_dir,
    convert,
    read_exam,
    read_version,
)
from nightforge.core import versions
from nightforge.core.atomic import read_json
from nightforge.core.clock import utc_now
from nightforge.core.generations import read_kept, write_kept
from nightforge.core.paths import Project

_RESAMPLES = 2000


class Champion(Struct, frozen=True):
    """models/champion.json. score: unseen mean when it was promoted."""

    version: int
    score: float
    promoted_at: str
    run_id: str | None = None


@dataclass(frozen=True)
class Difference:
    """New minus old, paired over n prompts: mean difference of scores and its 95 % interval."""

    n: int
    mean: float
    ci95: tuple[float, float]


@dataclass(frozen=True)
class Decision:
    """Whether a version becomes champion, and why in one sentence."""

    promote: bool
    reason: str


def paired(
    new: Sequence[ExamRecord], old: Sequence[ExamRecord], draw: random.Random, exposure: str = "unseen"
) -> Difference | None:
    """Compare two exams on the prompts of one exposure that both answered; None if there are none.

    The interval is a percentile bootstrap over prompts (Efron 1979), 2,000 resamples from `draw`.
    """
    before = _scores(old, exposure)
    changes = [score - before[key] for key, score in sorted(_scores(new, exposure).items()) if key in before]
    if not changes:
        return None
    n = len(changes)
    means = sorted(sum(draw.choices(changes, k=n)) / n for _ in range(_RESAMPLES))
    interval = means[round(0.025 * _RESAMPLES)], means[round(0.975 * _RESAMPLES) - 1]
    return Difference(n, sum(changes) / n, interval)


def decide(
    candidate: VersionRecords, champion: VersionRecords | None, base: ExamSummary | None = None
) -> Decision:
    """Promote if the unseen score is not worse than the champion's and, where known, better than the base's.

    Without an exam on unseen prompts nothing is promoted.
    """
    name = f"v{candidate.version}"
    score = candidate.unseen.score if candidate.unseen else None
    if score is None:
        return Decision(False, f"{name} was not promoted: it has no exam on unseen prompts")
    alone = base.exposure("unseen") if base else None
    if alone is not None and alone.score is not None and score.value <= alone.score.value:
        numbers = f"{score.value:.2f} against {alone.score.value:.2f} on unseen prompts"
        return Decision(False, f"{name} was not promoted: not better than the base model, {numbers}")
    if champion is None:
        return Decision(True, f"{name} is the first champion, {score.value:.2f} on unseen prompts")
    if champion.version == candidate.version:
        return Decision(False, f"{name} is the champion already")
    standing = champion.unseen.score if champion.unseen else None
    if standing is None:
        return Decision(True, f"{name} replaces v{champion.version}, whose exam is gone")
    change = paired(candidate.answers, champion.answers, random.Random(0))
    mean = change.mean if change else score.value - standing.value
    shared = f"{change.n} shared unseen prompts" if change else "unseen prompts"
    if mean >= -1e-9:
        return Decision(True, f"{name} replaces v{champion.version}: {mean:+.2f} on {shared}")
    return Decision(False, f"v{champion.version} stays champion: {name} scores {mean:+.2f} on {shared}")


def read_champion(project: Project) -> Champion | None:
    """The promoted version, or None before the first; InputError if the file is broken."""
    return read_kept(project.models / "champion.json", _load)


def _load(path: Path) -> Champion:
    value = read_json(path)
    version = value.get("version") if isinstance(value, dict) else None
    if isinstance(version, str) and version.removeprefix("v").isdigit():
        value = {**value, "version": int(version.removeprefix("v"))}
    return convert(value, Champion, path)


def update_champion(project: Project, candidate: VersionRecords) -> Decision:
    """Decide for this version and write models/champion.json if it is promoted."""
    standing = read_champion(project)
    known = versions.list_versions(project.models)
    champion = read_version(project, standing.version) if standing and standing.version in known else None
    base = base_exam_dir(project, candidate.adapter)
    decision = decide(candidate, champion, read_exam(base) if base else None)
    if decision.promote and candidate.unseen and candidate.unseen.score:
        record: dict[str, Any] = {
            "schema_version": 1,
            "version": candidate.version,
            "score": candidate.unseen.score.value,
            "promoted_at": utc_now(),
            "run_id": candidate.adapter.run_id,
        }
        write_kept(project.models / "champion.json", record)
    return decision


def _scores(records: Sequence[ExamRecord], exposure: str) -> Mapping[tuple[str, str], float]:
    return {(r.lesson_id, r.prompt_id): r.score for r in records if r.exposure == exposure}
