"""One stream on its way through stage 21, and the reasons for which it ends there.

Every refusal is an InputError (exit 2) that names files, numbers and what to change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from nightforge.anomaly import split
from nightforge.anomaly.prepared import pieces
from nightforge.anomaly.profiles import Fitted
from nightforge.anomaly.quality import FileQuality, counted
from nightforge.anomaly.recording import PARTS, STREAMS
from nightforge.anomaly.sources import Located
from nightforge.anomaly.storage import Entry, Stored
from nightforge.config import Config
from nightforge.config.anomaly import PatchTst, SwinMae
from nightforge.core.errors import InputError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report

SHOWN = 5  # dropped files named in an error; the report has all of them


@dataclass(frozen=True)
class Env:
    """What all streams share."""

    config: Config
    project: Project
    report: Report
    should_stop: Callable[[], bool]
    run_id: str
    opened: ExitStack


@dataclass
class Job:
    """One stream on its way through the stage."""

    stream: str
    settings: PatchTst | SwinMae
    plan: split.Shares
    folder: Path  # data/anomaly/<fdc|vib>
    report_path: Path  # without suffix
    located: Located = field(default_factory=lambda: Located((), (), ""))
    files: list[FileQuality] = field(default_factory=list)
    dropped_channels: list[dict[str, str]] = field(default_factory=list)
    channels: tuple[str, ...] = ()
    train: list[Stored] = field(default_factory=list)
    score: list[Stored] = field(default_factory=list)
    test: list[Entry] = field(default_factory=list)  # to be judged where no files were brought for it
    fitted: Fitted | None = None
    hashes: dict[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.folder / ".work"


def job_of(stream: str, config: Config, project: Project) -> Job:
    settings: PatchTst | SwinMae = getattr(config, stream)
    shares = split.shares_of(
        settings.data.train_ratio, settings.data.val_ratio, settings.data.calibrate_ratio
    )
    if isinstance(settings, PatchTst):
        window = settings.data.seq_len
        plan = split.Shares(shares, window, window + config.anomaly.lags)
    else:
        window = max(1, round(settings.data.win_sec * settings.data.fs))
        plan = split.Shares(shares, window, window)
    name = STREAMS[stream]
    return Job(
        stream, settings, plan, project.anomaly_data / name, project.anomaly_results / "quality" / name
    )


def refuse_none(job: Job, usable: Sequence[Stored], part: str) -> None:
    if usable:
        return
    files = [quality for quality in job.files if quality.part == part]
    named = "; ".join(
        f"{quality.file_id}: {quality.hard_fails[0]}" for quality in files[:SHOWN] if quality.hard_fails
    )
    more = f"; and {len(files) - SHOWN} more" if len(files) > SHOWN else ""
    what = "training file" if part == "train" else "file"
    raise InputError(
        f"{job.stream}: every one of {counted(len(files), what)} was dropped: {named}{more}",
        next_command=f"read {job.report_path}.html, correct the files, and start again",
    )


def refuse_no_channel(job: Job) -> None:
    """Files that can be read, and no column in them that more than half of them measure."""
    if job.channels or not job.dropped_channels:
        return
    words = "; ".join(f"{entry['name']!r}: {entry['reason']}" for entry in job.dropped_channels[:SHOWN])
    raise InputError(
        f"{job.stream}: the training files have no channel in common that holds numbers: {words}",
        next_command=f"read {job.report_path}.html, correct the files, and start again",
    )


def refuse_empty_parts(job: Job, entries: Sequence[Entry]) -> None:
    """Training, validation and calibration need a window each; the test part only where it is judged."""
    needed = PARTS if not job.located.score else PARTS[:3]
    longest = {part: max(_longest_piece(entry, part) for entry in entries) for part in needed}
    empty = [part for part in needed if longest[part] < job.plan.window_rows]
    if not empty:
        return
    rows = max(entry.stored.rows for entry in entries)
    shares = ", ".join(f"{part} {share:.2f}" for part, share in zip(PARTS, job.plan.shares, strict=True))
    raise InputError(
        f"{job.stream}: no window for the part {', '.join(empty)}. {counted(len(entries), 'file')}, "
        f"the longest with {rows} rows; window {job.plan.window_rows} rows, gap {job.plan.gap_rows}, "
        f"shares {shares}: a file without gaps in time needs {split.rows_needed(job.plan)} rows",
        next_command=f"bring longer files, or shorten the window ({_window_key(job)}), or change the shares",
    )


def _longest_piece(entry: Entry, part: str) -> int:
    """Rows of the longest stretch of a part that no gap in time and no masked row cuts."""
    first, end = entry.split.ranges.get(part, (0, 0))
    return max((b - a for a, b in pieces(first, end, entry.stored.breaks, entry.stored.masked)), default=0)


def _window_key(job: Job) -> str:
    return "patchtst.data.seq_len" if job.stream == "patchtst" else "swinmae.data.win_sec"


def allow_dropped_channels(job: Job) -> None:
    settings = job.settings
    if not isinstance(settings, PatchTst) or settings.dqvl.drop_channels or not job.dropped_channels:
        return
    words = "; ".join(f"{entry['name']!r}: {entry['reason']}" for entry in job.dropped_channels)
    raise InputError(
        f"{job.stream}: columns that are no channels: {words}",
        next_command="--set patchtst.dqvl.drop_channels=true leaves them out; or correct the files",
    )
