"""Stage 20 on one file: finds exact, normalised and structural duplicates, and removes them when told to.

Rows keep their order; the first of several stays. Reinforcement rows are deliberate copies and stay.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nightforge.blueprint.canonical import canonicalize, content_key, structure_key
from nightforge.blueprint.card_text import duplicate_table
from nightforge.blueprint.merging import CAPPED_KINDS
from nightforge.blueprint.parser import parse
from nightforge.blueprint.printer import to_text
from nightforge.blueprint.rows import Row, normalize_instruction, read_rows
from nightforge.core.atomic import read_bytes, write_bytes, write_jsonl
from nightforge.core.clock import utc_now
from nightforge.core.paths import Project
from nightforge.core.reporting import Report


@dataclass(slots=True)
class Sorted:
    """Rows to keep, and counts of duplicates by kind: found, and dropped; `unreadable` rows are kept."""

    kept: list[Row] = field(default_factory=list)
    found: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    largest: Counter[str] = field(default_factory=Counter)  # structure -> rows
    unreadable: int = 0

    @property
    def table(self) -> dict[str, dict[str, int]]:
        """Found and dropped by kind, as in the dataset card."""
        return {
            kind: {"found": self.found[kind], "dropped": self.dropped[kind]}
            for kind in ("exact", "normalised", "structural")
        }


def sort_duplicates(rows: Sequence[Row], cap: int) -> Sorted:
    """Sort rows into kept ones and duplicates; `cap` rows of one structure stay, 0: all."""
    result = Sorted()
    exact: set[tuple[str, str]] = set()
    normalised: set[tuple[str, str]] = set()
    for row in rows:
        blueprint = parse(row.output).blueprint
        result.unreadable += blueprint is None
        text = to_text(canonicalize(blueprint)) if blueprint else row.output
        content = content_key(blueprint) if blueprint else row.output
        structure = structure_key(blueprint) if blueprint else row.output
        same, alike = (row.instruction, text), (normalize_instruction(row.instruction), content)
        kind = ""
        if row.kind != "reinforcement":
            kind = "exact" if same in exact else "normalised" if alike in normalised else ""
        if kind:
            result.found[kind] += 1
            result.dropped[kind] += 1
            continue
        result.found["structural"] += structure in result.largest
        if cap and row.kind in CAPPED_KINDS and result.largest[structure] >= cap:
            result.dropped["structural"] += 1
            continue
        exact.add(same)
        normalised.add(alike)
        result.largest[structure] += 1
        result.kept.append(row)
    return result


def deduplicate_file(
    path: Path, project: Project, cap: int, report: Report, *, apply: bool
) -> dict[str, int | str]:
    """Count the duplicates of a file of rows; with `apply` replace it, its old content kept beside it.

    A file without duplicates is left alone. Raises InputError naming the row that is broken.
    """
    report.phase("20.1", f"duplicates in {project.relative(path)}")
    before = read_rows(path, "python scripts/20_deduplicate_dataset.py")
    result = sort_duplicates(before, cap)
    for line in (*duplicate_table(result.table), _sentence(before, result, cap)):
        report.message(line)
    gone = len(before) - len(result.kept)
    outcome: dict[str, int | str] = {"rows": len(before), "kept": len(result.kept), "dropped": gone}
    if not gone:
        report.message("Nothing to remove.")
    elif apply:
        outcome["backup"] = str(_replace(path, result.kept))
        report.message(f"{gone} rows removed; the file as it was: {outcome['backup']}")
    else:
        report.message(f"Nothing written. --apply removes {gone} rows.")
    report.metric(**outcome)
    return outcome


def _replace(path: Path, rows: Sequence[Row]) -> Path:
    stamp = "".join(letter for letter in utc_now() if letter.isdigit())
    backup = path.with_name(f"{path.stem}_before_{stamp}{path.suffix}")
    write_bytes(backup, read_bytes(path))
    write_jsonl(path, [row.to_dict() for row in rows])
    return backup


def _sentence(before: Sequence[Row], result: Sorted, cap: int) -> str:
    limit = f"at most {cap} of one structure" if cap else "no limit per structure"
    words = f"{len(before)} rows, {len(result.kept)} stay; {len(result.largest)} structures, {limit}"
    return (
        words + (f"; {result.unreadable} programs do not parse and stay" if result.unreadable else "") + "."
    )
