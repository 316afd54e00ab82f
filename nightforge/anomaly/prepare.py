"""Stage 21: from a folder of files to checked, divided data sets, and a report of what was wrong.

Per stream: find files (or let the generator write some) -> import each -> drop what can't be used, fix the
channels -> divide in time -> fit the profile on the training rows -> judge every file against it -> write.
The files to be judged then go the same way, held to the same profile. The report is written in any case.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nightforge.anomaly import split
from nightforge.anomaly.channels import fix_channels, hold
from nightforge.anomaly.holes import unusable
from nightforge.anomaly.importing import import_file
from nightforge.anomaly.preparation import (
    Env,
    Job,
    allow_dropped_channels,
    job_of,
    refuse_empty_parts,
    refuse_no_channel,
    refuse_none,
)
from nightforge.anomaly.prepared import open_prepared
from nightforge.anomaly.profiles import Fitted, fit_profile
from nightforge.anomaly.quality import FileQuality, counted
from nightforge.anomaly.quality_report import write_report
from nightforge.anomaly.quality_rules import judge, judge_alone
from nightforge.anomaly.readers import Source
from nightforge.anomaly.recording import STREAMS
from nightforge.anomaly.sources import Located, find, locate, nothing
from nightforge.anomaly.storage import DataSet, Entry, Stored, load, put_aside, write_set
from nightforge.config import Config
from nightforge.config.anomaly import PatchTst, SwinMae
from nightforge.core.clock import utc_now
from nightforge.core.errors import InputError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report


def prepare(
    config: Config,
    project: Project,
    report: Report,
    should_stop: Callable[[], bool],
    run_id: str | None = None,
) -> dict[str, Any]:
    """Prepare every enabled stream; returns files, rows and hashes per stream.

    Writes data/anomaly/<fdc|vib>/{train,score}/ and results/anomaly/quality/<fdc|vib>.{json,html}. Raises
    InputError (exit 2) naming files and numbers when nothing usable is left; older data sets then stay.
    """
    name = run_id or f"by-hand-{utc_now()[:19].replace(':', '').replace('-', '')}Z"
    jobs = [job_of(stream, config, project) for stream in STREAMS if getattr(config, stream).enabled]
    with ExitStack() as opened:
        env = Env(config, project, report, should_stop, name, opened)
        for job in jobs:
            shutil.rmtree(job.work, ignore_errors=True)
            job.work.mkdir(parents=True)
            opened.callback(shutil.rmtree, job.work, ignore_errors=True)
        _step(env, jobs, ("data-prep", "21.1", "import training files"), _import_train)
        _step(env, jobs, ("dqvl", "21.2", "check and divide training files"), _check_train)
        _step(env, jobs, ("batch-import", "21.3", "import files to be judged"), _import_score)
        _step(env, jobs, ("batch-dqvl", "21.4", "check files to be judged"), _check_score)
        for job in jobs:
            _write_report(env, job)
    return {job.stream: _result(job) for job in jobs}


def prepare_more(env: Env, stream: str, globs: tuple[str, ...]) -> Path:
    """Prepare files named by hand, held to the training profile; returns the folder of the set they make.

    Writes data/anomaly/by-hand/<fdc|vib>/score/ and results/anomaly/quality/by-hand-<fdc|vib>.{json,html}.
    Raises InputError when nothing is found or nothing of it is usable.
    """
    train = env.project.anomaly_data / STREAMS[stream] / "train"
    prepared = open_prepared(train)
    job = job_of(stream, env.config, env.project)
    job.folder = env.project.anomaly_data / "by-hand" / STREAMS[stream]
    job.report_path = job.report_path.with_name(f"by-hand-{STREAMS[stream]}")
    job.fitted = Fitted(prepared.profile, np.load(train / "quantiles.npy", allow_pickle=False))
    job.channels, job.hashes["train"] = prepared.profile.channels, prepared.hash
    shutil.rmtree(job.work, ignore_errors=True)
    job.work.mkdir(parents=True)
    env.opened.callback(shutil.rmtree, job.work, ignore_errors=True)
    found = find("files", globs, env.project.root, (stream, "auto"), env.opened)
    if not found.sources:
        raise nothing("files", globs, stream, "auto", found)
    job.located = Located((), found.sources, found.sources[0].kind, found.ignored)
    _step(env, [job], ("batch-import", "21.3", "import files named by hand"), _import_score)
    _step(env, [job], ("batch-dqvl", "21.4", "check files named by hand"), _check_score)
    _write_report(env, job)
    return job.folder / "score"


def _step(
    env: Env, jobs: Sequence[Job], names: tuple[str, str, str], work: Callable[[Env, Job], None]
) -> None:
    """Do one step for every stream, lighting its node; a failed one leaves its report behind."""
    node, number, title = names
    env.report.phase(number, title)
    env.report.node(node, "running", title)
    for job in jobs:
        try:
            work(env, job)
        except InputError as error:
            _write_report(env, job, error.message)
            env.report.node(node, "fail", error.message)
            raise
    env.report.node(node, "done", "; ".join(_node_text(job, node) for job in jobs))


def _node_text(job: Job, node: str) -> str:
    part = "score" if node.startswith("batch") else "train"
    files = [quality for quality in job.files if quality.part == part]
    dropped = sum(quality.decision == "drop" for quality in files)
    return f"{job.stream}: {counted(len(files), 'file')}" + (f", {dropped} dropped" if dropped else "")


# --- training files ----------------------------------------------------------------------------------------


def _import_train(env: Env, job: Job) -> None:
    job.located = locate(job.stream, env.config, env.project, env.opened, env.report)
    if job.located.ignored:
        count = counted(len(job.located.ignored), "file")
        env.report.message(
            f"{job.stream}: {count} of another kind not read, such as {job.located.ignored[0]}"
        )
    job.train = _import(env, job, job.located.train, "train")


def _import(env: Env, job: Job, sources: Sequence[Source], part: str) -> list[Stored]:
    """Read files one after the other and put their rows aside; what can't be used is only recorded."""
    result: list[Stored] = []
    done = 0

    def tick(rows: int) -> None:
        nonlocal done
        done += rows
        if env.should_stop():
            raise StoppedError("stopped while files were read; nothing was changed")
        env.report.watch("load", done)

    for number, source in enumerate(sources):
        tick(0)
        quality = FileQuality(source.file_id, part)
        job.files.append(quality)
        imported = import_file(source, job.settings, quality, tick)
        if imported is not None:
            masked = unusable(imported.recording.values, needs_all=job.stream == "swinmae")
            if masked:
                count = counted(sum(b - a for a, b in masked), "row")
                quality.actions.append(f"{count} masked in {counted(len(masked), 'place')}: not measured")
            array = job.work / f"{part}-{number:05d}.npz"
            result.append(put_aside(imported, quality, masked, array))
        env.report.progress(number + 1, len(sources), f"{job.stream} files")
    return result


