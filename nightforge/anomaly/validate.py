"""Stage 26: seven questions about what a run has made, each answered by looking at the thing it names.

Only streams that take part are asked about. `pass`, `fail` and `skipped` are three answers: what was not
looked at has not passed. The backup (5) is told but never holds a run back; any other failure does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from nightforge.anomaly import smoke
from nightforge.anomaly.artifacts import METRICS, PROFILE, Artifacts, artifacts_of, decisions, enabled
from nightforge.anomaly.bundle import create_bundle, verify_bundle
from nightforge.anomaly.recording import PARTS, Profile
from nightforge.config import Config
from nightforge.core.atomic import read_json, read_jsonl, write_json
from nightforge.core.clock import utc_now
from nightforge.core.errors import GateError, InputError, NightforgeError, StoppedError
from nightforge.core.paths import Project
from nightforge.core.reporting import Report
from nightforge.core.snapshots import snapshot_with, verified_snapshots
from nightforge.core.versions import hash_files, read_manifest

CHECKLIST, BUNDLE = "checklist.json", "bundle.zip"
PASS, FAIL, SKIPPED = "pass", "fail", "skipped"
_BACKUP = 5
_NODES = {1: "checkpoint-check", 2: "scaler-check", 3: "runs-check", 4: "config-check"}
_RUN = "python launch_pipeline.py --pipeline anomaly"


@dataclass(frozen=True)
class Item:
    """One answer. state: pass, fail or skipped; `detail` says what was seen, `hint` what to do."""

    index: int
    title: str
    state: str
    detail: str
    hint: str = ""


@dataclass(frozen=True)
class Subject:
    """What is examined: the streams that take part, and the folder with their decisions."""

    config: Config
    project: Project
    streams: tuple[Artifacts, ...]
    folder: Path
    skip_smoke: bool = False


def validate(
    config: Config,
    project: Project,
    report: Report,
    should_stop: Callable[[], bool],
    *,
    run_id: str | None = None,
    skip_smoke: bool = False,
) -> dict[str, Any]:
    """Answer all questions, write `checklist.json` beside the decisions, return the counts.

    Raises InputError when nothing has been judged yet, GateError naming the failed items.
    """
    found = decisions(project, run_id)
    if found is None:
        raise InputError(
            "there are no decisions to validate in results/anomaly/runs",
            next_command="python scripts/25_score_batch.py",
        )
    label, folder = found
    report.node("validation-gate", "running", "seven checks")
    streams = tuple(artifacts_of(project, stream) for stream in enabled(config))
    items = _answers(Subject(config, project, streams, folder, skip_smoke), report, should_stop)
    write_json(folder / CHECKLIST, checklist(items, label, run_id))
    counts = {state: sum(item.state == state for item in items) for state in (PASS, FAIL, SKIPPED)}
    failed = [item for item in items if item.state == FAIL and item.index != _BACKUP]
    open_ends = [item for item in items if item.state == SKIPPED and item.index != _BACKUP]
    if failed:
        words = "; ".join(f"{item.index} {item.title}: {item.detail}" for item in failed)
        report.node("validation-gate", "fail", words)
        report.node("release-ready", "fail", words)
        raise GateError(f"{len(failed)} of {len(items)} checks failed: {words}", next_command=failed[0].hint)
    report.node("validation-gate", "done", f"{counts[PASS]} of {len(items)} passed")
    if open_ends:
        report.alert("warning", "Not everything was checked", "; ".join(item.title for item in open_ends))
    report.node("release-ready", "done", "not checked: smoke" if open_ends else "everything was checked")
    report.metric(passed=counts[PASS], failed=counts[FAIL], skipped=counts[SKIPPED])
    return {"label": label, "checklist": project.relative(folder / CHECKLIST), **counts}


def checklist(items: list[Item], label: str, run_id: str | None) -> dict[str, Any]:
    """Return the file as the page reads it."""
    listed = [{**asdict(item), "passed": item.state == PASS} for item in items]
    return {
        "schema_version": 1,
        "label": label,
        "run_id": run_id,
        "generated_at": utc_now(),
        "passed": sum(item.state == PASS for item in items),
        "total": len(items),
        "items": listed,
    }


def _answers(subject: Subject, report: Report, should_stop: Callable[[], bool]) -> list[Item]:
    items: list[Item] = []
    for index, (title, hint, ask) in enumerate(_QUESTIONS, start=1):
        if should_stop():
            raise StoppedError("stopped between two checks", next_command=f"{_RUN} --resume")
        report.phase(f"26.{index}", title)
        if index in _NODES:
            report.node(_NODES[index], "running", title)
        item = _asked(index, title, hint, partial(ask, subject))
        items.append(item)
        if index in _NODES:
            report.node(_NODES[index], "done" if item.state == PASS else "fail", item.detail)
        report.message(f"{item.state:<7} {index} {title}: {item.detail}")
        report.progress(index, len(_QUESTIONS), "checks")
        if index == _BACKUP and item.state == FAIL:
            report.alert("warning", "No backup holds the models", item.detail, item.hint)
    return items


def _asked(index: int, title: str, hint: str, ask: Callable[[], str]) -> Item:
    try:
        return Item(index, title, PASS, ask())
    except _Skipped as reason:
        return Item(index, title, SKIPPED, str(reason), hint)
    except NightforgeError as error:
        return Item(index, title, FAIL, error.message, error.next_command or hint)


class _Skipped(Exception):
    """A question that was not asked, with the reason."""


def _each(subject: Subject, look: Callable[[Artifacts], str]) -> str:
    """Look at every stream; a problem of one does not hide the other's."""
    seen, wrong = [], []
    for stream in subject.streams:
        try:
            seen.append(f"{stream.stream}: {look(stream)}")
        except NightforgeError as error:
            wrong.append(f"{stream.stream}: {error.message}")
    if wrong:
        raise InputError("; ".join(wrong))
    return "; ".join(seen)


