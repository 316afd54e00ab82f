"""Making room, in a fixed order, and keeping the logs of all runs within their cap. # ops L2, Q4

Partial folders go first, then stage logs of earlier runs, then bundles, checkpoints, adapters and models of
the anomaly track beyond the newest two that a verified backup holds. Never: journals, records and reports of
runs, decisions, the two newest of each kind, the champion, and anything in a backup.
"""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from nightforge.core.paths import Project
from nightforge.core.processes import ProjectLock
from nightforge.core.records import read_object
from nightforge.core.snapshots import snapshot_with, snapshot_with_content
from nightforge.core.versions import DETECTOR_PREFIX, MANIFEST, MODEL_PREFIX, adapter_dir, list_versions

_LOGS = ("*.log", "*.stacks.txt")
_CHECKPOINT = re.compile(r"checkpoint-(\d+)")
_NEWEST = 2


def make_room(project: Project, run_id: str, enough: Callable[[], bool]) -> list[str]:
    """Remove what may go until `enough`; returns a sentence for each thing removed.

    Only while no stage of this project runs: partial folders would be its own. Raises OSError.
    """
    done: list[str] = []
    for remove in (*_partials(project), *_logs_of_earlier(project, run_id), *_backed_up(project)):
        if enough():
            break
        words = remove()
        if words:
            done.append(words)
    return done


def trim_logs(project: Project, run_id: str, cap_bytes: int) -> list[str]:
    """Remove stage logs of earlier runs, oldest first, until all logs are below the cap."""
    done: list[str] = []
    for remove in _logs_of_earlier(project, run_id):
        if log_bytes(project) <= cap_bytes:
            break
        if words := remove():
            done.append(words)
    return done


def log_bytes(project: Project) -> int:
    """Add up the stage logs of all runs."""
    return sum(path.stat().st_size for folder in _runs(project) for path in _logs(folder))


def _runs(project: Project) -> list[Path]:
    """Return the folders of all runs, oldest first: their names start with the time."""
    return sorted(path for path in project.runs.glob("*") if path.is_dir())


def _logs(run_dir: Path) -> list[Path]:
    return [path for pattern in _LOGS for path in sorted(run_dir.glob(pattern))]


def _logs_of_earlier(project: Project, run_id: str) -> Iterator[Callable[[], str]]:
    for folder in _runs(project):
        if folder.name != run_id:
            yield partial(_remove_logs, folder)


def _remove_logs(folder: Path) -> str:
    logs = _logs(folder)
    size = sum(path.stat().st_size for path in logs)
    for path in logs:
        path.unlink(missing_ok=True)
    return f"the stage logs of run {folder.name} were removed ({_mb(size)} MB)" if size else ""


def _partials(project: Project) -> Iterator[Callable[[], str]]:
    for pattern in ("*.partial", "*/*.partial", ".work/*/*.partial"):
        for folder in sorted(project.models.glob(pattern)):
            yield partial(_remove_folder, project, folder, "unfinished")
    yield partial(_clean_store, project)


def _clean_store(project: Project) -> str:
    """Remove what a backup that could not be finished left behind, unless one is being made by hand."""
    lock = ProjectLock(project.backups / ".lock")
    left = [*project.backups.glob(".partial-*"), *project.backups.glob(".objects/.incoming-*")]
    if not left or not lock.acquire():
        return ""
    try:
        for path in left:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
    finally:
        lock.release()
    return f"{len(left)} unfinished parts of a backup were removed"


def _backed_up(project: Project) -> Iterator[Callable[[], str]]:
    """What may go if a backup holds it, oldest first: bundles, which are copies, before checkpoints and
    models.
    """
    for bundle in _old_bundles(project):
        yield partial(_remove_bundle, project, bundle)
    for folder in [*_old_checkpoints(project), *_old_adapters(project), *_old_of_streams(project)]:
        yield partial(_remove_if_backed_up, project, folder)


def _old_bundles(project: Project) -> list[Path]:
    newest = str((read_object(project.anomaly_results / "latest.json") or {}).get("label"))
    found = sorted(project.anomaly_results.glob("runs/*/bundle.zip"), key=lambda path: path.stat().st_mtime)
    return [path for path in found[:-_NEWEST] if path.parent.name != newest]


def _remove_bundle(project: Project, path: Path) -> str:
    """Remove a bundle if one backup holds every file in it, wherever that lies in the project."""
    try:
        with zipfile.ZipFile(path) as archive:
            digests = {str(digest) for digest in json.loads(archive.read("bundle.json"))["files"].values()}
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError):
        return ""  # what it holds is not known
    label = snapshot_with_content(project, digests)
    if label is None:
        return ""
    size = path.stat().st_size
    path.unlink()
    return f"{project.relative(path)} was removed ({_mb(size)} MB); backup {label} holds every file in it"


def _old_checkpoints(project: Project) -> list[Path]:
    found: list[Path] = []
    for work in sorted((project.models / ".work").glob("*")):
        whole = [path for path in work.glob("checkpoint-*") if (path / "manifest.json").is_file()]
        whole.sort(key=_step)
        best = {Path(str((read_object(p / "trainer_state.json") or {}).get(_BEST))).name for p in whole[-1:]}
        found += [path for path in whole[:-_NEWEST] if path.name not in best]
    return found


_BEST = "best_model_checkpoint"


def _step(folder: Path) -> int:
    match = _CHECKPOINT.fullmatch(folder.name)
    return int(match[1]) if match else -1


def _old_adapters(project: Project) -> list[Path]:
    champion = str((read_object(project.models / "champion.json") or {}).get("version", "")).removeprefix("v")
    known = list_versions(project.models)
    if (project.models / "champion.json").exists() and not champion.isdigit():
        return []  # unreadable: which one is the best is not known
    old = [version for version in known[:-_NEWEST] if str(version) != champion]
    return [adapter_dir(project.models, version) for version in old]


def _old_of_streams(project: Project) -> list[Path]:
    """Detectors and networks of the anomaly track, but no network that kept detectors were made with."""
    old: list[Path] = []
    for stream in MODEL_PREFIX:
        detectors, networks = (_folders(project, table[stream]) for table in (DETECTOR_PREFIX, MODEL_PREFIX))
        manifests = [read_object(folder / MANIFEST) for folder in detectors[-_NEWEST:]]
        if None in manifests:
            continue  # what they were made with is not known
        used = {manifest.get("network_folder") for manifest in manifests if manifest is not None}
        old += detectors[:-_NEWEST] + [path for path in networks[:-_NEWEST] if path.name not in used]
    return old


def _folders(project: Project, prefix: str) -> list[Path]:
    return [adapter_dir(project.models, version, prefix) for version in list_versions(project.models, prefix)]


def _remove_if_backed_up(project: Project, folder: Path) -> str:
    label = snapshot_with(project, folder)
    if label is None:
        return ""
    words = _remove_folder(project, folder, "older")
    name = project.relative(folder)
    return f"{words}; backup {label} holds {name}: python scripts/18_restore_backup.py {label}"


def _remove_folder(project: Project, folder: Path, what: str) -> str:
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder)
    return f"{what} {project.relative(folder)} was removed ({_mb(size)} MB)"


def _mb(size: int) -> str:
    return f"{size / 2**20:.1f}"
