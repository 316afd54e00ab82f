"""The stage tables of the README, made from the registry, so that page and program cannot disagree."""

from __future__ import annotations

from nightforge.pipeline.registry import PIPELINES, phases_of

_MARKS = {
    "blueprint": ("<!-- stages: made by nightforge.pipeline.stage_table -->", "<!-- end of stages -->"),
    "anomaly": ("<!-- anomaly stages: made by the same -->", "<!-- end of anomaly stages -->"),
}


def stage_table(pipeline: str = "blueprint") -> str:
    """Return a Markdown table: phase, stage, what it writes; a stage with two keys has two rows."""
    lines = ["| phase | stage | script | writes |", "|---|---|---|---|"]
    for spec in PIPELINES[pipeline]:
        phase = f"{spec.phase} {phases_of(pipeline)[spec.phase]}"
        writes = ", ".join(f"`{name}`" for name in _folded(spec.writes)) or "nothing, it checks"
        lines.append(f"| {phase} | {spec.title} | `{spec.script.removeprefix('scripts/')}` | {writes} |")
    return "\n".join(lines)


def _folded(names: tuple[str, ...]) -> list[str]:
    """Name a folder once where several files of it are listed; the order stays."""
    folders = [name.rstrip("/").rpartition("/")[0] for name in names]
    shown = (
        f"{folder}/" if folder.count("/") > 1 and folders.count(folder) > 1 else name
        for name, folder in zip(names, folders, strict=True)
    )
    return list(dict.fromkeys(shown))


def insert(page: str) -> str:
    """Return `page` with the text between each pair of marks replaced by the table of today."""
    for pipeline, (start, end) in _MARKS.items():
        before, _, rest = page.partition(start)
        _, _, after = rest.partition(end)
        page = f"{before}{start}\n{stage_table(pipeline)}\n{end}{after}"
    return page