def _checkpoints(subject: Subject) -> str:
    """1: every model loads strictly, and every file has the hash of its manifest."""

    def look(stream: Artifacts) -> str:
        model, detectors = _there(stream)
        for folder in (model, detectors):
            read_manifest(folder, check_hashes=True)
        digest = smoke.load_strictly(stream, model, detectors)
        return f"{model.name} ({digest}) and {detectors.name} load, all hashes match"

    return _each(subject, look)


def _there(stream: Artifacts) -> tuple[Path, Path]:
    if stream.model is None or stream.detectors is None:
        what = "model" if stream.model is None else "calibrated detectors"
        raise InputError(f"there is no {what} of this stream")
    return stream.model, stream.detectors


def _scaler(subject: Subject) -> str:
    """2: the scaling that travels with the model is that of the training data, and usable."""

    def look(stream: Artifacts) -> str:
        own = _profile(_there(stream)[0] / PROFILE)
        trained_on = _profile(stream.train / PROFILE)
        if own.channels != trained_on.channels:
            raise InputError(f"the model knows channels {own.channels}, the data have {trained_on.channels}")
        if own.hash != trained_on.hash:
            raise InputError("the model's profile is not the one of the training data there is")
        numbers = (*own.center, *own.scale, *own.fill)
        if len(numbers) != 3 * len(own.channels) or not all(map(math.isfinite, numbers)):
            raise InputError("center, scale and fill are not one finite number per channel")
        if min(own.scale) <= 0:
            raise InputError(f"channel {own.channels[own.scale.index(min(own.scale))]} has no positive scale")
        return f"{len(own.channels)} channels, {own.method}, as in training"

    return _each(subject, look)


