"""The dataset card in Markdown, made from card.json and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

LISTED_LEAKS = 20


def card_text(card: dict[str, Any]) -> str:
    """Write a card as a Markdown page."""
    rows, leaks, shapes, inputs = (card[key] for key in ("rows", "leaks", "structures", "inputs"))
    parts = [
        "# Training data",
        "",
        f"{rows['total']} rows: {rows['train']} to train on, {rows['val']} held out for the loss. "
        f"Hash `{card['hash']}`, profile `{card['profile']}`, written {card['created_at']}.",
        "",
        "## Sources",
        "",
        *_table(("source", "read", "train", "held out", "refused"), map(_source, card["sources"])),
        "",
        "## Node types",
        "",
        *_coverage(card["coverage"]),
        "",
        "## Lengths",
        "",
        *_lengths(card["lengths"]),
        "",
        "## Duplicates and caps",
        "",
        *duplicate_table(card["duplicates"]),
        "",
        _cap(card["cap"]),
        _reinforcement(card["reinforcement"]),
        "",
        "## Leaks",
        "",
        f"{leaks['checked']} rows were checked from their text against every held-out prompt: "
        f"{leaks['flagged']} leaks. Structures in both splits: {leaks['shared_structures_train_val']}.",
        "",
        *_table(
            ("held-out set", "prompts", "rows kept out"),
            ((found["id"], found["prompts"], found["rows_kept_out"]) for found in leaks["sets"]),
        ),
        "",
        *_kept_out(leaks["kept_out"]),
        "## Structures",
        "",
        f"{shapes['train']} structures in train, {shapes['val']} in val. The largest:",
        "",
        *_table(
            ("rows", "nodes", "for example"),
            ((s["rows"], " ".join(s["nodes"]), _cell(s["example"])) for s in shapes["largest"]),
        ),
        "",
        "## Inputs",
        "",
        f"Seed {inputs['synthetic_seed']} for the generator and the split; "
        f"{100 * inputs['val_fraction']:g} % held out.",
        "",
        *_table(
            ("file", "rows", "SHA-256"),
            ((f["file"], f["rows"] or "", f"`{f['sha256'][:16]}`") for f in inputs["files"]),
        ),
    ]
    return "\n".join(parts) + "\n"


def duplicate_table(duplicates: dict[str, dict[str, int]]) -> list[str]:
    """The lines of a table of duplicates found and dropped by kind."""
    rows = ((kind, found["found"], found["dropped"]) for kind, found in duplicates.items())
    return _table(("duplicates", "found", "dropped"), rows)


def _source(source: dict[str, Any]) -> tuple[Any, ...]:
    refused = ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in source["refused"].items())
    return (source["kind"], source["read"], source["train"], source["val"], refused or "none")


def _coverage(coverage: dict[str, Any]) -> list[str]:
    lines = [f"{coverage['used']} of the {coverage['catalog']} node types of the catalog are in train."]
    if coverage["missing"]:
        lines.append(f"Missing: {', '.join(coverage['missing'])}.")
    if coverage["missing_but_examined"]:
        lines.append(f"Examined but never taught: {', '.join(coverage['missing_but_examined'])}.")
    if coverage["rare"]:
        rare = ", ".join(f"{name} {count}" for name, count in coverage["rare"].items())
        lines.append(f"In fewer than {coverage['rare_below']} rows: {rare}.")
    return lines


def _lengths(lengths: dict[str, Any]) -> list[str]:
    measures = {
        "instruction, characters": lengths["instruction_characters"],
        "program, characters": lengths["program_characters"],
    }
    tokens = lengths["tokens"]
    if tokens:
        measures |= {f"{name}, tokens": tokens[name] for name in ("instruction", "program", "row")}
    columns = ("min", "median", "mean", "p95", "max")
    lines = _table(("length", *columns), ((name, *(s[c] for c in columns)) for name, s in measures.items()))
    if tokens:
        words = f"{tokens['over_limit']} rows exceed {tokens['limit']} even without the system prompt."
        return [*lines, "", f"Tokens of {lengths['tokenizer']}. {words}"]
    return [*lines, "", f"Tokens were not counted: {lengths['tokens_missing']}."]


def _cap(cap: dict[str, Any]) -> str:
    return (
        f"At most {cap['rows_per_structure']} rows of one structure from {' and '.join(cap['kinds'])} rows: "
        f"{cap['structures_over']} structures had more, {cap['rows_dropped']} rows were dropped."
    )


def _reinforcement(reinforcement: dict[str, Any]) -> str:
    if not reinforcement["lessons"]:
        return "No lesson is reinforced."
    return (
        f"Reinforced on purpose: {', '.join(reinforcement['lessons'])}, {reinforcement['copies']} further "
        f"copies of each answer, {reinforcement['rows']} rows."
    )


def _kept_out(kept_out: list[dict[str, Any]]) -> list[str]:
    """The rows a held-out prompt kept out; those that people wrote first, since someone may want to know."""
    if not kept_out:
        return []
    ordered = sorted(kept_out, key=lambda found: found["row"].startswith("synthetic"))
    lines = _table(
        ("row kept out", "source", "prompt", "because of"),
        (
            (f["row"], _cell(f["source"]), f["prompt"], f["reason"].replace("_", " "))
            for f in ordered[:LISTED_LEAKS]
        ),
    )
    more = len(ordered) - LISTED_LEAKS
    return [*lines, "", *([f"And {more} more; card.json lists all.", ""] if more > 0 else [])]


def _table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> list[str]:
    lines = [f"| {' | '.join(columns)} |", "|" + "---|" * len(columns)]
    return lines + [f"| {' | '.join(str(cell) for cell in row)} |" for row in rows]


def _cell(text: str) -> str:
    """Text that cannot end its cell or its row."""
    return " ".join(text.replace("|", "\\|").split())
