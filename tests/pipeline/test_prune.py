"""Making room removes in a fixed order, and never what is needed or not backed up."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from nightforge.anomaly.bundle import create_bundle
from nightforge.core.atomic import sha256_file, write_json
from nightforge.core.paths import Project
from nightforge.core.processes import ProjectLock
from nightforge.core.versions import write_manifest
from nightforge.pipeline.prune import log_bytes, make_room, trim_logs
from nightforge.pipeline.tidy import KEPT_FILES, tidy_up


@pytest.fixture
def place(tmp_path: Path) -> Project:
    return Project(tmp_path)


def never() -> bool:
    return False


def adapter(project: Project, version: int) -> Path:
    folder = project.models / f"blueprint-lora-v{version}"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(bytes([version]) * 1000)
    write_manifest(folder, {"version": version})
    return folder


def back_up(project: Project, *folders: Path) -> Path:
    """A snapshot as the backup stage makes it, as far as it matters here."""
    snapshot = project.backups / "20261121-000000-manual"
    files = {}
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file():
                name = project.relative(path)
                copy = snapshot / "files" / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
                files[name] = {"sha256": sha256_file(path), "size": path.stat().st_size}
    write_json(snapshot / "manifest.json", {"verified_at": "2026-11-21T00:00:00.000Z", "files": files})
    return snapshot


def run(project: Project, name: str, size: int = 1000) -> Path:
    folder = project.run_dir(name)
    (folder / "attempts").mkdir(parents=True)
    for path in ("events.jsonl", "04.events.jsonl", "state.json", "report.md", "attempts/04-1.exit.json"):
        (folder / path).write_text("{}")
    for path in ("04.log", "04.tail.log", "04.stacks.txt"):
        (folder / path).write_bytes(bytes(size))
    return folder


def test_partial_folders_go_first_then_old_logs_then_backed_up_adapters(place: Project) -> None:
    folders = [adapter(place, version) for version in (1, 2, 3, 4)]
    write_json(place.models / "champion.json", {"version": 2})
    back_up(place, *folders)
    for partial in (
        "blueprint-lora-v5.partial",
        "tiny-base/abc.partial",
        ".work/d-c/saving.partial/checkpoint-9",
    ):
        (place.models / partial).mkdir(parents=True)
        (place.models / partial / "half").write_bytes(bytes(50))
    (place.backups / ".partial-x").mkdir()
    old, current = run(place, "20261120-000000-aaaa"), run(place, "20261121-000000-bbbb")
    done = make_room(place, current.name, never)
    assert [("unfinished" in t, "stage logs" in t, "holds" in t) for t in done] == [
        *[(True, False, False)] * 4,
        (False, True, False),
        (False, False, True),
    ]
    assert "models/blueprint-lora-v1" in done[-1] and "18_restore_backup.py" in done[-1]
    left = sorted(path.name for path in place.models.glob("blueprint*"))
    assert left == [f"blueprint-lora-v{n}" for n in (2, 3, 4)]  # the champion and the newest two
    assert sorted(path.name for path in old.iterdir()) == [
        "04.events.jsonl", "attempts", "events.jsonl", "report.md", "state.json",
    ]  # fmt: skip
    assert (current / "04.log").exists() and (place.backups / "20261121-000000-manual").exists()
    assert make_room(place, current.name, never) == []


def test_it_stops_as_soon_as_there_is_enough(place: Project) -> None:
    run(place, "20261119-000000-aaaa"), run(place, "20261120-000000-bbbb")
    (place.models / "x.partial").mkdir(parents=True)
    done = make_room(place, "none", lambda: not (place.models / "x.partial").exists())
    assert len(done) == 1 and log_bytes(place) == 6000


@pytest.mark.parametrize("fault", ["no backup", "not verified", "damaged copy", "no copy", "other bytes"])
def test_an_adapter_without_a_good_copy_stays(place: Project, fault: str) -> None:
    folders = [adapter(place, version) for version in (1, 2, 3)]
    if fault != "no backup":
        snapshot = back_up(place, *folders)
        copy = snapshot / "files/models/blueprint-lora-v1/adapter_model.safetensors"
        manifest = json.loads((snapshot / "manifest.json").read_text())
        if fault == "not verified":
            manifest["verified_at"] = ""
        elif fault == "damaged copy":
            copy.write_bytes(b"x" * 1000)
        elif fault == "no copy":
            copy.unlink()
        else:
            manifest["files"]["models/blueprint-lora-v1/adapter_model.safetensors"]["sha256"] = "0" * 64
        (snapshot / "manifest.json").write_text(json.dumps(manifest))
    assert make_room(place, "none", never) == []
    assert all(folder.exists() for folder in folders)


def test_with_an_unreadable_champion_no_adapter_goes(place: Project) -> None:
    back_up(place, *[adapter(place, version) for version in (1, 2, 3)])
    (place.models / "champion.json").write_text("")
    assert make_room(place, "none", never) == []


def test_the_newest_two_checkpoints_the_best_and_unsaved_ones_stay(place: Project) -> None:
    work = place.models / ".work" / "d-c"
    for step in (10, 20, 30, 40, 100):
        folder = work / f"checkpoint-{step}"
        folder.mkdir(parents=True)
        (folder / "optimizer.pt").write_bytes(bytes([step]) * 500)
        (folder / "trainer_state.json").write_text(json.dumps({"best_model_checkpoint": "/x/checkpoint-20"}))
        write_manifest(folder, {"step": step})
    back_up(place, *[work / f"checkpoint-{step}" for step in (10, 20, 40, 100)])
    assert len(make_room(place, "none", never)) == 1
    assert sorted(int(path.name[11:]) for path in work.iterdir()) == [20, 30, 40, 100]


def test_parts_of_a_backup_that_is_being_made_stay(place: Project) -> None:
    (place.backups / ".partial-x").mkdir(parents=True)
    lock = ProjectLock(place.backups / ".lock")
    assert lock.acquire()
    assert make_room(place, "none", never) == []
    lock.release()
    assert len(make_room(place, "none", never)) == 1


def test_logs_of_the_oldest_runs_go_until_all_are_below_the_cap(place: Project) -> None:
    runs = [run(place, f"2026112{n}-000000-aaaa", 1000) for n in range(4)]
    assert len(trim_logs(place, runs[3].name, 7000)) == 2
    assert [(folder / "04.log").exists() for folder in runs] == [False, False, True, True]
    assert len(trim_logs(place, runs[3].name, 0)) == 1  # never those of the run itself
    assert (runs[3] / "04.log").exists()


def test_a_start_removes_leftovers_and_tells_of_unreadable_files(place: Project) -> None:
    folder = run(place, "20261121-000000-aaaa")
    leftover = folder / "attempts" / ".04-1.exit.json.999999.12.tmp"
    leftover.write_text("")
    for name in KEPT_FILES:
        (place.root / name).parent.mkdir(parents=True, exist_ok=True)
    (place.models / "champion.json").write_text("{")
    (place.models / ".generations").mkdir()
    (place.models / ".generations" / "champion.json.1").write_text('{"version": 3}')
    (place.backups / "pins.json").write_text("")
    found = tidy_up(place, folder.name, 2**30)
    assert not leftover.exists()
    assert [(notice.level, notice.title) for notice in found] == [
        ("warning", "models/champion.json was unreadable"),
        ("critical", "backups/pins.json is unreadable"),
    ]
    assert json.loads((place.models / "champion.json").read_text()) == {"version": 3}
    assert (place.backups / "pins.json").read_text() == ""


def trained(project: Project, name: str, **facts: str) -> Path:
    folder = project.models / name
    folder.mkdir(parents=True)
    (folder / "weights").write_text(name)
    write_manifest(folder, facts)
    return folder


def test_of_the_anomaly_track_the_newest_two_stay_and_what_their_detectors_need(place: Project) -> None:
    networks = [trained(place, f"patchtst-v{n}") for n in (1, 2, 3, 4, 5)]
    used = ("patchtst-v1", "patchtst-v2", "patchtst-v2", "patchtst-v5")
    detectors = [trained(place, f"anomaly-patchtst-v{n}", network_folder=used[n - 1]) for n in (1, 2, 3, 4)]
    alone = [trained(place, f"swin-mim-v{n}") for n in (1, 2)]
    back_up(place, *networks, *detectors[1:], *alone)  # the first detectors are in no backup
    done = make_room(place, "none", never)
    assert [text.split()[1] for text in done] == [
        f"models/{name}" for name in ("anomaly-patchtst-v2", "patchtst-v1", "patchtst-v3")
    ]
    assert detectors[0].is_dir() and all(path.is_dir() for path in alone)
    (detectors[3] / "manifest.json").write_text("")
    shutil.rmtree(networks[1])
    assert make_room(place, "none", never) == []


def bundle(project: Project, label: str, *files: Path) -> Path:
    folder = project.anomaly_results / "runs" / label
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(label)
    listed = {f"results/{path.name}": path for path in (folder / "summary.json", *files)}
    create_bundle(folder / "bundle.zip", listed)
    os.utime(folder / "bundle.zip", (0, int(label)))
    return folder


def test_a_bundle_goes_when_one_backup_holds_all_that_is_in_it_and_decisions_stay(place: Project) -> None:
    model = trained(place, "patchtst-v1") / "weights"
    runs = [bundle(place, str(number), model) for number in range(1, 7)]
    write_json(place.anomaly_results / "latest.json", {"label": "3"})
    (runs[3] / "bundle.zip").write_text("no zip")
    os.utime(runs[3] / "bundle.zip", (0, 4))
    snapshot = back_up(place, model.parent, place.anomaly_results / "runs" / "1", *runs[2:])
    assert [text.split()[0] for text in make_room(place, "none", never)] == [
        "results/anomaly/runs/1/bundle.zip"  # 2 is in no backup, 3 the newest decisions, 4 unreadable
    ]
    assert all((folder / "summary.json").is_file() for folder in runs)
    write_json(place.anomaly_results / "latest.json", {"label": "6"})
    (snapshot / "files/models/patchtst-v1/weights").write_text("damaged copy")
    assert make_room(place, "none", never) == []