def _profile(path: Path) -> Profile:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Profile)
    except (OSError, msgspec.DecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _logs(subject: Subject) -> str:
    """3: losses were logged up to the last step, each a finite number."""

    def look(stream: Artifacts) -> str:
        model = _there(stream)[0]
        lines = read_jsonl(model / METRICS)
        losses = [line[name] for line in lines for name in ("train_loss", "val_loss") if name in line]
        if not losses:
            raise InputError(f"{model / METRICS} holds no loss")
        if not all(isinstance(loss, (int, float)) and math.isfinite(loss) for loss in losses):
            raise InputError(f"{model / METRICS} holds a loss that is not a finite number")
        steps, last = int(stream.manifest().get("steps", -1)), int(lines[-1].get("step", 0))
        if steps != last:
            raise InputError(f"{model / METRICS} ends at step {last} of {steps}")
        return f"{len(losses)} losses up to step {last}, the last {losses[-1]:.5g}"

    return _each(subject, look)


def _configs(subject: Subject) -> str:
    """4: the settings a model was trained with lie beside it, and are those of its manifest and its run."""

    def look(stream: Artifacts) -> str:
        _there(stream)
        return smoke.check_settings(subject.project, stream)

    return _each(subject, look)


def _backup(subject: Subject) -> str:
    """5: the newest verified snapshot holds the models, and the run's own bundle can be read back."""
    words = []
    if subject.config.backup.enabled:
        snapshots = verified_snapshots(subject.project)
        for stream in subject.streams:
            for folder in _there(stream):
                label = snapshot_with(subject.project, folder)
                if label is None or label != snapshots[0][0]:
                    newest = f"the newest backup {snapshots[0][0]}" if snapshots else "no backup"
                    raise InputError(
                        f"{newest} holds {subject.project.relative(folder)}"
                        if not snapshots
                        else f"{subject.project.relative(folder)} is not in {newest}"
                    )
        words.append(f"backup {snapshots[0][0]} holds every model, read back")
    if subject.config.anomaly.bundle:
        size = create_bundle(subject.folder / BUNDLE, bundled(subject))
        count = verify_bundle(subject.folder / BUNDLE)
        words.append(f"{BUNDLE} with {count} files, {size / 1e6:.1f} MB, read back")
    if not words:
        raise _Skipped("backup.enabled and anomaly.bundle are false")
    return "; ".join(words)


def bundled(subject: Subject) -> dict[str, Path]:
    """Return what goes into the bundle: name inside -> file. No raw and no prepared rows."""
    files: dict[str, Path] = {}
    for stream in subject.streams:
        for folder in (stream.model, stream.detectors):
            if folder is not None:
                files |= {f"models/{folder.name}/{name}": folder / name for name in hash_files(folder, ())}
        for name in (PROFILE, "split.json", "dataset.json"):
            files[f"data/{stream.stream}/{name}"] = stream.train / name
        files[f"quality/{stream.quality.name}"] = stream.quality
    results = (path for path in subject.folder.iterdir() if path.is_file())
    files |= {f"results/{path.name}": path for path in results if path.name not in (BUNDLE, CHECKLIST)}
    return {name: path for name, path in files.items() if path.is_file()}


def _smoke(subject: Subject) -> str:
    """6: held-out windows are scored twice, with equal bits."""
    if subject.skip_smoke:
        raise _Skipped("left out on request (--skip-smoke)")
    return _each(subject, lambda stream: smoke.score_twice(subject.config, stream, _there(stream)[1]))


def _split(subject: Subject) -> str:
    """7: the split manifest proves that no part shares rows with another, and that gaps lie between them."""
    return _each(subject, lambda stream: proven_split(stream.train / "split.json"))


def proven_split(path: Path) -> str:
    """Return what a split manifest proves, in words; raises InputError where it proves the contrary."""
    value = read_json(path)
    files, gap = value["files"], int(value["gap_rows"])
    least: int | None = None
    rows = dict.fromkeys(PARTS, 0)
    for entry in files:
        spans = sorted((int(span[0]), int(span[1]), part) for part, span in entry["ranges"].items())
        for first, end, part in spans:
            if not 0 <= first < end <= int(entry["rows"]):
                raise InputError(f"{entry['file_id']}: {part} [{first}, {end}) lies outside the file's rows")
            rows[part] += end - first
        order = [part for _, _, part in spans]
        if order != [part for part in PARTS if part in order]:
            raise InputError(f"{entry['file_id']}: the parts are not in order of time: {', '.join(order)}")
        for (_, end, before), (first, _, after) in zip(spans, spans[1:], strict=False):
            least = first - end if least is None else min(least, first - end)
            if first - end < gap:
                raise InputError(
                    f"{entry['file_id']}: {first - end} rows lie between {before} and {after}, {gap} must"
                )
    empty = [part for part in ("train", "calibrate") if not rows[part]]
    if empty:
        raise InputError(f"{path} has no rows for {' and '.join(empty)}")
    between = f"gaps of at least {least} rows" if least is not None else "whole recordings"
    shares = ", ".join(f"{part} {rows[part]:,}" for part in PARTS)
    return f"{len(files)} files, rows: {shares}; {between}"


_QUESTIONS: tuple[tuple[str, str, Callable[[Subject], str]], ...] = (
    ("Models load, hashes match", f"{_RUN} --force", _checkpoints),
    ("Scaling is that of the training data", _RUN, _scaler),
    ("Training logs are complete and finite", f"{_RUN} --force", _logs),
    ("Configuration is kept and matches", _RUN, _configs),
    ("Backup and bundle hold the models", "python scripts/16_backup.py", _backup),
    ("Scoring twice gives equal bits", "python scripts/24_calibrate_thresholds.py", _smoke),
    ("Parts are disjoint, with gaps", "python scripts/21_check_sensor_data.py", _split),
)
