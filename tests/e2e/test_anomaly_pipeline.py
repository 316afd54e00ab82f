"""The anomaly pipeline from an empty project to decisions: at once, from the page, script by script.

Almost all the time goes into processes that import torch and transformers, so there are as few as will do.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from web_sites import Site, ask, begin, finish, post, serving, upload

from nightforge.core.atomic import read_json, write_json
from nightforge.core.paths import Project
from nightforge.pipeline.registry import ANOMALY

ROOT = Path(__file__).resolve().parents[2]
MACHINE = {"dashboard": {"autostart": False}, "disk": {"reserve_mb": 1}}
SMALL = (
    "patchtst.data.total_steps=1600",
    "patchtst.model.d_model=16",
    "patchtst.model.num_layers=1",
    "patchtst.model.ff_dim=32",
    "patchtst.training.max_steps=24",
    "patchtst.training.eval_steps=8",
    "patchtst.training.save_steps=8",
    "swinmae.data.total_steps=96000",
    "swinmae.training.max_steps=8",
    "swinmae.training.batch_size=8",
    "swinmae.training.eval_steps=4",
    "swinmae.training.save_steps=4",
    "anomaly.alpha_warn=0.1",
    "anomaly.alpha_anomaly=0.05",
)
OVERRIDES = dict(setting.split("=") for setting in SMALL)
SENSORS_ALONE = (*SMALL, "swinmae.enabled=false")
KEYS = [spec.key for spec in ANOMALY]
FOLDERS = {"patchtst": "fdc", "swinmae": "vib"}
# what tells one run from another, or where its rows are from, and nothing of the result
OWN = {"run_id", "label", "output_dir", "created_at", "generated_at", "seconds", "source", "realised"}


def make_project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    write_json(folder / "pipeline_config.json", {**read_json(ROOT / "pipeline_config.json"), **MACHINE})
    shutil.copytree(ROOT / "profiles", folder / "profiles")
    (folder / "scripts").symlink_to(ROOT / "scripts")  # they find the package beside themselves
    return folder


def command(script: str, settings: tuple[str, ...], *arguments: str) -> list[str]:
    sets = [word for setting in settings for word in ("--set", setting)]
    return [sys.executable, str(ROOT / script), *arguments, *sets]


def environment(root: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "NIGHTFORGE_ROOT": str(root), "OMP_NUM_THREADS": "1", **more}


def launch(root: Path, *settings: str) -> subprocess.CompletedProcess[str]:
    words = command("launch_pipeline.py", settings, "--foreground", "--pipeline", "anomaly")
    return subprocess.run(words, cwd=root, env=environment(root), capture_output=True, text=True, timeout=600)


def state_of(root: Path) -> dict[str, Any]:
    value: dict[str, Any] = read_json(root / "logs" / "pipeline_live_state.json")
    return value


def decisions_of(root: Path) -> Path:
    label = read_json(root / "results" / "anomaly" / "latest.json")["label"]
    return root / "results" / "anomaly" / "runs" / str(label)


def statuses(root: Path) -> dict[str, str]:
    return {stage["id"]: stage["status"] for stage in state_of(root)["stages"]}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after one whole run of both streams."""
    root = make_project(tmp_path_factory.mktemp("anomaly") / "project")
    done = launch(root, *SMALL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return root


@pytest.fixture
def nobody_left(tmp_path: Path) -> Iterator[Path]:
    root = make_project(tmp_path / "project")
    yield root
    end_everything(root)


def end_everything(root: Path) -> None:
    """Kill whatever works for this project, as a power cut would, and wait until it is gone."""
    own = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get("NIGHTFORGE_ROOT") == str(root):
                process.kill()
                own.append(process)
        except (psutil.Error, OSError):
            continue
    psutil.wait_procs(own, timeout=20)


@pytest.mark.slow
def test_an_empty_project_becomes_models_decisions_and_a_green_gate(finished: Path) -> None:
    state = state_of(finished)
    assert list(statuses(finished)) == KEYS
    assert set(statuses(finished).values()) == {"succeeded"}
    assert {key for key, curve in state["curves"].items() if curve["train"]} == {"22", "23"}
    shown = {name: node["status"] for name, node in state["nodes"].items()}
    assert set(shown.values()) == {"done"}, shown
    checklist = read_json(decisions_of(finished) / "checklist.json")
    assert [item["state"] for item in checklist["items"]] == ["pass"] * 7, checklist
    exported = read_json(finished / "results" / "anomaly" / "dashboard-state.json")
    assert {name: node["status"] for name, node in exported["nodes"].items()} == dict.fromkeys(
        exported["nodes"], "done"
    )
    assert all(exported["artifacts"]["readiness"].values())
    assert {"patchtst.training.max_steps", "anomaly.alpha_warn"} <= {
        entry["key"] for entry in exported["settings"]["diff"]
    }
    index = read_json(finished / "results" / "anomaly" / "history" / "index.json")
    assert [run["run_id"] for run in index["runs"]] == [state["run_id"]]
    report = (finished / state["result"]["report"]).read_text(encoding="utf-8")
    for words in ("patchtst-v1", "swin-mim-v1", "## Checks", "## What to do next", "events"):
        assert words in report


@pytest.mark.slow
def test_a_second_start_does_only_what_is_about_the_run(finished: Path) -> None:
    done = launch(finished, *SMALL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    kept = {key for key, status in statuses(finished).items() if status == "skipped"}
    assert kept == {"21", "22", "23", "24", "25"}
    report = (finished / state_of(finished)["result"]["report"]).read_text(encoding="utf-8")
    assert "Kept from earlier runs: stages 21, 22, 23, 24, 25" in report
    assert not (finished / "models" / "patchtst-v2").exists()


@pytest.mark.slow
def test_a_backup_brings_models_and_decisions_back(finished: Path) -> None:
    thresholds = finished / "models" / "anomaly-patchtst-v1" / "thresholds.json"
    before = thresholds.read_bytes()
    label = sorted(path.parent.name for path in (finished / "backups").glob("*/manifest.json"))[-1]
    listed = read_json(finished / "backups" / label / "manifest.json")["files"]
    assert not [name for name in listed if "/rows/" in name or name.endswith("bundle.zip")]
    assert "data/anomaly/fdc/train/profile.json" in listed
    shutil.rmtree(finished / "models")
    words = command("scripts/18_restore_backup.py", (), "--restore", label, "--yes")
    done = subprocess.run(
        words, cwd=finished, env=environment(finished), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert thresholds.read_bytes() == before


def import_files(site: Site, source: Path) -> None:
    """Send the files of the generator, as a page sends those of a user."""
    for stream, folder in FOLDERS.items():
        for part in ("train", "test"):
            files = sorted((source / folder / part).iterdir())
            sent = begin(site, *(path.stat().st_size for path in files), stream=stream, part=part)
            for path in files:
                answer = upload(site, sent, path.name, path.read_bytes())
                assert answer.status == 200 and not json.loads(answer.body)["refused"], answer.body
            assert finish(site, sent).status == 200


def press_train(site: Site, **fields: Any) -> None:
    """Press until it is taken: a run that has ended may need a moment to be gone."""

    def taken() -> bool:
        return post(site, "/api/train", request_id=secrets.token_hex(8), **fields).status == 202

    wait_for(site.project.root, taken)


def wait_for(root: Path, seen: Callable[[], object]) -> None:
    deadline = time.monotonic() + 300
    while not seen():
        assert time.monotonic() < deadline, (root / "logs" / "pipeline_live.log").read_text()
        time.sleep(0.1)


def wait_for_end(root: Path, runs: int) -> str:
    """Wait until that many runs are there and the newest has ended; returns how."""

    def ended() -> list[str]:
        journals = sorted(root.glob("logs/runs/*/events.jsonl"))
        whole = r'"run_ended".*"status": "(\w+)".*\n'
        return re.findall(whole, journals[-1].read_text()) if len(journals) == runs else []

    wait_for(root, ended)
    return ended()[0]


def results_of(root: Path) -> dict[str, Any]:
    """Return all that was trained and decided, by name: bytes, or JSON without what is the run's own."""
    found: dict[str, Any] = {}
    for folder in (root / "models", decisions_of(root)):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in (".safetensors", ".npz", ".json", ".jsonl", ".csv"):
                plain = path.suffix != ".json"
                found[path.relative_to(folder).as_posix()] = (
                    path.read_bytes() if plain else stripped(read_json(path))
                )
    del found["checklist.json"]  # sentences that name the run and its backup
    return found


def stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: stripped(part) for name, part in value.items() if name not in OWN}
    return [stripped(part) for part in value] if isinstance(value, list) else value


@pytest.mark.slow
def test_a_run_from_the_page_through_a_power_cut_has_every_bit_of_the_one_from_the_terminal(
    finished: Path, nobody_left: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = nobody_left
    for name, value in environment(root, NIGHTFORGE_INJECT="22:hang@step=12").items():
        monkeypatch.setenv(name, value)
    with serving(Project(root)) as site:
        import_files(site, finished / "data" / "anomaly" / "synthetic")
        press_train(site, pipeline="anomaly", overrides=OVERRIDES)
        wait_for(root, lambda: list(root.glob("logs/runs/*/injected-22-*")))
        end_everything(root)
        assert list(root.glob("models/.work/patchtst-*/checkpoint-8/manifest.json"))
        monkeypatch.delenv("NIGHTFORGE_INJECT")
        press_train(site, resume=True)
        assert wait_for_end(root, 1) == "succeeded", (root / "logs" / "pipeline_live.log").read_text()
        assert {stage["id"]: stage["attempt"] for stage in state_of(root)["stages"]}["21"] == 1
        here, there = results_of(root), results_of(finished)
        assert sorted(here) == sorted(there)
        assert [name for name in here if here[name] != there[name]] == []
        shutil.copytree(root / "models" / "patchtst-v1", root / "models" / "patchtst-v2")
        press_train(site, pipeline="anomaly", mode="eval-only", overrides=OVERRIDES)
        assert wait_for_end(root, 2) == "failed"
        state = json.loads(ask(site, "/logs/pipeline_live_state.json").body)
    words = [stage["message"] for stage in state["stages"]]
    assert any("holds the thresholds of another model: patchtst-v1" in text for text in words), words
    assert results_of(root).keys() >= there.keys()  # nothing is lost


@pytest.mark.slow
def test_each_script_runs_by_hand_and_says_what_is_missing_before(finished: Path, nobody_left: Path) -> None:
    """All but training, which tests/anomaly/test_patchtst_training.py does by hand."""
    root = nobody_left

    def by_hand(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        words = command(script, SENSORS_ALONE, *arguments)
        return subprocess.run(
            words, cwd=root, env=environment(root), capture_output=True, text=True, timeout=300
        )

    scripts = [spec.script for spec in ANOMALY if spec.key not in ("22", "23", "16-post")]
    for script in reversed(scripts[1:]):
        early = by_hand(script)
        assert early.returncode == 2, f"{script}: {early.stderr}"
        assert "next: python " in early.stderr, script
    shutil.copytree(finished / "models" / "patchtst-v1", root / "models" / "patchtst-v1")
    for script in scripts:
        done = by_hand(script)
        assert done.returncode == 0, f"{script}: {done.stderr[-3000:]}"
    shutil.copytree(root / "models" / "patchtst-v1", root / "models" / "patchtst-v2")
    other = by_hand("scripts/25_score_batch.py")
    assert other.returncode == 2 and "holds the thresholds of another model: patchtst-v1" in other.stderr
    shutil.rmtree(root / "models" / "patchtst-v2")
    folder = decisions_of(root)
    states = {item["index"]: item["state"] for item in read_json(folder / "checklist.json")["items"]}
    assert states == {1: "pass", 2: "pass", 3: "pass", 4: "pass", 5: "fail", 6: "pass", 7: "pass"}
    assert (root / "results" / "anomaly" / "report.md").is_file()
    damaged = root / "models" / "patchtst-v1" / "profile.json"
    value = json.loads(damaged.read_text())
    damaged.write_text(json.dumps({**value, "scale": [0.0] * len(value["scale"])}))
    refused = by_hand("scripts/26_validate_training_outputs.py", "--skip-smoke")
    assert refused.returncode == 1
    assert "Models load, hashes match" in refused.stderr
    items = read_json(folder / "checklist.json")["items"]
    assert (items[5]["state"], items[5]["passed"]) == ("skipped", False)
    exported = read_json(root / "results" / "anomaly" / "dashboard-state.json")
    assert exported["nodes"]["checkpoint-check"]["status"] == "fail"
    assert exported["nodes"]["release-ready"]["status"] == "fail"
    assert not exported["artifacts"]["readiness"]["checkpoints_ready"]
