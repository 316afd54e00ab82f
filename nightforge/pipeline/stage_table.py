"""The stage table of the README, made from the registry, so that page and program cannot disagree."""

from __future__ import annotations

from nightforge.pipeline.registry import PIPELINES, phases_of

START = "<!-- stages: made by nightforge.pipeline.stage_table -->"
END = "<!-- end of stages -->"


def stage_table(pipeline: str = "blueprint") -> str:
    """Return a Markdown table: phase, stage, what it writes; a stage with two keys has two rows."""
    lines = ["| phase | stage | script | writes |", "|---|---|---|---|"]
    for spec in PIPELINES[pipeline]:
        phase = f"{spec.phase} {phases_of(pipeline)[spec.phase]}"
        writes = ", ".join(f"`{name}`" for name in spec.writes) or "nothing, it checks"
        lines.append(f"| {phase} | {spec.title} | `{spec.script.removeprefix('scripts/')}` | {writes} |")
    return "\n".join(lines)


def insert(page: str) -> str:
    """Return `page` with the text between the two marks replaced by the table of today."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{stage_table()}\n{END}{after}"
