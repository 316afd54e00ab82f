"""What a run will do: the stages of one mode, in order. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from nightforge.pipeline.registry import EXPORT_STAGES, EXPORTS, MODES, PHASES, PIPELINES, StageSpec


class Plan(NamedTuple):
    """The stages of a run in order."""

    pipeline: str
    mode: str
    stages: tuple[StageSpec, ...]
    force: bool = False  # nothing is kept from earlier runs

    @property
    def phases(self) -> tuple[tuple[int, str], ...]:
        """Return (number, title) of the phases that have a stage in this plan."""
        used = {stage.phase for stage in self.stages}
        return tuple((number, title) for number, title in PHASES.items() if number in used)


def build_plan(
    mode: str,
    registry: Sequence[StageSpec] | None = None,
    *,
    force: bool = False,
    pipeline: str = "blueprint",
    exports: bool = False,
) -> Plan:
    """Choose the stages whose phase belongs to `mode`; `force` adds each stage's own force arguments.

    `exports` puts the stages in front that read copies from the editor (`has_exports`).
    """
    first, last = MODES[mode]
    rows = PIPELINES[pipeline] if registry is None else registry
    if exports and pipeline == "blueprint":
        rows = (*EXPORT_STAGES, *rows)
    chosen = (row for row in rows if first <= row.phase <= last)
    stages = tuple(row._replace(args=row.args + row.force_args) if force else row for row in chosen)
    return Plan(pipeline, mode, stages, force)


def has_exports(root: Path) -> bool:
    """Say whether a project has the folder for copies from the editor."""
    return (root / EXPORTS).is_dir()


def format_plan(plan: Plan, profile: str) -> str:
    """Write the plan as a table for the terminal: what each stage runs, reads and writes."""
    lines = [
        f"Pipeline {plan.pipeline}, profile {profile}, mode {plan.mode}: "
        f"{len(plan.stages)} stages. Nothing has been started or written."
    ]
    phase = 0
    for stage in plan.stages:
        if stage.phase != phase:
            phase = stage.phase
            lines.append(f"\nPhase {phase}  {PHASES[phase]}")
        command = " ".join(("python", stage.script, *stage.args))
        lines.append(f"  {stage.key:<8} {stage.title}")
        lines.append(f"           runs    {command}")
        lines.append(f"           reads   {', '.join(stage.reads) or 'nothing'}")
        lines.append(f"           writes  {', '.join(stage.writes) or 'nothing'}")
    return "\n".join(lines)
