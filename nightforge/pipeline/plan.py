"""What a run will do: the stages of one mode, in order. Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from nightforge.pipeline.registry import (
    EXPORT_STAGES,
    EXPORTS,
    PIPELINES,
    RAW_DATA,
    STREAM_MARKS,
    StageSpec,
    modes_of,
    phases_of,
)

if TYPE_CHECKING:
    from nightforge.config import Config
    from nightforge.config.anomaly import PatchTst, SwinMae


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
        return tuple((number, title) for number, title in phases_of(self.pipeline).items() if number in used)

    @property
    def language_model(self) -> bool:
        """Tell whether anything in it depends on the base model of the configuration."""
        return any(stage.language_model for stage in self.stages)


def build_plan(
    mode: str,
    registry: Sequence[StageSpec] | None = None,
    *,
    force: bool = False,
    pipeline: str = "blueprint",
    exports: bool = False,
    config: Config | None = None,
) -> Plan:
    """Choose the stages whose phase belongs to `mode`; `force` adds each stage's own force arguments.

    `exports` puts the stages in front that read copies from the editor (`has_exports`). `config` says which
    streams of the anomaly track take part and where their files are; without it all do, at the usual places.
    """
    phases = modes_of(pipeline)[mode]
    rows = PIPELINES[pipeline] if registry is None else registry
    if exports and pipeline == "blueprint":
        rows = (*EXPORT_STAGES, *rows)
    if pipeline == "anomaly" and config is not None:
        rows = _of_streams(rows, config)
    chosen = (row for row in rows if row.phase in phases)
    stages = tuple(row._replace(args=row.args + row.force_args) if force else row for row in chosen)
    return Plan(pipeline, mode, stages, force)


def _of_streams(rows: Sequence[StageSpec], config: Config) -> tuple[StageSpec, ...]:
    """Leave out what belongs to a stream that is not enabled, and put in where its own files are."""
    settings: dict[str, PatchTst | SwinMae] = {"patchtst": config.patchtst, "swinmae": config.swinmae}
    places = {
        usual: (given,) if isinstance(given, str) else given
        for stream, (train, test) in RAW_DATA.items()
        for usual, given in (
            (train, settings[stream].data.path),
            (test, settings[stream].data.test_path),
        )
    }
    left_out = [name for name, settings_of in settings.items() if not settings_of.enabled]
    marks = tuple(mark for stream in left_out for mark in STREAM_MARKS[stream])

    def kept(names: tuple[str, ...]) -> tuple[str, ...]:
        own = (name for name in names if not any(mark in name for mark in marks))
        return tuple(place for name in own for place in places.get(name, (name,)))

    return tuple(
        row._replace(
            reads=kept(row.reads), writes=kept(row.writes), work=kept(row.work), nodes=kept(row.nodes)
        )
        for row in rows
        if row.stream not in left_out
    )


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
            lines.append(f"\nPhase {phase}  {phases_of(plan.pipeline)[phase]}")
        command = " ".join(("python", stage.script, *stage.args))
        lines.append(f"  {stage.key:<8} {stage.title}")
        lines.append(f"           runs    {command}")
        lines.append(f"           reads   {', '.join(stage.reads) or 'nothing'}")
        lines.append(f"           writes  {', '.join(stage.writes) or 'nothing'}")
    return "\n".join(lines)