def _check_train(env: Env, job: Job) -> None:
    _drop_copies(job.train, {})
    usable = _kept(job.train)
    job.channels, job.dropped_channels = fix_channels(usable)
    dropped = [entry["name"] for entry in job.dropped_channels]
    allow_dropped_channels(job)
    refuse_no_channel(job)
    usable = [stored for stored in usable if hold(stored, job.channels, dropped)]
    for stored in usable:
        judge_alone(load(stored, job.channels)[0], job.settings, stored.quality)
    usable = _in_order(_kept(usable))
    refuse_none(job, usable, "train")
    splits = split.divide([stored.rows for stored in usable], job.plan, job.stream == "swinmae")
    entries = [Entry(stored, found) for stored, found in zip(usable, splits, strict=True)]
    for entry in entries:
        _record_split(entry)
    refuse_empty_parts(job, entries)
    blocks = _training_blocks(job, entries)
    job.fitted = _fit(job, entries, blocks)
    for stored in usable:
        judge(load(stored, job.channels)[0], job.fitted, job.settings, stored.quality)
    facts = {"source": job.located.source, "set": "train"}
    job.hashes["train"] = write_set(job.folder / "train", DataSet(job.fitted, entries, job.plan, facts))
    job.test = [entry for entry in entries if "test" in entry.split.ranges]
    _tell(env, job, "train")


def _drop_copies(files: Sequence[Stored], seen: dict[str, str]) -> None:
    """Drop files whose bytes are those of an earlier one: a copy would lie in two parts at once."""
    for stored in files:
        first = seen.setdefault(stored.quality.digest, stored.file_id)
        if first != stored.file_id:
            stored.quality.hard_fails.append(f"the same content as {first}")


def _kept(files: Sequence[Stored]) -> list[Stored]:
    return [stored for stored in files if stored.quality.decision == "keep"]


def _in_order(files: list[Stored]) -> list[Stored]:
    """By time where every file tells it, else by name as found."""
    if all(stored.epoch and stored.first_time is not None for stored in files):
        return sorted(files, key=lambda stored: (stored.first_time or 0.0, stored.file_id))
    return files


def _record_split(entry: Entry) -> None:
    quality = entry.stored.quality
    quality.state = entry.split.state
    if entry.split.note:
        quality.warnings.append(entry.split.note)


def _training_blocks(job: Job, entries: Sequence[Entry]) -> list[NDArray[np.float32]]:
    """The training rows per file. A channel without a value in any of them is left out of the data set."""
    blocks = []
    for entry in entries:
        if "train" in entry.split.ranges:
            first, end = entry.split.ranges["train"]
            blocks.append(load(entry.stored, job.channels)[0][first:end])
    measured = np.logical_or.reduce([np.isfinite(block).any(axis=0) for block in blocks])
    if measured.all():
        return blocks
    lost = [name for name, there in zip(job.channels, measured, strict=True) if not there]
    if job.stream == "swinmae" or not measured.any():
        raise InputError(f"{job.stream}: no value of {', '.join(lost)} in the training rows")
    job.dropped_channels += [{"name": name, "reason": "no value in the training rows"} for name in lost]
    allow_dropped_channels(job)
    job.channels = tuple(name for name in job.channels if name not in lost)
    return [np.ascontiguousarray(block[:, measured]) for block in blocks]


