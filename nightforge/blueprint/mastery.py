"""How well each node type is mastered, from one version's own exam answers.

F1 of a node type over prompts: 2 matched / (expected + written). Prompts the model was trained on say
little, so a type is judged on near and unseen prompts if there are any ("new"), else on seen ones ("seen").
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from nightforge.blueprint.results import ExamRecord, convert
from nightforge.core.atomic import read_json
from nightforge.core.clock import utc_now
from nightforge.core.generations import read_kept, write_kept
from nightforge.core.paths import Project

MASTERED, LEARNING = 0.85, 0.60
_MAX_FAILURES = 5
MAX_REASONS = 4  # lost points that are shown for one answer
_Z = 1.959964  # two-sided 95 %


class Failure(Struct, frozen=True):
    """A prompt whose answer lacks nodes of the type."""

    prompt_id: str
    instruction: str
    missing: list[str]
    reasons: list[str] = []


class NodeMastery(Struct, frozen=True):
    """One node type. n: prompts that expect it; f1 0..1 or None when n is 0."""

    node_type: str
    n: int
    f1: float | None
    ci95: tuple[float, float] | None
    status: str  # mastered, learning, weak, untested
    basis: str | None
    previous_f1: float | None
    failures: list[Failure]


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % interval of a share over n prompts; honest at 0 and 1. Wilson, JASA 22 (1927) 209-212."""
    if n <= 0:
        return 0.0, 1.0
    centre = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    return round(max(0.0, centre - half), 4), round(min(1.0, centre + half), 4)


def assess(
    answers: Sequence[ExamRecord], vocabulary: Iterable[str], previous: Sequence[ExamRecord] = ()
) -> list[NodeMastery]:
    """Mastery of every node type of the vocabulary and of any other the exam expects, weakest first.

    `previous` are the answers of the version before; its scores are taken over the same kind of prompt.
    """
    expected = {name for record in answers for name, c in record.node_types.items() if c.expected > 0}
    nodes = [_assess_one(name, answers, previous) for name in {*vocabulary, *expected}]
    return sorted(nodes, key=lambda node: (node.f1 is None, node.f1 or 0.0, -node.n, node.node_type))


def write_mastery(project: Project, version: int, nodes: Sequence[NodeMastery]) -> dict[str, Any]:
    """Write results/mastery.json; returns what was written."""
    value = {
        "schema_version": 1,
        "version": f"v{version}",
        "generated_at": utc_now(),
        "nodes": msgspec.to_builtins(list(nodes)),
    }
    write_kept(project.results / "mastery.json", value)
    return value


def read_mastery(project: Project, version: int) -> list[NodeMastery]:
    """The nodes of results/mastery.json if it is about this version, else an empty list."""
    found = read_kept(project.results / "mastery.json", _load)
    return found[1] if found and found[0] == f"v{version}" else []


def _load(path: Path) -> tuple[str, list[NodeMastery]]:
    value = convert(read_json(path), dict[str, Any], path)
    return str(value.get("version")), convert(value.get("nodes"), list[NodeMastery], path)


def status_of(f1: float | None) -> str:
    """mastered from 0.85, learning from 0.60, weak below, untested without a prompt."""
    if f1 is None:
        return "untested"
    return "mastered" if f1 >= MASTERED else "learning" if f1 >= LEARNING else "weak"


def _assess_one(name: str, answers: Sequence[ExamRecord], previous: Sequence[ExamRecord]) -> NodeMastery:
    asked = _expecting(name, answers)
    new = [record for record in asked if record.exposure != "seen"]
    basis = "new" if new else "seen" if asked else None
    chosen = new or asked
    f1 = _f1(name, _same_kind(answers, basis)) if chosen else None
    before = _same_kind(previous, basis)
    failures = [record for record in chosen if _lost(name, record) > 0]
    failures.sort(key=lambda record: (-_lost(name, record), record.prompt_id))
    return NodeMastery(
        node_type=name,
        n=len(chosen),
        f1=f1,
        ci95=wilson(f1, len(chosen)) if f1 is not None else None,
        status=status_of(f1),
        basis=basis,
        previous_f1=_f1(name, before) if basis and _expecting(name, before) else None,
        failures=[
            Failure(r.prompt_id, r.instruction, r.missing_nodes, r.reasons[:MAX_REASONS])
            for r in failures[:_MAX_FAILURES]
        ],
    )


def _expecting(name: str, records: Sequence[ExamRecord]) -> list[ExamRecord]:
    return [r for r in records if name in r.node_types and r.node_types[name].expected > 0]


def _same_kind(records: Sequence[ExamRecord], basis: str | None) -> list[ExamRecord]:
    return [record for record in records if (record.exposure == "seen") == (basis == "seen")]


def _lost(name: str, record: ExamRecord) -> int:
    counts = record.node_types[name]
    return counts.expected - counts.matched


def _f1(name: str, records: Sequence[ExamRecord]) -> float:
    """F1 over all these prompts, the ones that wrote the type without being asked for it included."""
    counts = [record.node_types[name] for record in records if name in record.node_types]
    total = sum(c.expected + c.actual for c in counts)
    return 2 * sum(c.matched for c in counts) / total if total else 0.0
