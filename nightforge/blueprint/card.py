"""The dataset card: what the training set holds, where it came from, and what was kept out of it.

card.json is what pages read; card.md says the same to people. Lengths are in characters, and in tokens of the
profile's tokenizer where it is on this computer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nightforge.blueprint.card_text import card_text
from nightforge.blueprint.catalog import load_catalog
from nightforge.blueprint.leak import Holdout
from nightforge.blueprint.lessons import Lesson
from nightforge.blueprint.merging import CAPPED_KINDS, Merged
from nightforge.blueprint.parser import parse
from nightforge.blueprint.rows import KINDS, Row, rows_hash
from nightforge.blueprint.sources import input_files
from nightforge.config import Config
from nightforge.core.atomic import write_json, write_text
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.ml.token_count import open_counter

SCHEMA_VERSION = 1
RARE = 10  # a node type in fewer training rows than this is listed as rare
LARGEST = 10  # structures listed
BINS = 12  # of the histogram of program lengths
Card = dict[str, Any]


def write_card(folder: Path, card: Card) -> None:
    """Write card.md and, last, card.json."""
    write_text(folder / "card.md", card_text(card))
    write_json(folder / "card.json", card)


def make_card(
    config: Config,
    project: Project,
    splits: tuple[list[Row], list[Row]],
    merged: Merged,
    holdout: Holdout,
    lessons: Sequence[Lesson],
) -> Card:
    """Describe a merged training set; `splits` are train and val, reinforcement included."""
    train, val = splits
    rows = [*train, *val]
    settings = config.synthetic
    return {
        "schema_version": SCHEMA_VERSION,
        "created_at": utc_now(),
        "profile": config.profile,
        "hash": rows_hash(rows),
        "rows": {"total": len(rows), "train": len(train), "val": len(val)},
        "sources": _sources(train, val, merged),
        "removed": merged.reasons,
        "coverage": _coverage(train, merged, _examined(lessons, config)),
        "lengths": _lengths(rows, config, project),
        "duplicates": _duplicates(merged),
        "cap": {
            "rows_per_structure": settings.structure_cap,
            "kinds": list(CAPPED_KINDS),
            "structures_over": len(merged.capped),
            "rows_dropped": sum(merged.capped.values()),
        },
        "reinforcement": {
            "lessons": list(settings.reinforce_lessons),
            "copies": settings.reinforce_copies if settings.reinforce_lessons else 0,
            "rows": sum(row.kind == "reinforcement" for row in train),
        },
        "leaks": _leaks(rows, merged, holdout),
        "structures": _structures(train, val),
        "inputs": {
            "synthetic_seed": settings.seed,
            "split_seed": settings.seed,
            "val_fraction": settings.val_fraction,
            "files": input_files(project),
        },
    }


def _sources(train: Sequence[Row], val: Sequence[Row], merged: Merged) -> list[dict[str, Any]]:
    in_train, in_val = (Counter(row.kind for row in part) for part in (train, val))
    found = []
    for kind in KINDS:
        refused = {reason: n for (of, reason), n in sorted(merged.removed.items()) if of == kind}
        if merged.read[kind] or in_train[kind]:
            read = merged.read[kind]
            kept = {"train": in_train[kind], "val": in_val[kind]}
            found.append({"kind": kind, "read": read, **kept, "refused": refused})
    return found


def _examined(lessons: Sequence[Lesson], config: Config) -> set[str]:
    """Return the node types that the exams of this configuration ask for."""
    core = config.exam.scope == "core"
    prompts = [
        prompt
        for exam in lessons
        if exam.holdout
        for prompt in exam.prompts
        if not core or (exam.scope, prompt.level) == ("core", "core")
    ]
    return {node.type for prompt in prompts for node in prompt.blueprint.nodes()}


def _coverage(train: Sequence[Row], merged: Merged, asked: set[str]) -> dict[str, Any]:
    """Rows that use each node type, against the catalog and against what the exams ask for."""
    catalog = load_catalog()
    used = Counter(name for row in train for name in set(merged.types[row.hash]))
    known = {name: used[name] for name in catalog.nodes}
    return {
        "catalog": len(known),
        "used": sum(count > 0 for count in known.values()),
        "missing": [name for name, count in known.items() if not count],
        "missing_but_examined": sorted(name for name in asked if not used[name]),
        "rare_below": RARE,
        "rare": {name: count for name, count in known.items() if 0 < count < RARE},
        "types": dict(used.most_common()),
    }


def _lengths(rows: Sequence[Row], config: Config, project: Project) -> dict[str, Any]:
    programs = [len(row.output) for row in rows]
    lengths: dict[str, Any] = {
        "instruction_characters": _spread([len(row.instruction) for row in rows]),
        "program_characters": _spread(programs),
        "histogram": _histogram(programs),
        "tokens": None,
        "tokenizer": None,
        "tokens_missing": None,
    }
    try:
        counter = open_counter(config, project)
    except InputError as error:
        lengths["tokens_missing"] = error.message
        return lengths
    asked = counter.count([row.instruction for row in rows])
    answered = counter.count([row.output for row in rows])
    both = [question + answer for question, answer in zip(asked, answered, strict=True)]
    limit = config.model.max_seq_length
    lengths["tokenizer"] = counter.name
    lengths["tokens"] = {
        "instruction": _spread(asked),
        "program": _spread(answered),
        "row": _spread(both),
        "limit": limit,
        "over_limit": sum(length > limit for length in both),
    }
    return lengths


def _spread(values: Sequence[int]) -> dict[str, float]:
    """Least, median, mean, 95th percentile and most; nearest rank."""
    ordered = sorted(values)

    def rank(share: float) -> int:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    mean = round(sum(ordered) / len(ordered), 1)
    return {"min": ordered[0], "median": rank(0.5), "mean": mean, "p95": rank(0.95), "max": ordered[-1]}


def _histogram(values: Sequence[int]) -> dict[str, Any]:
    """Counts in equal steps from 0 to the 99th percentile; the last bin holds the rest."""
    ordered = sorted(values)
    top = ordered[int(0.99 * (len(ordered) - 1))]
    step = max(1, -(-(top + 1) // BINS))
    counts = Counter(min(value // step, BINS - 1) for value in values)
    return {"step": step, "counts": [counts[place] for place in range(BINS)]}


def _duplicates(merged: Merged) -> dict[str, dict[str, int]]:
    """What was found and dropped by kind; structural twins stay up to the cap."""
    reasons = merged.reasons
    exact, normalised = reasons.get("exact_duplicate", 0), reasons.get("normalised_duplicate", 0)
    contradictions = reasons.get("same_instruction_other_answer", 0)
    return {
        "exact": {"found": exact, "dropped": exact},
        "normalised": {"found": normalised, "dropped": normalised},
        "structural": {"found": merged.twins, "dropped": sum(merged.capped.values())},
        "contradicting": {"found": contradictions, "dropped": contradictions},
    }


def _leaks(rows: Sequence[Row], merged: Merged, holdout: Holdout) -> dict[str, Any]:
    prompts = Counter(question.held_by for question in holdout.questions)
    kept_out = Counter(leak.question.held_by for leak in merged.leaks)
    return {
        "checked": len(rows),
        "flagged": 0,  # a set with a leak is never written
        "sets": [
            {"id": name, "prompts": count, "rows_kept_out": kept_out[name]} for name, count in prompts.items()
        ],
        "shared_structures_train_val": 0,  # nor one with a structure on both sides
        "kept_out": [
            {
                "row": leak.row.id,
                "source": leak.row.source,
                "set": leak.question.held_by,
                "prompt": leak.question.id,
                "reason": leak.reason,
            }
            for leak in merged.leaks
        ],
    }


def _structures(train: Sequence[Row], val: Sequence[Row]) -> dict[str, Any]:
    counts = Counter(row.structure for row in train)
    first = {row.structure: row for row in reversed(train)}
    largest = []
    for structure, count in counts.most_common(LARGEST):
        blueprint = parse(first[structure].output).blueprint
        nodes = [node.type for node in blueprint.nodes()] if blueprint else []
        largest.append(
            {"structure": structure, "rows": count, "nodes": nodes, "example": first[structure].instruction}
        )
    return {"train": len(counts), "val": len({row.structure for row in val}), "largest": largest}