def _fit(job: Job, entries: Sequence[Entry], blocks: Sequence[NDArray[np.float32]]) -> Fitted:
    steps = sorted(entry.stored.step_s for entry in entries if entry.stored.step_s)
    step = steps[len(steps) // 2] if steps else None
    if isinstance(job.settings, PatchTst):
        return fit_profile(job.stream, job.channels, blocks, job.settings.data.normalization, (step, None))
    fs = job.settings.data.fs
    return fit_profile(job.stream, job.channels, blocks, "robust", (1.0 / fs, fs))


# --- files to be judged ------------------------------------------------------------------------------------


def _import_score(env: Env, job: Job) -> None:
    job.score = _import(env, job, job.located.score, "score")
    if isinstance(job.settings, SwinMae):
        names = {name for quality in job.files for name in (quality.file_id, Path(quality.file_id).name)}
        unused = sorted(set(job.settings.data.actual_fs_by_file) - names)
        if unused:
            env.report.alert("warning", "swinmae.data.actual_fs_by_file names no file", ", ".join(unused))


def _check_score(env: Env, job: Job) -> None:
    assert job.fitted is not None
    if not job.located.score:
        entries = [_test_entry(entry) for entry in job.test]
        env.report.message(f"{job.stream}: no files to be judged, so the test part of the training files is")
        source = "test part of the training files"
    else:
        entries = [Entry(stored, _whole(stored, job.plan)) for stored in _usable_score(job)]
        refuse_none(job, [entry.stored for entry in entries], "score")
        for entry in entries:
            _record_split(entry)
        source = job.located.source
    facts = {"source": source, "set": "score", "train_hash": job.hashes["train"]}
    job.hashes["score"] = write_set(job.folder / "score", DataSet(job.fitted, entries, job.plan, facts))
    _tell(env, job, "score")


def _test_entry(entry: Entry) -> Entry:
    first, end = entry.split.ranges["test"]
    return Entry(entry.stored, split.FileSplit("whole", {"all": (0, end - first)}), first, end)


def _whole(stored: Stored, plan: split.Shares) -> split.FileSplit:
    state = "whole" if stored.rows >= plan.window_rows else "too_short"
    note = "" if state == "whole" else f"{stored.rows} rows are fewer than one window of {plan.window_rows}"
    return split.FileSplit(state, {"all": (0, stored.rows)}, note)


def _usable_score(job: Job) -> list[Stored]:
    assert job.fitted is not None
    trained = {stored.quality.digest: stored.file_id for stored in job.train}
    dropped = [entry["name"] for entry in job.dropped_channels]
    _drop_copies(job.score, {})
    for stored in _kept(job.score):
        if stored.quality.digest in trained:
            stored.quality.warnings.append(f"the model was trained on it ({trained[stored.quality.digest]})")
        if not hold(stored, job.channels, dropped):
            continue
        values = load(stored, job.channels)[0]
        judge_alone(values, job.settings, stored.quality)
        judge(values, job.fitted, job.settings, stored.quality)
    return _kept(job.score)


# --- telling -----------------------------------------------------------------------------------------------


def _tell(env: Env, job: Job, part: str) -> None:
    files = [quality for quality in job.files if quality.part == part]
    for quality in files:
        if quality.decision == "drop":
            env.report.alert(
                "warning", f"{job.stream}: {quality.file_id} was dropped", "; ".join(quality.hard_fails)
            )
    if part == "train" and job.dropped_channels:
        words = "; ".join(f"{entry['name']} ({entry['reason']})" for entry in job.dropped_channels)
        env.report.message(f"{job.stream}: columns left out: {words}")
    warned = sum(bool(quality.warnings) for quality in files)
    if warned:
        page = env.project.relative(job.report_path.with_name(job.report_path.name + ".html"))
        env.report.message(f"{job.stream}: {warned} of {len(files)} files have warnings, see {page}")


def _write_report(env: Env, job: Job, error: str | None = None) -> None:
    facts = {
        "source": job.located.source,
        "ignored_files": list(job.located.ignored),
        "channels": list(job.channels),
        "dropped_channels": job.dropped_channels,
        "hashes": job.hashes,
        "error": error,
    }
    write_report(job.report_path, job.stream, env.run_id, job.files, facts)


def _result(job: Job) -> dict[str, Any]:
    counts = {
        f"{part}_files": sum(quality.part == part and quality.decision == "keep" for quality in job.files)
        for part in ("train", "score")
    }
    return {
        "source": job.located.source,
        **counts,
        "dropped": sum(quality.decision == "drop" for quality in job.files),
        "rows": sum(stored.rows for stored in _kept(job.train)),
        "channels": len(job.channels),
        "train_hash": job.hashes["train"],
        "score_hash": job.hashes["score"],
    }
